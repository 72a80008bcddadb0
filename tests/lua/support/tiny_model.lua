--- A tiny random llama as a Hugging Face folder: what tests run on where ../shared is missing.
-- Two layers of 64 dimensions (4 heads, 2 of keys), 172 neurons, a vocabulary of 320: what real
-- models have, a short last group included. The same arguments write the same bytes.
local native = require("vise.native")

local M = {}
local H = {}

M.DIM, M.FFN, M.LAYERS, M.HEADS, M.KV_HEADS, M.VOCAB = 64, 172, 2, 4, 2, 320

---@class TinyModelOptions
---@field seed? integer 1 if absent
---@field tied? boolean the head is the embedding; false if absent
---@field dtype? "f32"|"bf16" "f32" if absent
---@field arch? "llama"|"mistral"|"qwen2" qwen2 has biases on q, k, v; "llama" if absent

--- Write config.json, two safetensors shards with their index, and tokenizer.model into `folder`.
---@param folder string made if need be
---@param options? TinyModelOptions
---@return string folder
function M.write(folder, options)
  local o = options or {}
  local made = {
    seed = o.seed or 1,
    tied = o.tied or false,
    dtype = o.dtype or "f32",
    arch = o.arch or "llama",
  }
  assert(native.file.make_dirs(folder))
  assert(native.file.replace(folder .. "/tokenizer.model", M.tokenizer()))
  assert(native.file.replace(folder .. "/config.json", native.json.encode(H.config(made))))
  local names = { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" }
  local weight_map, total = {}, 0
  for shard, tensors in ipairs(H.shards(made)) do
    assert(native.safetensors.write(folder .. "/" .. names[shard], tensors, { format = "pt" }))
    for _, entry in ipairs(tensors) do
      weight_map[entry[1]] = names[shard]
      total = total + entry[2]:bytes()
    end
  end
  assert(native.file.replace(folder .. "/model.safetensors.index.json",
    native.json.encode({ metadata = { total_size = total }, weight_map = weight_map })))
  return folder
end

--- The bytes of its tokenizer.model: SentencePiece BPE with byte fallback, pieces of English.
---@return string
function M.tokenizer()
  local pieces = { H.piece("<unk>", 0, 2), H.piece("<s>", 0, 3), H.piece("</s>", 0, 3) }
  for byte = 0, 255 do
    pieces[#pieces + 1] = H.piece(("<0x%02X>"):format(byte), 0, 6)
  end
  local merged = 0
  for word in H.WORDS:gmatch("%S+") do
    pieces[#pieces + 1] = H.piece(word:gsub("_", "\u{2581}"), -merged, 1)
    merged = merged + 1
  end
  local letters = "\u{2581}abcdefghijklmnopqrstuvwxyz.,"
  for _, code in utf8.codes(letters) do
    pieces[#pieces + 1] = H.piece(utf8.char(code), -merged, 1)
    merged = merged + 1
  end
  assert(#pieces == M.VOCAB)
  local trainer = H.number(3, 2) .. H.number(4, #pieces) .. H.number(35, 1)
  local normalizer = H.field(1, "identity") .. H.number(3, 1) .. H.number(4, 0) .. H.number(5, 1)
  return table.concat(pieces) .. H.field(2, trainer) .. H.field(3, normalizer)
end

-- Merged pieces, best first; an underscore stands for a space.
H.WORDS = "_t he _a _the in er re _s an nd on _w _and ou ed _b _h _c it en _m at _he _in ar _p "
  .. "as _was _to _of is or"

function H.config(o)
  return {
    architectures = {
      ({ llama = "Llama", mistral = "Mistral", qwen2 = "Qwen2" })[o.arch] .. "ForCausalLM",
    },
    model_type = o.arch,
    hidden_size = M.DIM,
    intermediate_size = M.FFN,
    num_hidden_layers = M.LAYERS,
    num_attention_heads = M.HEADS,
    num_key_value_heads = M.KV_HEADS,
    head_dim = M.DIM // M.HEADS,
    vocab_size = M.VOCAB,
    max_position_embeddings = 256,
    rms_norm_eps = 1e-5,
    rope_theta = 10000.0,
    hidden_act = "silu",
    tie_word_embeddings = o.tied,
    bos_token_id = 1,
    eos_token_id = 2,
    torch_dtype = ({ f32 = "float32", bf16 = "bfloat16" })[o.dtype],
  }
end

--- The tensors of both files: embedding and first layer, second layer and the rest.
function H.shards(o)
  local first = { H.matrix(o, "model.embed_tokens.weight", M.VOCAB, M.DIM, 1) }
  H.layer(first, o, 0)
  local second = {}
  for layer = 1, M.LAYERS - 1 do
    H.layer(second, o, layer)
  end
  second[#second + 1] = H.gain(o, "model.norm.weight")
  if not o.tied then
    second[#second + 1] = H.matrix(o, "lm_head.weight", M.VOCAB, M.DIM)
  end
  return { first, second }
end

function H.layer(tensors, o, layer)
  local prefix = ("model.layers.%d."):format(layer)
  local kv = M.DIM // M.HEADS * M.KV_HEADS
  local function add(entry)
    tensors[#tensors + 1] = entry
  end
  add(H.gain(o, prefix .. "input_layernorm.weight"))
  for _, row in ipairs({ { "q", M.DIM }, { "k", kv }, { "v", kv } }) do
    local name = prefix .. "self_attn." .. row[1] .. "_proj."
    add(H.matrix(o, name .. "weight", row[2], M.DIM))
    if o.arch == "qwen2" then
      add({ name .. "bias", native.core.random_tensor(o.dtype, { row[2] }, o.seed, name, 0.1) })
    end
  end
  add(H.matrix(o, prefix .. "self_attn.o_proj.weight", M.DIM, M.DIM))
  add(H.gain(o, prefix .. "post_attention_layernorm.weight"))
  add(H.matrix(o, prefix .. "mlp.gate_proj.weight", M.FFN, M.DIM))
  add(H.matrix(o, prefix .. "mlp.up_proj.weight", M.FFN, M.DIM))
  add(H.matrix(o, prefix .. "mlp.down_proj.weight", M.DIM, M.FFN))
end

--- A matrix [m, k] that keeps the size of what it is applied to.
function H.matrix(o, name, m, k, scale)
  return { name, native.core.random_tensor(o.dtype, { m, k }, o.seed, name, scale or k ^ -0.5) }
end

--- Gains of a norm, around one.
function H.gain(o, name)
  local values = {}
  for i = 1, M.DIM do
    values[i] = 1 + 0.1 * native.core.normal(o.seed, name, i - 1)
  end
  return { name, native.tensor.from(o.dtype, { M.DIM }, values) }
end

--- Protocol buffers' wire format: a varint, and the fields of sentencepiece_model.proto with it.
function H.varint(n)
  local bytes = {}
  while n >= 128 do
    bytes[#bytes + 1] = string.char(n % 128 + 128)
    n = n // 128
  end
  return table.concat(bytes) .. string.char(n)
end

function H.number(field, n)
  return H.varint(field << 3) .. H.varint(n)
end

function H.field(field, s)
  return H.varint(field << 3 | 2) .. H.varint(#s) .. s
end

--- One piece: its text, score, and type (1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte).
function H.piece(text, score, type)
  return H.field(1,
    H.field(1, text) .. H.varint(2 << 3 | 5) .. string.pack("<f", score) .. H.number(3, type))
end

return M
