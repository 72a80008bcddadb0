-- SPDX-License-Identifier: Apache-2.0
--- Write a model as a Hugging Face folder: config.json, safetensors, the tokenizer's file.
-- Everything goes into a folder beside it, which gets its name when it is complete. A model of more
-- than one shard's bytes is written shard by shard, so that memory holds one at most.

local check = require("vise.check")
local export = require("vise.model.export")
local kernel = require("vise.model.kernel")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = { shard_bytes = 2 << 30 }

--- See vise.model.export.
---@param model vise.Model
---@param path string
---@param options table {type, on_progress, shard_bytes}
---@return table result {path, bytes, types = {[type] = count}}
function M.run(model, path, options)
  local building = path:gsub("/+$", "") .. ".part"
  must(native.file.remove_tree(building))
  must(native.file.make_dirs(building))
  local ok, result = pcall(H.fill, model, building, options)
  if ok then
    must(native.file.rename(building, path))
    result.path = path
    return result
  end
  native.file.remove_tree(building)
  error(result, 0)
end

function H.fill(model, folder, options)
  local parts = export.parts(model)
  local shards, sizes = H.plan(model, parts, options)
  local total = { bytes = 0, types = {}, done = 0, count = #parts, map = {} }
  for i, shard in ipairs(shards) do
    local name = #shards == 1 and "model.safetensors"
      or ("model-%05d-of-%05d.safetensors"):format(i, #shards)
    H.write_shard(model, folder .. "/" .. name, name, shard, options, total)
  end
  if #shards > 1 then
    H.write_json(folder .. "/model.safetensors.index.json",
      { metadata = { total_size = sizes }, weight_map = total.map })
  end
  H.write_json(folder .. "/config.json", H.config(model, total.types))
  local file = model._tokenizer_file
  if file then
    must(native.file.replace(folder .. "/" .. file.name, must(file.bytes())))
  end
  return { bytes = total.bytes, types = total.types }
end

--- Parts in shards of limited size, and the bytes of all. Refuses here what cannot be written.
function H.plan(model, parts, options)
  local limit = options.shard_bytes or H.shard_bytes
  local shards, room, sum = { {} }, limit, 0
  for _, part in ipairs(parts) do
    local bytes = H.size(model, part, options.type)
    if bytes > room and #shards[#shards] > 0 then
      shards[#shards + 1], room = {}, limit
    end
    table.insert(shards[#shards], part)
    room, sum = room - bytes, sum + bytes
  end
  return shards, sum
end

function H.size(model, part, wanted)
  if not part.is_weight then
    return must(model:tensor(part.name)):bytes()
  end
  local weight <close> = model:_own(part.name)
  local tensor = weight:tensor()
  local count = part.shape[1] * part.shape[2]
  local bytes
  if wanted then
    bytes = count * (wanted == "f32" and 4 or 2)
  elseif tensor and H.floats[tensor:dtype()] then
    bytes = tensor:bytes()
  else
    export.dense(part.name, weight, wanted, H.floats, "a Hugging Face folder") -- refuses
  end
  return bytes
end

function H.write_shard(model, path, name, shard, options, total)
  local items = {}
  for i, part in ipairs(shard) do
    local tensor, _
    if part.is_weight then
      local weight = must(model:materialise(part.name))
      _, tensor = export.dense(part.name, weight, options.type, H.floats, "a Hugging Face folder")
    else
      tensor = must(model:tensor(part.name))
    end
    items[i] = { part.source, kernel.to_file(part, tensor) }
    total.map[part.source] = name
    total.types[tensor:dtype()] = (total.types[tensor:dtype()] or 0) + 1
    total.done = total.done + 1
    options.on_progress(total.done, total.count)
  end
  must(native.safetensors.write(path, items, { format = "pt" }))
  for _, item in ipairs(items) do
    item[2]:close()
  end
  total.bytes = total.bytes + must(native.file.stat(path)).bytes
end

--- The model's config, with the type most tensors have.
function H.config(model, types)
  local config = {}
  for key, value in next, model.config do
    config[key] = value
  end
  local most
  for type, count in check.sorted_pairs(types) do
    most = (most == nil or count > types[most]) and type or most
  end
  config.torch_dtype = H.torch[most] or config.torch_dtype
  if config.architectures == nil then
    config.architectures = native.json.array({ H.classes[config.model_type] })
  end
  return config
end

function H.write_json(path, value)
  must(native.file.replace(path, native.json.encode(value, { indent = 2 }) .. "\n"))
end

H.torch = { f32 = "float32", f16 = "float16", bf16 = "bfloat16" }
H.classes = { llama = "LlamaForCausalLM", mistral = "MistralForCausalLM",
  qwen2 = "Qwen2ForCausalLM", convnet = "ViseConvNet", mlp = "ViseMlp" }
H.floats = { f32 = true, f16 = true, bf16 = true, f8_e4m3 = true, f8_e5m2 = true }

return M
