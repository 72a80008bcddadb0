-- SPDX-License-Identifier: Apache-2.0
--- The typed parameters of a recipe.
-- A constructor takes the default alone (`vise.param.int(4)`), or a table with the default first
-- and what else there is to say by name: `vise.param.int { 4, min = 1, max = 64, doc = "..." }`.
-- A parameter without default must be given. Values that name files (model, text, data, file) are
-- the only way by which a recipe reaches one.

local check = require("vise.check")

local M = {}
local H = {}

---@class vise.Param a row of vise.check, frozen, with `kind` one of the constructors below

--- A model: a folder, a .vise or .gguf file or a run directory.
---@param spec? string|table default path, doc
function M.model(spec)
  return H.new("model", spec, {})
end

--- A text file in UTF-8.
---@param spec? string|table default path, doc
function M.text(spec)
  return H.new("text", spec, {})
end

--- A folder or file of data.
---@param spec? string|table default path, doc
function M.data(spec)
  return H.new("data", spec, {})
end

--- Any one file.
---@param spec? string|table default path, doc
function M.file(spec)
  return H.new("file", spec, {})
end

--- The name of a protocol of measurement: "nll-256", "gptq-2048".
---@param spec? string|table default name, doc
function M.protocol(spec)
  return H.new("protocol", spec, {})
end

--- One of some texts or numbers; the first is the default.
---@param spec table the choices, doc
function M.enum(spec)
  if type(spec) ~= "table" or #spec == 0 then
    error("param.enum: expected a table of choices, the first the default", 2)
  end
  local choices = {}
  for i, choice in ipairs(spec) do
    if type(choice) ~= "string" and type(choice) ~= "number" then
      error(("param.enum: choice %d is %s, expected a text or a number"):format(i, type(choice)), 2)
    end
    choices[i] = choice
  end
  return H.new("choice", { choices[1], choices = choices, doc = spec.doc }, { choices = true })
end

--- An integer.
---@param spec? integer|table default, min, max, doc
function M.int(spec)
  return H.new("int", spec, { min = true, max = true })
end

--- A number.
---@param spec? number|table default, min, max, doc
function M.real(spec)
  return H.new("real", spec, { min = true, max = true })
end

--- True or false.
---@param spec? boolean|table default, doc
function M.bool(spec)
  return H.new("bool", spec, {})
end

--- Is this a value made by one of the constructors?
---@param value any
---@return boolean
function M.is(value)
  return H.rows[value] ~= nil
end

--- The row behind a parameter, as a plain table that may be sent to another process.
---@param param vise.Param
---@param name string
---@return vise.OptionRow
function M.row(param, name)
  local row = { name = name }
  for key, value in pairs(H.rows[param]) do
    row[key] = value
  end
  return row
end

--- Does the row name a file or folder?
---@param row vise.OptionRow
---@return boolean
function M.is_input(row)
  return H.inputs[row.kind] == true
end

--- What a row accepts, in words.
---@param row vise.OptionRow
---@return string
function M.expected(row)
  return H.words[row.kind] or check.expected(row)
end

--- The value that a text stands for ("bits=4" gives 4). Paths stay texts; whether they are there
--- is asked by vise.run.
---@param row vise.OptionRow
---@param text string
---@return any|nil value
---@return string|nil expected
function M.parse(row, text)
  if H.words[row.kind] then
    if text == "" then
      return nil, M.expected(row)
    end
    return text
  end
  return check.parse(row, text)
end

--- Why a row is not sound, or nil.
---@param row table
---@return string|nil problem
function M.problem(row)
  if type(row.doc) ~= "string" then
    return ("doc is %s, expected a text"):format(type(row.doc))
  elseif row.default == nil then
    return nil
  end
  local fits = H.words[row.kind] and type(row.default) == "string" and row.default ~= ""
    or not H.words[row.kind] and check.value(row, row.default) ~= nil
  local path = M.is_input(row) and row.default or ""
  if not fits then
    local text = "the default is %s, expected %s"
    return text:format(check.quote(row.default), M.expected(row))
  elseif path == "." or path:match("^/") or ("/" .. path .. "/"):find("/../", 1, true) then
    local text = "the default is %s, expected a relative path without '..'"
    return text:format(check.quote(row.default))
  end
end

H.inputs = { model = true, text = true, data = true, file = true }
H.words = {
  model = "a model folder, a .vise or .gguf file or a run directory",
  text = "a text file",
  data = "a file or folder of data",
  file = "a file",
  protocol = "the name of a protocol",
}
H.rows = setmetatable({}, { __mode = "k" }) -- param -> row; the handle itself is empty

function H.new(kind, spec, allowed)
  local given = type(spec) == "table" and spec or { spec }
  local row = { kind = kind, default = given[1], doc = given.doc or "" }
  for key, value in check.sorted_pairs(given) do
    if allowed[key] then
      row[key] = value
    elseif key == "default" then
      local text = "param.%s: unknown field 'default', expected the default first: { %s, ... }"
      error(text:format(kind, check.quote(value)), 3)
    elseif key ~= 1 and key ~= "doc" then
      local known = { "doc", table.unpack(check.sorted_keys(allowed)) }
      error(("param.%s: %s"):format(kind, check.unknown("field", key, known)), 3)
    end
  end
  local problem = M.problem(row)
  if problem then
    error(("param.%s: %s"):format(kind, problem), 3)
  end
  local handle = setmetatable({}, {
    __metatable = false,
    __name = "vise.param",
    __newindex = function()
      error("a parameter cannot be changed", 2)
    end,
  })
  H.rows[handle] = row
  return handle
end

return M
