-- SPDX-License-Identifier: Apache-2.0
--- The space of a sweep: what each parameter of a recipe may be, from words such as `bits=2,3,4`
--- and `group=32..128`, which stands for all that the parameter allows between the two.

local check = require("vise.check")
local param = require("vise.param")

local M = {}
local H = {}

---@class vise.Axis
---@field name string
---@field values? any[] in the order they were written, ranges rising; or
---@field low? number of a range of reals
---@field high? number

--- The axes that words stand for, in their order. Raises for what the recipe's parameters refuse.
---@param path string of the recipe, begins the messages
---@param rows vise.OptionRow[] the parameters of the recipe
---@param words {[1]: string, [2]: string}[] names and what was written after the `=`
---@return vise.Axis[]
function M.parse(path, rows, words)
  local by_name, names, axes, seen = {}, {}, {}, {}
  for i, row in ipairs(rows) do
    by_name[row.name], names[i] = row, row.name
  end
  for i, word in ipairs(words) do
    local name, spec = word[1], word[2]
    local row = by_name[name]
    if row == nil then
      check.fail("%s: %s", path, check.unknown("parameter", name, names))
    elseif seen[name] then
      check.fail("%s: parameter '%s' is given twice", path, name)
    end
    seen[name] = true
    axes[i] = H.axis(path, row, spec)
  end
  return axes
end

--- The number of points; infinite with a range of reals.
---@param axes vise.Axis[]
---@return number
function M.size(axes)
  local n = 1
  for _, axis in ipairs(axes) do
    n = n * (axis.values and #axis.values or math.huge)
  end
  return n
end

--- Point `index` (from 0) of a finite space; the last axis moves fastest.
---@param axes vise.Axis[]
---@param index integer
---@return table<string, any> params
function M.point(axes, index)
  local params = {}
  for a = #axes, 1, -1 do
    local values = axes[a].values
    params[axes[a].name] = values[index % #values + 1]
    index = index // #values
  end
  return params
end

--- The point at coordinates in [0, 1), one for each axis.
---@param axes vise.Axis[]
---@param coordinate fun(axis: vise.Axis): number
---@return table<string, any> params
function M.at(axes, coordinate)
  local params = {}
  for _, axis in ipairs(axes) do
    local u = coordinate(axis)
    if axis.values then
      params[axis.name] = axis.values[math.floor(u * #axis.values) + 1]
    else
      params[axis.name] = axis.low + u * (axis.high - axis.low)
    end
  end
  return params
end

--- Parameters as one text, the same for the same parameters.
---@param params table<string, any>
---@return string "bits=3 group=64"
function M.text(params)
  local words = {}
  for name, value in check.sorted_pairs(params) do
    words[#words + 1] = name .. "=" .. M.value_text(value)
  end
  return table.concat(words, " ")
end

--- Is that a point of the space, with nothing beside it?
---@param axes vise.Axis[]
---@param params any
---@return boolean
function M.has(axes, params)
  if type(params) ~= "table" then
    return false
  end
  local n = 0
  for _ in pairs(params) do
    n = n + 1
  end
  for _, axis in ipairs(axes) do
    if not H.has_value(axis, params[axis.name]) then
      return false
    end
  end
  return n == #axes
end

function H.has_value(axis, value)
  if axis.values == nil then
    return type(value) == "number" and axis.low <= value and value <= axis.high
  end
  for _, known in ipairs(axis.values) do
    if known == value then
      return true
    end
  end
  return false
end

--- A value as it would be written on the command line, exactly.
---@param value any
---@return string
function M.value_text(value)
  if math.type(value) ~= "float" then
    return tostring(value)
  end
  local short = ("%.15g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

H.largest_range = 100000

function H.axis(path, row, spec)
  local axis = { name = row.name, values = {} }
  local is_known = {}
  local function add(value)
    local key = M.value_text(value)
    if not is_known[key] then
      is_known[key] = true
      table.insert(axis.values, value)
    end
  end
  for item in (spec .. ","):gmatch("([^,]*),") do
    local low, high = H.range(row, item)
    if low and row.kind == "real" then
      if item ~= spec then
        check.fail("%s: %s is '%s', expected one range or a list", path, row.name, spec)
      end
      H.check_range(path, row, spec, low, high)
      return { name = row.name, low = low, high = high }
    elseif low then
      for _, value in ipairs(H.between(path, row, item, low, high)) do
        add(value)
      end
    else
      add(H.parse(path, row, item))
    end
  end
  return axis
end

function H.parse(path, row, item)
  local value, expected = param.parse(row, item)
  if value == nil then
    check.fail("%s: %s is '%s', expected %s", path, row.name, item, expected)
  end
  return value
end

--- The ends of a range of numbers, or nil for what is no range.
function H.range(row, item)
  if row.kind == "int" or row.kind == "real" or row.kind == "choice" then
    local low, high = item:match("^([-+%d.eE]-[%d])%.%.([-+%d.][%d.eE+-]*)$")
    return tonumber(low), tonumber(high)
  end
end

--- What a parameter allows from `low` to `high`, rising.
function H.between(path, row, item, low, high)
  local values = {}
  if row.kind == "choice" then
    for _, choice in ipairs(row.choices) do
      if type(choice) == "number" and choice >= low and choice <= high then
        values[#values + 1] = choice
      end
    end
    table.sort(values)
  else
    H.check_range(path, row, item, low, high)
    if high - low >= H.largest_range then
      check.fail("%s: %s is '%s', expected a range of at most %d numbers", path, row.name, item,
        H.largest_range)
    end
    for value = low, high do
      values[#values + 1] = value
    end
  end
  if #values == 0 then
    check.fail("%s: %s is '%s', which holds nothing, expected %s", path, row.name, item,
      param.expected(row))
  end
  return values
end

function H.check_range(path, row, item, low, high)
  if low > high then
    check.fail("%s: %s is '%s', expected the smaller number first", path, row.name, item)
  end
  for _, value in ipairs({ low, high }) do
    H.parse(path, row, M.value_text(value))
  end
end

return M
