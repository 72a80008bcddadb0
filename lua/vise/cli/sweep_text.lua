-- SPDX-License-Identifier: Apache-2.0
--- A sweep as people and programs read it when it has ended.

local native = require("vise.native")
local run_text = require("vise.cli.run_text")
local sweep_of = require("vise.sweep")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}

--- `{sweep, trials: [{id, params, objectives, status, cached}], front: [ids]}`.
---@param sweep vise.Sweep
---@return table
function M.json(sweep)
  local trials, front = sweep_of.trials(sweep)
  local list = {}
  for i, trial in ipairs(trials) do
    list[i] = { id = trial.id, params = trial.params, objectives = trial.objectives,
      status = trial.status, cached = trial.cached }
  end
  return {
    sweep = sweep.directory,
    trials = native.json.array(list),
    front = native.json.array(front),
  }
end

--- Write the trials as a table, the front marked.
---@param sweep vise.Sweep
function M.write(sweep)
  local trials, front = sweep_of.trials(sweep)
  local is_best, columns, names = {}, { "trial", "" }, {}
  for _, id in ipairs(front) do
    is_best[id] = true
  end
  for _, axis in ipairs(sweep.axes) do
    if axis.values == nil or #axis.values > 1 then
      names[#names + 1], columns[#columns + 1] = axis.name, axis.name
    end
  end
  for _, name in ipairs(sweep.spec.objectives) do
    columns[#columns + 1] = name
  end
  columns[#columns + 1] = "time"
  columns[#columns + 1] = { title = "", align = "left" }
  local rows = {}
  for i, trial in ipairs(trials) do
    local row = { tostring(trial.id), is_best[trial.id] and "*" or "" }
    for _, name in ipairs(names) do
      row[#row + 1] = run_text.cell({ name = name, role = "parameter" }, trial.params[name])
    end
    for _, name in ipairs(sweep.spec.objectives) do
      row[#row + 1] = run_text.cell({ name = name }, trial.objectives[name])
    end
    row[#row + 1] = trial.seconds and text.duration(trial.seconds) or "-"
    row[#row + 1] = M.remark(trial)
    rows[i] = row
  end
  term.write("\n")
  term.write_table(rows, columns)
  term.write(("\n%s: %d trials, %d on the front (*)\n"):format(sweep.directory, #trials, #front))
end

--- What there is to say of a trial beside its numbers.
---@param trial vise.Trial
---@return string
function M.remark(trial)
  if trial.status == "failed" then
    return "failed: " .. text.printable(trial.message)
  elseif trial.status == "stopped" then
    return ("stopped at %.0f %% of the text"):format(100 * trial.share)
  end
  return ""
end

return M
