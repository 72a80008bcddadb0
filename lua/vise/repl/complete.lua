-- SPDX-License-Identifier: Apache-2.0
--- What Tab may make of a word: globals, fields, methods; inside quotes names of places and
-- methods. Nothing is computed but fields of tables, so that completion has no effect.

local check = require("vise.check")
local reference = require("vise.repl.reference")

local M = {}
local H = {}

--- All words that begin as `word` does.
---@param env table the session's globals
---@param before string the line up to the word
---@param word string "m:wei", "vise.mod", "layers.0."
---@return string[] words sorted
function M.run(env, before, word)
  local _, quotes = before:gsub("[\"']", "")
  local list
  if quotes % 2 == 1 then
    list = H.texts(env)
  else
    local path, separator = word:match("^(.*)([.:])[%w_]*$")
    list = path and H.members(env, path, separator) or M.globals(env)
  end
  local found = {}
  for _, name in ipairs(list) do
    if name:sub(1, #word) == word then
      found[#found + 1] = name
    end
  end
  return found
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

--- "m:weight", "m:places", ... for the path "m".
function H.members(env, path, separator)
  local value = rawget(env, path:match("^[%w_]+")) or _G[path:match("^[%w_]+")]
  for name in path:gsub("^[%w_]+", ""):gmatch("[%w_]+") do
    local ok, field = pcall(function()
      return type(value) == "table" and value[name]
    end)
    value = ok and field or nil
  end
  local names = {}
  local class = reference.class(value)
  if class then
    for _, row in ipairs(separator == ":" and class.methods or class.fields) do
      names[#names + 1] = row.name
    end
  elseif type(value) == "table" then
    local mt = getmetatable(value)
    for _, name in ipairs(mt and mt.fields or check.sorted_keys(value)) do
      names[#names + 1] = type(name) == "string" and name or nil
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = path .. separator .. name
  end
  return names
end

--- What is written in quotes: places of the session's models, and methods of compression.
function H.texts(env)
  local names = {}
  for _, value in next, env do
    local class = reference.class(value)
    if class and class.name == "vise.model" then
      for _, place in ipairs(value:places()) do
        names[place.name] = true
      end
    end
  end
  for _, descriptor in ipairs(require("vise.method").list()) do
    names[descriptor.name] = true
  end
  return check.sorted_keys(names)
end

return M
