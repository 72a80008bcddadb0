-- SPDX-License-Identifier: Apache-2.0
--- Every point of the space.

local check = require("vise.check")
local space = require("vise.sweep.space")

local M = {}

M.summary = "every combination"

--- Raises for a space that has no end, or more points than were asked for.
---@param search vise.Search
---@return integer trials
function M.count(search)
  local size = space.size(search.axes)
  if size == math.huge then
    check.fail("grid: a range of real numbers has no end, expected a list or --search random")
  elseif size > (search.trials or M.LARGEST) then
    check.fail("grid: the space has %.0f points, expected at most %d%s", size,
      search.trials or M.LARGEST, search.trials and " (--trials); or --search random" or "")
  end
  return math.tointeger(size)
end

--- The trials to run next, now that all before have ended; nil when there are none.
---@param search vise.Search
---@return vise.Proposal[]|nil
function M.next(search)
  if #search.tasks > 0 then
    return nil
  end
  local proposals = {}
  for i = 1, M.count(search) do
    proposals[i] = { params = space.point(search.axes, i - 1) }
  end
  return proposals
end

M.LARGEST = 100000

return M
