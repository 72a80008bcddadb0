-- SPDX-License-Identifier: Apache-2.0
--- What a run is listed, filtered and compared by: a few facts of its record, its parameters, and
--- the numbers that its models were measured to have.

local check = require("vise.check")
local form = require("vise.run.form")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}

---@class vise.RunSummary
---@field run string the directory
---@field recipe string its name
---@field started string UTC
---@field seconds number
---@field seed integer
---@field share? number of the data, where it was not measured on all
---@field peak_memory_bytes? integer
---@field hash? string of the artifact
---@field parameters table<string, any> those that name no file, and what the judged row has beside
--- its numbers
---@field inputs table<string, string> paths of those that do, as they were written
---@field numbers table<string, number>

--- The facts, as they are named in filters and columns.
M.FACTS = { "run", "recipe", "started", "seconds", "seed", "share", "peak_memory_bytes", "hash" }

--- The record in a run directory.
---@param directory string
---@return table|nil record
---@return string? message
---@return string? code "io" or "format"
function M.read(directory)
  return refusal.protect(function()
    local path = directory .. "/run.json"
    local content = must(native.file.read(path))
    return form.record(path, refusal.within(path, function()
      return must(native.json.decode(content))
    end))
  end)
end

--- The summary of a record.
---@param directory string
---@param record table
---@return vise.RunSummary
function M.of(directory, record)
  local numbers, rows = M.numbers(record)
  local summary = {
    run = directory,
    recipe = record.recipe.name,
    started = record.started,
    seconds = record.seconds,
    seed = record.seed,
    share = record.share,
    peak_memory_bytes = math.tointeger(record.peak_memory_bytes),
    parameters = M.labels(#rows == 1 and rows[1] or {}),
    inputs = {},
    numbers = numbers,
  }
  summary.hash = record.artifact and record.artifact.hash
  for name, value in check.sorted_pairs(record.parameters) do
    local is_input = record.inputs[name] ~= nil
    summary[is_input and "inputs" or "parameters"][name] = value
  end
  return summary
end

--- The method of a row and its options, as the recipe wrote them beside its numbers.
---@param row table
---@return table<string, any>
function M.labels(row)
  local labels = { method = row.method }
  for name, value in pairs(row.options or {}) do
    labels[name] = value
  end
  return labels
end

--- The numbers of a run: those of the last row that has all of some, so that they are of one model;
--- what it has not, and all where there is none, is of each name the last that has it, and at last
--- the artifact's. Times of rows are left out.
---@param record table
---@param names? string[] the numbers by which it is judged; kl if absent
---@return table<string, number>
---@return table[] rows which have them: that one, or all
function M.numbers(record, names)
  local saved = record.artifact or {}
  local numbers = M.numbers_of({ { bytes = saved.bytes, bits_per_weight = saved.bits_per_weight },
    table.unpack(record.rows) })
  for i = #record.rows, 1, -1 do
    local row = record.rows[i]
    if M.has_all(row, names or { "kl" }) then
      for name, value in pairs(M.numbers_of({ row })) do
        numbers[name] = value
      end
      return numbers, { row }
    end
  end
  return numbers, record.rows
end

--- Does a row have all these numbers?
---@param row table
---@param names string[]
---@return boolean
function M.has_all(row, names)
  for _, name in ipairs(names) do
    local value = row[name]
    if type(value) ~= "number" or value ~= value then
      return false
    end
  end
  return true
end

--- The numbers of rows, later ones before earlier ones.
---@param rows table[]
---@return table<string, number>
function M.numbers_of(rows)
  local numbers = {}
  for _, row in ipairs(rows) do
    for name, value in pairs(row) do
      if type(value) == "number" and value == value and name ~= "seconds" then
        numbers[name] = value
      end
    end
  end
  return numbers
end

return M
