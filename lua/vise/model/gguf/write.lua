-- SPDX-License-Identifier: Apache-2.0
--- Write a model as a GGUF file, one tensor at a time.
-- A weight keeps its bits where GGUF has its type: f32, f16, bf16 and ggml's blocks. Norms and
-- biases are f32, as the programs that read such files expect.

local config_of = require("vise.model.gguf.config")
local export = require("vise.model.export")
local names = require("vise.model.gguf.names")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local tokenizer = require("vise.model.gguf.tokenizer")

local must = refusal.must

local M = {}
local H = {}

--- See vise.model.export.
---@param model vise.Model
---@param path string
---@param options table {type, on_progress}
---@return table result {path, bytes, types = {[type] = count}}
function M.run(model, path, options)
  local net = model._net
  local keys, architecture = refusal.within(model.name, config_of.write, model.config, net)
  table.insert(keys, 2, { "general.name", "string", model.name })
  keys[#keys + 1] = { "general.quantization_version", "u32", 2 }
  for _, key in ipairs(refusal.within(model.name, tokenizer.write, model)) do
    keys[#keys + 1] = key
  end
  local divisors = config_of.divisors(model.config, net)
  local parts, items = export.parts(model), {}
  for i, part in ipairs(parts) do
    items[i] = { names.of(part.name), part.shape }
  end
  if divisors then
    items[#items + 1] = { "rope_freqs.weight", divisors:shape() }
  end
  local writer = must(native.gguf.create(path, keys, items))
  local ok, result = pcall(H.fill, writer, model, parts, divisors, options, architecture)
  if not ok then
    writer:abort()
    error(result, 0)
  end
  return { path = path, bytes = must(writer:commit()), types = result }
end

function H.fill(writer, model, parts, divisors, options, architecture)
  local types = {}
  local heads = names.swapped_heads(model._net, architecture)
  for i, part in ipairs(parts) do
    local type, tensor
    if part.is_weight then
      type, tensor = H.weight(model, part.name, options.type)
    else
      type, tensor = "f32", must(must(model:tensor(part.name)):convert("f32"))
    end
    if heads(part.name) then
      tensor = names.swap_rows(tensor, heads(part.name), "to pairs")
    end
    must(writer:add(type, tensor))
    tensor:close()
    types[type] = (types[type] or 0) + 1
    options.on_progress(i, #parts)
  end
  if divisors then
    must(writer:add("f32", divisors))
  end
  return types
end

--- Type and bytes of a weight in the file.
function H.weight(model, place, wanted)
  local weight <close> = model:_own(place)
  local type, tensor = H.blocks(weight)
  if type == nil then
    type, tensor = export.dense(place, weight, wanted, H.floats, "GGUF")
  end
  return type, tensor
end

--- Of a weight in blocks of ggml: the type and the blocks; nil of any other.
function H.blocks(weight)
  if weight:kind() ~= "quant" then
    return nil
  end
  local tree = weight:tree()
  local blocks = tree.parts.blocks
  return blocks and tree.attributes.format or nil, blocks
end

H.floats = { f32 = true, f16 = true, bf16 = true }

return M
