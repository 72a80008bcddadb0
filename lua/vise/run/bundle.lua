-- SPDX-License-Identifier: Apache-2.0
--- A recipe with all that it takes to run it again, in one JSON file: what it includes, its
-- parameters, the hashes of its inputs, and what it is claimed to give.
-- A recipe, a run directory and an artifact say the same things of themselves, so each can be
-- looked at as a bundle. Wherever it comes from, a stranger may have written it: `H.check` copies
-- it field by field, and a path that it names is only taken when the file there is the one that it
-- means.

local check = require("vise.check")
local event = require("vise.run.event")
local include = require("vise.include")
local input = require("vise.run.input")
local native = require("vise.native")
local param = require("vise.param")
local place = require("vise.place")
local refusal = require("vise.model.refusal")
local run = require("vise.run")
local summary = require("vise.run.summary")

local must = refusal.must

local M = {}
local H = { bytes_max = 16 << 20 }

M.FORMAT = "vise bundle"
M.VERSION = 1

---@class vise.Bundle
---@field kind "recipe"|"run"|"artifact"|"bundle" what it was read from
---@field path string
---@field recipe {name: string, text: string, sha256: string, includes: vise.Include[]}
---@field parameters table<string, any> those that name no file
---@field inputs table<string, {kind: string, sha256: string, given: string?, files: table?}>
---@field seed integer
---@field share? number of the windows that were scored, of a trial that was not scored on all
---@field claims table<string, {[1]: string, [2]: number}> of the recipe
---@field rows table[] measured by whoever made it; none of a recipe or an artifact
---@field artifact? {hash: string, bytes: integer}

--- Is the file a bundle? Looks at its begin only.
---@param path string
---@return boolean
function M.is(path)
  local info = native.file.stat(path)
  local file <close> = info and info.kind == "file" and io.open(path) or nil -- a FIFO would wait
  return file ~= nil and (file:read(256) or ""):match('^%s*{%s*"') ~= nil
end

--- What a recipe, run directory, artifact or bundle says of itself.
---@param path string
---@param given? {[1]: string, [2]: string}[] parameters of a recipe, as they were written
---@return vise.Bundle|nil
---@return string? message
---@return string? code
function M.of(path, given)
  return refusal.protect(function()
    local info = must(native.file.stat(path))
    if info.kind == "folder" then
      return H.of_run(path)
    elseif path:match("%.vise$") then
      return H.of_artifact(path)
    elseif M.is(path) then
      return H.read(path)
    end
    return H.of_recipe(path, given or {})
  end)
end

--- Write a bundle.
---@param bundle vise.Bundle
---@param path string
---@return boolean|nil ok
---@return string? message
---@return string? code
function M.write(bundle, path)
  local inputs = {}
  for name, of in pairs(bundle.inputs) do
    local given = of.given
    local is_shared = given and not given:match("^/") and not ("/" .. given .. "/"):find("/../", 1,
      true) -- any other path says something of the machine, and means nothing elsewhere
    inputs[name] = { kind = of.kind, sha256 = of.sha256, files = of.files,
      given = is_shared and given or nil }
  end
  local content = native.json.encode({
    format = M.FORMAT, version = M.VERSION,
    recipe = bundle.recipe, parameters = bundle.parameters, inputs = inputs, seed = bundle.seed,
    share = bundle.share, claims = bundle.claims, rows = native.json.array(bundle.rows),
    artifact = bundle.artifact,
  }, { indent = 1 })
  return native.file.replace(path, content .. "\n")
end

--- The request to run a bundle: always untrusted, inputs found and checked.
---@param bundle vise.Bundle
---@param given {[1]: string, [2]: string}[] as written; they go before what the bundle has
---@param is_exact boolean every parameter and input must be the bundle's own
---@return vise.RunRequest|nil
---@return string? message
---@return string? code "argument" or "io"
function M.request(bundle, given, is_exact)
  return refusal.protect(function()
    local pairs_given, named = {}, {}
    for _, pair in ipairs(given) do
      named[pair[1]] = true
      table.insert(pairs_given, pair)
      H.check_given(bundle, pair, is_exact)
    end
    for name, value in check.sorted_pairs(bundle.parameters) do
      if not named[name] then
        table.insert(pairs_given, { name, H.written(value) })
      end
    end
    local missing, defaults = {}, {}
    local recipe = { path = bundle.recipe.name .. ".lua", text = bundle.recipe.text,
      includes = bundle.recipe.includes }
    for _, row in ipairs(must(run.describe(recipe)).params) do
      defaults[row.name] = param.is_input(row) and row.default or nil
    end
    for name, of in check.sorted_pairs(bundle.inputs) do
      local path = not named[name] and (H.locate(of, of.given) or H.locate(of, defaults[name]))
      if path then
        table.insert(pairs_given, { name, path })
      elseif not named[name] then
        missing[#missing + 1] = ("%s=... (%s of sha256 %s)"):format(name, of.kind, of.sha256)
      end
    end
    if #missing > 0 then
      refusal.refuse(("%s: missing %s"):format(bundle.path, table.concat(missing, ", ")),
        "argument")
    end
    return { name = bundle.recipe.name, path = recipe.path, text = recipe.text,
      includes = recipe.includes, given = pairs_given, seed = bundle.seed,
      share = bundle.share, is_untrusted = true }
  end)
end

function H.of_recipe(path, given)
  local recipe = must(run.read(path))
  local description = must(run.describe(recipe))
  local values, inputs, code = run.resolve(recipe, description.params, given)
  if values == nil then
    refusal.refuse(inputs, code)
  end
  local bundle = { kind = "recipe", path = path, parameters = {}, inputs = {}, seed = 0, rows = {},
    recipe = { name = recipe.name, text = recipe.text,
      sha256 = native.core.sha256(recipe.text), includes = description.includes },
    claims = description.claims }
  for name, value in pairs(values) do
    if inputs[name] then
      local hashed = must(input.hash(inputs[name]))
      bundle.inputs[name] = { kind = hashed.kind, sha256 = hashed.sha256, files = hashed.files,
        given = hashed.given }
    else
      bundle.parameters[name] = value
    end
  end
  return bundle
end

function H.of_run(path)
  local record = must(summary.read(path))
  local parameters = {}
  for name, value in pairs(record.parameters) do
    parameters[name] = record.inputs[name] == nil and value or nil
  end
  return H.check({ recipe = record.recipe, parameters = parameters, inputs = record.inputs,
    seed = record.seed, share = record.share, claims = record.recipe.claims, rows = record.rows,
    artifact = record.artifact }, "run", path .. "/run.json")
end

function H.of_artifact(path)
  local reader <close> = must(native.artifact.open(path))
  local manifest, problem = native.json.decode(reader:manifest())
  if type(manifest) ~= "table" or type(manifest.recipe) ~= "table" then
    refusal.refuse_format("%s: was not made by a run, expected the recipe in its manifest%s", path,
      problem and " (" .. problem .. ")" or "")
  end
  return H.check({ recipe = { name = path:match("([^/]+)%.vise$"), text = manifest.recipe.text,
    sha256 = manifest.recipe.sha256, includes = manifest.recipe.includes },
    parameters = manifest.parameters, inputs = manifest.inputs,
    seed = manifest.seed, claims = {}, rows = {},
    artifact = { hash = reader:hash(), bytes = reader:bytes() } }, "artifact", path)
end

function H.read(path)
  local given, problem = native.json.decode(must(native.file.read(path, H.bytes_max)))
  if type(given) ~= "table" or given.format ~= M.FORMAT then
    refusal.refuse_format("%s: is no bundle%s", path, problem and " (" .. problem .. ")" or "")
  elseif given.version ~= M.VERSION then
    refusal.refuse_format("%s: is a bundle of version %s, expected %d", path,
      check.plain(given.version), M.VERSION)
  end
  return H.check(given, "bundle", path)
end

--- A copy of what `path` holds, all of it checked.
function H.check(given, kind, path)
  local bundle = { kind = kind, path = path }
  for name, copy in check.sorted_pairs(H.fields) do
    local ok, value = pcall(copy, given[name])
    if not ok then
      refusal.refuse_format("%s: %s is not what it should be", path, name)
    end
    bundle[name] = value
  end
  return bundle
end

H.fields = {}

function H.fields.recipe(given)
  assert(given.name:match("^[%w_][%w_.%-]*$") and #given.name <= 100)
  assert(type(given.text) == "string" and native.core.sha256(given.text) == given.sha256)
  local includes = {}
  for i, one in ipairs(given.includes or {}) do
    assert(type(one.text) == "string" and native.core.sha256(one.text) == one.sha256)
    assert(include.is_path(one.path)
      and (one.key == one.path or one.key == "sha256:" .. one.sha256))
    includes[i] = { key = one.key, path = one.path, text = one.text, sha256 = one.sha256 }
  end
  return { name = given.name, text = given.text, sha256 = given.sha256,
    includes = native.json.array(includes) }
end

function H.fields.parameters(given)
  local copy = {}
  for name, value in pairs(given) do
    assert(name:match("^[%a_][%w_]*$"))
    assert(type(value) == "string" or type(value) == "number" or type(value) == "boolean")
    copy[name] = value
  end
  return copy
end

function H.fields.inputs(given)
  local copy = {}
  for name, of in pairs(given) do
    assert(name:match("^[%a_][%w_]*$") and param.is_input(of))
    assert(H.is_hash(of.sha256) and (of.given == nil or type(of.given) == "string"))
    local files
    for file, hash in pairs(of.files or {}) do
      assert(type(file) == "string" and not file:find("/", 1, true) and H.is_hash(hash))
      files = files or {}
      files[file] = hash
    end
    copy[name] = { kind = of.kind, sha256 = of.sha256, given = of.given, files = files }
  end
  return copy
end

function H.fields.seed(given)
  assert(math.type(given) == "integer" and given >= 0)
  return given
end

function H.fields.share(given)
  assert(given == nil or type(given) == "number" and given > 0 and given <= 1)
  return given
end

H.fields.claims = event.claims

function H.fields.rows(given)
  local copy = {}
  for i, row in ipairs(given) do
    copy[i] = event.row(row)
  end
  return copy
end

function H.fields.artifact(given)
  if given == nil then
    return nil
  end
  assert(H.is_hash(given.hash) and math.type(given.bytes) == "integer" and given.bytes >= 0)
  return { hash = given.hash, bytes = given.bytes }
end

function H.is_hash(value)
  return type(value) == "string" and #value == 64 and value:match("^%x+$") ~= nil
end

--- The path, or what vise ships under that name, if the very file or folder lies there that is
--- meant. Who wrote the hash knew the content, so to read it tells nothing new.
function H.locate(of, given)
  local path = given and place.default(given)
  local found = path and input.find(of.kind, path)
  local hashed = found and input.hash(found)
  return hashed and hashed.sha256 == of.sha256 and path or nil
end

--- Refuse what was given on the command line and is not what the bundle means.
function H.check_given(bundle, pair, is_exact)
  local name, value = pair[1], pair[2]
  local of = bundle.inputs[name]
  if not is_exact then
    return
  elseif bundle.parameters[name] ~= nil then
    refusal.refuse(("%s: parameter '%s' is %s, expected it to stay so"):format(bundle.path, name,
      check.quote(bundle.parameters[name])), "argument")
  elseif of then
    local hashed = must(input.hash(must(input.find(of.kind, value))))
    if hashed.sha256 ~= of.sha256 then
      refusal.refuse(("%s: %s: %s has sha256 %s, expected %s"):format(bundle.path, name, value,
        hashed.sha256, of.sha256), "format")
    end
  end
end

--- A value as it is written on a command line.
function H.written(value)
  return math.type(value) == "float" and ("%.17g"):format(value) or tostring(value)
end

return M
