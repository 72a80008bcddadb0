-- SPDX-License-Identifier: Apache-2.0
--- Points drawn evenly, none twice.

local check = require("vise.check")
local native = require("vise.native")
local space = require("vise.sweep.space")

local M = {}
local H = {}

M.summary = "points drawn evenly, none twice"

--- Raises without a number of trials where the space has no end.
---@param search vise.Search
---@return integer trials at most as many as the space has points
function M.count(search)
  local size = space.size(search.axes)
  if search.trials == nil and size == math.huge then
    check.fail("%s: a range of real numbers has no end, expected --trials N", search.name)
  end
  return math.tointeger(math.min(search.trials or size, size))
end

--- The trials to run next, now that all before have ended; nil when there are none.
---@param search vise.Search
---@return vise.Proposal[]|nil
function M.next(search)
  if #search.tasks == 0 then
    return M.draw(search, M.count(search), {})
  end
end

--- `n` new points, numbers `#seen + 1` and on of the stream of the seed.
---@param search vise.Search
---@param n integer
---@param seen table<string, boolean> points that are taken; changed
---@return vise.Proposal[]
function M.draw(search, n, seen)
  local proposals, size = {}, space.size(search.axes)
  local order = size <= H.shuffled_size and H.shuffle(search.seed, size)
  local at = 0
  while #proposals < n do
    local params
    if order then
      params = space.point(search.axes, order[at + 1])
    else
      params = space.at(search.axes, function(axis)
        return native.core.uniform(search.seed, "sweep " .. axis.name, at)
      end)
    end
    at = at + 1
    local key = space.text(params)
    if not seen[key] then
      seen[key] = true
      proposals[#proposals + 1] = { params = params }
    end
  end
  return proposals
end

H.shuffled_size = 100000

--- The numbers 0 to n - 1 in an order of the seed.
function H.shuffle(seed, n)
  local order = {}
  for i = 1, n do
    order[i] = i - 1
  end
  for i = math.tointeger(n), 2, -1 do
    local k = math.floor(native.core.uniform(seed, "sweep shuffle", i) * i) + 1
    order[i], order[k] = order[k], order[i]
  end
  return order
end

return M
