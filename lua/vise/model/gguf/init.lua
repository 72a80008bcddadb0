-- SPDX-License-Identifier: Apache-2.0
--- A GGUF file as the source of a model.
-- Weights are views of the mapped file, but for q and k of architecture llama: their rows are in
-- another order there (see `swap_rows`), so they are copied, row by row and block by block.

local config_of = require("vise.model.gguf.config")
local names = require("vise.model.gguf.names")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local sources = require("vise.model.sources")
local tokenizer = require("vise.model.gguf.tokenizer")

local must = refusal.must

local M = {}
local H = {}

--- See vise.model.sources.
---@param path string
---@return table source
function M.open(path)
  local file = must(native.gguf.open(path))
  local config = refusal.within(path, config_of.read, file)
  local source = {
    name = sources.name_of(path),
    path = path,
    config = config,
    config_path = path,
    disk_bytes = must(native.file.stat(path)).bytes,
    tokenizer_file = tokenizer.read(file, path),
  }
  local heads
  function source.bind(net)
    heads = names.swapped_heads(net, file:value("general.architecture"))
    H.bind(path, file, net)
  end
  function source.tensor(name)
    local tensor, message, code = file:tensor(names.of(name))
    if tensor == nil then
      return nil, message, code
    end
    return heads(name) and names.swap_rows(tensor, heads(name), "to halves") or tensor
  end
  function source.weight(place)
    local tensor, message, code = source.tensor(place)
    if tensor == nil then
      return nil, message, code
    end
    local weight
    weight, message, code = native.gguf.weight(file:info(names.of(place)), tensor)
    if weight == nil then
      return nil, ("%s: tensor '%s': %s"):format(path, names.of(place), message), code
    end
    return weight
  end
  return source
end

--- Every declared part is there in its shape, and no other.
function H.bind(path, file, net)
  local used = { ["rope_freqs.weight"] = true }
  for _, list in ipairs({ net.places, net.tensors }) do
    for _, part in ipairs(list) do
      if part.tied_to == nil then
        local name = names.of(part.name)
        used[name] = true
        H.check_part(path, file, part, name, list == net.places)
      end
    end
  end
  for _, name in ipairs(file:names()) do
    if not used[name] then
      refusal.refuse_format("%s: tensor '%s' is no part of the architecture", path, name)
    end
  end
end

function H.check_part(path, file, part, name, is_weight)
  local type, shape = file:info(name)
  if type == nil then
    refusal.refuse_format("%s: tensor '%s' (%s) is missing", path, name, part.name)
  end
  local is, expected = table.concat(shape, ", "), table.concat(part.shape, ", ")
  if is ~= expected then
    refusal.refuse_format("%s: tensor '%s' is [%s], expected [%s]", path, name, is, expected)
  elseif not is_weight and not H.floats[type] then
    refusal.refuse_format("%s: tensor '%s' is %s, expected f32, f16 or bf16", path, name, type)
  elseif is_weight and not H.floats[type] and not H.is_known(type) then
    refusal.refuse(("%s: tensor '%s' is %s, expected f32, f16, bf16 or a type of `vise explain` "
      .. "in blocks of ggml"):format(path, name, type), "unsupported")
  end
end

--- A number format of the type's name whose only part is the file's blocks. mxfp4 is one here, but
--- not of the file's layout.
function H.is_known(type)
  return type ~= "mxfp4" and type ~= "nvfp4" and H.formats()[type] or false
end

function H.formats()
  if H.by_name == nil then
    H.by_name = {}
    for _, format in ipairs(native.format.list()) do
      H.by_name[format.name] = true
    end
  end
  return H.by_name
end

H.floats = { f32 = true, f16 = true, bf16 = true }

return M
