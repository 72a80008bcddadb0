-- SPDX-License-Identifier: Apache-2.0
--- The one registry of compression methods.
-- Methods of scope weight come from C (native/method/methods.def). Every other file in this folder
-- is a method written in Lua: it returns a descriptor of the same form, with `run` and perhaps
-- `check`.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.MethodExtra what a method gets beside the weight and its options
---@field importance? vise.Tensor [k] f32, at least 0: what a column counts
---@field moments? vise.Moments of the inputs of the weight
---@field name? string the place, with `seed` the key of random numbers
---@field seed? integer

---@alias vise.MethodRun
---| fun(w: vise.Weight, options: table, extra: vise.MethodExtra): vise.Weight|nil, string?, string?

---@class vise.Method
---@field name string
---@field family string "quant", "prune", "factor" or "share"
---@field summary string one line
---@field source string paper or document
---@field version integer raised when the result changes
---@field scope string "weight", "site", "block" or "model"
---@field arch? string the architecture that a method of scope model is for; any if absent
---@field needs string[] of "moments", "cross", "gradients", "data": what must be there
---@field uses? string[] the same: what else it looks at where it is there
---@field is_exact boolean the same bytes at every CPU level and thread count
---@field params vise.OptionRow[] its own; see vise.method.params
---@field is_own? boolean registered, not part of vise
---@field takes_importance? boolean looks at it, if the format that it takes does
---@field takes_format? boolean the option `format` names a number format, whose options are its too
---@field inner? vise.InnerMethod an option of it names another method, whose options are its too
---@field run vise.MethodRun
--- the weight and perhaps a note on trouble that was got over; or nil, message, code
---@field check? fun(m: integer, k: integer, options: table) raises

---@class vise.InnerMethod
---@field option string its name: "base"
---@field doc string
---@field default string
---@field defaults? table<string, any> of the other method's options, where they are not its own
---@field takes fun(other: vise.Method): boolean which methods it may name; those of scope weight
--- without an option of the same name as one here

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

--- The same, or nil if there is none.
---@param name string
---@return vise.Method|nil
function M.get(name)
  return H.load()[name]
end

--- Does a method need or use that?
---@param name string
---@param need string as in `needs`
---@param options? table resolved: the method that they name counts too
---@return boolean
function M.wants(name, need, options)
  local method = M.find(name)
  if method.inner and options and M.wants(options[method.inner.option], need, options) then
    return true
  end
  for _, list in ipairs({ method.needs, method.uses or {} }) do
    for _, candidate in ipairs(list) do
      if candidate == need then
        return true
      end
    end
  end
  return false
end

--- What a method needs, its own and that of the method which its options name.
---@param name string
---@param options? table resolved
---@return string[]
function M.needs(name, options)
  local method = M.find(name)
  local list = { table.unpack(method.needs) }
  if method.inner and options then
    for _, need in ipairs(M.needs(options[method.inner.option], options)) do
      list[#list + 1] = need
    end
  end
  return list
end

--- The same in words.
---@param name string
---@param options? table resolved
---@return string
function M.needs_text(name, options)
  local words = {}
  for i, need in ipairs(M.needs(name, options)) do
    words[i] = H.needs[need]
  end
  return table.concat(words, ", ")
end

--- What decides the results of a method with given options, beside the options themselves: names
--- and versions. nil for a method of a recipe whose digest is not given.
---@param name string
---@param options table resolved
---@param recipe? string digest of the recipe's text
---@return table|nil
function M.identity(name, options, recipe)
  local method = M.find(name)
  if method.is_own and recipe == nil then
    return nil
  end
  local version = native.core.version()
  local format = method.takes_format and H.load_formats()[options.format]
  local inner = method.inner and M.identity(options[method.inner.option], options, recipe)
  if method.inner and inner == nil then
    return nil
  end
  return {
    name, method.version, method.is_own and recipe or "", format and format.version or 0,
    method.is_exact and "" or version.openblas .. version.openblas_core .. version.cpu,
    inner or "",
  }
end

--- Add a method written in Lua; raises if the name is taken or a field is missing or wrong.
---@param method vise.Method
function M.register(method)
  local methods = H.load()
  H.add(methods, method)
  methods[method.name] = H.apart(method)
end

--- The options of a method: its own and, if it takes one, those of the format or method that
--- `options` names.
---@param name string
---@param options? table<string, any> only such names are looked at
---@return vise.OptionRow[]
function M.params(name, options)
  local method = M.find(name)
  local rows = { table.unpack(method.params) }
  if method.takes_format then
    local format = H.load_formats()[options and options.format or H.format_row.default]
    rows[#rows + 1] = H.format_row
    for _, row in ipairs(format and format.params or {}) do
      rows[#rows + 1] = row
    end
  end
  if method.inner then
    local named = H.inner_row(method)
    rows[#rows + 1] = named
    local inner = options and check.value(named, options[named.name]) or named.default
    for _, row in ipairs(M.params(inner, options)) do
      rows[#rows + 1] = H.with_default(row, method.inner.defaults)
    end
  end
  return rows
end

--- The method that resolved options name, and its own ones among them.
---@param name string
---@param resolved table<string, any>
---@return string inner
---@return table<string, any> options
function M.inner(name, resolved)
  local inner = resolved[M.find(name).inner.option]
  local options = {}
  for _, row in ipairs(M.params(inner, resolved)) do
    options[row.name] = resolved[row.name]
  end
  return inner, options
end

--- Run the method that resolved options name, with what it uses of `extra`.
---@param name string
---@param w vise.Weight
---@param resolved table<string, any>
---@param extra vise.MethodExtra
---@return vise.Weight|nil weight
---@return string? message or note
---@return string? code
function M.run_inner(name, w, resolved, extra)
  local inner, options = M.inner(name, resolved)
  local m, k = table.unpack(w:shape())
  local given = extra.moments and M.extra_for(inner, extra.moments, m, k, options)
    or { importance = H.uses_importance(inner, m, k, options) and extra.importance or nil }
  given.name, given.seed = extra.name, extra.seed
  return M.run(inner, w, options, given)
end

--- Notes on trouble as one; nil if there is none.
---@param a? string
---@param b? string
---@return string|nil
function M.notes(a, b)
  return a and b and a .. "; " .. b or a or b
end

--- Options of a method with defaults filled in; raises for unknown names and values out of range.
---@param name string
---@param options? table<string, any>
---@return table<string, any> resolved one value for each parameter
function M.resolve(name, options)
  options = options or {}
  local rows = M.params(name, options)
  for _, row in ipairs(rows) do
    if row == H.format_row and options.format ~= nil then
      H.check_format(name, options.format)
    end
  end
  return check.options(name, rows, options)
end

--- Everything that can be checked without the values of a weight [m, k]; raises what is wrong.
---@param name string
---@param m integer rows
---@param k integer columns
---@param options? table<string, any>
---@param extra? table what M.run will be given
function M.check(name, m, k, options, extra)
  local method, resolved = M.find(name), M.resolve(name, options)
  H.check_needs(name, resolved, extra)
  if method.check then
    method.check(m, k, resolved)
  end
  if method.inner then
    local inner, inner_options = M.inner(name, resolved)
    M.check(inner, m, k, inner_options, extra)
  end
end

--- Compress one weight; it is not changed.
--- Raises for wrong options, for needs that `extra` does not have, for an importance that a method
--- with these options does not use, and for NaN or infinite values.
---@param name string
---@param w vise.Weight [m, k]
---@param options? table<string, any>
---@param extra? vise.MethodExtra
---@return vise.Weight|nil weight
---@return string? message or, with a weight, a note on numerical trouble that was got over
---@return string? code "cancelled"
function M.run(name, w, options, extra)
  local method, resolved = M.find(name), M.resolve(name, options)
  H.check_needs(name, resolved, extra)
  H.check_moments(name, w, extra)
  local result, message, code = method.run(w, resolved, extra or {})
  if result == nil and message ~= nil then
    return nil, message, code
  end
  H.check_result(name, w, result)
  return result, message ~= "" and message or nil
end

---@class vise.LearningBlock
---@field name string
---@field places {name: string, method: string, options: table, original: vise.Weight,
--- start: vise.Weight}[] what learns, and what it begins with; options are resolved
---@field count integer batches of tokens
---@field output fun(i: integer, weight_of: fun(place: string): any): vise.Value|vise.Tensor what
--- the block gives for batch i through these weights, its others where there is nil
---@field target fun(i: integer): vise.Tensor what it should give; not to be closed
---@field seed integer

--- What the weights of a block learn together: one for each of its places, in their order. All have
--- one method, of scope block; its `run` takes the block.
---@param block vise.LearningBlock
---@return vise.Weight[]
function M.run_block(block)
  local first = block.places[1]
  local found = M.find(first.method)
  for _, place in ipairs(block.places) do
    for _, row in ipairs(found.params) do
      if place.method ~= first.method or place.options[row.name] ~= first.options[row.name] then
        check.fail("%s and %s learn together, expected one method with the same %s", first.name,
          place.name, row.name)
      end
    end
  end
  return found.run(block, first.options)
end

--- Statistics of the inputs of a weight as that method takes them: as they are if it needs or uses
--- moments, else what they say of each column's importance.
---@param name string
---@param moments vise.Moments
---@return vise.MethodExtra
function M.extra(name, moments)
  local method = M.find(name)
  if M.wants(method.name, "moments") or M.wants(method.name, "cross") then
    return { moments = moments }
  end
  return { importance = moments:importance() }
end

--- The same for a weight [m, k] with options, without an importance that the method would refuse.
---@param name string
---@param moments vise.Moments
---@param m integer
---@param k integer
---@param options table
---@return vise.MethodExtra
function M.extra_for(name, moments, m, k, options)
  local extra = M.extra(name, moments)
  if extra.importance and not H.uses_importance(name, m, k, options) then
    extra.importance = nil
  end
  return extra
end

--- The model that a method of scope model makes of another.
---@param name string
---@param model vise.Model
---@param options table
---@param extra { seed: integer, calibration?: vise.Calibration, context: vise.CompressContext }
---@return vise.Model
function M.run_model(name, model, options, extra)
  local method, resolved = M.find(name), M.resolve(name, options)
  if method.arch and method.arch ~= model.arch then
    check.fail("%s: model '%s' is a %s, expected a %s", name, model.name, model.arch, method.arch)
  elseif method.needs[1] and extra.calibration == nil then
    check.fail("%s: needs %s, which is not given" .. H.where_stats, name, M.needs_text(name))
  end
  return method.run(model, resolved, extra)
end

--- The registry, filled at first use: rows from C, then the files of this folder.
function H.load()
  if H.methods then
    return H.methods
  end
  local methods = {}
  for _, method in ipairs(native.method.list()) do
    H.add(methods, H.of_native(method))
  end
  for _, name in ipairs(H.files()) do
    H.add(methods, require("vise.method." .. name))
  end
  H.methods = methods -- only now: a file that raises leaves no half of a registry
  return methods
end

--- A row from C with the functions that a method in Lua has.
function H.of_native(method)
  method.scope = "weight"
  function method.check(m, k, resolved)
    native.method.check(method.name, resolved.format, m, k, H.values(method, resolved))
  end
  function method.run(w, resolved, extra)
    local values = H.values(method, resolved)
    return native.method.run(method.name, resolved.format, w, values, extra)
  end
  return method
end

--- Every number format by its name; fills the choices of the option `format`.
function H.load_formats()
  if H.formats == nil then
    H.formats = {}
    for i, format in ipairs(native.format.list()) do
      H.formats[format.name] = format
      H.format_row.choices[i] = format.name
    end
  end
  return H.formats
end

H.format_row = { name = "format", kind = "choice", default = "int", choices = {},
  doc = "the number format; its own options follow (`vise explain formats` lists them)" }

function H.check_format(who, name)
  if H.load_formats()[name] == nil then
    check.fail("%s: %s", who, check.unknown("format", name, H.format_row.choices))
  end
end

--- The row of the option by which a method names another.
function H.inner_row(method)
  local choices = {}
  for _, other in ipairs(M.list()) do
    if other.scope == "weight" and method.inner.takes(other)
      and not H.share_names(method, other) then
      choices[#choices + 1] = other.name
    end
  end
  return { name = method.inner.option, kind = "choice", default = method.inner.default,
    choices = choices, doc = method.inner.doc .. "; its own options follow" }
end

--- Have two methods an option of the same name?
function H.share_names(a, b)
  local names = {}
  for _, row in ipairs(a.params) do
    names[row.name] = true
  end
  names[a.inner.option] = true
  for _, row in ipairs(b.params) do
    if names[row.name] then
      return true
    end
  end
  return b.inner ~= nil and names[b.inner.option] == true
end

function H.with_default(row, defaults)
  if defaults == nil or defaults[row.name] == nil then
    return row
  end
  local copy = {}
  for key, value in pairs(row) do
    copy[key] = value
  end
  copy.default = defaults[row.name]
  return copy
end

--- Would a method with these options look at the importance of columns, instead of refusing it?
function H.uses_importance(name, m, k, options)
  local method = M.find(name)
  if not method.takes_format then
    return method.takes_importance == true
  end
  local resolved = M.resolve(name, options)
  return native.method.uses_importance(name, resolved.format, m, k, H.values(method, resolved))
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

H.fields = {
  { "name", "string" }, { "family", "string" }, { "summary", "string" }, { "source", "string" },
  { "version", "number" }, { "scope", "string" }, { "needs", "table" }, { "is_exact", "boolean" },
  { "params", "table" }, { "run", "function" },
}
H.needs = {
  cross = "cross moments of the inputs",
  data = "calibration data",
  gradients = "gradients",
  moments = "statistics of the inputs",
}

function H.add(methods, method)
  if type(method) ~= "table" then
    check.fail("method: is %s, expected a table of its fields", check.quote(method))
  end
  for _, row in ipairs(H.fields) do
    local field, kind = row[1], row[2]
    local is = type(method[field])
    if is == "nil" then
      check.fail("method '%s': has no field '%s'", tostring(method.name), field)
    elseif is ~= kind then
      check.fail("method '%s': %s is a %s, expected a %s", tostring(method.name), field, is, kind)
    end
  end
  for _, list in ipairs({ method.needs, method.uses or {} }) do
    for _, need in ipairs(list) do
      if not H.needs[need] then
        local message = check.unknown("need", need, check.sorted_keys(H.needs))
        check.fail("method '%s': %s", method.name, message)
      end
    end
  end
  if methods[method.name] then
    check.fail("method '%s': is there already", method.name)
  end
  methods[method.name] = method
end

--- A copy of a method of the user's: its `run` holds handles of its own, so that it cannot close
--- the weights of a model, nor what it gave.
function H.apart(method)
  local copy, run = { is_own = true }, method.run
  for key, value in pairs(method) do
    copy[key] = value
  end
  function copy.run(w, options, extra)
    local result, message, code = run(w:handle(), options, extra)
    if result ~= nil then
      H.check_result(copy.name, w, result)
      result = result:handle()
    end
    return result, message, code
  end
  return copy
end

H.where_stats = " (in a rule stats = job:calibrate(m, { text = ... }); of a command --text FILE)"

--- `extra` has what the method needs; cross moments are part of the moments.
function H.check_needs(name, resolved, extra)
  for _, need in ipairs(M.needs(name, resolved)) do
    if extra == nil or extra[need == "cross" and "moments" or need] == nil then
      check.fail("%s: needs %s, which %s not given" .. H.where_stats, name, H.needs[need],
        need == "data" and "is" or "are")
    end
  end
end

--- Moments are of the columns of `w`, and of some tokens.
function H.check_moments(name, w, extra)
  local moments = extra and extra.moments
  if moments and moments:columns() ~= w:shape()[2] then
    check.fail("%s: statistics are of %d columns, expected %d", name, moments:columns(),
      w:shape()[2])
  elseif moments and moments:count() == 0 then
    check.fail("%s: statistics are of 0 tokens, expected some", name)
  end
end

--- What a method gave must stand in the place of `w`.
function H.check_result(name, w, result)
  local is_weight, shape = pcall(native.weight.methods.shape, result)
  if not is_weight then
    check.fail("%s: result is %s, expected a weight", name, check.quote(result))
  end
  local expected = w:shape()
  if shape[1] ~= expected[1] or shape[2] ~= expected[2] then
    check.fail("%s: result is [%d, %d], expected [%d, %d]", name, shape[1], shape[2], expected[1],
      expected[2])
  end
end

--- Options as C wants them: one number a parameter but `format`.
function H.values(method, resolved)
  local values = {}
  for _, row in ipairs(M.params(method.name, resolved)) do
    if row ~= H.format_row then
      values[#values + 1] = H.number(row, resolved[row.name])
    end
  end
  return values
end

--- The value of an option as a number, that of a choice its index from 0.
function H.number(row, value)
  if row.kind == "bool" then
    return value and 1 or 0
  end
  for index, choice in ipairs(row.choices or {}) do
    if choice == value then
      return index - 1
    end
  end
  return value
end

return M
