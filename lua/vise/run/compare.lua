-- SPDX-License-Identifier: Apache-2.0
--- Two runs side by side: what was asked of them, what was measured, what each tensor became.

local check = require("vise.check")
local comparable = require("vise.run.comparable")
local form = require("vise.run.form")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local summary = require("vise.run.summary")

local must = refusal.must

local M = {}
local H = {}

---@class vise.RunDifference
---@field runs string[] the two directories
---@field facts {name: string, values: any[]}[] recipe, inputs, machine: those that differ
---@field parameters {name: string, values: any[]}[] those that differ
---@field numbers {name: string, values: number[], change?: number}[] all measured ones; no change
--- where the two do not compare
---@field tensors {name: string, descriptions: string[], bytes: integer[], errors: number[]}[] those
--- that differ; a run that has not the tensor, or no error of it, has nil in its place
---@field same_tensors integer

--- Compare two run directories.
---@param a string
---@param b string
---@return vise.RunDifference|nil
---@return string? message
---@return string? code
function M.runs(a, b)
  return refusal.protect(function()
    local one, two = H.load(a), H.load(b)
    local tensors, same = H.tensors(one, two)
    return {
      runs = { a, b },
      facts = H.differing(H.facts(one), H.facts(two)),
      parameters = H.differing(one.record.parameters, two.record.parameters),
      numbers = H.numbers(one.record, two.record),
      tensors = tensors,
      same_tensors = same,
    }
  end)
end

--- The bytes and errors of the tensors of a run, by name.
---@param directory string
---@return table<string, {description: string, bytes: integer, error?: number}>|nil
---@return string? message
---@return string? code
function M.tensors(directory)
  return refusal.protect(function()
    return H.load(directory).tensors
  end)
end

function H.load(directory)
  local record = must(summary.read(directory))
  local path = directory .. "/ledger.json"
  local ledger = form.ledger(path, refusal.within(path, function()
    return must(native.json.decode(must(native.file.read(path))))
  end))
  local errors, tensors = record.errors or {}, {}
  for _, entry in ipairs(ledger) do
    tensors[entry.name] =
      { description = entry.description, bytes = entry.coded, error = errors[entry.name] }
  end
  return { record = record, tensors = tensors }
end

--- What else decides the numbers of a run.
function H.facts(run)
  local record = run.record
  local machine = record.machine or {}
  local facts = {
    recipe = record.recipe.sha256, seed = record.seed, vise = record.vise,
    cpu_level = machine.cpu_level, threads = machine.threads,
    artifact = record.artifact and record.artifact.hash,
  }
  for name, input in check.sorted_pairs(record.inputs) do
    facts["input " .. name] = input.sha256
  end
  return facts
end

--- Names of two tables, sorted, each once.
function H.names(a, b)
  local union = {}
  for _, t in ipairs({ a, b }) do
    for name in pairs(t) do
      union[name] = true
    end
  end
  return check.sorted_keys(union)
end

function H.differing(a, b)
  local list = {}
  for _, name in ipairs(H.names(a, b)) do
    if a[name] ~= b[name] then
      list[#list + 1] = { name = name, values = { a[name], b[name] } }
    end
  end
  return list
end

--- What a number was measured on: of the judged rows, or of those that have it.
function H.key(record, rows, name)
  return comparable.key(record, comparable.row_of(rows, name) and rows or record.rows, { name })
end

function H.numbers(one, two)
  local list, a, rows_a = {}, summary.numbers(one)
  local b, rows_b = summary.numbers(two)
  for _, name in ipairs(H.names(a, b)) do
    local is_same = a[name] and b[name]
      and H.key(one, rows_a, name) == H.key(two, rows_b, name)
    list[#list + 1] = { name = name, values = { a[name], b[name] },
      change = is_same and b[name] - a[name] or nil }
  end
  return list
end

function H.tensors(one, two)
  local list, same = {}, 0
  for _, name in ipairs(H.names(one.tensors, two.tensors)) do
    local a, b = one.tensors[name] or {}, two.tensors[name] or {}
    if a.description == b.description and a.bytes == b.bytes and a.error == b.error then
      same = same + 1
    else
      list[#list + 1] = {
        name = name,
        descriptions = { a.description, b.description },
        bytes = { a.bytes, b.bytes },
        errors = { a.error, b.error },
      }
    end
  end
  return list, same
end

return M
