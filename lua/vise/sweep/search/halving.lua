-- SPDX-License-Identifier: Apache-2.0
--- Successive halving: all trials on a small share of the text, the best third of them on three
--- times as much, and so on to the whole text.
-- Jamieson and Talwalkar, AISTATS 2016, with thirds as in Li et al., JMLR 18 (2018).

local front = require("vise.sweep.front")
local random = require("vise.sweep.search.random")

local M = {}
local H = {}

M.summary = "all on a ninth of the text or so, the best third of them on three times as much, ..."
M.FACTOR = 3
M.MOST_RUNGS = 4 -- the first scores a 27th of the windows

--- The trials that are begun.
M.count = random.count

--- The trials to run next, now that all before have ended; nil when there are none.
---@param search vise.Search
---@return vise.Proposal[]|nil
function M.next(search)
  local rungs = H.rungs(M.count(search))
  if #search.tasks == 0 then
    local proposals = random.draw(search, M.count(search), {})
    for _, proposal in ipairs(proposals) do
      proposal.share = M.FACTOR ^ (1 - rungs)
    end
    return proposals
  end
  local share = search.tasks[#search.tasks].share
  if share == 1 then
    return nil
  end
  local rung, vectors = {}, {}
  for _, task in ipairs(search.tasks) do
    if task.share == share then
      rung[#rung + 1] = task
      vectors[#rung] = front.vector(task.numbers, search.objectives, task.group) or false
    end
  end
  local proposals = {}
  for _, i in ipairs(front.order(vectors)) do
    if #proposals < (#rung + M.FACTOR - 1) // M.FACTOR and vectors[i] then
      proposals[#proposals + 1] =
        { trial = rung[i].trial, params = rung[i].params, share = H.next_share(share) }
    end
  end
  return #proposals > 0 and proposals or nil
end

--- All tasks of a search, the promoted ones included.
---@param search vise.Search
---@return integer
function M.tasks(search)
  local n, sum = M.count(search), 0
  for _ = 1, H.rungs(n) do
    sum, n = sum + n, (n + M.FACTOR - 1) // M.FACTOR
  end
  return sum
end

function H.rungs(n)
  local rungs = 1
  while n > 1 and rungs < M.MOST_RUNGS do
    rungs, n = rungs + 1, (n + M.FACTOR - 1) // M.FACTOR
  end
  return rungs
end

--- Powers of a third are not exact, the last share is.
function H.next_share(share)
  local next_share = share * M.FACTOR
  return next_share > 0.99 and 1 or next_share
end

return M
