-- SPDX-License-Identifier: Apache-2.0
--- Write a model in the format of other programs, or as a `.vise` file: `vise convert`.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.ExportOptions
---@field to "gguf"|"hf"|"vise"
---@field type? "f32"|"f16"|"bf16" of weights that are dense, or that the format has no type for
---@field on_progress? fun(done: integer, total: integer) after each weight

--- Write `model` to a file (gguf, vise) or a new folder (hf). What is there under that name is
--- replaced as a whole if it is a file, and refused if it is a folder.
---@param model vise.Model
---@param path string
---@param options vise.ExportOptions
---@return table|nil result {path, bytes, types = {[type] = number of tensors}}
---@return string? message
---@return string? code
function M.run(model, path, options)
  local o = check.options("convert", H.rows, { to = options.to, type = options.type })
  o.on_progress = options.on_progress or function() end
  local stat = native.file.stat(path)
  if stat and (o.to == "hf" or stat.kind ~= "file") then
    local what = stat.kind == "folder" and "is a folder" or "is there"
    return nil, ("%s: %s, expected a new name"):format(path, what), "io"
  elseif stat and H.is_same(stat, native.file.stat(model.path)) then
    return nil, path .. ": is the model itself, expected another name", "io"
  end
  return refusal.protect(H.writers[o.to], model, path, o)
end

--- What a file holds, tied places once: {name, shape, is_weight}, weights first.
---@param model vise.Model
---@return table[]
function M.parts(model)
  local list = {}
  for _, place in ipairs(model._net.places) do
    if place.tied_to == nil then
      list[#list + 1] = { name = place.name, shape = place.shape, source = place.source,
        kernel = place.kernel, is_weight = true }
    end
  end
  for _, tensor in ipairs(model._net.tensors) do
    list[#list + 1] = { name = tensor.name, shape = tensor.shape, source = tensor.source }
  end
  return list
end

--- A weight as a tensor of floats: its own, or its values in the type asked for. Refuses one that
--- the format cannot hold and for which no type was asked.
---@param place string
---@param weight vise.Weight
---@param wanted string|nil
---@param known table<string, true> types that the format has
---@param format string for the message
---@return string type
---@return vise.Tensor
function M.dense(place, weight, wanted, known, format)
  local tensor = weight:tensor()
  if tensor and (wanted or tensor:dtype()) == tensor:dtype() and known[tensor:dtype()] then
    return tensor:dtype(), tensor
  elseif wanted == nil then
    refusal.refuse(("%s: is %s, which %s has no type for, expected --type f32, f16 or bf16 to "
      .. "write its values"):format(place, weight:describe(), format), "unsupported")
  end
  local values <close> = must(weight:dense())
  local converted = must(values:convert(wanted))
  local row <close> = native.weight.dense(converted)
  local ok, problem = pcall(row.check_finite, row)
  if not ok then
    error(("%s: as %s: %s"):format(place, wanted, problem), 0)
  end
  return wanted, converted
end

function H.is_same(a, b)
  return b ~= nil and a.device == b.device and a.inode == b.inode
end

function H.vise(model, path, options)
  if options.type then
    refusal.refuse("convert: --type is given, but a .vise file keeps every weight as it is, "
      .. "expected --to gguf or hf with it", "unsupported")
  end
  local types = {}
  for _, place in ipairs(model._net.places) do
    if place.tied_to == nil then
      local weight <close> = model:_own(place.name)
      types[weight:describe()] = (types[weight:describe()] or 0) + 1
    end
  end
  local saved = must(model:save(path, { on_progress = options.on_progress }))
  return { path = path, bytes = saved.bytes, types = types }
end

H.writers = {
  vise = H.vise,
  gguf = function(...)
    return require("vise.model.gguf.write").run(...)
  end,
  hf = function(...)
    return require("vise.model.folder_write").run(...)
  end,
}

H.rows = {
  { name = "to", kind = "choice", choices = { "gguf", "hf", "vise" }, doc = "the format" },
  { name = "type", kind = "choice", choices = { "f32", "f16", "bf16" },
    doc = "of weights that are dense or that the format has no type for" },
}

return M
