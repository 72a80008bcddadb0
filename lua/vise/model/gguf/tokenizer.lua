-- SPDX-License-Identifier: Apache-2.0
--- The tokenizer of a GGUF file's metadata as the file that vise reads, and back.

local bpe = require("vise.model.gguf.bpe")
local refusal = require("vise.model.refusal")
local sentencepiece = require("vise.model.gguf.sentencepiece")

local M = {}
local H = {}

--- The tokenizer's file, made when it is asked for; nil where the metadata have none.
---@param file vise.Gguf
---@param path string for messages
---@return table|nil file as vise.model.sources has it
function M.read(file, path)
  local kind = file:value("tokenizer.ggml.model")
  if kind == nil or kind == "none" or kind == "no_vocab" then
    return nil
  end
  local made = H.kinds[kind] or H.unknown
  return {
    name = made.name,
    bytes = function()
      return refusal.protect(refusal.within, path, made.encode, function(key)
        local value, type = file:value("tokenizer.ggml." .. key)
        local expected = H.arrays[key]
        if expected and value ~= nil and type ~= expected then
          refusal.refuse_format("tokenizer.ggml.%s is %s, expected %s", key, type, expected)
        end
        return value
      end)
    end,
  }
end

--- The metadata of a model's tokenizer; none where it has none.
---@param model vise.Model
---@return table[] keys {name, type, value} each
function M.write(model)
  local file, tokenizer = model._tokenizer_file, model.tokenizer
  if file == nil then
    return {}
  end
  local bytes = refusal.must(file.bytes())
  local keys = file.name == "tokenizer.model" and sentencepiece.decode(bytes)
    or H.decode_bpe(bytes, tokenizer, model.vocabulary)
  H.fill(keys, model.vocabulary)
  local config = model.config
  for _, row in ipairs({ { "bos", tokenizer:bos() or config.bos_token_id },
    { "eos", tokenizer:eos() or config.eos_token_id } }) do
    local id = type(row[2]) == "table" and row[2][1] or row[2]
    if math.type(id) == "integer" then
      keys[#keys + 1] = { "tokenizer.ggml." .. row[1] .. "_token_id", "u32", id }
    end
  end
  keys[#keys + 1] = { "tokenizer.ggml.add_bos_token", "bool", tokenizer:bos() ~= nil }
  return keys
end

function H.decode_bpe(text, tokenizer, vocabulary)
  return bpe.decode(text, math.max(vocabulary, tokenizer:size()))
end

--- Give every row of the embedding a token: unused ones where the tokenizer has fewer.
function H.fill(keys, vocabulary)
  local by_name = {}
  for _, key in ipairs(keys) do
    by_name[key[1]] = key[3]
  end
  local tokens = by_name["tokenizer.ggml.tokens"]
  local scores = by_name["tokenizer.ggml.scores"]
  local types = by_name["tokenizer.ggml.token_type"]
  for i = #tokens + 1, vocabulary do
    tokens[i], types[i] = ("[PAD%d]"):format(i - 1), 5
    if scores then
      scores[i] = -10000.0
    end
  end
  if #tokens > vocabulary then
    local message = "the tokenizer has %d ids, expected at most the %d rows of the embedding"
    refusal.refuse(message:format(#tokens, vocabulary), "unsupported")
  end
end

H.arrays = { tokens = "[string]", merges = "[string]", scores = "[f32]", token_type = "[i32]" }

H.kinds = {
  llama = { name = "tokenizer.model", encode = sentencepiece.encode },
  gpt2 = { name = "tokenizer.json", encode = bpe.encode },
}

H.unknown = {
  name = "tokenizer.json",
  encode = function(get)
    refusal.refuse(("tokenizer.ggml.model is '%s', expected llama or gpt2"):format(
      tostring(get("model"))), "unsupported")
  end,
}

return M
