-- SPDX-License-Identifier: Apache-2.0
--- Who watches long work that was given no `on_progress`: nobody, unless a person sits before it.

local M = {}
local H = {}

---@alias vise.Watcher fun(stage: string, unit: string): fun(done: integer, total: integer)

--- From now on `watcher` is told of each stage that begins, and its function of how far it is.
---@param watcher vise.Watcher|nil nobody
function M.set(watcher)
  H.watcher = watcher
end

--- What to call as a stage goes on: `given`, if there is one.
---@param given? fun(done: integer, total: integer)
---@param stage string "measure tales"
---@param unit string "tokens"
---@return fun(done: integer, total: integer)
function M.stage(given, stage, unit)
  return given or H.watcher and H.watcher(stage, unit) or H.nobody
end

function H.nobody() end

return M
