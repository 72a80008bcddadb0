-- SPDX-License-Identifier: Apache-2.0
--- Tasks as job arrays of Slurm, driven through its commands: sbatch, squeue --json, scancel.
-- A task of an array runs a chunk of trials. Slurm may requeue it (then trials that have results
-- are passed over), lose it (then squeue does not know it any more, and what has no result is said
-- to have ended) or hold it (then it is cancelled). All jobs of a sweep have one name, made of its
-- directory, so those of a sweep that was killed are found and cancelled; ids start again at 1 when
-- a site wipes its state.

local native = require("vise.native")
local place = require("vise.place")

local M = {}
local Engine = {}
Engine.__index = Engine
local H = {}

M.summary = "job arrays of a Slurm cluster"

M.options = {
  { name = "partition", kind = "string", value = "NAME", doc = "slurm: of the cluster" },
  { name = "time", kind = "string", value = "TIME",
    doc = "slurm: limit of a task of the array, as sbatch takes it: 2:00:00" },
  { name = "mem", kind = "string", value = "SIZE", doc = "slurm: memory of a task: 8G" },
  { name = "cpus", kind = "int", min = 1, doc = "slurm: cores of a task, and threads of its runs" },
  { name = "chunk", kind = "int", min = 1,
    doc = "slurm: trials in a task of the array; so that there are four for each job if absent" },
  { name = "script", kind = "string", value = "FILE",
    doc = "slurm: the batch script, a copy of share/slurm/array.sh" },
}

--- An engine: `submit(names)`, `poll()`, `cancel()`; see share/doc/sweeps.md.
---@param options vise.EngineOptions
---@return table|nil engine
---@return string? message
---@return string? code
function M.new(options)
  local directory = assert(native.file.realpath(options.directory))
  local config, message, code = H.command({ "scontrol", "show", "config" })
  if config == nil then
    return nil, message, code
  end
  local engine = setmetatable({
    wait_seconds = 1,
    _options = options,
    _directory = directory,
    _name = "vise-" .. native.core.sha256(directory):sub(1, 12),
    _most = tonumber(config:match("MaxArraySize%s*=%s*(%d+)")) or 1001,
    _script = options.script or place.default("share/slurm/array.sh"),
    _queue = {},
    _chunks = {}, -- "JOB_INDEX" -> names without a result, or nil
    _submitted = false,
  }, Engine)
  engine:_scancel()
  return engine
end

--- Take tasks; they are handed to Slurm at the next poll.
---@param names string[]
---@return boolean ok
function Engine:submit(names)
  table.move(names, 1, #names, #self._queue + 1, self._queue)
  return true
end

--- Hand on what is queued, look at what became of the rest.
---@return {name: string, problem: string}[]|nil ended
---@return integer|string running tasks of arrays; or the message
---@return string? code
function Engine:poll()
  while #self._queue > 0 do
    local ok, message, code = self:_sbatch()
    if not ok then
      return nil, message, code
    end
  end
  local alive, running = self:_alive() -- before results are looked for: who has gone has left them
  local ended = {}
  for key, names in pairs(self._chunks) do
    local left = {}
    for _, name in ipairs(names) do
      if H.has_result(self._directory, name) or not alive(key) then
        ended[#ended + 1] = { name = name, problem = ("slurm: task %s ended without a result; see "
          .. "%s/slurm"):format(key, self._options.directory) }
      else
        left[#left + 1] = name
      end
    end
    self._chunks[key] = #left > 0 and left or nil
  end
  return ended, running
end

--- End everything.
function Engine:cancel()
  if next(self._chunks) ~= nil then
    self:_scancel()
  end
  self._queue, self._chunks = {}, {}
end

function Engine:_scancel()
  H.command({ "scancel", "--name=" .. self._name })
end

--- One array of what is queued, as long as the site allows.
function Engine:_sbatch()
  local options = self._options
  local jobs = options.jobs or 1
  local size = options.chunk or math.max(1, #self._queue // (4 * jobs))
  local n = math.min(self._most, (#self._queue + size - 1) // size)
  local batch = #(native.file.list(self._directory .. "/slurm") or {}) + 1
  local folder = ("%s/slurm/%d"):format(self._directory, batch)
  local ok, message, code = native.file.make_dirs(folder)
  local chunks = {}
  for i = 1, n do
    chunks[i] = table.move(self._queue, 1, size, 1, {})
    self._queue = table.move(self._queue, size + 1, #self._queue, 1, {})
    if ok then
      ok, message, code = native.file.replace(("%s/%d"):format(folder, i - 1),
        table.concat(chunks[i], "\n") .. "\n")
    end
  end
  if not ok then
    return nil, message, code
  end
  local argv = { "sbatch", "--parsable", "--job-name=" .. self._name, "--open-mode=append",
    "--requeue",
    ("--array=0-%d%s"):format(n - 1, options.jobs and "%" .. options.jobs or ""),
    ("--output=%s/%%a.log"):format(folder) }
  for _, row in ipairs({ { "partition" }, { "time" }, { "mem" }, { "cpus", "cpus-per-task" } }) do
    if options[row[1]] then
      argv[#argv + 1] = ("--%s=%s"):format(row[2] or row[1], options[row[1]])
    end
  end
  for _, word in ipairs({ self._script, assert(native.file.exe()), self._directory, batch }) do
    argv[#argv + 1] = tostring(word)
  end
  local output
  output, message, code = H.command(argv)
  local job = output and output:match("^(%d+)")
  if job == nil then
    return nil, message or "sbatch: printed no job id", code or "io"
  end
  for i, names in ipairs(chunks) do
    self._chunks[("%s_%d"):format(job, i - 1)] = names
  end
  return true
end

--- Which tasks Slurm still has: a function of "JOB_INDEX", and how many run. All that it had where
--- it does not answer.
function Engine:_alive()
  local output = H.command({ "squeue", "--json", "--name=" .. self._name })
  local answer = output and native.json.decode(output)
  if type(answer) ~= "table" or type(answer.jobs) ~= "table" then
    return function()
      return true
    end, 0
  end
  local known, running = {}, 0
  for _, job in ipairs(answer.jobs) do
    local state = H.plain(job.job_state)
    if job.name == self._name and not H.is_over[state] then
      if H.is_held(job) then
        H.command({ "scancel", tostring(H.plain(job.job_id)) })
      else
        running = running + (state == "RUNNING" and 1 or 0)
        H.add_tasks(known, job)
      end
    end
  end
  return function(key)
    return known[key]
  end, running
end

--- The tasks that an entry of squeue stands for: one that runs, or all that wait: "0-3,7%2".
function H.add_tasks(known, job)
  local id = H.plain(job.array_job_id)
  local waiting = job.array_task_string
  if type(waiting) == "string" and waiting ~= "" then
    for first, last in waiting:gsub("%%.*", ""):gmatch("(%d+)%-?(%d*)") do
      for i = tonumber(first), tonumber(last) or tonumber(first) do
        known[("%s_%d"):format(id, i)] = true
      end
    end
  else
    known[("%s_%s"):format(id, H.plain(job.array_task_id))] = true
  end
end

--- Newer versions say {set, number} and lists where older ones say the value.
function H.plain(value)
  if type(value) ~= "table" then
    return value
  end
  return value.number or value[1]
end

function H.is_held(job)
  return tostring(job.state_reason):lower():find("held") ~= nil
end

H.is_over = {}
for word in ("BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED "
  .. "TIMEOUT"):gmatch("%S+") do
  H.is_over[word] = true
end

function H.has_result(directory, name)
  return native.file.stat(("%s/runs/%s/run.json"):format(directory, name))
    or native.file.stat(("%s/failed/%s.json"):format(directory, name))
end

--- What a command of Slurm prints; nil, message, code where it fails.
function H.command(argv)
  local process <close>, message, code = native.process.spawn({ argv = argv, capture = true,
    keep_errors = true })
  if process == nil then
    return nil, "slurm: " .. message, code
  end
  local lines = {}
  while true do
    local line
    line, message, code = process:read_line()
    if line == nil then
      break
    end
    lines[#lines + 1] = line
  end
  local exit_code = message == nil and process:wait()
  if exit_code ~= 0 then
    message = message or process:errors():match("([^\n]+)") or "ended with " .. tostring(exit_code)
    return nil, ("%s: %s"):format(argv[1], message), code or "io"
  end
  return table.concat(lines, "\n")
end

return M
