-- SPDX-License-Identifier: Apache-2.0
--- The options that a call takes: what its description says, the rows that it checks them by, and
-- those of the method that it names. They are completed by Tab and shown by help.

local doc = require("vise.repl.doc")
local method = require("vise.method")

local M = {}
local H = {}

---@class vise.KnownOption
---@field name string
---@field choices? (string|number)[]

--- The options in a table that is an argument of a function.
---@param fn function
---@param depth integer 1: the table is an argument itself; 2: it stands in a list that is one
---@param given { method?: string, format?: string } what is written in the table so far
---@return vise.KnownOption[]
function M.of(fn, depth, given)
  local list = {}
  local described = doc.of(fn)
  for _, row in ipairs(described and described.params or {}) do
    if (row.type:match("%[%]$") and 2 or 1) == depth then
      for _, field in ipairs(doc.fields(row)) do
        list[#list + 1] = { name = field.name, choices = H.choices(field.type) }
      end
    end
  end
  for _, row in ipairs(depth == 1 and M.rows(fn) or {}) do
    list[#list + 1] = row
  end
  local default = M.default_method(fn)
  if default then
    table.move({ { name = "method" }, { name = "stats" } }, 1, 2, #list + 1, list)
  end
  if default or H.has_method(list) then
    H.add_methods(list, given.method or default, given)
  end
  return list
end

--- Rows by which a function checks its options, where they are not written above it.
---@param fn function
---@return vise.OptionRow[]
function M.rows(fn)
  local calibration, train = require("vise.calibration"), require("vise.train")
  return fn == calibration.new and calibration.rows or fn == train.run and train.rows or {}
end

--- The method that a weight's verb takes if it is told none.
---@param fn function
---@return string|nil
function M.default_method(fn)
  local weight = require("vise.native").weight.methods
  for verb, name in next, H.defaults do
    if rawequal(fn, rawget(weight, verb)) then
      return name
    end
  end
end

H.defaults = { quantize = "rtn", factor = "svd", prune = "magnitude", share = "kmeans" }

function H.has_method(list)
  for _, option in ipairs(list) do
    if option.name == "method" then
      return true
    end
  end
end

--- Options of one method, or those of all while none is said.
function H.add_methods(list, name, given)
  local seen = {}
  for _, descriptor in ipairs(method.list()) do
    if name == nil or descriptor.name == name then
      for _, row in ipairs(method.params(descriptor.name, given)) do
        if not seen[row.name] then
          list[#list + 1], seen[row.name] = row, true
        end
      end
    end
  end
end

--- The texts of a type such as "zstd"|"rans".
function H.choices(kind)
  local choices = {}
  for text in kind:gmatch('"([^"]*)"') do
    choices[#choices + 1] = text
  end
  return #choices > 0 and choices or nil
end

return M
