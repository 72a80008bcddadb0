-- SPDX-License-Identifier: Apache-2.0
--- One choice for each item, least loss within a budget of bytes: the multiple-choice knapsack
-- problem. Dynamic programming over quanta of the budget, sizes rounded up, then upgrades with what
-- is left in exact bytes. What rounding can cost is the loss of items x quantum bytes.

local M = {}
local H = {}

---@class vise.Choice
---@field bytes integer
---@field loss number

--- The indices chosen, or nil and the bytes of the smallest choice if that is more than the budget.
---@param items vise.Choice[][]
---@param budget integer bytes
---@return integer[]|nil chosen
---@return integer bytes of the choice
function M.solve(items, budget)
  local useful, least, most = {}, 0, 0
  for i, choices in ipairs(items) do
    useful[i] = H.undominated(choices)
    least = least + choices[useful[i][1]].bytes
    most = most + choices[useful[i][#useful[i]]].bytes
  end
  if least > budget then
    return nil, least
  end
  local chosen = most <= budget and H.last(useful) or H.by_quanta(items, useful, budget, least)
  return chosen, H.upgrade(items, useful, chosen, budget)
end

--- Sum of the losses of a choice.
---@param items vise.Choice[][]
---@param chosen integer[]
---@return number
function M.loss(items, chosen)
  local sum = 0
  for i, index in ipairs(chosen) do
    sum = sum + items[i][index].loss
  end
  return sum
end

--- Indices by increasing bytes and decreasing loss.
function H.undominated(choices)
  local order = {}
  for i in ipairs(choices) do
    order[i] = i
  end
  table.sort(order, function(a, b)
    local x, y = choices[a], choices[b]
    if x.bytes ~= y.bytes then
      return x.bytes < y.bytes
    elseif x.loss ~= y.loss then
      return x.loss < y.loss
    end
    return a < b
  end)
  local kept = {}
  for _, i in ipairs(order) do
    if #kept == 0 or choices[i].loss < choices[kept[#kept]].loss then
      kept[#kept + 1] = i
    end
  end
  return kept
end

function H.last(useful)
  local chosen = {}
  for i, list in ipairs(useful) do
    chosen[i] = list[#list]
  end
  return chosen
end

--- best[q]: the least loss of the items so far with q quanta more than their smallest choices take.
function H.by_quanta(items, useful, budget, least)
  local room = budget - least
  local quantum = math.max(1, (room + H.quanta - 1) // H.quanta)
  local n = room // quantum
  local best, picks = {}, {}
  for q = 0, n do
    best[q] = 0
  end
  for i, list in ipairs(useful) do
    local smallest = items[i][list[1]].bytes
    local sizes, losses = {}, {}
    for c, index in ipairs(list) do
      sizes[c] = (items[i][index].bytes - smallest + quantum - 1) // quantum
      losses[c] = items[i][index].loss
    end
    local next_best, pick = {}, {}
    for q = 0, n do
      local least_loss, at = math.huge, 1
      for c = 1, #sizes do
        if sizes[c] > q then
          break
        end
        local loss = best[q - sizes[c]] + losses[c]
        if loss < least_loss then
          least_loss, at = loss, c
        end
      end
      next_best[q], pick[q] = least_loss, at
    end
    best, picks[i] = next_best, pick
    picks[i].sizes = sizes
  end
  local chosen, q = {}, n
  for i = #items, 1, -1 do
    local c = picks[i][q]
    chosen[i] = useful[i][c]
    q = q - picks[i].sizes[c]
  end
  return chosen
end

--- Take the upgrades that gain most for a byte, while they fit; the bytes in all.
function H.upgrade(items, useful, chosen, budget)
  local bytes = 0
  for i, index in ipairs(chosen) do
    bytes = bytes + items[i][index].bytes
  end
  while true do
    local best, best_i, best_index = 0, nil, nil
    for i, list in ipairs(useful) do
      local now = items[i][chosen[i]]
      for _, index in ipairs(list) do
        local more = items[i][index].bytes - now.bytes
        local gain = now.loss - items[i][index].loss
        if more > 0 and bytes + more <= budget and gain / more > best then
          best, best_i, best_index = gain / more, i, index
        end
      end
    end
    if best_i == nil then
      return bytes
    end
    bytes = bytes + items[best_i][best_index].bytes - items[best_i][chosen[best_i]].bytes
    chosen[best_i] = best_index
  end
end

H.quanta = 16384

return M
