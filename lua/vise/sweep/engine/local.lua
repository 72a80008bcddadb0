-- SPDX-License-Identifier: Apache-2.0
--- Tasks as processes of this machine, a few at a time; its cores and its memory are shared out
--- among them, so that they do not fight.

local machine = require("vise.machine")
local native = require("vise.native")

local M = {}
local Engine = {}
Engine.__index = Engine
local H = {}

M.summary = "processes on this machine"

---@class vise.EngineOptions
---@field directory string of the sweep
---@field jobs? integer tasks that run at the same time

--- The options that only this engine has.
M.options = {}

--- An engine: `submit(names)`, `poll()`, `cancel()`; see share/doc/sweeps.md.
---@param options vise.EngineOptions
---@return table engine
function M.new(options)
  local processors = machine.processors()
  local _, available = machine.memory()
  local jobs = options.jobs or math.max(1, math.min(processors, (available or 0) // H.memory_bytes))
  return setmetatable({
    wait_seconds = 0.02,
    _directory = options.directory,
    _jobs = jobs,
    _threads = math.max(1, processors // jobs),
    _ram_bytes = ("%d"):format(available and math.floor(0.9 * available) // jobs or 0),
    _queue = {},
    _running = {}, -- process -> name
  }, Engine)
end

--- Take tasks; they begin when it is their turn.
---@param names string[]
---@return boolean ok
function Engine:submit(names)
  table.move(names, 1, #names, #self._queue + 1, self._queue)
  return true
end

--- Start what can be started.
---@return {name: string, problem: string}[]|nil ended tasks that are no longer worked on, with or
--- without a result, and what to say where there is none
---@return integer|string running how many are; or the message
---@return string? code
function Engine:poll()
  local ended, n = {}, 0
  for process, name in pairs(self._running) do
    local exit_code, signal = process:wait(0)
    if exit_code then
      self._running[process] = nil
      ended[#ended + 1] = { name = name, problem = H.problem(process, exit_code, signal) }
      process:close()
    else
      n = n + 1
    end
  end
  while n < self._jobs and #self._queue > 0 do
    local name = table.remove(self._queue, 1)
    local process, message, code = native.process.spawn({
      argv = H.argv(self._directory, self._ram_bytes, name),
      env = { VISE_THREADS = tostring(self._threads) },
      keep_errors = true,
    })
    if process == nil then
      return nil, message, code
    end
    self._running[process] = name
    n = n + 1
  end
  return ended, n
end

--- End everything.
function Engine:cancel()
  for process in pairs(self._running) do
    process:kill(15)
  end
  for process in pairs(self._running) do
    process:close()
  end
  self._running, self._queue = {}, {}
end

--- The program that runs tasks: this one, or the Lua that required us.
function H.argv(...)
  local exe = assert(native.file.exe())
  if exe:match("vise$") then
    return { exe, "_worker", ... }
  end
  local script = "os.exit(require('vise.sweep.worker').main({ %q, %q, %q }), true)"
  return { exe, "-e", script:format(...) }
end

function H.problem(process, exit_code, signal)
  local errors = process:errors():match("([^\n]+)\n*$")
  return ("its worker was ended %s%s"):format(signal and "by signal " .. signal
    or "with code " .. exit_code, errors and " (" .. errors .. ")" or "")
end

H.memory_bytes = 1 << 30 -- that a task has at the least when the number of jobs is left to us

return M
