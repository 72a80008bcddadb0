-- SPDX-License-Identifier: Apache-2.0
--- What a teacher knows of a batch: its logits; or the greatest probabilities of every token, which
-- are kept by the content of windows, so that they are computed once however often, in whatever
-- order and for whichever student they are asked for; and what goes on inside, for teacher and
-- student alike.

local cache = require("vise.cache")
local grad = require("vise.grad")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- Raised when what is kept of a teacher has other bits.
M.VERSION = 1

--- Logits of all tokens divided by the temperature.
---@param model vise.Model
---@param batch table {ids, starts}
---@param temperature number
---@return vise.Tensor [t, vocabulary]
function M.logits(model, batch, temperature)
  local hidden <close> = must(model:hidden(batch))
  local logits = must(model:logits(hidden))
  if temperature == 1.0 then
    return logits
  end
  local scaled = must(native.nn.scale(logits, 1 / temperature))
  logits:close()
  return scaled
end

--- The k greatest probabilities of each token at a temperature, rounded to f16, and the rest.
---@param model vise.Model
---@param batch table {ids, starts}
---@param k integer
---@param temperature number
---@param kept? vise.Cache where they are kept, if it is known what the model is
---@return { ids: vise.Tensor, log_p: vise.Tensor, log_tail: vise.Tensor } [t, k], [t, k], [t]
function M.top(model, batch, k, temperature, kept)
  local parts = { ids = {}, log_p = {}, log_tail = {} }
  local identity, t = kept and model:_identity(), batch.ids:count()
  for i, start in ipairs(batch.starts) do
    local ids = must(batch.ids:narrow(1, start, (batch.starts[i + 1] or t + 1) - start)
      :convert("i32"))
    local key = identity and cache.key({ "teacher", M.VERSION, identity,
      native.core.sha256(ids:string()), k, temperature })
    local window = key and kept:tensors(key)
    if window == nil then
      window = H.window(model, ids, k, temperature)
      if key then
        kept:put_tensors(key, window, nil, "zstd")
      end
    end
    for name, list in pairs(parts) do
      list[i] = window[name]:string()
      window[name]:close()
    end
    ids:close()
  end
  local log_p <close> = native.tensor.from_bytes("f16", { t, k }, table.concat(parts.log_p))
  return {
    ids = native.tensor.from_bytes("i32", { t, k }, table.concat(parts.ids)),
    log_p = must(log_p:convert("f32")),
    log_tail = native.tensor.from_bytes("f32", { t }, table.concat(parts.log_tail)),
  }
end

function H.window(model, ids, k, temperature)
  local logits <close> = M.logits(model, { ids = ids, starts = { 1 } }, temperature)
  local columns, log_p, log_tail = native.distance.top(logits, k)
  must(columns, log_p, log_tail)
  local half = must(log_p:convert("f16"))
  log_p:close()
  return { ids = columns, log_p = half, log_tail = log_tail }
end

--- A forward pass that keeps what comes out of each layer and what comes to one site.
---@param net vise.Network of the architecture
---@param model vise.Model|vise.TrainedNetwork
---@param batch table {ids, starts}
---@param site? table { places } of the architecture
---@return { hidden: any, states: any[], inputs: any } hidden: after the last norm; inputs: of the
--- site, if one is given
function M.inside(net, model, batch, site)
  local inside = { states = {} }
  local seen = setmetatable({ reach = function(_, place, x)
    if site and place == site.places[1] then
      inside.inputs = H.again(x)
    end
  end }, { __index = model })
  local sequence <close> = net:sequence(batch)
  local x
  for index = 1, #net.blocks do
    x = net:block(seen, index, x, sequence)
    if index > 1 and index < #net.blocks then
      inside.states[index - 1] = H.again(x)
    end
  end
  inside.hidden = x
  return inside
end

--- The same numbers, to be let go by themselves.
function H.again(x)
  return grad.reshape(x, x:shape())
end

return M
