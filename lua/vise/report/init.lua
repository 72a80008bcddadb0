-- SPDX-License-Identifier: Apache-2.0
--- What a report is made of: the runs of a sweep, or some runs, with all that is known of each.

local check = require("vise.check")
local comparable = require("vise.run.comparable")
local compare = require("vise.run.compare")
local front = require("vise.sweep.front")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local summary = require("vise.run.summary")
local sweep_of = require("vise.sweep")

local must = refusal.must

local M = {}
local H = {}

---@class vise.ReportEntry one trial, one run, or one measured row of a run
---@field id integer its number in the report; of a sweep that of the trial
---@field run? string directory
---@field name? string of the row, where a run has several
---@field recipe string
---@field status "done"|"partial"|"stopped"|"failed"|"pending" partial and stopped: measured on
--- `share` of the data only, the latter because halving did not go on
---@field share? number of the data
---@field message? string why it failed
---@field params table<string, any>
---@field numbers table<string, number>
---@field seconds? number
---@field group? integer index in `groups`: entries of one compare in the objectives
---@field is_best boolean on the front of its group
---@field tensors {name: string, description: string, bytes: integer, error: number?}[]

---@class vise.Report
---@field title string
---@field objectives string[]
---@field entries vise.ReportEntry[]
---@field groups {text: string, front: integer[]}[] what their numbers were measured on, and the ids
--- of those that none of the group beats
---@field parameters string[] those in which the entries differ
---@field numbers string[] those that some entry has
---@field curves {label: string, name: string, x: string, points: number[][]}[]
---@field recipes {name: string, path: string, sha256: string, text: string}[]
---@field provenance {name: string, value: string}[]

--- The report over a sweep, or over run directories.
---@param paths string[] one sweep, or any number of runs
---@param objectives string[]|nil those of the sweep, else kl (nll where no run has it) and bytes
---@return vise.Report|nil
---@return string? message
---@return string? code
function M.collect(paths, objectives)
  return refusal.protect(function()
    if #paths == 1 and native.file.stat(paths[1] .. "/sweep.json") then
      return H.of_sweep(must(sweep_of.load(paths[1])), objectives)
    end
    return H.of_runs(paths, objectives)
  end)
end

function H.of_sweep(sweep, objectives)
  local report = H.new(("%s, %s"):format(sweep.spec.recipe.name, sweep.directory),
    objectives or sweep.spec.objectives)
  for _, trial in ipairs((sweep_of.trials(sweep))) do
    local entry = { id = trial.id, recipe = sweep.spec.recipe.name, status = trial.status,
      message = trial.message, params = trial.params, numbers = {}, tensors = {} }
    if trial.run then
      local record = must(summary.read(trial.run))
      H.add_facts(report, record)
      H.add_curves(report, record, entry.id)
      H.fill(report, entry, trial.run, record)
      entry.status = trial.status
    end
    report.entries[#report.entries + 1] = entry
  end
  H.add_rungs(report, sweep)
  return H.finish(report)
end

function H.of_runs(paths, objectives)
  local records, has_kl = {}, false
  for i, path in ipairs(paths) do
    records[i] = must(summary.read(path))
    has_kl = has_kl or summary.numbers(records[i]).kl ~= nil
  end
  local title = #paths == 1 and paths[1] or ("%d runs"):format(#paths)
  local report = H.new(title, objectives or { has_kl and "kl" or "nll", "bytes" })
  for i, path in ipairs(paths) do
    H.add_run(report, path, records[i])
  end
  return H.finish(report)
end

function H.new(title, objectives)
  return { title = title, objectives = objectives, entries = {}, groups = {}, curves = {},
    recipes = {}, _facts = {}, _groups = {} }
end

--- One entry of a run, or one for each row where several have all objectives.
function H.add_run(report, path, record)
  local rows = {}
  for _, row in ipairs(record.rows) do
    rows[#rows + 1] = summary.has_all(row, report.objectives) and row or nil
  end
  H.add_facts(report, record)
  H.add_curves(report, record, #report.entries + 1)
  for i = 1, math.max(1, #rows) do
    local entry = { id = #report.entries + 1 }
    H.fill(report, entry, path, record, #rows > 1 and rows[i] or nil)
    report.entries[entry.id] = entry
  end
end

--- What a run says of itself, or of one of its rows.
---@param row? table
function H.fill(report, entry, path, record, row)
  local facts = summary.of(path, record)
  entry.run, entry.recipe, entry.seconds = path, facts.recipe, facts.seconds
  entry.status, entry.share = record.share and "partial" or "done", record.share
  entry.params, entry.tensors = {}, {}
  for _, key in ipairs({ "parameters", "inputs" }) do
    for name, value in pairs(facts[key]) do
      entry.params[name] = value
    end
  end
  local rows = { row }
  if row then
    entry.name, entry.numbers, entry.seconds = row.name, summary.numbers_of(rows), row.seconds
    for name, value in pairs(summary.labels(row)) do
      entry.params[name] = value
    end
  else
    entry.numbers, rows = summary.numbers(record, report.objectives)
  end
  H.put_into_group(report, entry, record, rows)
  if row == nil or record.artifact and row.bytes == record.artifact.bytes then
    for name, tensor in check.sorted_pairs(must(compare.tensors(path))) do
      table.insert(entry.tensors, { name = name, description = tensor.description,
        bytes = tensor.bytes, error = tensor.error })
    end
  end
end

--- The entry is one of a group if it has all objectives and was measured on all of the data.
function H.put_into_group(report, entry, record, rows)
  if entry.share or not front.vector(entry.numbers, report.objectives) then
    return
  end
  local key = comparable.key(record, rows, report.objectives)
  if report._groups[key] == nil then
    report.groups[#report.groups + 1] =
      { text = comparable.text(record, rows, report.objectives) or "sizes", front = {} }
    report._groups[key] = #report.groups
  end
  entry.group = report._groups[key]
end

--- The losses of what a run has trained.
function H.add_curves(report, record, id)
  for _, curve in ipairs(record.losses or {}) do
    table.insert(report.curves, { label = ("#%d %s"):format(id, curve.name), name = "loss",
      x = "step", points = curve.points })
  end
end

--- Each recipe once, what it includes after it.
function H.add_recipe(report, recipe)
  local all = { recipe, table.unpack(recipe.includes or {}) }
  for _, one in ipairs(all) do
    local is_known = false
    for _, known in ipairs(report.recipes) do
      is_known = is_known or known.sha256 == one.sha256
    end
    if not is_known then
      table.insert(report.recipes, { name = one.name or one.path, path = one.path,
        sha256 = one.sha256, text = one.text })
    end
  end
end

--- What the runs were made with: values of a name that differ stand side by side.
function H.add_facts(report, record)
  H.add_recipe(report, record.recipe)
  local machine = record.machine or {}
  local facts = { vise = record.vise, seed = record.seed, processor = machine.cpu_model,
    ["CPU level"] = machine.cpu_level, threads = machine.threads }
  for name, version in pairs(machine.libraries or {}) do
    facts[name] = version
  end
  for name, input in pairs(record.inputs) do
    facts["input " .. name] = ("%s  sha256 %s"):format(input.given, input.sha256)
  end
  for name, value in pairs(facts) do
    local values = report._facts[name] or {}
    values[tostring(value)], report._facts[name] = true, values
  end
  local first, last = report._first, report._last
  local started = tostring(record.started)
  report._first = (first == nil or started < first) and started or first
  report._last = (last == nil or started > last) and started or last
end

--- Of halving: how the first objective of each trial went with the share of the text.
function H.add_rungs(report, sweep)
  local name, by_trial = report.objectives[1], {}
  for _, task in ipairs(sweep.tasks) do
    if task.numbers and task.numbers[name] then
      local points = by_trial[task.trial] or {}
      points[#points + 1], by_trial[task.trial] = { task.share, task.numbers[name] }, points
    end
  end
  for trial, points in check.sorted_pairs(by_trial) do
    if #points > 1 then
      table.insert(report.curves, { label = "#" .. trial, name = name, x = "share of the text",
        points = points })
    end
  end
end

function H.finish(report)
  local vectors = {}
  for i, entry in ipairs(report.entries) do
    entry.is_best = false
    vectors[i] = entry.group
      and front.vector(entry.numbers, report.objectives, tostring(entry.group)) or false
  end
  for _, i in ipairs(front.front(vectors)) do
    local entry = report.entries[i]
    entry.is_best = true
    table.insert(report.groups[entry.group].front, entry.id)
  end
  report.parameters, report.numbers = H.varied(report.entries), H.names(report.entries)
  local provenance = { { name = "runs", value = tostring(#report.entries) } }
  if report._first then
    table.insert(provenance, { name = "started", value = report._first == report._last
      and report._first or report._first .. " to " .. report._last })
  end
  for name, values in check.sorted_pairs(report._facts) do
    table.insert(provenance,
      { name = name, value = table.concat(check.sorted_keys(values), ", ") })
  end
  report.provenance = provenance
  report._facts, report._groups, report._first, report._last = nil, nil, nil, nil
  return report
end

--- Parameters that are not the same everywhere.
function H.varied(entries)
  local first, varies = {}, {}
  for _, entry in ipairs(entries) do
    for name, value in pairs(entry.params) do
      if first[name] == nil then
        first[name] = value
      end
    end
  end
  for _, entry in ipairs(entries) do
    for name, value in pairs(entry.params) do
      varies[name] = varies[name] or value ~= first[name] or nil
    end
  end
  return check.sorted_keys(varies)
end

function H.names(entries)
  local names = {}
  for _, entry in ipairs(entries) do
    for name in pairs(entry.numbers) do
      names[name] = true
    end
  end
  return check.sorted_keys(names)
end

return M
