-- SPDX-License-Identifier: Apache-2.0
--- The Llama architecture: Llama 2 and 3, TinyLlama, Mistral, Qwen2.
--
--   x = embed[ids]
--   x = x + o(attention(rope(q(n)), rope(k(n)), v(n)))     n = rmsnorm(x), in every layer
--   x = x + down(silu(gate(n)) * up(n))                    n = rmsnorm(x)
--   logits = head(rmsnorm(x))

local native = require("vise.native")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")
local rope = require("vise.model.rope")
local tape = require("vise.grad.tape")

local must = refusal.must

local M = {}
local H = {}

M.model_types = { "llama", "mistral", "qwen2" }

---@class vise.Network
---@field context integer tokens of the longest sequence
---@field vocabulary integer
---@field places table[] {name, shape, source, tied_to?}; source: the tensor's name in files
---@field tensors table[] {name, shape, source}
---@field sites table[] {name, places}: places that read the same input
---@field blocks table[] {name, places}: the units of streaming, in order
---@field kv {format: string, recent: integer}|nil how keys and values are kept; nil: as f32
---@field inner integer[] of each layer: neurons; so are heads and kv_heads
---@field coupled table[] {name, size, parts = {{place, dim, times}}}: dimensions that go together;
--- index i of the coupling is indices times * i .. times * (i + 1) - 1 of dimension dim (1 rows,
--- 2 columns)
local Network = {}
Network.__index = Network

--- Read a config. Refuses what this file does not implement, by name.
---@param config vise.ConfigReader
---@return vise.Network
function M.new(config)
  H.check(config)
  local n_layers = config:integer("num_hidden_layers", nil, 1, H.most_layers)
  local width = config:integer("hidden_size")
  local heads = config:integers("num_attention_heads", n_layers)
  local is_list = type(config:get("num_attention_heads")) == "table"
  local net = setmetatable({
    context = config:integer("max_position_embeddings", 2048),
    vocabulary = config:integer("vocab_size"),
    n_layers = n_layers,
    width = width,
    inner = config:integers("intermediate_size", n_layers),
    heads = heads,
    kv_heads = config:get("num_key_value_heads")
      and config:integers("num_key_value_heads", n_layers) or heads,
    head_dim = config:integer("head_dim", not is_list and math.max(width // heads[1], 1) or nil),
    eps = config:positive("rms_norm_eps", 1e-6),
    windows = H.windows(config),
    is_tied = config:boolean("tie_word_embeddings", false),
    kv = H.kv(config),
    places = {}, tensors = {}, sites = {}, blocks = {}, coupled = {},
  }, Network)
  for layer = 1, n_layers do
    if net.heads[layer] % net.kv_heads[layer] ~= 0 then
      config:wrong("num_key_value_heads", ("a divisor of the %d heads"):format(net.heads[layer]))
    end
  end
  net.rope = rope.new(config, net.head_dim)
  local has_bias = config:boolean("attention_bias", false)
  H.declare(net, {
    qkv = has_bias or config:get("model_type") == "qwen2",
    o = has_bias,
    mlp = config:boolean("mlp_bias", false),
  })
  return net
end

--- Hidden states after the last norm.
---@param model vise.Model gives weight(place), vector(name), and may have reach(place, x), which is
--- told what comes to the weight of a place before it does
---@param batch table {ids = i32 tensor [t], starts = {1, ...}}
---@param caches? userdata[] one per layer (see `caches`): the batch continues their sequence
---@return vise.Tensor [t, width] f32
function Network:hidden(model, batch, caches)
  local sequence <close> = self:sequence(batch, caches)
  local x
  for index = 1, #self.blocks do
    x = self:block(model, index, x, sequence)
  end
  return x
end

--- What every block needs to know of a batch; to be closed.
---@param batch table
---@param caches? userdata[]
---@return table
function Network:sequence(batch, caches)
  local first = caches and caches[1]:length() or 0
  local positions = self.rope:positions(batch, first, self.context)
  return setmetatable({ batch = batch, caches = caches, positions = positions }, H.Sequence)
end

--- The output of block `index` of `blocks`: the embedded ids of the first, x after a layer, the
--- hidden states that the head reads of the last. `x`, what the block before it gave, is let go.
---@param model table as for `hidden`
---@param index integer
---@param x vise.Tensor|nil [t, width] f32; nil for the first
---@param sequence table
---@return vise.Tensor [t, width] f32
function Network:block(model, index, x, sequence)
  if index == 1 then
    return ops.rows(must(model:weight("embed")), sequence.batch.ids)
  elseif index == #self.blocks then
    local last <close> = x
    return ops.rmsnorm(last, model:vector("norm"), self.eps)
  end
  local layer = index - 2
  local at = "layers." .. layer
  x = H.add(x, self:attention(model, at .. ".attn", x, {
    heads = self.heads[layer + 1],
    kv_heads = self.kv_heads[layer + 1],
    window = self.windows(layer),
    starts = sequence.batch.starts,
    positions = sequence.positions,
    cache = sequence.caches and sequence.caches[layer + 1],
  }))
  return H.add(x, self:mlp(model, at .. ".mlp", x))
end

--- Empty caches for a sequence of up to `capacity` tokens.
---@param capacity integer
---@return userdata[]
function Network:caches(capacity)
  local caches = {}
  for layer = 1, self.n_layers do
    local heads = self.kv_heads[layer]
    caches[layer] = self.kv and must(native.kv.new(capacity, heads, self.head_dim, self.kv.format,
      self.kv.recent)) or must(native.nn.kv(capacity, heads, self.head_dim))
  end
  return caches
end

--- Activations are let go as soon as they have been used, so that the next ones take their memory.
function Network:attention(model, at, x, options)
  local n = ops.rmsnorm(x, model:vector(at .. ".norm"), self.eps)
  local q = H.linear(model, at .. ".q", n)
  local k = H.linear(model, at .. ".k", n)
  local v = H.linear(model, at .. ".v", n)
  n:close()
  q = H.replace(q, self.rope:turn(q, options.positions))
  k = H.replace(k, self.rope:turn(k, options.positions))
  local mixed <close> = self:mix(q, k, v, options)
  q:close()
  k:close()
  v:close()
  return H.linear(model, at .. ".o", mixed)
end

--- Attention itself. Where derivatives are recorded keys and values are not packed.
function Network:mix(q, k, v, options)
  if options.cache then
    return must(options.cache:attention(q, k, v, options))
  elseif self.kv and not tape.is_recording() then
    return must(native.kv.attention(q, k, v, options, self.kv.format, self.kv.recent))
  end
  return ops.attention(q, k, v, options)
end

function Network:mlp(model, at, x)
  local n = ops.rmsnorm(x, model:vector(at .. ".norm"), self.eps)
  local gate = H.linear(model, at .. ".gate", n)
  local up = H.linear(model, at .. ".up", n)
  n:close()
  local inner <close> = ops.swiglu(gate, up)
  gate:close()
  up:close()
  return H.linear(model, at .. ".down", inner)
end

--- The new one, the old let go.
function H.replace(old, new)
  old:close()
  return new
end

--- x W' + bias at a place.
function H.linear(model, place, x)
  if model.reach then
    model:reach(place, x)
  end
  local y = ops.linear(x, must(model:weight(place)))
  local bias = model:vector(place .. ".bias")
  if bias == nil then
    return y
  end
  local product <close> = y
  return ops.bias(product, bias)
end

--- x + y; both are let go.
function H.add(x, y)
  local a <close> = x
  local b <close> = y
  return ops.add(a, b)
end

H.Sequence = {
  __close = function(sequence)
    sequence.positions:close()
  end,
}

H.most_layers = 4096 -- every layer is declared before a file is looked at

function H.check(config)
  local act = config:get("hidden_act")
  if act ~= nil and act ~= "silu" and act ~= "swish" then
    config:wrong("hidden_act", "'silu'")
  end
end

--- How keys and values are kept, which vise writes into configs: {format, recent}; nil: as f32.
function H.kv(config)
  local format = config:get("vise_kv_format")
  if format == nil or format == "f32" then
    return nil
  elseif format ~= "int8" and format ~= "int4" and format ~= "fp8" then
    config:wrong("vise_kv_format", "one of: f32, int8, int4, fp8")
  end
  return { format = format, recent = config:integer("vise_kv_recent", 0, 0) }
end

--- The attention window of each layer: a function of its number from 0; 0 is no window.
function H.windows(config)
  local window = config:get("sliding_window") and config:integer("sliding_window") or 0
  local first = 0
  if config:get("model_type") == "qwen2" then
    window = config:boolean("use_sliding_window", false) and window or 0
    first = window > 0 and config:integer("max_window_layers", 28, 0) or 0
  end
  return function(layer)
    return layer >= first and window or 0
  end
end

function H.declare(net, has_bias)
  local d = net.width
  H.place(net, "embed", { net.vocabulary, d }, "model.embed_tokens.weight")
  net.blocks[1] = { name = "embed", places = { "embed" } }
  for layer = 0, net.n_layers - 1 do
    local at, source = "layers." .. layer, "model.layers." .. layer
    local inner = net.inner[layer + 1]
    local q, kv = net.heads[layer + 1] * net.head_dim, net.kv_heads[layer + 1] * net.head_dim
    H.tensor(net, at .. ".attn.norm", d, source .. ".input_layernorm.weight")
    H.tensor(net, at .. ".mlp.norm", d, source .. ".post_attention_layernorm.weight")
    local names = {}
    for _, row in ipairs({
      { "attn.q", q, d, "self_attn.q_proj", has_bias.qkv },
      { "attn.k", kv, d, "self_attn.k_proj", has_bias.qkv },
      { "attn.v", kv, d, "self_attn.v_proj", has_bias.qkv },
      { "attn.o", d, q, "self_attn.o_proj", has_bias.o },
      { "mlp.gate", inner, d, "mlp.gate_proj", has_bias.mlp },
      { "mlp.up", inner, d, "mlp.up_proj", has_bias.mlp },
      { "mlp.down", d, inner, "mlp.down_proj", has_bias.mlp },
    }) do
      local name, file_name = at .. "." .. row[1], source .. "." .. row[4]
      H.place(net, name, { row[2], row[3] }, file_name .. ".weight")
      if row[5] then
        H.tensor(net, name .. ".bias", row[2], file_name .. ".bias")
      end
      names[row[1]:match("%w+$")] = name
      names[#names + 1] = name
    end
    H.relate(net, layer, at, names)
  end
  H.tensor(net, "norm", d, "model.norm.weight")
  H.place(net, "head", { net.vocabulary, d }, "lm_head.weight", net.is_tied and "embed" or nil)
  net.sites[#net.sites + 1] = { name = "head", places = { "head" } }
  net.blocks[#net.blocks + 1] = { name = "head", places = { "head" } }
end

--- Sites, block and coupled dimensions of one layer; `n` has its places by last name and in order.
function H.relate(net, layer, at, n)
  local kv_heads = net.kv_heads[layer + 1]
  local group = net.heads[layer + 1] // kv_heads * net.head_dim
  for _, site in ipairs({
    { name = at .. ".attn.in", places = { n.q, n.k, n.v } },
    { name = at .. ".attn.out", places = { n.o } },
    { name = at .. ".mlp.in", places = { n.gate, n.up } },
    { name = at .. ".mlp.out", places = { n.down } },
  }) do
    net.sites[#net.sites + 1] = site
  end
  net.blocks[#net.blocks + 1] = { name = at, places = table.move(n, 1, #n, 1, {}) }
  net.coupled[#net.coupled + 1] = { name = at .. ".attn.heads", size = kv_heads, parts = {
    { place = n.q, dim = 1, times = group },
    { place = n.k, dim = 1, times = net.head_dim },
    { place = n.v, dim = 1, times = net.head_dim },
    { place = n.o, dim = 2, times = group },
  } }
  local size = net.inner[layer + 1]
  net.coupled[#net.coupled + 1] = { name = at .. ".mlp.neurons", size = size, parts = {
    { place = n.gate, dim = 1, times = 1 },
    { place = n.up, dim = 1, times = 1 },
    { place = n.down, dim = 2, times = 1 },
  } }
end

function H.place(net, name, shape, source, tied_to)
  net.places[#net.places + 1] = { name = name, shape = shape, source = source, tied_to = tied_to }
end

function H.tensor(net, name, n, source)
  net.tensors[#net.tensors + 1] = { name = name, shape = { n }, source = source }
end

return M
