-- SPDX-License-Identifier: Apache-2.0
--- What a person asks of the index: conditions such as `bits=4` and `kl<0.1`, an order, columns.

local check = require("vise.check")

local M = {}
local H = {}

--- Conditions as one of SQL. Raises for what is no condition and for an unknown field.
---@param store vise.Store
---@param conditions string[] NAME=VALUE, NAME!=VALUE, NAME<NUMBER, <=, >, >=; a text may hold `*`
---@return string where
---@return any[] values
function M.where(store, conditions)
  local parts, values = { "1" }, {}
  for _, condition in ipairs(conditions) do
    local name, operator, value = condition:match("^([%a_][%w_]*)([=!<>]=?)(.*)$")
    if name == nil or operator == "!" or value == "" then
      check.fail("'%s' is no condition, expected NAME=VALUE, NAME<VALUE or the like", condition)
    end
    operator = operator == "==" and "=" or operator
    parts[#parts + 1] = H.condition(H.field(store, name), operator, value, values)
  end
  return table.concat(parts, " AND "), values
end

--- The order that `kl` (rising) or `-kl` (falling) stands for; runs without the field come last.
---@param store vise.Store
---@param sort string
---@return string order
function M.order(store, sort)
  local falls, name = sort:match("^(%-?)(.*)$")
  local column = H.field(store, name).column
  return ("%s IS NULL, %s%s"):format(column, column, falls == "-" and " DESC" or "")
end

--- The fields to show: those asked for; else the run, what differs among the runs, and of the
--- numbers by which compressed models are judged those that some have.
---@param store vise.Store
---@param asked string|nil names with commas between
---@param where string
---@param values any[]
---@return vise.Field[]
function M.columns(store, asked, where, values)
  local fields = {}
  if asked then
    for name in asked:gmatch("[^,]+") do
      fields[#fields + 1] = H.field(store, name)
    end
    return fields
  end
  fields[1] = H.field(store, "run")
  local candidates, expressions = {}, { "1" }
  local function add(field, expression)
    candidates[#candidates + 1] = field
    expressions[#expressions + 1] = expression:gsub("@", field.column)
  end
  for _, field in ipairs(store:fields()) do
    if field.role == "parameter" then
      add(field, "min(@) IS NOT max(@) AS @")
    end
  end
  for _, name in ipairs(H.judged_by) do
    for _, field in ipairs(store:fields()) do
      if field.name == name and field.role ~= "parameter" then
        add(field, "count(@) > 0 AS @")
      end
    end
  end
  local shown = assert(store:select({ columns = expressions, where = where, values = values }))[1]
  for _, field in ipairs(candidates) do
    if shown[field.column] == 1 then
      fields[#fields + 1] = field
    end
  end
  return fields
end

H.judged_by = { "kl", "nll", "share", "bytes", "bits_per_weight", "seconds" }

function H.field(store, name)
  local field, message = store:field(name)
  if field == nil then
    check.fail("%s", message)
  end
  return field
end

--- A number is compared with numbers, and as it is written with texts; true and false are 1 and 0.
function H.condition(field, operator, value, values)
  local number = tonumber(value) or ({ ["true"] = 1, ["false"] = 0 })[value]
  local function bind(given)
    values[#values + 1] = given
    return "?"
  end
  if operator ~= "=" and operator ~= "!=" then
    if number == nil and field.name ~= "started" then
      check.fail("%s%s%s: '%s' is no number", field.name, operator, value, value)
    end
    return ("%s %s %s"):format(field.column, operator, bind(number or value))
  end
  local equal = ("%s GLOB %s"):format(field.column, bind((value:gsub("[%[?]", "[%0]"))))
  if number then
    equal = ("(%s OR %s = %s)"):format(equal, field.column, bind(number))
  end
  return operator == "=" and equal or ("NOT coalesce(%s, 0)"):format(equal)
end

return M
