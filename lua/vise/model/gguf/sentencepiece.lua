-- SPDX-License-Identifier: Apache-2.0
--- A SentencePiece model between GGUF's metadata and the bytes of a tokenizer.model, which are one
--- message ModelProto of protocol buffers.

local refusal = require("vise.model.refusal")

local M = {}
local H = {}

--- The bytes of a tokenizer.model.
---@param get fun(key: string): any the value of "tokenizer.ggml." .. key, or nil
---@return string
function M.encode(get)
  local tokens, scores, types = get("tokens"), get("scores"), get("token_type")
  local n = tokens and #tokens or 0
  if n == 0 or scores == nil or #scores ~= n or types == nil or #types ~= n then
    refusal.refuse("tokenizer.ggml: tokens, scores and token_type are not three arrays of one "
      .. "length")
  end
  while n > 0 and types[n] == H.unused do
    n = n - 1 -- what fills the vocabulary up to the rows of the embedding
  end
  local parts, has_bytes = {}, false
  for i = 1, n do
    has_bytes = has_bytes or types[i] == H.byte
    parts[i] = H.message(1, H.text(1, tokens[i]) .. H.float(2, scores[i]) .. H.integer(3, types[i]))
  end
  local trainer = { H.integer(3, H.bpe), H.integer(35, has_bytes and 1 or 0) }
  for _, row in ipairs({ { "unknown", 40, 45 }, { "bos", 41, 46 }, { "eos", 42, 47 } }) do
    local id = math.tointeger(get(row[1] .. "_token_id"))
    if id and id < n then
      trainer[#trainer + 1] = H.integer(row[2], id) .. H.text(row[3], tokens[id + 1])
    end
  end
  parts[#parts + 1] = H.message(2, table.concat(trainer))
  parts[#parts + 1] = H.message(3, H.text(1, "identity")
    .. H.integer(3, get("add_space_prefix") == false and 0 or 1)
    .. H.integer(4, get("remove_extra_whitespaces") == true and 1 or 0)
    .. H.integer(5, 1))
  return table.concat(parts)
end

--- The metadata of a tokenizer.model that vise has opened, so that it is sound.
---@param bytes string
---@return table[] keys {name, type, value} each
function M.decode(bytes)
  local tokens, scores, types = {}, {}, {}
  local flags = { [3] = 1, [4] = 1, [5] = 1, fallback = 0 }
  local has_bytes = false
  for number, value in H.fields(bytes) do
    if number == 1 then
      local piece = { nil, 0.0, H.normal }
      for field, inner in H.fields(value) do
        piece[field] = field == 2 and ("<f"):unpack(("<I4"):pack(inner)) or inner
      end
      tokens[#tokens + 1], scores[#scores + 1], types[#types + 1] = piece[1], piece[2], piece[3]
      has_bytes = has_bytes or piece[3] == H.byte
    elseif number == 2 then
      for field, inner in H.fields(value) do
        flags.fallback = field == 35 and inner or flags.fallback
      end
    elseif number == 3 then
      for field, inner in H.fields(value) do
        flags[field] = inner
      end
    end
  end
  if flags[5] == 0 or has_bytes ~= (flags.fallback ~= 0) then
    refusal.refuse("tokenizer.model: escape_whitespaces is off, or pieces of bytes are not used, "
      .. "which GGUF cannot say", "unsupported")
  end
  return {
    { "tokenizer.ggml.model", "string", "llama" },
    { "tokenizer.ggml.tokens", "[string]", tokens },
    { "tokenizer.ggml.scores", "[f32]", scores },
    { "tokenizer.ggml.token_type", "[i32]", types },
    { "tokenizer.ggml.add_space_prefix", "bool", flags[3] ~= 0 },
    { "tokenizer.ggml.remove_extra_whitespaces", "bool", flags[4] ~= 0 },
  }
end

--- The fields of a message: number, value of each; integers as they are.
function H.fields(bytes)
  local at = 1
  return function()
    if at > #bytes then
      return nil
    end
    local tag, value
    tag, at = H.read_integer(bytes, at)
    if tag & 7 == H.is_integer then
      value, at = H.read_integer(bytes, at)
    elseif tag & 7 == H.is_bytes then
      value, at = H.read_integer(bytes, at)
      value, at = bytes:sub(at, at + value - 1), at + value
    else
      value, at = (tag & 7 == H.is_fixed32 and "<I4" or "<I8"):unpack(bytes, at)
    end
    return tag >> 3, value
  end
end

--- Seven bits a byte, the lowest first; the eighth says that more follow.
function H.read_integer(bytes, at)
  local value, shift = 0, 0
  repeat
    local byte = bytes:byte(at)
    value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
  until byte < 128
  return value, at
end

function H.write_integer(value)
  local list = {}
  while value >> 7 ~= 0 do -- a negative number is a large one
    list[#list + 1] = string.char(value & 127 | 128)
    value = value >> 7
  end
  return table.concat(list) .. string.char(value)
end

function H.integer(number, value)
  return H.write_integer(number << 3 | H.is_integer) .. H.write_integer(value)
end

function H.float(number, value)
  return H.write_integer(number << 3 | H.is_fixed32) .. ("<f"):pack(value)
end

function H.text(number, value)
  return H.write_integer(number << 3 | H.is_bytes) .. H.write_integer(#value) .. value
end

H.message = H.text -- a message within another is its bytes

H.is_integer, H.is_bytes, H.is_fixed32 = 0, 2, 5 -- types of the wire
H.normal, H.unused, H.byte, H.bpe = 1, 5, 6, 2

return M
