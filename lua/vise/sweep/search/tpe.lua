-- SPDX-License-Identifier: Apache-2.0
--- The tree-structured Parzen estimator: points likely among the good trials, unlikely among
-- others. Bergstra, Bardenet, Bengio, Kegl, NIPS 2011, section 4; several objectives by the order
-- of vise.sweep.front, as in Ozaki et al., GECCO 2020. Differs from both: trials come in batches of
-- eight, each proposed when all before have ended, so that the same trials come out whatever the
-- number of jobs and wherever the sweep was interrupted; within a batch what is proposed counts
-- with the rest, which keeps the eight apart.

local front = require("vise.sweep.front")
local native = require("vise.native")
local random = require("vise.sweep.search.random")
local space = require("vise.sweep.space")

local M = {}
local H = {}

M.summary = "points near those that did well (tree-structured Parzen estimator), in batches of 8"
M.BATCH = 8
M.CANDIDATES = 24
M.GOOD_SHARE = 0.2

--- Raises without a number of trials where the space has no end.
M.count = random.count

--- The trials to run next, now that all before have ended; nil when there are none.
---@param search vise.Search
---@return vise.Proposal[]|nil
function M.next(search)
  local done, total = #search.tasks, M.count(search)
  local n = math.min(M.BATCH, total - done)
  if n == 0 then
    return nil
  elseif done == 0 then
    return random.draw(search, n, {})
  end
  local seen, good, rest = {}, {}, {}
  local vectors = {}
  for i, task in ipairs(search.tasks) do
    seen[space.text(task.params)] = true
    vectors[i] = front.vector(task.numbers, search.objectives, task.group) or false
  end
  for at, i in ipairs(front.order(vectors)) do
    table.insert(at <= math.ceil(M.GOOD_SHARE * done) and good or rest, search.tasks[i].params)
  end
  local proposals = {}
  for i = 1, n do
    local params = H.propose(search, good, rest, seen, done + i) or
      random.draw(search, 1, seen)[1].params
    seen[space.text(params)] = true
    proposals[i] = { params = params }
    rest[#rest + 1] = params
  end
  return proposals
end

--- The best new one of some candidates drawn from the good; nil when all are taken.
function H.propose(search, good, rest, seen, number)
  local best, best_score
  local densities = {}
  for _, axis in ipairs(search.axes) do
    densities[axis.name] = { good = H.density(axis, good), rest = H.density(axis, rest) }
  end
  for c = 1, M.CANDIDATES do
    local params, score = {}, 0
    for _, axis in ipairs(search.axes) do
      local stream = ("tpe %s %d"):format(axis.name, number)
      local of = densities[axis.name]
      local value = of.good.draw(native.core.uniform(search.seed, stream, 2 * c),
        native.core.uniform(search.seed, stream, 2 * c + 1))
      params[axis.name] = value
      score = score + math.log(of.good.at(value) / of.rest.at(value))
    end
    if not seen[space.text(params)] and (best == nil or score > best_score) then
      best, best_score = params, score
    end
  end
  return best
end

--- How likely values are where those points are: `at(value)`, and `draw` by two numbers in [0, 1).
function H.density(axis, points)
  if axis.values then
    return H.discrete(axis.values, axis.name, points)
  end
  return H.continuous(axis, points)
end

--- Each point is a bump over its value and, where values are numbers, over the neighbours; one more
--- is spread evenly.
function H.discrete(values, name, points)
  local weights, index, is_ordered = {}, {}, true
  for i, value in ipairs(values) do
    weights[i], index[value] = 1 / #values, i
    is_ordered = is_ordered and type(value) == "number" and (i == 1 or values[i - 1] < value)
  end
  for _, params in ipairs(points) do
    local center, bumps, sum = index[params[name]], {}, 0
    for i = 1, #values do
      local distance = (i - center) / math.max(1, #values / 6)
      bumps[i] = is_ordered and math.exp(-0.5 * distance * distance) or i == center and 1 or 0
      sum = sum + bumps[i]
    end
    for i = 1, #values do
      weights[i] = weights[i] + bumps[i] / sum
    end
  end
  local total = 1 + #points
  local function draw(u)
    local left = u * total
    for i = 1, #values do
      left = left - weights[i]
      if left < 0 then
        return values[i]
      end
    end
    return values[#values]
  end
  local function at(value)
    return weights[index[value]] / total
  end
  return { draw = draw, at = at }
end

--- A triangular bump over each point, as wide as the points are few, and one that is even.
function H.continuous(axis, points)
  local span = axis.high - axis.low
  local width = math.max(1e-12, span / math.sqrt(1 + #points))
  local function draw(u, v)
    local which = math.floor(u * (#points + 1))
    if which == #points or span == 0 then
      return axis.low + v * span
    end
    local bump = v < 0.5 and math.sqrt(2 * v) - 1 or 1 - math.sqrt(2 - 2 * v)
    local value = points[which + 1][axis.name] + width * bump
    return math.min(axis.high, math.max(axis.low, value))
  end
  local function at(value)
    local sum = span > 0 and 1 / span or 1
    for _, params in ipairs(points) do
      sum = sum + math.max(0, 1 - math.abs(value - params[axis.name]) / width) / width
    end
    return sum / (1 + #points)
  end
  return { draw = draw, at = at }
end

return M
