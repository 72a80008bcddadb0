-- SPDX-License-Identifier: Apache-2.0
--- What a run is listed, filtered and compared by: a few facts of its record, its parameters, and
--- the numbers that its models were measured to have.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.RunSummary
---@field run string the directory
---@field recipe string its name
---@field started string UTC
---@field seconds number
---@field seed integer
---@field peak_memory_bytes? integer
---@field hash? string of the artifact
---@field parameters table<string, any> those that name no file
---@field inputs table<string, string> paths of those that do, as they were written
---@field numbers table<string, number>

--- The facts, as they are named in filters and columns.
M.FACTS = { "run", "recipe", "started", "seconds", "seed", "peak_memory_bytes", "hash" }

--- The record in a run directory.
---@param directory string
---@return table|nil record
---@return string? message
---@return string? code "io" or "format"
function M.read(directory)
  local path = directory .. "/run.json"
  local content, message, code = native.file.read(path)
  if content == nil then
    return nil, message, code
  end
  local record
  record, message, code = native.json.decode(content)
  if record == nil then
    return nil, ("%s: %s"):format(path, message), code
  elseif not H.is_record(record) then
    return nil, path .. ": is no record of a run", "format"
  end
  return record
end

--- The summary of a record.
---@param directory string
---@param record table
---@return vise.RunSummary
function M.of(directory, record)
  local summary = {
    run = directory,
    recipe = tostring(record.recipe.name),
    started = tostring(record.started),
    seconds = tonumber(record.seconds) or 0,
    seed = math.tointeger(record.seed) or 0,
    peak_memory_bytes = math.tointeger(record.peak_memory_bytes),
    parameters = {},
    inputs = {},
    numbers = M.numbers(record),
  }
  if type(record.artifact) == "table" then
    summary.hash = record.artifact.hash
  end
  for name, value in check.sorted_pairs(record.parameters) do
    local is_input = record.inputs[name] ~= nil
    summary[is_input and "inputs" or "parameters"][name] = value
  end
  return summary
end

--- The numbers of a run: of each name the last measured row that has it decides, as for claims; the
--- bytes of a run that measured none are those of its artifact. Times of rows are left out.
---@param record table
---@return table<string, number>
function M.numbers(record)
  local numbers = {}
  local saved = type(record.artifact) == "table" and record.artifact or {}
  numbers.bytes, numbers.bits_per_weight = saved.bytes, saved.bits_per_weight
  for _, row in ipairs(record.rows) do
    for name, value in pairs(row) do
      if type(value) == "number" and value == value and name ~= "seconds" then
        numbers[name] = value
      end
    end
  end
  return numbers
end

function H.is_record(record)
  for _, key in ipairs({ "recipe", "parameters", "inputs", "rows" }) do
    if type(record) ~= "table" or type(record[key]) ~= "table" then
      return false
    end
  end
  return true
end

return M
