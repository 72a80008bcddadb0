-- SPDX-License-Identifier: Apache-2.0
--- Runs a sweep to its end: hands tasks to an engine, looks at what they leave, asks the search for
--- more.
-- The engine only says which tasks nobody works on any more; whether one is done is read from the
-- sweep's directory. A task that ended without a result (its process was killed, its node lost) is
-- given to the engine again, a few times.

local native = require("vise.native")
local sweep_of = require("vise.sweep")

local M = {}
local H = {}

--- How often a task may end without a result before that is its result.
M.ATTEMPTS = 3

--- Run what is left of a sweep.
---@param sweep vise.Sweep changed
---@param engine table as vise.sweep.engine.local makes it
---@param on_event fun(event: table) {event = "task", task} for each that ends, and now and then
--- {event = "tick", running}
---@return boolean|nil ok
---@return string? message
---@return string? code
function M.run(sweep, engine, on_event)
  local guard <close> = setmetatable({}, { __close = function()
    engine:cancel()
  end })
  local _ = guard
  while true do
    local pending, message, code = sweep_of.pending(sweep)
    if pending == nil then
      return nil, message, code
    elseif #pending == 0 then
      return H.clean(sweep)
    end
    local ok
    ok, message, code = H.finish(sweep, engine, pending, on_event)
    if not ok then
      return nil, message, code
    end
  end
end

--- Run tasks until each has a result.
function H.finish(sweep, engine, tasks, on_event)
  local by_name, attempts, left, names = {}, {}, #tasks, {}
  for i, task in ipairs(tasks) do
    by_name[task.name], attempts[task.name], names[i] = task, 0, task.name
  end
  local ok, message, code = engine:submit(names)
  if ok == nil then
    return nil, message, code
  end
  while left > 0 do
    local ended, running
    ended, running, code = engine:poll()
    if ended == nil then
      return nil, running, code
    end
    for _, one in ipairs(ended) do
      local task = by_name[one.name]
      ok, message, code = H.settle(sweep, engine, task, attempts, one.problem)
      if ok == nil then
        return nil, message, code
      elseif task.status ~= "pending" then
        left = left - 1
        on_event({ event = "task", task = task })
      end
    end
    on_event({ event = "tick", running = running })
    if left > 0 and #ended == 0 then
      ok, message, code = native.core.sleep(engine.wait_seconds)
      if not ok then
        return nil, message, code
      end
    end
  end
  return true
end

--- Find the result of a task that ended; without one, try again or give up.
function H.settle(sweep, engine, task, attempts, problem)
  sweep_of.look(sweep, task)
  if task.status ~= "pending" then
    return true
  end
  attempts[task.name] = attempts[task.name] + 1
  if attempts[task.name] < M.ATTEMPTS then
    return engine:submit({ task.name })
  end
  local ok, message, code = sweep_of.fail(sweep, task, problem)
  sweep_of.look(sweep, task)
  return ok, message, code
end

--- What killed processes left half done is of no use once all tasks have results.
function H.clean(sweep)
  local folder = sweep.directory .. "/runs"
  for _, name in ipairs(native.file.list(folder) or {}) do
    if name:find("^%..*%.partial$") then
      native.file.remove_tree(folder .. "/" .. name)
    end
  end
  return true
end

return M
