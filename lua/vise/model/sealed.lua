-- SPDX-License-Identifier: Apache-2.0
--- A `.vise` file as the source of a model; what vise.model.save writes.

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
  local reader = must(native.artifact.open(path))
  local manifest, message = native.json.decode(reader:manifest())
  if manifest == nil then
    refusal.refuse_format("%s: manifest: %s", path, message)
  end
  local model = type(manifest) == "table" and manifest.model
  if type(model) ~= "table" or type(model.config) ~= "table" then
    refusal.refuse_format("%s: manifest has no model", path)
  end
  local source = {
    name = sources.name_of(path),
    path = path,
    config = model.config,
    config_path = path,
    disk_bytes = must(native.file.stat(path)).bytes,
    tokenizer_file = M.tokenizer_file(reader),
    manifest = manifest,
  }
  local shapes = {}
  function source.bind(net)
    shapes = H.bind(path, reader, net)
  end
  function source.weight(place)
    return H.checked(path, place, shapes[place], reader:weight(place))
  end
  function source.tensor(name)
    return H.checked(path, name, shapes[name], reader:tensor(name))
  end
  return source
end

--- Every declared part is there: {[name] = shape it must have}.
function H.bind(path, reader, net)
  local shapes = {}
  for _, kind in ipairs({ "weight", "tensor" }) do
    for _, part in ipairs(kind == "weight" and net.places or net.tensors) do
      local is = reader:kind(part.name)
      if is ~= kind then
        refusal.refuse_format("%s: %s '%s' is %s", path, kind, part.name,
          is and "a " .. is or "missing")
      end
      shapes[part.name] = part.shape
    end
  end
  return shapes
end

--- What the reader gave, if it has the shape that the config asks for.
function H.checked(path, name, shape, part, message, code)
  if part == nil then
    return nil, message, code
  end
  local is, expected = table.concat(part:shape(), ", "), table.concat(shape, ", ")
  if is ~= expected then
    return nil, ("%s: '%s' is [%s], expected [%s]"):format(path, name, is, expected), "format"
  end
  return part
end

function M.tokenizer_file(reader)
  return sources.tokenizer_file(function(name)
    return reader:kind(name) == "tensor"
  end, function(name)
    return must(reader:tensor(name)):string()
  end)
end

return M
