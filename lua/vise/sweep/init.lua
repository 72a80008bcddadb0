-- SPDX-License-Identifier: Apache-2.0
--- A sweep: many runs of one recipe over its parameters.
-- Its directory is the truth: `sweep.json` says what was asked, `tasks.json` what is to be run,
-- `runs/NAME` is the run of a task that ended well, `failed/NAME.json` says why another did not. A
-- task has a result when one of the two is there; both appear by rename, so whoever is killed
-- leaves a task with its result or without. Whoever runs a task twice finds the first result there.

local check = require("vise.check")
local comparable = require("vise.run.comparable")
local front = require("vise.sweep.front")
local input = require("vise.run.input")
local native = require("vise.native")
local param = require("vise.param")
local refusal = require("vise.model.refusal")
local run = require("vise.run")
local space = require("vise.sweep.space")
local summary = require("vise.run.summary")

local must = refusal.must

local M = {}
local H = {}

M.FORMAT = 1
M.SEARCHES = { "grid", "random", "tpe", "halving" }

---@class vise.SweepRequest
---@field recipe {name: string, path: string, text: string}
---@field words {[1]: string, [2]: string}[] parameters and what they may be
---@field search string
---@field trials? integer
---@field objectives string[]
---@field seed? integer 0
---@field out? string the directory; default sweeps/ with the recipe's name and a hash of the rest

---@class vise.Task one run to be made
---@field name string of its run directory
---@field trial integer
---@field params table<string, any>
---@field share number of the windows to score, 1 but for halving
---@field status "pending"|"done"|"failed"
---@field numbers? table<string, number> of a task that is done
---@field group? string tasks that are done compare within it
---@field seconds? number
---@field message? string of a task that failed
---@field was_there? boolean its result is older than this process
---@field is_kept? boolean all its measured rows came from the cache

---@class vise.Search what a search sees
---@field name string
---@field axes vise.Axis[]
---@field trials integer|nil
---@field seed integer
---@field objectives string[]
---@field tasks vise.Task[] all have ended

---@class vise.Proposal
---@field params table<string, any>
---@field share? number 1 if absent
---@field trial? integer of a trial that goes on; a new one if absent

---@class vise.Sweep
---@field directory string
---@field spec table the content of sweep.json
---@field axes vise.Axis[]
---@field tasks vise.Task[]

--- A sweep in which every trial is valid, begun or taken up again in its directory.
---@param request vise.SweepRequest
---@return vise.Sweep|nil
---@return string? message
---@return string? code "argument" for what the request has wrong
function M.open(request)
  local description, message, code = run.describe(request.recipe)
  if description == nil then
    return nil, message, code
  end
  local ok, axes = pcall(space.parse, request.recipe.path, description.params, request.words)
  if not ok then
    return nil, check.strip_position(axes), "argument"
  end
  local spec = H.spec(request, description)
  local search = H.search_of(spec, axes, {})
  ok, message = pcall(M.search(spec.search).count, search)
  if not ok then
    return nil, check.strip_position(message), "argument"
  end
  local inputs
  inputs, message, code = H.validate(request.recipe, description.params, axes)
  if inputs == nil then
    return nil, message, code
  end
  spec.inputs = inputs
  return refusal.protect(H.begin, request, spec)
end

--- The sweep in a directory.
---@param directory string
---@return vise.Sweep|nil
---@return string? message
---@return string? code
function M.load(directory)
  local sweep, message, code = M.read(directory)
  for _, task in ipairs(sweep and sweep.tasks or {}) do
    M.look(sweep, task)
    task.was_there = task.status ~= "pending"
  end
  return sweep, message, code
end

--- The same without a look at the results: all tasks are pending.
---@param directory string
---@return vise.Sweep|nil
---@return string? message
---@return string? code
function M.read(directory)
  return refusal.protect(function()
    local spec, axes = H.read_spec(directory .. "/sweep.json")
    local path = directory .. "/tasks.json"
    local tasks = native.file.stat(path) and H.read_json(path) or {}
    return { directory = directory, spec = spec, axes = axes,
      tasks = H.check_tasks(path, tasks, axes) }
  end)
end

--- The module of a search.
---@param name string one of M.SEARCHES
---@return table
function M.search(name)
  return require("vise.sweep.search." .. name)
end

--- The tasks that are to be run now; empty when the sweep is complete.
---@param sweep vise.Sweep
---@return vise.Task[]|nil
---@return string? message
---@return string? code
function M.pending(sweep)
  local pending = {}
  for _, task in ipairs(sweep.tasks) do
    if task.status == "pending" then
      pending[#pending + 1] = task
    end
  end
  if #pending > 0 then
    return pending
  end
  local search = H.search_of(sweep.spec, sweep.axes, sweep.tasks)
  local proposals = M.search(sweep.spec.search).next(search)
  if proposals == nil then
    return {}
  end
  return refusal.protect(function()
    local n = 0
    for _, task in ipairs(sweep.tasks) do
      n = math.max(n, task.trial)
    end
    for _, proposal in ipairs(proposals) do
      n = n + (proposal.trial and 0 or 1)
      local task = H.task(proposal, proposal.trial or n)
      sweep.tasks[#sweep.tasks + 1], pending[#pending + 1] = task, task
    end
    H.write_tasks(sweep)
    return pending
  end)
end

--- How many tasks the sweep has in the end.
---@param sweep vise.Sweep
---@return integer
function M.total(sweep)
  local search = M.search(sweep.spec.search)
  return (search.tasks or search.count)(H.search_of(sweep.spec, sweep.axes, {}))
end

--- Is there a result of the task by now? Its status says so afterwards.
---@param sweep vise.Sweep
---@param task vise.Task changed
function M.look(sweep, task)
  local record = summary.read(M.run_directory(sweep, task))
  if record and not H.is_of(record, sweep, task) then
    task.status = "failed"
    task.message = M.run_directory(sweep, task)
      .. ": is a run of another recipe or other parameters"
    return
  elseif record then
    local objectives = sweep.spec.objectives
    local numbers, rows = summary.numbers(record, objectives)
    task.status, task.numbers, task.seconds = "done", numbers, record.seconds
    task.group = comparable.key(record, rows, objectives)
    task.is_kept = #record.rows > 0 and record.kept_rows == #record.rows
    return
  end
  local failure = native.file.read(M.failure_path(sweep, task))
  if failure then
    local decoded = native.json.decode(failure) or {}
    task.status, task.message = "failed", tostring(decoded.message)
  end
end

--- Is that the record of the task?
function H.is_of(record, sweep, task)
  local is_of = record.recipe.sha256 == sweep.spec.recipe.sha256
    and (record.share or 1) == task.share and record.seed == sweep.spec.seed
  for name, value in pairs(task.params) do
    is_of = is_of and record.parameters[name] == value
  end
  return is_of
end

--- Record that a task cannot be done.
---@param sweep vise.Sweep
---@param task vise.Task
---@param message string
---@return boolean|nil ok
---@return string? message
---@return string? code
function M.fail(sweep, task, message)
  local content = { name = task.name, params = task.params, message = message }
  return native.file.replace(M.failure_path(sweep, task), native.json.encode(content) .. "\n")
end

---@return string path
function M.run_directory(sweep, task)
  return ("%s/runs/%s"):format(sweep.directory, task.name)
end

---@return string path
function M.failure_path(sweep, task)
  return ("%s/failed/%s.json"):format(sweep.directory, task.name)
end

---@class vise.Trial
---@field id integer
---@field params table<string, any>
---@field status "done"|"stopped"|"failed"|"pending" stopped: halving did not go on with it
---@field objectives table<string, number> those it has, of its largest share
---@field share number
---@field cached boolean nothing had to be measured for it
---@field run? string the run directory
---@field message? string why it failed
---@field seconds? number

--- The trials by number, and the numbers of those on the front: done, and none better in all
--- objectives.
---@param sweep vise.Sweep
---@return vise.Trial[] trials
---@return integer[] front
function M.trials(sweep)
  local trials, vectors, objectives = {}, {}, sweep.spec.objectives
  for _, task in ipairs(sweep.tasks) do
    local before = trials[task.trial]
    local trial = { id = task.trial, params = task.params, status = task.status, objectives = {},
      share = task.share, message = task.message, seconds = task.seconds,
      cached = (task.was_there or task.is_kept) and (before == nil or before.cached) or false }
    if task.status == "done" then
      trial.run = M.run_directory(sweep, task)
      trial.status = task.share < 1 and "stopped" or "done"
    end
    for _, name in ipairs(objectives) do
      trial.objectives[name] = task.numbers and task.numbers[name]
    end
    trials[task.trial] = trial
    vectors[task.trial] = trial.status == "done"
      and front.vector(task.numbers, objectives, task.group) or false
  end
  return trials, front.front(vectors)
end

--- What was asked, as it is written and compared.
function H.spec(request, description)
  local recipe = request.recipe
  return {
    format = M.FORMAT,
    recipe = {
      name = recipe.name, path = recipe.path, text = recipe.text, about = description.about,
      sha256 = native.core.sha256(recipe.text), includes = description.includes,
    },
    params = native.json.array(description.params),
    claims = description.claims,
    words = native.json.array(request.words),
    search = request.search,
    trials = request.trials,
    objectives = native.json.array(request.objectives),
    seed = request.seed or 0,
    vise = native.core.version().vise,
  }
end

function H.search_of(spec, axes, tasks)
  return { name = spec.search, axes = axes, trials = spec.trials, seed = spec.seed,
    objectives = spec.objectives, tasks = tasks }
end

--- Every value of every parameter as `vise run` checks it; digests of the inputs by path.
--- Parameters do not depend on each other, so this is every trial.
function H.validate(recipe, rows, axes)
  local digests = {}
  local first, longest = {}, 1
  for a, axis in ipairs(axes) do
    first[a] = axis.values and axis.values or { axis.low, axis.high }
    longest = math.max(longest, #first[a])
  end
  for i = 1, longest do
    local given = {}
    for a, axis in ipairs(axes) do
      given[a] = { axis.name, space.value_text(first[a][math.min(i, #first[a])]) }
    end
    local values, inputs, code = run.resolve(recipe, rows, given)
    if values == nil then
      return nil, inputs, code
    end
    for _, found in check.sorted_pairs(inputs) do
      if digests[found.path] == nil then
        local hashed, message
        hashed, message, code = input.hash(found)
        if hashed == nil then
          return nil, message, code
        end
        digests[found.path] = hashed.sha256
      end
    end
  end
  return digests
end

function H.begin(request, spec)
  local directory = request.out or H.default_directory(spec)
  directory = #directory > 1 and directory:gsub("/+$", "") or directory
  local path = directory .. "/sweep.json"
  if native.file.stat(path) then
    H.check_same(path, spec)
  else
    H.check_empty(directory)
    must(native.file.make_dirs(directory))
    must(native.file.replace(path, native.json.encode(spec, { indent = 1 }) .. "\n"))
  end
  must(native.file.make_dirs(directory .. "/runs"))
  must(native.file.make_dirs(directory .. "/failed"))
  return must(M.load(directory))
end

--- A process that was killed while it began the sweep may have left the file it was writing.
function H.check_empty(directory)
  for _, name in ipairs(native.file.stat(directory) and must(native.file.list(directory)) or {}) do
    if not name:find("^sweep%.json%.tmp%-") then
      refusal.refuse(("--out: folder '%s' holds no sweep and is not empty, expected a new one (%s "
        .. "is in it)"):format(directory, name), "argument")
    end
  end
end

--- The same command leads to the same folder.
function H.default_directory(spec)
  local hash = native.core.sha256(native.json.encode(H.asked(spec)))
  return ("sweeps/%s-%s"):format(spec.recipe.name, hash:sub(1, 8))
end

--- What must be the same for a sweep to go on.
function H.asked(spec)
  local asked = {
    recipe = spec.recipe.sha256, search = spec.search, trials = spec.trials, seed = spec.seed,
    objective = table.concat(spec.objectives, ","), vise = spec.vise,
  }
  for _, included in ipairs(spec.recipe.includes) do
    asked["content of " .. included.path] = included.sha256
  end
  for _, word in ipairs(spec.words) do
    asked["parameter " .. word[1]] = word[2]
  end
  for file, digest in pairs(spec.inputs) do
    asked["content of " .. file] = digest
  end
  return asked
end

function H.check_same(path, spec)
  local old = H.read_json(path)
  H.read_spec(path)
  local before, now = H.asked(old), H.asked(spec)
  for _, list in ipairs({ before, now }) do
    for name in check.sorted_pairs(list) do
      if before[name] ~= now[name] then
        local message = "%s: is another sweep: %s is %s, was %s; expected the same command, or a "
          .. "new folder"
        local is, was = check.quote(now[name]), check.quote(before[name])
        refusal.refuse(message:format(path, name, is, was), "argument")
      end
    end
  end
  for _, key in ipairs({ "params", "claims", "recipe" }) do -- what runs is what is there
    local is, was = H.content(spec[key]), H.content(old[key])
    if is ~= was then
      refusal.refuse_format("%s: %s is not that of the recipe, expected what `vise sweep` wrote",
        path, key)
    end
  end
end

--- A part of sweep.json as it is compared; the recipe may be given by another path.
function H.content(value)
  local copy = must(native.json.decode(native.json.encode({ value = value }))).value
  copy.path, copy.name = nil, nil
  return native.json.encode(copy)
end

function H.task(proposal, trial)
  local share = proposal.share or 1
  local name = ("%04d"):format(trial)
  if share < 1 then
    name = ("%s-1of%.0f"):format(name, 1 / share)
  end
  return { name = name, trial = trial, params = proposal.params, share = share, status = "pending" }
end

--- sweep.json, whoever wrote it.
function H.read_spec(path)
  local spec = H.read_json(path)
  if type(spec) ~= "table" or spec.format ~= M.FORMAT then
    refusal.refuse_format("%s: is no sweep of format %d", path, M.FORMAT)
  end
  local ok, axes = pcall(function()
    for _, name in ipairs({ "name", "path", "text", "sha256" }) do
      assert(type(spec.recipe[name]) == "string")
    end
    assert(native.core.sha256(spec.recipe.text) == spec.recipe.sha256)
    assert(front.parse(table.concat(spec.objectives, ","))[1])
    assert(check.nearest(spec.search, M.SEARCHES) == spec.search)
    for _, row in ipairs(spec.params) do
      assert(param.problem(row) == nil)
    end
    return space.parse(spec.recipe.path, spec.params, spec.words)
  end)
  if not ok then
    refusal.refuse_format("%s: was altered, expected it as `vise sweep` wrote it", path)
  end
  return spec, axes
end

--- The tasks of tasks.json, whose names become those of folders.
function H.check_tasks(path, list, axes)
  local tasks, n = {}, 0
  for i, given in ipairs(type(list) == "table" and list or { false }) do
    local ok, task = pcall(function()
      assert(math.type(given.trial) == "integer" and given.trial > 0 and given.trial <= n + 1)
      assert(given.share > 0 and given.share <= 1 and space.has(axes, given.params))
      return H.task(given, given.trial)
    end)
    if not ok or task.name ~= given.name then
      refusal.refuse_format("%s: task %d was altered, expected it as `vise sweep` wrote it", path,
        i)
    end
    tasks[i], n = task, math.max(n, task.trial)
  end
  return tasks
end

function H.write_tasks(sweep)
  local tasks = {}
  for i, task in ipairs(sweep.tasks) do
    tasks[i] = { name = task.name, trial = task.trial, params = task.params, share = task.share }
  end
  must(native.file.replace(sweep.directory .. "/tasks.json",
    native.json.encode(native.json.array(tasks)) .. "\n"))
end

function H.read_json(path)
  return refusal.within(path, function()
    return must(native.json.decode(must(native.file.read(path))))
  end)
end

return M
