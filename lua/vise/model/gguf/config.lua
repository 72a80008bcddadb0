-- SPDX-License-Identifier: Apache-2.0
--- The config of a model in the metadata of a GGUF file, both ways.

local config_reader = require("vise.model.config")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local M = {}
local H = {}

--- The config that the metadata stands for, as in config.json. Refuses what cannot be kept.
---@param file vise.Gguf
---@return table config
function M.read(file)
  local arch = file:value("general.architecture")
  if not H.architectures[arch] then
    refusal.refuse(("general.architecture is '%s', expected llama or qwen2"):format(tostring(arch)),
      "unsupported")
  end
  local function value(key)
    return H.shortest(file:value(arch .. "." .. key))
  end
  H.refuse_other(arch, value)
  local config = {
    model_type = H.model_type(file),
    hidden_act = "silu",
    vocab_size = H.rows(file, "token_embd.weight"),
    tie_word_embeddings = file:info("output.weight") == nil,
    attention_bias = H.has(file, "blk.0.attn_output.bias"),
    mlp_bias = H.has(file, "blk.0.ffn_gate.bias"),
    bos_token_id = H.token(file, "bos"),
    eos_token_id = H.token(file, "eos"),
    rope_scaling = H.scaling(file, value),
  }
  for _, row in ipairs(H.fields) do
    config[row[1]] = value(row[2])
  end
  for _, name in ipairs({ "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "max_position_embeddings" }) do
    if config[name] == nil then
      refusal.refuse_format("key '%s.%s' is missing", arch, H.key_of[name])
    end
  end
  local dims = value("rope.dimension_count")
  local head_dim = config.head_dim
    or config_reader.reader(config):integer("hidden_size")
      // config_reader.reader(config):integer("num_attention_heads")
  if dims ~= nil and dims ~= head_dim then
    refusal.refuse(("%s.rope.dimension_count is %s, expected %d, the width of a head"):format(arch,
      tostring(dims), head_dim), "unsupported")
  end
  return config
end

--- The metadata of a config, and the architecture. Refuses what GGUF has no keys for.
---@param config table as in config.json
---@param net vise.Network
---@return table[] keys {name, type, value} each
---@return string architecture
function M.write(config, net)
  local reader = config_reader.reader(config)
  local arch = config.model_type == "qwen2" and "qwen2" or "llama"
  if net.windows(0) > 0 or net.windows(net.n_layers - 1) > 0 then
    refusal.refuse("config: sliding_window is there, which GGUF files of architecture " .. arch
      .. " cannot say", "unsupported")
  end
  local keys = { { "general.architecture", "string", arch } }
  local function add(key, kind, value)
    keys[#keys + 1] = { arch .. "." .. key, kind, value }
  end
  add("context_length", "u32", net.context)
  add("embedding_length", "u32", net.width)
  add("feed_forward_length", "u32", H.same(config, "intermediate_size", net.inner, arch))
  add("block_count", "u32", net.n_layers)
  add("attention.head_count", "u32", H.same(config, "num_attention_heads", net.heads, arch))
  add("attention.head_count_kv", "u32", H.same(config, "num_key_value_heads", net.kv_heads, arch))
  add("attention.key_length", "u32", net.head_dim)
  add("attention.value_length", "u32", net.head_dim)
  add("rope.dimension_count", "u32", net.head_dim)
  add("attention.layer_norm_rms_epsilon", "f32", net.eps)
  add("vocab_size", "u32", net.vocabulary)
  local scaling = reader:table("rope_parameters") or reader:table("rope_scaling")
  local theta = reader:positive("rope_theta", 10000.0)
  add("rope.freq_base", "f32", scaling and scaling:positive("rope_theta", theta) or theta)
  H.add_scaling(add, scaling, net)
  return keys, arch
end

--- The number that all layers have.
function H.same(config, name, sizes, arch)
  for _, size in ipairs(sizes) do
    if size ~= sizes[1] then
      refusal.refuse(("config: %s differs by layer (%s), which GGUF files of architecture %s "
        .. "cannot say"):format(name, table.concat(config[name], ", "), arch), "unsupported")
    end
  end
  return sizes[1]
end

function H.has(file, name)
  return file:info(name) ~= nil
end

function H.rows(file, name)
  local type, shape = file:info(name)
  if type == nil then
    refusal.refuse_format("tensor '%s' is missing", name)
  end
  return shape[1]
end

--- Biases of q, k and v without one of o are Qwen2's.
function H.model_type(file)
  local has_qkv, has_o = H.has(file, "blk.0.attn_q.bias"), H.has(file, "blk.0.attn_output.bias")
  return has_qkv and not has_o and "qwen2" or "llama"
end

function H.token(file, name)
  local id = math.tointeger(file:value("tokenizer.ggml." .. name .. "_token_id"))
  return id and id < 1 << 31 and id or nil
end

--- A number as its shortest decimal that is the same f32: 1e-05, not 9.9999997e-06.
function H.shortest(value)
  if math.type(value) ~= "float" or value ~= value or math.abs(value) == math.huge then
    return value
  end
  local bits = ("<f"):pack(value)
  if ("<f"):unpack(bits) ~= value then
    return value -- f64
  end
  for digits = 1, 9 do
    local short = tonumber(("%%.%dg"):format(digits):format(value)) + 0.0
    if ("<f"):pack(short) == bits then
      return short
    end
  end
  return value
end

function H.refuse_other(arch, value)
  for _, key in ipairs({ "expert_count", "attention.sliding_window" }) do
    local is = value(key)
    if is ~= nil and is ~= 0 then
      refusal.refuse(("%s.%s is %s, expected none"):format(arch, key, tostring(is)), "unsupported")
    end
  end
  local k, v = value("attention.key_length"), value("attention.value_length")
  if k ~= v then
    refusal.refuse(("%s.attention.value_length is %s, expected %s, as key_length"):format(arch,
      tostring(v), tostring(k)), "unsupported")
  end
end

function H.scaling(file, value)
  if H.has(file, "rope_freqs.weight") then
    return H.llama3(file)
  end
  local kind = value("rope.scaling.type")
  local factor = value("rope.scaling.factor") or value("rope.scale_linear")
  if kind == nil and factor == nil or kind == "none" then
    return nil
  elseif kind == "yarn" then
    return { rope_type = "yarn", factor = factor,
      original_max_position_embeddings = value("rope.scaling.original_context_length") }
  elseif kind == nil or kind == "linear" then
    return { rope_type = "linear", factor = factor }
  end
  refusal.refuse(("rope.scaling.type is '%s', expected none, linear or yarn"):format(
    tostring(kind)), "unsupported")
end

--- Llama 3 files have the divisor of each frequency instead of the four numbers it comes from. The
--- last is the factor; the others are what Meta chose, which is checked.
function H.llama3(file)
  local tensor = file:tensor("rope_freqs.weight")
  local is = tensor:dtype() == "f32" and tensor:table() or {}
  local scaling = { rope_type = "llama3", factor = H.shortest(is[#is] or 0.0),
    low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 8192 }
  local arch = file:value("general.architecture")
  local theta = tonumber((file:value(arch .. ".rope.freq_base"))) or 10000.0
  local expected = H.divisors(scaling, theta, 2 * #is)
  for i = 1, #is do
    local is_near = math.abs(is[i] - expected[i]) <= 1e-5 * expected[i] -- which a NaN is not
    if not is_near then
      refusal.refuse("tensor 'rope_freqs.weight' has other numbers than Llama 3's rule gives",
        "unsupported")
    end
  end
  return scaling
end

--- The divisors of the frequencies: 1 of short waves, the factor of long ones, between them smooth.
function H.divisors(scaling, theta, head_dim)
  local context = scaling.original_max_position_embeddings
  local low, high = scaling.low_freq_factor, scaling.high_freq_factor
  local list = {}
  for i = 1, head_dim // 2 do
    local waves = context * theta ^ (-2 * (i - 1) / head_dim) / (2 * math.pi)
    local smooth = math.max(0, math.min(1, (waves - low) / (high - low)))
    list[i] = 1 / ((1 - smooth) / scaling.factor + smooth)
  end
  return list
end

--- The tensor rope_freqs.weight of a model, nil where it needs none.
---@param config table
---@param net vise.Network
---@return vise.Tensor|nil [head_dim / 2] f32
function M.divisors(config, net)
  local reader = config_reader.reader(config)
  local scaling = reader:table("rope_parameters") or reader:table("rope_scaling")
  if scaling == nil or (scaling:get("rope_type") or scaling:get("type")) ~= "llama3" then
    return nil
  end
  local theta = scaling:positive("rope_theta", reader:positive("rope_theta", 10000.0))
  local numbers = {}
  for _, name in ipairs({ "factor", "low_freq_factor", "high_freq_factor",
    "original_max_position_embeddings" }) do
    numbers[name] = scaling:positive(name)
  end
  return native.tensor.from("f32", { net.head_dim // 2 }, H.divisors(numbers, theta, net.head_dim))
end

function H.add_scaling(add, scaling, net)
  local kind = scaling and (scaling:get("rope_type") or scaling:get("type")) or "default"
  if kind == "linear" or kind == "yarn" then
    add("rope.scaling.type", "string", kind)
    local context = scaling:positive("original_max_position_embeddings", net.context)
    add("rope.scaling.factor", "f32", scaling:positive("factor", net.context / context))
    if kind == "yarn" then
      for _, name in ipairs({ "attention_factor", "beta_fast", "beta_slow", "truncate" }) do
        if scaling:get(name) ~= nil then
          scaling:wrong(name, "none in a GGUF file")
        end
      end
      add("rope.scaling.original_context_length", "u32", math.tointeger(context))
    end
  elseif kind ~= "default" and kind ~= "llama3" then
    scaling:wrong("rope_type", "default, linear, llama3 or yarn in a GGUF file")
  end
end

H.architectures = { llama = true, qwen2 = true }

H.fields = {
  { "hidden_size", "embedding_length" },
  { "intermediate_size", "feed_forward_length" },
  { "num_hidden_layers", "block_count" },
  { "num_attention_heads", "attention.head_count" },
  { "num_key_value_heads", "attention.head_count_kv" },
  { "head_dim", "attention.key_length" },
  { "max_position_embeddings", "context_length" },
  { "rms_norm_eps", "attention.layer_norm_rms_epsilon" },
  { "rope_theta", "rope.freq_base" },
}

H.key_of = {}
for _, row in ipairs(H.fields) do
  H.key_of[row[1]] = row[2]
end

return M
