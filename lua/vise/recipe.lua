-- SPDX-License-Identifier: Apache-2.0
--- Recipes: a Lua file that returns `vise.recipe { about, params, claims, run }`.
-- The file is loaded as text under an environment of its own: the safe basic functions, `pairs` in
-- the order of the keys, `math`, `string`, `table`, `utf8` and `require "vise"`, and nothing that
-- reads a file, a clock or a random number. This keeps recipes reproducible and their messages
-- good; the process around them is the boundary.

local check = require("vise.check")
local include = require("vise.include")
local judge = require("vise.run.claims")
local native = require("vise.native")
local param = require("vise.param")

local M = {}
local H = {}

--- The version of what a recipe may say and what its words mean.
M.API = 1

---@class vise.Recipe frozen
---@field about string one line
---@field params table<string, vise.Param>
---@field claims table<string, {[1]: string, [2]: number}> what the author saw: kl = { "<=", 0.02 }
---@field run fun(p: table<string, any>, job: vise.Job)

--- Make a recipe. Raises for a field that is missing, unknown or of the wrong type.
---@param spec table about, params, claims, recipe_api, run
---@return vise.Recipe
function M.new(spec)
  if type(spec) ~= "table" then
    error("recipe: expected a table", 2)
  end
  for key in check.sorted_pairs(spec) do
    if H.fields[key] == nil then
      error("recipe: " .. check.unknown("field", key, check.sorted_keys(H.fields)), 2)
    end
  end
  local about, params = spec.about or "", spec.params or {}
  if spec.recipe_api ~= nil and spec.recipe_api ~= M.API then
    error(("recipe: recipe_api is %s, expected %d, which this version of vise has"):format(
      check.quote(spec.recipe_api), M.API), 2)
  elseif type(about) ~= "string" then
    error(("recipe: about is %s, expected a text"):format(check.quote(about)), 2)
  elseif type(params) ~= "table" then
    error(("recipe: params is %s, expected a table"):format(check.quote(params)), 2)
  elseif type(spec.run) ~= "function" then
    error(("recipe: run is %s, expected a function"):format(check.quote(spec.run)), 2)
  end
  for name, value in check.sorted_pairs(params) do
    if type(name) ~= "string" or not name:match("^[%a_][%w_]*$") then
      error(("recipe: %s is no name for a parameter"):format(check.quote(name)), 2)
    elseif not param.is(value) then
      local text = "recipe: parameter '%s' is %s, expected a value of vise.param"
      error(text:format(name, check.quote(value)), 2)
    end
  end
  local recipe = M.freeze({
    about = about,
    params = params,
    claims = H.check_claims(spec.claims or {}),
    run = spec.run,
  })
  H.made[recipe] = true
  return recipe
end

--- Load the text of a recipe file.
---@param text string
---@param path string begins the messages
---@param print_line? fun(line: string) where the recipe's `print` goes; nowhere if absent
---@param includes? vise.Include[] the files that it may include
---@return vise.Recipe|nil
---@return string|nil message names file and line
---@return string|nil code "format"
---@return string|nil wanted the key of an include that is missing
function M.load(text, path, print_line, includes)
  local env = H.environment(print_line)
  local chunk, message = load(text, "@" .. path, "t", env)
  if chunk == nil then
    return nil, message, "format"
  end
  local wanted
  H.include, wanted = include.new(includes or {}, function(included, its_path)
    local folder = path:match("^(.*/)") or ""
    return assert(load(included, "@" .. folder .. its_path, "t", env))()
  end)
  local ok, result = xpcall(chunk, M.locate(path))
  if wanted() then
    return nil, ("%s: include: '%s' is not there"):format(path, wanted()), "format", wanted()
  elseif not ok then
    return nil, result, "format"
  elseif not H.made[result] then
    return nil, path .. ": the file returns no vise.recipe { ... }", "format"
  end
  return result
end

--- A message handler that puts the recipe's line before a message raised below it.
---@param path string the name under which the recipe was loaded
---@return fun(message: any): string
function M.locate(path)
  return function(message)
    local text = check.strip_position(message)
    if text:sub(1, #path + 1) == path .. ":" then
      return text
    end
    local level = 2
    while true do
      local info = debug.getinfo(level, "Sl")
      if info == nil then
        return text:find(path, 1, true) and text or path .. ": " .. text
      elseif info.source == "@" .. path and info.currentline > 0 then
        return ("%s:%d: %s"):format(path, info.currentline, text)
      end
      level = level + 1
    end
  end
end

--- A view of a table that cannot be changed, the tables inside included.
---@generic T
---@param t T
---@param what? string what a key is called; a key that is not there then raises
---@param may_lack? fun(key: any): boolean keys that are nil where they are not there
---@return T
function M.freeze(t, what, may_lack)
  local meta = getmetatable(t)
  if type(t) ~= "table" or meta ~= nil and meta ~= H.array then
    return t
  end
  local view = {}
  return setmetatable(view, {
    __metatable = false,
    __index = function(_, key)
      local value = t[key]
      if value == nil and what and not (may_lack and may_lack(key)) then
        error(check.unknown(what, tostring(key), check.sorted_keys(t)), 2)
      end
      return M.freeze(value)
    end,
    __newindex = function(_, key)
      error(("field %s cannot be set: the table is frozen"):format(check.quote(key)), 2)
    end,
    __len = function()
      return #t
    end,
    __pairs = function()
      local next_pair = check.sorted_pairs(t)
      return function()
        local key, value = next_pair()
        return key, M.freeze(value)
      end
    end,
  })
end

H.array = getmetatable(native.json.array({})) -- of lists that came from JSON

H.fields = { about = true, params = true, claims = true, recipe_api = true, run = true }
H.made = setmetatable({}, { __mode = "k" })

--- What `require "vise"` shows to a recipe: no module that opens files by path.
M.visible =
  { "include", "linalg", "method", "param", "recipe", "tensor", "version", "weight" }

function H.check_claims(claims)
  if type(claims) ~= "table" then
    error(("recipe: claims is %s, expected a table"):format(check.quote(claims)), 3)
  end
  for name, claim in check.sorted_pairs(claims) do
    local problem = judge.problem(name, claim)
    if problem then
      error(("recipe: claim %s: %s"):format(check.quote(name), problem), 3)
    end
  end
  return claims
end

function H.environment(print_line)
  local env = {
    _VERSION = _VERSION,
    assert = assert,
    error = error,
    ipairs = ipairs,
    pairs = H.pairs,
    next = H.next,
    pcall = pcall,
    rawequal = rawequal,
    rawget = rawget,
    rawlen = rawlen,
    rawset = rawset,
    select = select,
    tonumber = tonumber,
    tostring = H.tostring,
    type = type,
    getmetatable = H.getmetatable,
    setmetatable = H.setmetatable,
    require = H.require,
    math = H.copy(math, { random = false, randomseed = false }),
    string = H.copy(string, { dump = false }),
    table = H.copy(table, {}),
    utf8 = H.copy(utf8, {}),
    print = function(...)
      local words = table.pack(...)
      for i = 1, words.n do
        words[i] = H.tostring(words[i])
      end
      if print_line then
        print_line(table.concat(words, "\t"))
      end
    end,
  }
  return setmetatable(env, {
    __metatable = false,
    __index = function(_, name)
      local hint = H.absent[name] or check.suggest(name, check.sorted_keys(env))
      error(("unknown global '%s'%s"):format(name, hint and " (" .. hint .. ")" or ""), 2)
    end,
  })
end

H.absent = {}
for _, name in ipairs({ "io", "os", "package", "dofile", "loadfile", "load", "debug" }) do
  H.absent[name] = "a recipe reaches files only through its parameters"
end

function H.copy(library, without)
  local copy = {}
  for name, value in pairs(library) do
    if without[name] == nil then
      copy[name] = value
    end
  end
  return copy
end

function H.require(name)
  if name ~= "vise" then
    error(("module %s is not there: a recipe has only 'vise'"):format(check.quote(name)), 2)
  end
  H.facade = H.facade or H.make_facade()
  return H.facade
end

function H.make_facade()
  local vise = require("vise")
  local facade = {}
  return setmetatable(facade, {
    __metatable = false,
    __newindex = function()
      error("the table vise is frozen", 2)
    end,
    __index = function(_, name)
      if check.nearest(tostring(name), M.visible) ~= name then
        error("vise: " .. check.unknown("field", name, M.visible), 2)
      end
      if name == "include" then
        return H.include
      end
      return name == "method" and H.shield(vise.method) or M.freeze(vise[name])
    end,
  })
end

--- A module whose functions give frozen tables: what they return is shared with the program.
function H.shield(module)
  local functions = {}
  for name, value in pairs(module) do
    functions[name] = type(value) == "function" and function(...)
      return M.freeze((value(...)))
    end or nil
  end
  return M.freeze(functions)
end

function H.pairs(t)
  local mt = getmetatable(t)
  if type(mt) == "table" and mt.__pairs or type(t) ~= "table" or mt == false then
    return pairs(t)
  end
  return check.sorted_pairs(t)
end

function H.next(t, key)
  local keys = check.sorted_keys(t)
  if key == nil then
    return keys[1], t[keys[1]]
  end
  for i, candidate in ipairs(keys) do
    if candidate == key then
      return keys[i + 1], t[keys[i + 1]]
    end
  end
end

--- Addresses change from process to process, so they are left out.
function H.tostring(value)
  local text = tostring(value)
  return (text:gsub(": 0x%x+$", ""))
end

function H.getmetatable(value)
  return type(value) == "table" and getmetatable(value) or nil
end

function H.setmetatable(t, mt)
  if type(mt) == "table" and rawget(mt, "__gc") ~= nil then
    error("setmetatable: __gc is not for recipes", 2)
  end
  return setmetatable(t, mt)
end

return M
