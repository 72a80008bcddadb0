-- SPDX-License-Identifier: Apache-2.0
--- Runs as people read them: one cell of a list, one run, two runs side by side.

local check = require("vise.check")
local claims = require("vise.run.claims")
local measured = require("vise.cli.measured")
local native = require("vise.native")
local record_of = require("vise.run.record")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = {}

--- The value of a field as a cell of a table; "-" where a run has none.
---@param field vise.Field|{name: string}
---@param value any
---@return string
function M.cell(field, value)
  if value == nil then
    return "-"
  elseif type(value) == "string" then
    return text.printable(field.name == "hash" and value:sub(1, 16) or value)
  elseif field.role == "parameter" then
    return check.plain(value)
  end
  local show = H.units[field.name:gsub("_se$", "")]
  return show and show(value) or H.plain(value)
end

--- Write one run.
---@param directory string
---@param record table
function M.show(directory, record)
  local recipe = record.recipe
  term.write(term.style(1, "bold", text.printable(directory)) .. "\n")
  local lines = {
    { "recipe", ("%s, %s"):format(recipe.path, text.printable(recipe.about or "")) },
    { "started", ("%s, took %s"):format(record.started, text.duration(record.seconds)) },
  }
  local machine = record.machine
  if machine then
    lines[#lines + 1] = { "machine", ("%s, %s, %d threads, vise %s"):format(machine.cpu_model,
      machine.cpu_level, machine.threads, record.vise) }
  end
  if record.artifact then
    local saved = record.artifact
    lines[#lines + 1] = { "artifact", ("%s, %.2f bits/weight, hash %s"):format(
      text.bytes(saved.bytes), saved.bits_per_weight, saved.hash:sub(1, 16)) }
  end
  lines[#lines + 1] = { "seed", tostring(record.seed) }
  for name, value in check.sorted_pairs(record.parameters) do
    local input = record.inputs[name]
    local hash = input and ("  (sha256 %s)"):format(input.sha256:sub(1, 16)) or ""
    lines[#lines + 1] = { name, text.printable(check.plain(value)) .. hash }
  end
  local width = 0
  for _, line in ipairs(lines) do
    line[1], line[2] = text.printable(line[1]), text.printable(line[2])
    width = math.max(width, #line[1])
  end
  for _, line in ipairs(lines) do
    term.write(("  %s%s  %s\n"):format(line[1], (" "):rep(width - #line[1]), line[2]))
  end
  if #record.rows > 0 then
    term.write("\n")
    for _, row in ipairs(record.rows) do
      record_of.with_nan(row)
    end
    measured.write(record.rows)
  end
  for _, claim in ipairs(record.claims or {}) do
    term.write(claims.text(claim) .. "\n")
  end
end

--- Write what two runs differ in.
---@param difference vise.RunDifference
function M.difference(difference)
  local a, b = table.unpack(difference.runs)
  local function write(title, rows, columns)
    if #rows > 0 then
      table.insert(columns, 1, { title = title, align = "left" })
      term.write_table(rows, columns)
      term.write("\n")
    end
  end
  local function pairs_of(list)
    local rows = {}
    for i, entry in ipairs(list) do
      rows[i] = { entry.name, H.short(entry.values[1]), H.short(entry.values[2]) }
    end
    return rows
  end
  local sides = { { title = a, align = "left" }, { title = b, align = "left" } }
  write("parameter", pairs_of(difference.parameters), { sides[1], sides[2] })
  write("also", pairs_of(difference.facts), { sides[1], sides[2] })
  local numbers, is_apart = {}, false
  for i, number in ipairs(difference.numbers) do
    local change = number.change
    is_apart = is_apart or not change and number.values[1] ~= nil and number.values[2] ~= nil
    numbers[i] = { number.name, M.cell(number, number.values[1]), M.cell(number, number.values[2]),
      change and (change > 0 and "+" or "") .. H.plain(change) or "-" }
  end
  write("number", numbers, { a, b, "change" })
  if is_apart then
    term.write("no change is given for what the runs measured on other data or by another protocol"
      .. "\n\n")
  end
  write("tensor", H.tensor_rows(difference.tensors), { "bytes", "", "change", "error", "",
    { title = "format", align = "left" } })
  local same = difference.same_tensors
  term.write(("%d tensor%s the same in bytes, format and error\n"):format(same,
    same == 1 and " is" or "s are"))
end

--- The same for other programs: nil in lists becomes null.
---@param difference vise.RunDifference
---@return table
function M.difference_json(difference)
  local function pair(values)
    local function side(i)
      return values[i] == nil and native.json.null or values[i]
    end
    return native.json.array({ side(1), side(2) })
  end
  local json = { runs = difference.runs, same_tensors = difference.same_tensors }
  for _, key in ipairs({ "parameters", "facts", "numbers" }) do
    local list = {}
    for i, entry in ipairs(difference[key]) do
      list[i] = { name = entry.name, values = pair(entry.values), change = entry.change }
    end
    json[key] = native.json.array(list)
  end
  local tensors = {}
  for i, entry in ipairs(difference.tensors) do
    tensors[i] = { name = entry.name, descriptions = pair(entry.descriptions),
      bytes = pair(entry.bytes), errors = pair(entry.errors) }
  end
  json.tensors = native.json.array(tensors)
  return json
end

function H.tensor_rows(tensors)
  local rows = {}
  for i, entry in ipairs(tensors) do
    local a, b = entry.bytes[1], entry.bytes[2]
    local from, to = entry.descriptions[1] or "-", entry.descriptions[2] or "-"
    rows[i] = {
      entry.name,
      a and text.bytes(a) or "-",
      b and text.bytes(b) or "-",
      a and b and a > 0 and ("%+.1f %%"):format(100 * (b - a) / a) or "-",
      text.number(entry.errors[1]),
      text.number(entry.errors[2]),
      from == to and from or from .. " -> " .. to,
    }
  end
  return rows
end

function H.short(value)
  local s = text.printable(check.plain(value == nil and "-" or value))
  return s:match("^%x+$") and #s == 64 and s:sub(1, 16) or s
end

--- Six digits; integers whole.
function H.plain(value)
  return math.type(value) == "integer" and text.count(value) or ("%.6g"):format(value)
end

H.units = {
  bytes = text.bytes,
  text_bytes = text.bytes,
  peak_memory_bytes = text.bytes,
  seconds = text.duration,
  bits_per_weight = function(value) return text.number(value, 2) end,
}

return M
