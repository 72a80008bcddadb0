-- SPDX-License-Identifier: Apache-2.0
--- Rotation: the states between layers turned by Hadamard matrices with random signs, so that no
--- coordinate stands out, and the same done to the values of each attention head. It is folded into
--- the weights: the new model computes the same.
--
--   R1: x' = Q x      readers W' = W diag(g) Q', g the gain of the norm before, which becomes 1
--                     writers W' = Q W, b' = Q b; rows of the embedding Q e
--   R2: v' = R v      within each head: V' = R V, b' = R b, O' = O R'
--
-- A head that is tied to the embedding is so no more: the last norm goes into it alone.
-- Where no Hadamard matrix of an order is known, Q is made of blocks of a power of two.

local cache = require("vise.cache")
local check = require("vise.check")
local linalg = require("vise.linalg")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local reshape = require("vise.model.reshape")
local weight = require("vise.weight")

local must = refusal.must

local H = {}

function H.run(model, resolved, extra)
  if model.arch ~= "llama" then
    check.fail("rotate: model is of architecture '%s', expected llama", model.arch)
  end
  local turn = H.turn(model, resolved, extra.seed)
  local key = model:_key_of_all({
    require("vise.method").identity("rotate", resolved, extra.context.recipe), extra.seed,
  })
  return reshape.run(model, {
    config = reshape.config(model, { tie_word_embeddings = false }),
    weight = function(place)
      return refusal.protect(H.weight, model, place, turn)
    end,
    tensor = function(name)
      return refusal.protect(H.tensor, model, name, turn)
    end,
    key = key and function(name)
      return cache.key({ key, name })
    end,
  })
end

--- Signs and orders: {signs = [d] of 1 and -1, states, values}: values 0 for no R2.
function H.turn(model, resolved, seed)
  local net, signs = model._net, {}
  for i = 1, net.width do
    signs[i] = native.core.uniform(seed, "rotate", i - 1) < 0.5 and -1 or 1
  end
  return {
    signs = signs,
    states = linalg.hadamard_block(net.width),
    values = resolved.heads and linalg.hadamard_block(net.head_dim) or 0,
  }
end

--- The norm before a place that reads states: its name.
H.norms = { q = "attn.norm", k = "attn.norm", v = "attn.norm", gate = "mlp.norm", up = "mlp.norm" }

--- A weight of the new model.
function H.weight(model, place, turn)
  local owned <close> = model:_own(place)
  local layer, last = place:match("^(layers%.%d+%.)%w+%.(%w+)$")
  local x
  if place == "embed" then
    x = H.turn_rows(owned, turn)
  elseif place == "head" then
    x = H.turn_rows(owned, turn, model:vector("norm"))
  elseif H.norms[last] then
    x = H.turn_rows(owned, turn, model:vector(layer .. H.norms[last]))
  else
    x = must(owned:dense())
  end
  if last == "v" and turn.values > 0 then
    x = H.of_columns(x, function(columns)
      return linalg.hadamard(columns, { block = turn.values })
    end)
  elseif last == "o" and turn.values > 0 then
    x = must(linalg.hadamard(x, { block = turn.values }))
  end
  if last == "o" or last == "down" then
    x = H.of_columns(x, function(columns)
      return H.turn_rows(weight.dense(columns), turn)
    end)
  end
  return weight.dense(x)
end

--- A norm's gain or a bias of the new model.
function H.tensor(model, name, turn)
  local tensor = must(model:tensor(name))
  local n = tensor:count()
  local last = name:match("(%w+)%.bias$")
  if name:find("norm$") then
    local ones = {}
    for i = 1, n do
      ones[i] = 1
    end
    return native.tensor.from(tensor:dtype(), { n }, ones)
  elseif last == "o" or last == "down" then
    local row = weight.dense(tensor:convert("f32"):reshape({ 1, n }))
    return H.turn_rows(row, turn):reshape({ n })
  elseif last == "v" and turn.values > 0 then
    return must(linalg.hadamard(tensor:convert("f32"):reshape({ 1, n }),
      { block = turn.values })):reshape({ n })
  end
  return tensor
end

--- Q diag(gain) r of every row r, f32.
function H.turn_rows(w, turn, gain)
  local factors = {}
  local gains = gain and gain:table()
  for i, sign in ipairs(turn.signs) do
    factors[i] = gains and gains[i] * sign or sign
  end
  local right <close> = native.tensor.from("f32", { #factors }, factors)
  local scaled <close> = weight.scaled(w, { right = right })
  local values <close> = must(scaled:dense())
  return must(linalg.hadamard(values, { block = turn.states }))
end

--- fn of the transposed matrix, transposed again.
function H.of_columns(x, fn)
  local columns <close> = x:transpose():convert("f32")
  local turned <close> = must(fn(columns))
  return turned:transpose():convert("f32")
end

---@type vise.Method
return {
  name = "rotate",
  family = "quant",
  summary = "states and values turned by Hadamard matrices, folded into the weights",
  source = "Ashkboos et al. 2024, arXiv:2404.00456 (QuaRot), section 4",
  version = 1,
  scope = "model",
  arch = "llama",
  needs = {},
  is_exact = true,
  params = {
    { name = "heads", kind = "bool", default = true, doc = "also turn the values of each head" },
  },
  run = H.run,
}
