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
  local manifest = must(native.json.decode(reader:manifest()))
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
    tokenizer_file = H.tokenizer_file(reader),
    manifest = manifest,
  }
  function source.bind(net)
    H.bind(path, reader, net)
  end
  function source.weight(place)
    return reader:weight(place)
  end
  function source.tensor(name)
    return reader:tensor(name)
  end
  function source.tokenizer()
    return sources.tokenizer(source.tokenizer_file, path)
  end
  return source
end

--- Every declared part is there and has the shape it should have.
function H.bind(path, reader, net)
  for _, kind in ipairs({ "weight", "tensor" }) do
    for _, part in ipairs(kind == "weight" and net.places or net.tensors) do
      local is = reader:kind(part.name)
      if is ~= kind then
        refusal.refuse_format("%s: %s '%s' is %s", path, kind, part.name,
          is and "a " .. is or "missing")
      end
    end
  end
end

function H.tokenizer_file(reader)
  for _, name in ipairs({ "tokenizer.model", "tokenizer.json" }) do
    if reader:kind(name) == "tensor" then
      return {
        name = name,
        bytes = function()
          return must(reader:tensor(name)):string()
        end,
      }
    end
  end
end

return M
