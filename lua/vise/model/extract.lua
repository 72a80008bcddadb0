-- SPDX-License-Identifier: Apache-2.0
--- What a model has learned since another, as products of few factors: LoRA extraction.
--
--   W_tuned ~= W_base + B A      B A the nearest of its rank to W_tuned - W_base (method svd)
--
-- The new model has the weights of the base, with a product added where they differ; norms and
-- biases are those of the tuned one. The method `merged` makes plain weights of the sums.

local cache = require("vise.cache")
local check = require("vise.check")
local native = require("vise.native")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.ExtractOptions
---@field rank? integer 16 if absent; less where a weight has fewer rows or columns
---@field values? string how factors are stored, as svd's `values`
---@field match? string pattern of the places that may change, all if absent

--- The new model. Raises for options that are wrong and models of different shapes.
---@param base vise.Model
---@param tuned vise.Model
---@param options? vise.ExtractOptions
---@return vise.Model
function M.run(base, tuned, options)
  local o = check.options("extract", H.rows, options or {})
  H.check_shapes(base, tuned)
  local changes, is_matched = {}, false
  for _, place in ipairs(base:places()) do
    changes[place.name] = places.matches(o.match, place.name)
    is_matched = is_matched or changes[place.name]
  end
  if not is_matched then
    check.fail("extract: no place matches '%s'", o.match)
  end
  return base:_derive({
    _make = function(place)
      return refusal.protect(H.make, base, tuned, place, changes[place] and o)
    end,
    _read = function(name)
      return tuned:tensor(name)
    end,
    _vectors = {},
    _key = H.keys(base, tuned, o),
    fallbacks = base.fallbacks,
    notes = base.notes,
  })
end

H.rows = {
  { name = "rank", kind = "int", default = 16, min = 1, doc = "of the products" },
  { name = "values", kind = "choice", default = "f16", doc = "how factors are stored",
    choices = { "f32", "f16", "bf16", "int8", "int4" } },
  { name = "match", kind = "string", default = "*", doc = "places that may change" },
}

function H.make(base, tuned, place, options)
  local before = base:_own(place)
  if not options then
    return before
  end
  local original <close> = before
  local after <close> = tuned:_own(place)
  if must(after:difference(original)) == 0 then
    return original:handle()
  end
  local shape = original:shape()
  local learned <close> = after - original
  local product <close> = must(learned:factor({
    rank = math.min(options.rank, shape[1], shape[2]), values = options.values,
  }))
  return original + product
end

function H.check_shapes(base, tuned)
  local function shapes(model)
    local list = {}
    for i, place in ipairs(model:places()) do
      list[i] = ("%s [%d, %d]%s"):format(place.name, place.shape[1], place.shape[2],
        place.tied_to and " tied" or "")
    end
    return list
  end
  local a, b = shapes(base), shapes(tuned)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then
      check.fail("extract: tuned has %s, expected %s as the base", b[i] or "no more weights",
        a[i] or "no more weights")
    end
  end
end

function H.keys(base, tuned, options)
  local version = native.core.version()
  return function(name)
    local of_base, of_tuned = base:_key_of(name), tuned:_key_of(name)
    return of_base and of_tuned and cache.key({ "extract", of_base, of_tuned, options,
      require("vise.method").find("svd").version, version.openblas, version.openblas_core })
  end
end

return M
