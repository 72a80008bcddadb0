-- SPDX-License-Identifier: Apache-2.0
--- One codebook for all layers: every weight is its root mean square times numbers of one table,
-- which a file stores once. The table is that of least squares (method kmeans) over rows of all
-- weights, evenly spaced, relative to their root mean squares.

local cache = require("vise.cache")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local weight = require("vise.weight")

local must = refusal.must

local H = {}

function H.run(model, resolved, extra)
  local shared = H.shared(model)
  local table_of_all
  local identity = require("vise.method").identity("codebook", resolved, extra.context.recipe)
  local base = model:_key_of_all({ identity })
  return model:_derive({
    _make = function(place)
      return refusal.protect(function()
        local w <close> = model:_own(place)
        if not shared[place] then
          return w:handle()
        end
        table_of_all = table_of_all or H.learn(model, shared, resolved.bits)
        return H.encode(w, table_of_all)
      end)
    end,
    _key = base and function(name)
      return cache.key({ base, name })
    end,
    fallbacks = model.fallbacks,
    notes = model.notes,
  })
end

--- The places of the layers: {[place] = true}.
function H.shared(model)
  local blocks, shared = model:blocks(), {}
  for i = 2, #blocks - 1 do
    for _, place in ipairs(blocks[i].places) do
      shared[place] = true
    end
  end
  return shared
end

function H.learn(model, shared, bits)
  local parts, count = {}, 0
  for _, place in ipairs(model:places()) do
    if shared[place.name] and not place.tied_to then
      local w <close> = model:_own(place.name)
      w:check_finite()
      local ids, m = {}, place.shape[1]
      local n = math.min(m, math.max(1, H.sample // place.shape[2]))
      for i = 0, n - 1 do
        ids[i + 1] = i * m // n
      end
      local chosen <close> = native.tensor.from("i32", { n }, ids)
      local unit <close> = H.unit(w)
      local rows <close> = must(unit:rows(chosen))
      parts[#parts + 1], count = rows:string(), count + rows:count()
    end
  end
  local all <close> =
    weight.dense(native.tensor.from_bytes("f32", { 1, count }, table.concat(parts)))
  local q <close> = must(all:share({ bits = bits, per = "tensor" }))
  return q:tree().parts.table
end

--- The weight relative to its root mean square, and that one; 1 of nothing but zeros.
function H.unit(w)
  local _, square = must(w:difference(w))
  local shape = w:shape()
  local size = square > 0 and math.sqrt(square / (shape[1] * shape[2])) or 1
  return 1 / size * w, size
end

function H.encode(w, numbers)
  local unit, size = H.unit(w)
  local of_unit <close> = unit
  local q <close> = must(native.weight.codebook_of(of_unit, numbers))
  return size * q
end

H.sample = 1 << 16 -- numbers of each weight that the table is learned from

---@type vise.Method
return {
  name = "codebook",
  family = "share",
  summary = "one table of values for the weights of all layers",
  source = "Han et al. 2016, arXiv:1510.00149, section 3, with one table instead of one a layer",
  version = 1,
  scope = "model",
  needs = {},
  is_exact = true,
  params = {
    { name = "bits", kind = "int", default = 4, min = 1, max = 8,
      doc = "2^bits numbers in the table" },
  },
  run = H.run,
}
