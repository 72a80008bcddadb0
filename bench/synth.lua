-- SPDX-License-Identifier: Apache-2.0
--- A random model with the shapes of TinyLlama for benches: 1.1 billion bf16 weights, 2.2 GB.
-- Written once into a folder of the user's cache, the same bytes everywhere. Tensors are windows
-- of one pool of normal numbers at different places, so none equals another.

local native = require("vise.native")

local M = {}
local H = {}

M.config = {
  architectures = { "LlamaForCausalLM" },
  model_type = "llama",
  hidden_size = 2048,
  intermediate_size = 5632,
  num_hidden_layers = 22,
  num_attention_heads = 32,
  num_key_value_heads = 4,
  vocab_size = 32000,
  max_position_embeddings = 2048,
  rms_norm_eps = 1e-5,
  rope_theta = 10000.0,
  hidden_act = "silu",
  tie_word_embeddings = false,
  bos_token_id = 1,
  eos_token_id = 2,
  torch_dtype = "bfloat16",
}

--- The model's folder, written now if it is not there yet.
---@param folder? string default: vise/bench/synth-1.1b in the user's cache folder
---@return string folder
function M.folder(folder)
  folder = folder or H.cache() .. "/vise/bench/synth-1.1b"
  if native.file.stat(folder .. "/model.safetensors.index.json") == nil then
    H.write(folder)
  end
  return folder
end

function H.cache()
  local home = os.getenv("XDG_CACHE_HOME")
  return home and home ~= "" and home or assert(os.getenv("HOME")) .. "/.cache"
end

--- All shards, then the index: a folder without one is not complete.
function H.write(folder)
  io.stderr:write("writing a random model of 2.2 GB into ", folder, ", once\n")
  assert(native.file.make_dirs(folder))
  local pool = native.core.random_tensor("bf16", { 68000000 }, 1, "synth", 0.02)
  local weight_map, total, n_windows = {}, 0, 0
  local function tensor(name, ...)
    local shape, count = { ... }, 1
    for _, dim in ipairs(shape) do
      count = count * dim
    end
    n_windows = n_windows + 1
    local start = n_windows * 7919 * 64 % (pool:count() - count) + 1
    return { name, pool:narrow(1, start, count):reshape(shape) }
  end
  local shards = H.shards(tensor)
  for i, tensors in ipairs(shards) do
    local name = ("model-%05d-of-%05d.safetensors"):format(i, #shards)
    assert(native.safetensors.write(folder .. "/" .. name, tensors, { format = "pt" }))
    for _, entry in ipairs(tensors) do
      weight_map[entry[1]] = name
      total = total + entry[2]:bytes()
    end
  end
  pool:close()
  assert(native.file.replace(folder .. "/config.json", native.json.encode(M.config)))
  assert(native.file.replace(folder .. "/model.safetensors.index.json",
    native.json.encode({ metadata = { total_size = total }, weight_map = weight_map })))
end

--- The tensors of each file: the embedding, layers by elevens, the head.
function H.shards(tensor)
  local d, ffn = M.config.hidden_size, M.config.intermediate_size
  local kv = d // M.config.num_attention_heads * M.config.num_key_value_heads
  local shards = { { tensor("model.embed_tokens.weight", M.config.vocab_size, d) } }
  for layer = 0, M.config.num_hidden_layers - 1 do
    if layer % 11 == 0 then
      shards[#shards + 1] = {}
    end
    for _, row in ipairs({
      { "input_layernorm", d },
      { "self_attn.q_proj", d, d },
      { "self_attn.k_proj", kv, d },
      { "self_attn.v_proj", kv, d },
      { "self_attn.o_proj", d, d },
      { "post_attention_layernorm", d },
      { "mlp.gate_proj", ffn, d },
      { "mlp.up_proj", ffn, d },
      { "mlp.down_proj", d, ffn },
    }) do
      local name = ("model.layers.%d.%s.weight"):format(layer, row[1])
      table.insert(shards[#shards], tensor(name, table.unpack(row, 2)))
    end
  end
  shards[#shards + 1] = {
    tensor("model.norm.weight", d),
    tensor("lm_head.weight", M.config.vocab_size, d),
  }
  return shards
end

return M
