-- SPDX-License-Identifier: Apache-2.0
--- A Hugging Face folder: config.json, safetensors in one file or in shards, a tokenizer.

local check = require("vise.check")
local kernel = require("vise.model.kernel")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local sources = require("vise.model.sources")

local must = refusal.must

local M = {}
local H = {}

--- See vise.model.sources.
---@param path string
---@return table source
function M.open(path)
  local config = H.json(path .. "/config.json")
  H.refuse_quantized(path, config)
  local files, where = H.files(path)
  local source = {
    name = sources.name_of(path),
    path = path,
    config = config,
    config_path = path .. "/config.json",
    disk_bytes = 0,
    tokenizer_file = H.tokenizer_file(path),
  }
  for _, name in ipairs(files) do
    source.disk_bytes = source.disk_bytes + must(native.file.stat(path .. "/" .. name)).bytes
  end
  local by_name = {}
  function source.bind(net)
    by_name = H.bind(path, net, where)
  end
  function source.tensor(name)
    local entry = by_name[name]
    local tensor, message, code = entry.file:tensor(entry.part.source)
    if tensor == nil then
      return nil, message, code
    end
    return kernel.from_file(entry.part, tensor)
  end
  function source.weight(place)
    local tensor, message, code = source.tensor(place)
    if tensor == nil then
      return nil, message, code
    end
    return native.weight.dense(tensor)
  end
  return source
end

function H.json(path)
  local value, message, code = native.json.decode(must(native.file.read(path, H.largest_json)))
  if value == nil or type(value) ~= "table" then
    refusal.refuse(("%s: %s"):format(path, message or "is no object"), code or "format")
  end
  return value
end

--- The safetensors files, mapped, and where each tensor is: names, {[tensor] = {name, file}}.
function H.files(path)
  local index_path = path .. "/model.safetensors.index.json"
  local names, expected = { "model.safetensors" }, nil
  if native.file.stat(index_path) then
    expected = H.json(index_path).weight_map
    if type(expected) ~= "table" then
      refusal.refuse_format("%s: weight_map is missing, expected an object", index_path)
    end
    names = H.shard_names(index_path, expected)
  end
  local where = {}
  for _, name in ipairs(names) do
    local file, message, code = native.safetensors.open(path .. "/" .. name)
    if file == nil then
      refusal.refuse(message, code)
    end
    for _, tensor in ipairs(file:names()) do
      if where[tensor] then
        refusal.refuse_format("%s/%s: tensor '%s' is also in %s", path, name, tensor,
          where[tensor].name)
      end
      where[tensor] = { name = name, file = file }
    end
  end
  for tensor, name in check.sorted_pairs(expected or {}) do
    if where[tensor] == nil or where[tensor].name ~= name then
      refusal.refuse_format("%s: tensor '%s' is not in %s", index_path, tensor, name)
    end
  end
  return names, where
end

--- File names of an index, sorted. They are names beside it, never paths.
function H.shard_names(index_path, weight_map)
  local seen, names = {}, {}
  for _, name in check.sorted_pairs(weight_map) do
    if type(name) ~= "string" or name:find("/") or name:sub(1, 1) == "." then
      refusal.refuse_format("%s: file is %s, expected a name without folders", index_path,
        type(name) == "string" and "'" .. name .. "'" or "a " .. type(name))
    end
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- Find every declared part in the files: {[name] = {file, part}}. Refuses what is missing, too
--- much, of another shape or no float.
function H.bind(path, net, where)
  local by_name, used = {}, {}
  for _, list in ipairs({ net.places, net.tensors }) do
    for _, part in ipairs(list) do
      used[part.source] = true
      if part.tied_to == nil then
        local entry = where[part.source]
        if entry == nil then
          refusal.refuse_format("%s: tensor '%s' (%s) is missing", path, part.source, part.name)
        end
        H.check_part(path .. "/" .. entry.name, entry.file, part)
        by_name[part.name] = { file = entry.file, part = part }
      end
    end
  end
  local extra = {}
  for name in next, where do
    if not used[name] and not name:find("rotary_emb%.inv_freq$") then
      extra[#extra + 1] = name
    end
  end
  if #extra > 0 then
    table.sort(extra)
    refusal.refuse_format("%s/%s: tensor '%s' is no part of the architecture%s", path,
      where[extra[1]].name, extra[1], #extra > 1 and (" (%d more)"):format(#extra - 1) or "")
  end
  return by_name
end

function H.check_part(file_path, file, part)
  local dtype, shape = file:info(part.source)
  local is, expected = table.concat(shape, ", "), table.concat(kernel.file_shape(part), ", ")
  if is ~= expected then
    refusal.refuse_format("%s: tensor '%s' is [%s], expected [%s]", file_path, part.source, is,
      expected)
  elseif not H.floats[dtype] then
    refusal.refuse_format("%s: tensor '%s' is %s, expected f32, f16, bf16 or an 8-bit float",
      file_path, part.source, dtype)
  end
end

function H.tokenizer_file(path)
  return sources.tokenizer_file(function(name)
    return native.file.stat(path .. "/" .. name)
  end, function(name)
    return native.file.read(path .. "/" .. name, H.largest_tokenizer)
  end)
end

function H.refuse_quantized(path, config)
  local how = config.quantization_config
  if how ~= nil and how ~= native.json.null then
    local method = type(how) == "table" and how.quant_method
    refusal.refuse(("%s/config.json: quantization_config is there%s, expected weights that are not"
      .. " quantized"):format(path, method and (" (%s)"):format(method) or ""), "unsupported")
  end
end

H.floats = { f32 = true, f16 = true, bf16 = true, f8_e4m3 = true, f8_e5m2 = true }
H.largest_json = 64 << 20
H.largest_tokenizer = 256 << 20

return M
