-- SPDX-License-Identifier: Apache-2.0
--- What GGUF calls the parts of a Llama model, and the order of rows in q and k.

local M = {}
local H = {}

--- The name of a part in GGUF files.
---@param part string "layers.3.mlp.down", "layers.0.attn.q.bias", "norm", ...
---@return string "blk.3.ffn_down.weight"
function M.of(part)
  if H.whole[part] then
    return H.whole[part] .. ".weight"
  end
  local layer, rest, bias = part:match("^layers%.(%d+)%.(%w+%.%w+)(.*)$")
  local kind = bias == ".bias" and "bias" or "weight"
  return ("blk.%s.%s.%s"):format(layer, H.of_layer[rest], kind)
end

--- The number of heads whose rows change order in a file of that architecture: a function of the
--- name of a part; nil or false for parts whose rows stay.
---@param net vise.Network
---@param architecture string of the file
---@return fun(part: string): integer|false|nil
function M.swapped_heads(net, architecture)
  return function(part)
    local layer, which = part:match("^layers%.(%d+)%.attn%.([qk])%f[%W]")
    local heads = architecture == "llama" and { q = net.heads, k = net.kv_heads }
    return heads and which and heads[which][layer + 1]
  end
end

--- Rows of heads between two orders: Hugging Face pairs row i of a head of d rows with row i + d/2
--- (halves), files of architecture llama have the pair in rows 2 i and 2 i + 1.
---@param tensor vise.Tensor [heads * d, ...]; the last dimension may be bytes of blocks
---@param heads integer
---@param direction "to halves"|"to pairs"
---@return vise.Tensor contiguous
function M.swap_rows(tensor, heads, direction)
  local shape = tensor:shape()
  local half = shape[1] // heads // 2
  local columns = shape[2] or 1
  local split = direction == "to halves" and { heads, half, 2, columns }
    or { heads, 2, half, columns }
  local turned <close> = tensor:reshape(split):transpose(2, 3)
  return turned:convert(tensor:dtype()):reshape(shape)
end

H.whole = { embed = "token_embd", norm = "output_norm", head = "output" }

H.of_layer = {
  ["attn.norm"] = "attn_norm", ["attn.q"] = "attn_q", ["attn.k"] = "attn_k",
  ["attn.v"] = "attn_v", ["attn.o"] = "attn_output",
  ["mlp.norm"] = "ffn_norm", ["mlp.gate"] = "ffn_gate", ["mlp.up"] = "ffn_up",
  ["mlp.down"] = "ffn_down",
}

return M
