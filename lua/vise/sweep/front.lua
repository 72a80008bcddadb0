-- SPDX-License-Identifier: Apache-2.0
--- Several objectives at once: which trials no other beats, and an order of all.
-- Deb, Pratap, Agarwal, Meyarivan, IEEE Trans. Evol. Comp. 6 (2002): layers of points that none
-- outside dominates, within a layer those first that have most room around them.

local claims = require("vise.run.claims")
local check = require("vise.check")

local M = {}
local H = {}

--- Objectives that are better when they are greater; all others when they are less.
M.RISING = { accuracy = true, accuracy_high = true, accuracy_low = true, clusters = true,
  images = true, images_per_s = true, tokens = true, tokens_per_s = true, top1 = true }

--- The names of objectives. Raises for one that no measured row has.
---@param text string "kl,bytes"
---@return string[]
function M.parse(text)
  local names, seen = {}, {}
  for name in (text .. ","):gmatch("([^,]*),") do
    if not claims.is_number(name) then
      check.fail("--objective: %s", check.unknown("number", name, claims.NUMBERS))
    elseif seen[name] then
      check.fail("--objective: '%s' is named twice, expected it once", name)
    end
    names[#names + 1], seen[name] = name, true
  end
  return names
end

--- What a trial is judged by, less being better; nil unless it has all objectives.
---@param numbers table<string, number>|nil
---@param objectives string[]
---@param group? string trials of different groups do not compare (vise.run.comparable)
---@return number[]|nil
function M.vector(numbers, objectives, group)
  local vector = { group = group }
  for i, name in ipairs(objectives) do
    local value = numbers and numbers[name]
    if value == nil then
      return nil
    end
    vector[i] = M.RISING[name] and -value or value
  end
  return vector
end

--- Is `a` nowhere worse than `b`, and somewhere better?
---@param a number[]
---@param b number[]
---@return boolean
function M.dominates(a, b)
  if a.group ~= b.group then
    return false
  end
  local is_better = false
  for i = 1, #a do
    if a[i] > b[i] then
      return false
    end
    is_better = is_better or a[i] < b[i]
  end
  return is_better
end

--- The indices of the vectors that none of their group dominates; `false` stands for a trial
--- without one.
---@param vectors (number[]|false)[]
---@return integer[] rising
function M.front(vectors)
  local sorted, front = {}, {}
  for i, vector in ipairs(vectors) do
    sorted[#sorted + 1] = vector and i or nil
  end
  table.sort(sorted, function(a, b)
    return H.comes_first(vectors, a, b)
  end)
  for _, i in ipairs(sorted) do -- whatever dominates it comes before it, or something on the front
    local is_beaten = false
    for _, other in ipairs(front) do
      is_beaten = is_beaten or M.dominates(vectors[other], vectors[i])
    end
    front[#front + 1] = not is_beaten and i or nil
  end
  table.sort(front)
  return front
end

--- All indices, best first: layer by layer, those without a vector last.
---@param vectors (number[]|false)[]
---@return integer[]
function M.order(vectors)
  local order, left, n_left = {}, {}, 0
  for i, vector in ipairs(vectors) do
    left[i] = vector
    n_left = n_left + (vector and 1 or 0)
  end
  while n_left > 0 do
    local layer = M.front(left)
    for _, i in ipairs(H.by_room(layer, vectors)) do
      order[#order + 1], left[i] = i, false
    end
    n_left = n_left - #layer
  end
  for i, vector in ipairs(vectors) do
    if not vector then
      order[#order + 1] = i
    end
  end
  return order
end

--- By the first objective, then the second, and so on; equal ones by their numbers.
function H.comes_first(vectors, a, b)
  for k, x in ipairs(vectors[a]) do
    if x ~= vectors[b][k] then
      return x < vectors[b][k]
    end
  end
  return a < b
end

--- A layer, the ends of each objective first, then by the distance between the neighbours; those of
--- one group among each other.
function H.by_room(layer, vectors)
  local room, groups, names = {}, {}, {}
  for _, i in ipairs(layer) do
    local name = vectors[i].group or ""
    if groups[name] == nil then
      groups[name], names[#names + 1] = {}, name
    end
    table.insert(groups[name], i)
  end
  for _, name in ipairs(names) do
    H.add_room(room, groups[name], vectors)
  end
  table.sort(layer, function(a, b)
    return room[a] > room[b] or room[a] == room[b] and a < b
  end)
  return layer
end

--- How far the neighbours of each are apart, relative to the ends.
function H.add_room(room, layer, vectors)
  for k = 1, #vectors[layer[1]] do
    local sorted = table.move(layer, 1, #layer, 1, {})
    table.sort(sorted, function(a, b)
      local x, y = vectors[a][k], vectors[b][k]
      return x < y or x == y and a < b
    end)
    local span = vectors[sorted[#sorted]][k] - vectors[sorted[1]][k]
    room[sorted[1]], room[sorted[#sorted]] = math.huge, math.huge
    for at = 2, #sorted - 1 do
      local width = vectors[sorted[at + 1]][k] - vectors[sorted[at - 1]][k]
      room[sorted[at]] = (room[sorted[at]] or 0) + (span > 0 and width / span or 0)
    end
  end
end

return M
