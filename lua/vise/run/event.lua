-- SPDX-License-Identifier: Apache-2.0
--- What the process of a recipe tells the one that started it.
-- A recipe that broke out of Lua can print what it likes, so each event is copied field by field,
-- what is known and of the right form; anything else is refused.

local check = require("vise.check")
local claims = require("vise.run.claims")
local fields = require("vise.metric.fields")
local native = require("vise.native")
local param = require("vise.param")

local M = {}
local H = {}

--- One line as an event.
---@param line string JSON
---@return table|nil event
---@return string|nil message
function M.read(line)
  local given, problem = native.json.decode(line)
  local form = type(given) == "table" and H.forms[given.event]
  if not form then
    return nil, problem or "is no event"
  end
  local event = { event = given.event }
  for name, copy in check.sorted_pairs(form) do
    local ok, value = pcall(copy, given[name])
    if not ok or value == nil then
      return nil, ("%s: %s is not what it should be"):format(given.event, name)
    end
    event[name] = value
  end
  return event
end

--- Is it the last that a process sends?
---@param event table
---@return boolean
function M.is_last(event)
  return H.last[event.event] or false
end

H.last = { description = true, ["end"] = true, failure = true, long = true }

function H.text(value)
  return type(value) == "string" and value or nil
end

function H.count(value)
  return math.type(value) == "integer" and value >= 0 and value or nil
end

function H.truth(value)
  if type(value) == "boolean" then
    return value
  end
end

function H.number(value)
  return type(value) == "number" and value or nil
end

function H.code(value)
  return type(value) == "string" and #value < 20 and value:match("^%l+$") or nil
end

function H.params(list)
  local rows, seen = {}, {}
  for i, given in ipairs(list) do
    local row = { name = given.name:match("^[%a_][%w_]*$"), kind = given.kind, doc = given.doc,
      default = given.default, min = H.number(given.min), max = H.number(given.max) }
    if given.choices then
      row.choices = {}
      for k, choice in ipairs(given.choices) do
        row.choices[k] = H.text(choice) or H.number(choice)
      end
      assert(#row.choices == #given.choices)
    end
    assert(row.name and not seen[row.name] and param.problem(row) == nil)
    seen[row.name], rows[i] = true, row
  end
  return rows
end

--- A copy of claims; raises where they are none.
---@param given any
---@return table<string, {[1]: string, [2]: number}>
function M.claims(given)
  local copy = {}
  for name, claim in check.sorted_pairs(given) do
    assert(claims.problem(name, claim) == nil)
    copy[name] = { claim[1], claim[2] }
  end
  return copy
end

H.row_texts = { against = true, data = true, method = true, name = true, protocol = true }
H.row_numbers = {}
for _, field in ipairs(fields.list()) do
  H.row_numbers[field.name] = true
end

--- A copy of a measured row; raises where it is none.
---@param given any
---@return table
function M.row(given)
  local row = {}
  for name, value in pairs(given) do
    assert(H.row_texts[name] and H.text(value)
      or H.row_numbers[name] and (H.number(value) or value == native.json.null)
      or name == "options" and H.options(value))
    row[name] = value
  end
  assert(row.name and row.protocol)
  return row
end

--- Of the method of a row: names with a text, a number or true or false each.
function H.options(given)
  for name, value in pairs(given) do
    assert(H.text(name) and (H.text(value) or H.number(value) or type(value) == "boolean"))
  end
  return given
end

--- A copy of what is said of an artifact; raises where it is not whole.
---@param given any
---@return table
function M.artifact(given)
  assert(given.file == "model.vise" and given.hash:match("^%x+$") and #given.hash == 64)
  return { file = given.file, hash = given.hash, bytes = assert(H.count(given.bytes)),
    packed_bytes = assert(H.count(given.packed_bytes)),
    bits_per_weight = assert(H.number(given.bits_per_weight)) }
end

function H.indices(given)
  local copy = {}
  for i, index in ipairs(given) do
    copy[i] = assert(H.count(index))
  end
  return copy
end

function H.errors(given)
  local copy = {}
  for place, value in pairs(given) do
    copy[assert(H.text(place))] = assert(H.number(value))
  end
  return copy
end

function H.points(given)
  local copy = {}
  for i, point in ipairs(given) do
    copy[i] = { assert(H.count(point[1])), assert(H.number(point[2])) }
  end
  return native.json.array(copy)
end

H.forms = {
  description = { about = H.text, params = H.params, claims = M.claims },
  include = { key = H.text },
  stage = { stage = H.text },
  progress = { done = H.number, total = H.number, unit = H.text },
  log = { text = H.text },
  why = { text = H.text },
  losses = { name = H.text, points = H.points },
  row = { row = M.row, is_kept = H.truth },
  saved = { artifact = M.artifact, rows = H.indices, errors = H.errors },
  estimate = { seconds = H.number, memory_bytes = H.count, writable_bytes = H.count,
    file_bytes = H.count, cache_bytes = H.count },
  long = {},
  failure = { message = H.text, code = H.code },
  ["end"] = { peak_memory_bytes = H.count },
}

return M
