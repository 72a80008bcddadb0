-- SPDX-License-Identifier: Apache-2.0
--- A model made of parts of another, with a config of its own: fewer neurons, heads or layers.

local check = require("vise.check")
local refusal = require("vise.model.refusal")

local M = {}
local H = {}

---@class vise.Reshaped
---@field config table
---@field weight? fun(place: string): vise.Weight|nil, string?, string? which the caller closes;
--- those of the model if absent
---@field tensor? fun(name: string): vise.Tensor|nil, string?, string? as `weight`
---@field key? fun(name: string): string what a part is known by in a cache

--- The new model. Its files are those of `model`, of which it has the tokenizer.
---@param model vise.Model
---@param parts vise.Reshaped
---@return vise.Model
function M.run(model, parts)
  local reshaped = require("vise.model").of({
    name = model.name,
    path = model.path,
    config = parts.config,
    config_path = model.name,
    bind = function() end,
    weight = parts.weight or function(place)
      return model:_own(place)
    end,
    tensor = parts.tensor or function(name)
      return model:tensor(name)
    end,
    tokenizer = model._tokenizer,
    tokenizer_file = model._tokenizer_file,
  })
  reshaped._key, reshaped._scale = parts.key, model._scale
  reshaped.fallbacks = model.fallbacks
  reshaped.notes = table.move(model.notes, 1, #model.notes, 1, {})
  return reshaped
end

--- The floats of a weight, which must be as they were trained: rows of other kinds cannot be taken
--- out without decoding them.
---@param model vise.Model
---@param place string
---@return vise.Tensor
function M.floats(model, place)
  local weight = refusal.must(model:weight(place))
  local tensor = weight:tensor()
  if tensor == nil then
    check.fail("%s is %s, expected floats (what makes a model narrower goes before other methods)",
      place, weight:describe())
  end
  return tensor
end

--- A copy of a model's config with other values; lists, but for those of json.array, are written as
--- one number where all are the same, as other programs read them.
---@param model vise.Model
---@param values table<string, any>
---@return table config
function M.config(model, values)
  local config = {}
  for key, value in next, model.config do
    config[key] = value
  end
  for key, value in check.sorted_pairs(values) do
    config[key] = type(value) == "table" and not getmetatable(value) and H.one_of(value) or value
  end
  return config
end

function H.one_of(list)
  for _, value in ipairs(list) do
    if value ~= list[1] then
      return list
    end
  end
  return list[1]
end

return M
