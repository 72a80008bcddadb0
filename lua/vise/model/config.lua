-- SPDX-License-Identifier: Apache-2.0
--- Typed reading of a model's config. A value that is missing or wrong is refused by name.

local json = require("vise.native").json
local refusal = require("vise.model.refusal")

local M = {}
local H = {}

---@class vise.ConfigReader
local Reader = {}
Reader.__index = Reader

--- A reader of a decoded config; `prefix` goes before names in messages ("rope_scaling.").
---@param config table
---@param prefix? string
---@return vise.ConfigReader
function M.reader(config, prefix)
  return setmetatable({ _config = config, _prefix = prefix or "" }, Reader)
end

--- The value as it is, nil where the config has none or null.
function Reader:get(name)
  local value = self._config[name]
  if value ~= json.null then
    return value
  end
end

--- An integer of at least `least` (1) and at most `most`; `default` (if given) where there is none.
---@return integer
function Reader:integer(name, default, least, most)
  local value = self:get(name)
  if value == nil and default ~= nil then
    return default
  end
  local integer = type(value) == "number" and math.tointeger(value)
  if not integer or integer < (least or 1) or integer > (most or H.largest) then
    self:wrong(name, ("an integer in [%d, %d]"):format(least or 1, most or H.largest))
  end
  return integer
end

--- One integer for each of `n` layers: of a list, or the same for all.
---@return integer[]
function Reader:integers(name, n, default)
  local value = self:get(name)
  local list = {}
  if type(value) ~= "table" then
    local integer = self:integer(name, default)
    for i = 1, n do
      list[i] = integer
    end
    return list
  elseif #value ~= n then
    self:wrong(name, ("an integer, or one for each of the %d layers"):format(n))
  end
  local layers = M.reader({}, self._prefix)
  for i = 1, n do
    local key = ("%s[%d]"):format(name, i - 1)
    layers._config[key] = value[i]
    list[i] = layers:integer(key)
  end
  return list
end

--- A list of integers above 0, one at least.
---@return integer[]
function Reader:list(name)
  local value = self:get(name)
  if type(value) ~= "table" or value[1] == nil then
    self:wrong(name, "a list of integers above 0")
  end
  return self:integers(name, #value)
end

--- A number.
---@return number
function Reader:number(name, default)
  local value = self:get(name)
  if value == nil and default ~= nil then
    return default
  end
  if type(value) ~= "number" or not (value > -math.huge and value < math.huge) then
    self:wrong(name, "a number")
  end
  return value + 0.0
end

--- A number above 0.
---@return number
function Reader:positive(name, default)
  local value = self:get(name)
  if value == nil and default ~= nil then
    return default
  end
  if type(value) ~= "number" or not (value > 0 and value < math.huge) then
    self:wrong(name, "a number above 0")
  end
  return value + 0.0
end

---@return boolean
function Reader:boolean(name, default)
  local value = self:get(name)
  if value == nil then
    return default
  end
  if type(value) ~= "boolean" then
    self:wrong(name, "true or false")
  end
  return value
end

--- A reader of a table within the config, or nil.
---@return vise.ConfigReader|nil
function Reader:table(name)
  local value = self:get(name)
  if value == nil then
    return nil
  end
  if type(value) ~= "table" then
    self:wrong(name, "an object")
  end
  return M.reader(value, self._prefix .. name .. ".")
end

--- Refuse the value of `name`.
function Reader:wrong(name, expected)
  local value = self:get(name)
  local is = value == nil and "missing" or type(value) == "table" and "a table" or
    type(value) == "string" and "'" .. value .. "'" or tostring(value)
  refusal.refuse_format("config: %s%s is %s, expected %s", self._prefix, name, is, expected)
end

H.largest = 1 << 31 -- no dimension of a model comes near; products of two still fit

return M
