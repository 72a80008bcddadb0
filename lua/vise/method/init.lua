-- SPDX-License-Identifier: Apache-2.0
--- The one registry of compression methods.
-- Methods of scope weight come from C (native/method/methods.def). Every other file in this folder
-- is a method written in Lua: it returns a descriptor of the same form, with `run`.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = { methods = {} }

---@class vise.Method
---@field name string
---@field family string "quant", "prune", "factor" or "share"
---@field summary string one line
---@field source string paper or document
---@field version integer raised when the result changes
---@field scope string "weight", "site", "block" or "model"
---@field needs string[] of "moments", "cross", "gradients", "data"
---@field is_exact boolean the same bytes at every CPU level and thread count
---@field params vise.OptionRow[]
---@field run? fun(w: vise.Weight, options: table, extra: table): vise.Weight only of Lua methods
---@field check? fun(m: integer, k: integer, options: table) only of Lua methods; raises

--- All methods, sorted by name.
---@return vise.Method[]
function M.list()
  local list = {}
  for _, method in check.sorted_pairs(H.load()) do
    list[#list + 1] = method
  end
  return list
end

--- The method of that name; raises with a suggestion if there is none.
---@param name string
---@return vise.Method
function M.find(name)
  local method = H.load()[name]
  if method == nil then
    check.fail("%s", check.unknown("method", name, check.sorted_keys(H.load())))
  end
  return method
end

--- Add a method written in Lua; raises if the name is taken or a field is missing.
---@param method vise.Method
function M.register(method)
  H.add(H.load(), method)
end

--- Options of a method with defaults filled in; raises for unknown names and values out of range.
---@param name string
---@param options? table<string, any>
---@return table<string, any> resolved one value for each parameter
function M.resolve(name, options)
  return check.options(name, M.find(name).params, options or {})
end

--- Everything that can be checked without the values of a weight [m, k]; raises what is wrong.
---@param name string
---@param m integer rows
---@param k integer columns
---@param options? table<string, any>
function M.check(name, m, k, options)
  local method, resolved = M.find(name), M.resolve(name, options)
  if method.run == nil then
    native.method.check(name, m, k, H.values(method, resolved))
  elseif method.check then
    method.check(m, k, resolved)
  end
end

--- Compress one weight; it is not changed.
--- Raises for wrong options and for NaN or infinite values.
---@param name string
---@param w vise.Weight [m, k]
---@param options? table<string, any>
---@param extra? { importance?: vise.Tensor } importance [k] f32, at least 0
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function M.run(name, w, options, extra)
  local method, resolved = M.find(name), M.resolve(name, options)
  if method.run then
    return method.run(w, resolved, extra or {})
  end
  return native.method.run(name, w, H.values(method, resolved), extra and extra.importance)
end

--- The registry, filled at first use: rows from C, then the files of this folder.
function H.load()
  if H.is_loaded then
    return H.methods
  end
  H.is_loaded = true
  for _, method in ipairs(native.method.list()) do
    method.scope = "weight"
    H.add(H.methods, method)
  end
  for _, name in ipairs(H.files()) do
    H.add(H.methods, require("vise.method." .. name))
  end
  return H.methods
end

--- Names of the Lua files beside this one.
function H.files()
  local names = {}
  local here = assert(package.searchpath("vise.method", package.path))
  for _, file in ipairs(assert(native.file.list(here:match("^(.*)/[^/]*$")))) do
    local name = file:match("^([%w_]+)%.lua$")
    if name and name ~= "init" then
      names[#names + 1] = name
    end
  end
  return names
end

function H.add(methods, method)
  for _, field in ipairs({ "name", "family", "summary", "source", "version", "scope", "params" }) do
    if method[field] == nil then
      check.fail("method '%s': has no field '%s'", tostring(method.name), field)
    end
  end
  if methods[method.name] then
    check.fail("method '%s': is there already", method.name)
  end
  methods[method.name] = method
end

--- Options as C wants them: one number a parameter, choices by their index from 0.
function H.values(method, resolved)
  local values = {}
  for i, row in ipairs(method.params) do
    local value = resolved[row.name]
    if row.kind == "choice" then
      for index, choice in ipairs(row.choices) do
        if choice == value then
          values[i] = index - 1
        end
      end
    elseif row.kind == "bool" then
      values[i] = value and 1 or 0
    else
      values[i] = value
    end
  end
  return values
end

return M
