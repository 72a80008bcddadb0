-- SPDX-License-Identifier: Apache-2.0
--- A model with fewer of the dimensions that go together within a layer: neurons, or heads.
-- What goes is what the reader (`down`, `o`) can do without best, by second moments of its inputs,
-- and the reader becomes the least squares of its outputs on what is left. The tokens walk through
-- the layers that are done already, with zeros where columns went: the same outputs, at the shapes
-- that the network still has.

local cache = require("vise.cache")
local calibration = require("vise.calibration")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local reshape = require("vise.model.reshape")
local walk = require("vise.model.walk")

local must = refusal.must

local M = {}
local H = {}

---@class vise.NarrowKind
---@field method string its name
---@field coupling string the end of the names of the couplings: "mlp.neurons"
---@field config fun(net: vise.Network, counts: integer[]): table what the config says of the new
--- sizes, given those of the coupling in every layer

--- The options of methods that make a model narrower.
---@param what string "neurons"
---@return vise.OptionRow[]
function M.params(what)
  return {
    { name = "sparsity", kind = "real", default = 0.25, min = 0, max = 0.99,
      doc = ("share of the %s that go; one at least stays in every layer"):format(what) },
    { name = "per", kind = "choice", default = "layer", choices = { "layer", "model" },
      doc = ("whether every layer loses that share, or the %s of all layers are compared")
        :format(what) },
    { name = "damping", kind = "real", default = 0.01, min = 1e-6, max = 1,
      doc = "added to the diagonal of the second moments, in units of its mean" },
  }
end

--- See vise.Method: the run of a method of scope model.
---@param model vise.Model
---@param options table as of `params`
---@param extra table
---@param kind vise.NarrowKind
---@return vise.Model
function M.run(model, options, extra, kind)
  local layers = H.layers(model, kind)
  local base = H.base_key(model, options, extra, kind)
  local store = base and extra.context.cache
  local drops = options.per == "layer" and H.same_share(layers, options)
    or H.kept_drops(store, base) or H.by_loss(model, layers, options, extra)
  if store then
    store:put_table(H.drops_key(base), { drops = drops })
  end
  H.reduce(model, layers, drops, options, extra, store, base)
  return H.assemble(model, layers, kind, base)
end

--- Of each layer: the coupling's size, its reader and that one's site, its writers.
function H.layers(model, kind)
  local site_of, layers = {}, {}
  for _, site in ipairs(model:sites()) do
    for _, place in ipairs(site.places) do
      site_of[place] = site.name
    end
  end
  for _, coupling in ipairs(model:coupled()) do
    if coupling.name:sub(-#kind.coupling) == kind.coupling then
      local layer = { name = coupling.name, size = coupling.size, times = {} }
      for _, part in ipairs(coupling.parts) do
        layer.times[part.place] = part.times
        if part.dim == 2 then
          layer.reader, layer.site = part.place, site_of[part.place]
        end
      end
      layers[#layers + 1] = layer
    end
  end
  return layers
end

--- How many go in each layer, the same share of all.
function H.same_share(layers, options)
  local drops = {}
  for i, layer in ipairs(layers) do
    drops[i] = math.min(H.share(options, layer.size), layer.size - 1)
  end
  return drops
end

function H.share(options, size)
  return math.floor(options.sparsity * size + 1e-6)
end

--- How many go in each layer, as found before.
function H.kept_drops(store, base)
  local found = store and store:table(H.drops_key(base))
  return found and found.drops
end

function H.drops_key(base)
  return cache.key({ "narrow", base })
end

--- How many go in each layer when those of the least loss go, relative to what the layer's reader
--- gives; of a layer each loses what it does once those before it are gone.
function H.by_loss(model, layers, options, extra)
  local all, drops, left, sizes = {}, {}, 0, {}
  H.walk(model, layers, extra, function(i, w, h)
    local group = layers[i].times[layers[i].reader]
    local alone <close>, norm = must(native.linalg.column_losses(w, h, group, options.damping))
    local _, v, losses = must(native.linalg.drop_columns(w, h, group, options.damping,
      alone:count() - 1))
    v:close()
    for _, loss in ipairs(losses:table()) do
      all[#all + 1] = { layer = i, loss = norm > 0 and loss / norm or 0, at = #all }
    end
  end)
  for i, layer in ipairs(layers) do
    drops[i], sizes[i], left = 0, layer.size, left + layer.size
  end
  table.sort(all, function(a, b)
    return a.loss < b.loss or a.loss == b.loss and a.at < b.at
  end)
  local wanted = H.share(options, left)
  for _, entry in ipairs(all) do
    if wanted > 0 and sizes[entry.layer] - drops[entry.layer] > 1 then
      drops[entry.layer], wanted = drops[entry.layer] + 1, wanted - 1
    end
  end
  return drops
end

--- Gives every layer `kept` (numbers from 0), `wide`, the reader with zeros.
function H.reduce(model, layers, drops, options, extra, store, base)
  local is_complete = true
  for i, layer in ipairs(layers) do
    layer.key = store and cache.key({ "narrow", base, layer.name, drops[i] })
    local parts = layer.key and store:tensors(layer.key)
    if parts then
      layer.kept, layer.wide = parts.kept:table(), parts.wide
    else
      is_complete = false
    end
  end
  if is_complete then
    return
  end
  H.walk(model, layers, extra, function(i, w, h, dtype)
    local layer = layers[i]
    local kept, v = must(native.linalg.drop_columns(w, h, layer.times[layer.reader],
      options.damping, drops[i]))
    layer.kept, layer.wide = kept:table(), v:convert(dtype)
    if layer.key then
      store:put_tensors(layer.key, { kept = kept, wide = layer.wide })
    end
  end)
end

--- Call on_layer(i, w, h, dtype) at the reader of each layer that has no `wide` yet.
function H.walk(model, layers, extra, on_layer)
  local at_site, changed, wanted = {}, {}, {}
  for i, layer in ipairs(layers) do
    at_site[layer.site] = i
    wanted[layer.site] = layer.wide == nil or nil
    changed[layer.reader] = layer.wide and native.weight.dense(layer.wide)
  end
  local steps = walk.new(model, extra.calibration, function(place)
    return changed[place] or must(model:weight(place))
  end)
  for _ = 1, #model:blocks() - 1 do
    steps:pass(wanted, function(site, moments)
      local layer = layers[at_site[site.name]]
      local tensor = reshape.floats(model, layer.reader)
      local w <close> = tensor:convert("f32")
      local h <close> = moments:second()
      on_layer(at_site[site.name], w, h, tensor:dtype())
      changed[layer.reader] = layer.wide and native.weight.dense(layer.wide)
    end)
  end
  steps:close()
end

--- What the new model follows from; nil where the parts of this one have no keys.
function H.base_key(model, options, extra, kind)
  local identity = require("vise.method").identity(kind.method, options, extra.context.recipe)
  return model:_key_of_all({ identity, options, calibration.key(extra.calibration) })
end

function H.assemble(model, layers, kind, base)
  local by_place, counts = {}, {}
  for i, layer in ipairs(layers) do
    counts[i] = #layer.kept
    for place in next, layer.times do
      by_place[place] = layer
    end
  end
  local parts = {
    config = reshape.config(model, kind.config(model._net, counts)),
    key = base and function(name)
      return base .. " " .. name
    end,
  }
  function parts.weight(place)
    return refusal.protect(H.weight, model, place, by_place[place])
  end
  function parts.tensor(name)
    return refusal.protect(H.tensor, model, name, by_place[name:match("^(.*)%.bias$")])
  end
  return reshape.run(model, parts)
end

function H.weight(model, place, layer)
  if layer == nil then
    return must(model:weight(place)):handle()
  elseif place == layer.reader then
    local turned <close> = layer.wide:transpose():convert(layer.wide:dtype())
    local rows <close> = H.rows(turned, layer, place)
    return native.weight.dense(rows:transpose():convert(rows:dtype()))
  end
  return native.weight.dense(H.rows(reshape.floats(model, place), layer, place))
end

function H.tensor(model, name, layer)
  local tensor = must(model:tensor(name))
  local place = name:match("^(.*)%.bias$")
  if layer == nil or place == layer.reader then
    return tensor
  end
  local column <close> = tensor:reshape({ tensor:count(), 1 })
  local rows = H.rows(column, layer, place)
  return rows:reshape({ rows:count() })
end

--- The rows of `tensor` that belong to what is kept.
function H.rows(tensor, layer, place)
  local ids, times = {}, layer.times[place]
  for _, kept in ipairs(layer.kept) do
    for j = 0, times - 1 do
      ids[#ids + 1] = kept * times + j
    end
  end
  local all <close> = native.weight.dense(tensor)
  local chosen <close> = native.tensor.from("i32", { #ids }, ids)
  local rows <close> = must(all:rows(chosen))
  return rows:convert(tensor:dtype())
end

return M
