-- SPDX-License-Identifier: Apache-2.0
--- Whole layers are removed, one after the other, each time the one whose absence changes the
-- model's predictions least: KL divergence from the original model, measured (by = "kl"); or once
-- and for all those that turn the states of tokens least, 1 - the mean cosine of what comes in and
-- goes out (by = "influence"), which costs one pass instead of about count x layers / 2; or those
-- that are named.

local cache = require("vise.cache")
local calibration = require("vise.calibration")
local check = require("vise.check")
local layers = require("vise.model.layers")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local H = {}

function H.run(model, options, extra)
  local n, base = model._net.n_layers, H.base_key(model, options, extra)
  if options.layers ~= "" then
    return layers.keep(model, H.without(n, options.layers), base ~= nil)
  elseif options.count >= n then
    check.fail("drop_layers: count is %d, expected fewer than the %d layers", options.count, n)
  end
  local store = base and extra.context.cache
  local key = store and cache.key({ "drop_layers", base })
  local found = key and store:table(key)
  local kept = found and found.kept
    or H.choices[options.by](model, options.count, extra.calibration)
  if key and not found then
    store:put_table(key, { kept = kept })
  end
  return layers.keep(model, kept, base ~= nil)
end

--- Layers, from 0, that are left without those named.
function H.without(n, names)
  local goes, kept = {}, {}
  for name in names:gmatch("[^%s,]+") do
    local layer = math.tointeger(tonumber(name))
    if layer == nil or layer < 0 or layer >= n or goes[layer] then
      check.fail("drop_layers: layers are '%s', expected different numbers from 0 to %d", names,
        n - 1)
    end
    goes[layer] = true
  end
  for layer = 0, n - 1 do
    if not goes[layer] then
      kept[#kept + 1] = layer
    end
  end
  if #kept == 0 then
    check.fail("drop_layers: layers are '%s', expected one at least to stay", names)
  end
  return kept
end

--- Layers, from 0, that are left when those of the least influence go.
function H.by_influence(model, count, plan)
  local net, batches = model._net, calibration.batches(plan, model)
  local influence = {}
  for layer = 0, net.n_layers - 1 do
    influence[layer + 1] = { layer = layer, cosine = 0.0 }
  end
  for _, batch in ipairs(batches) do
    local sequence <close> = net:sequence(batch)
    local x = net:block(model, 1, nil, sequence)
    for layer = 0, net.n_layers - 1 do
      local before <close> = H.handle(x)
      x = net:block(model, layer + 2, x, sequence)
      local cosines <close> = must(native.metric.cosine(before, x))
      influence[layer + 1].cosine = influence[layer + 1].cosine + H.sum(cosines)
    end
    x:close()
  end
  table.sort(influence, function(a, b)
    return a.cosine > b.cosine or a.cosine == b.cosine and a.layer < b.layer
  end)
  local kept = {}
  for i = count + 1, net.n_layers do
    kept[#kept + 1] = influence[i].layer
  end
  table.sort(kept)
  return kept
end

--- The same when the one without which the KL divergence is least goes, `count` times.
function H.by_kl(model, count, plan)
  local batches, kept = calibration.batches(plan, model), {}
  for layer = 0, model._net.n_layers - 1 do
    kept[layer + 1] = layer
  end
  for _ = 1, count do
    local sums = {}
    for i = 1, #kept do
      sums[i] = 0.0
    end
    for _, batch in ipairs(batches) do
      H.add_divergences(sums, model, kept, batch)
    end
    local least = 1
    for i = 2, #kept do
      least = sums[i] < sums[least] and i or least
    end
    table.remove(kept, least)
  end
  return kept
end

--- Add to sums[i] the divergence of the model with `kept` layers without the i-th, over a batch.
function H.add_divergences(sums, model, kept, batch)
  local net = model._net
  local sequence <close> = net:sequence(batch)
  local all = {}
  for layer = 0, net.n_layers - 1 do
    all[layer + 1] = layer
  end
  local start <close> = net:block(model, 1, nil, sequence)
  local expected <close> = H.logits(model, H.handle(start), all, 1, sequence)
  local x = H.handle(start)
  for i, layer in ipairs(kept) do
    local logits <close> = H.logits(model, H.handle(x), kept, i + 1, sequence)
    local kl <close> = must(native.metric.divergence(expected, logits))
    sums[i] = sums[i] + H.sum(kl)
    x = net:block(model, layer + 2, x, sequence)
  end
  x:close()
end

--- The logits of `x`, which is let go, passed through kept[from] and those after it.
function H.logits(model, x, kept, from, sequence)
  local net = model._net
  for i = from, #kept do
    x = net:block(model, kept[i] + 2, x, sequence)
  end
  local hidden <close> = net:block(model, #net.blocks, x, sequence)
  return must(model:logits(hidden))
end

--- The same tensor, to be let go by itself.
function H.handle(x)
  return x:reshape(x:shape())
end

function H.sum(numbers)
  local sum = 0.0
  for _, x in ipairs(numbers:table()) do
    sum = sum + x
  end
  return sum
end

function H.base_key(model, options, extra)
  local identity = require("vise.method").identity("drop_layers", options, extra.context.recipe)
  return model:_key_of_all({ identity, options, calibration.key(extra.calibration) })
end

H.choices = { kl = H.by_kl, influence = H.by_influence }

---@type vise.Method
return {
  name = "drop_layers",
  family = "prune",
  summary = "a model without the layers that it can do without best",
  source = "Song et al. 2024, arXiv:2402.09025 (SLEB); "
    .. "Men et al. 2024, arXiv:2403.03853 (ShortGPT)",
  version = 2,
  scope = "model",
  arch = "llama",
  needs = { "data" },
  is_exact = true,
  params = {
    { name = "count", kind = "int", default = 1, min = 1, max = 4095, doc = "layers that go" },
    { name = "by", kind = "choice", default = "kl", choices = { "kl", "influence" },
      doc = "what says which: the KL divergence without it, or how little it turns the states" },
    { name = "layers", kind = "string", default = "",
      doc = "those that go, from 0, as '1, 2', instead of `count`" },
  },
  run = H.run,
}
