-- SPDX-License-Identifier: Apache-2.0
--- What a name in a session stands for. Nothing is computed but fields of tables, so that looking
-- has no effect.

local check = require("vise.check")
local reference = require("vise.repl.reference")

local M = {}
local H = {}

--- The value of a path: "m", "vise.model.open", "w:quantize"; nil if there is none.
---@param env table the session's globals
---@param path string
---@return any
function M.value(env, path)
  local root, rest = path:match("^([%a_][%w_]*)(.*)$")
  if root == nil then
    return nil
  end
  local value = rawget(env, root)
  if value == nil then
    value = _G[root]
  end
  for name in rest:gmatch("[.:]([%w_]+)") do
    value = H.field(value, name)
  end
  return value
end

--- What may stand behind a value and "." or ":", sorted.
---@param value any
---@param separator "."|":"
---@return string[]
function M.members(value, separator)
  local class = reference.class(value)
  local names = {}
  if class then
    for _, row in ipairs(separator == ":" and class.methods or class.fields) do
      names[#names + 1] = row.name
    end
  elseif type(value) == "table" then
    local mt = getmetatable(value)
    for _, name in ipairs(type(mt) == "table" and mt.fields or check.sorted_keys(value)) do
      names[#names + 1] = type(name) == "string" and name or nil
    end
  elseif type(value) == "userdata" then
    names = check.sorted_keys(H.methods(value))
  end
  table.sort(names)
  return names
end

--- The names that a session knows, Lua's own included.
---@param env table
---@return string[]
function M.globals(env)
  local names = {}
  for _, t in ipairs({ _G, env }) do
    for name in next, t do
      names[name] = type(name) == "string" or nil
    end
  end
  return check.sorted_keys(names)
end

function H.field(value, name)
  local class = reference.class(value)
  if type(value) == "table" then
    local ok, field = pcall(function()
      return value[name]
    end)
    return ok and field or nil
  elseif class then
    return class.find(name)
  end
  return rawget(H.methods(value), name)
end

--- The methods of a userdata.
function H.methods(value)
  local mt = type(value) == "userdata" and getmetatable(value)
  return type(mt) == "table" and type(mt.__index) == "table" and mt.__index or {}
end

return M
