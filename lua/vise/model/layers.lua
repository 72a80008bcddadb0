-- SPDX-License-Identifier: Apache-2.0
--- A model of some of another's layers.

local reshape = require("vise.model.reshape")

local M = {}
local H = {}

--- The model with the layers `kept` alone, in their order.
---@param model vise.Model
---@param kept integer[] from 0
---@param has_keys boolean its parts are known in a cache by the keys of the originals
---@return vise.Model
function M.keep(model, kept, has_keys)
  local values = { num_hidden_layers = #kept }
  for _, name in ipairs({ "intermediate_size", "num_attention_heads", "num_key_value_heads" }) do
    local sizes = model.config[name]
    if type(sizes) == "table" then
      values[name] = {}
      for i, layer in ipairs(kept) do
        values[name][i] = sizes[layer + 1]
      end
      values.head_dim = model._net.head_dim
    end
  end
  values.max_window_layers = H.first_window(model, kept)
  local function original(name)
    return (name:gsub("^layers%.(%d+)", function(layer)
      return "layers." .. kept[layer + 1]
    end))
  end
  return reshape.run(model, {
    config = reshape.config(model, values),
    weight = function(place)
      local weight, message, code = model:weight(original(place))
      return weight and weight:handle(), message, code
    end,
    tensor = function(name)
      return model:tensor(original(name))
    end,
    key = has_keys and function(name)
      return model:_key_of(original(name))
    end or nil,
  })
end

--- For a rehearsal: the model with its first layers alone, which takes rules for all of them; its
--- `_scale` says how many times as many there are. A model without layers stays as it is.
---@param model vise.Model
---@param count integer
---@return vise.Model
function M.first(model, count)
  local n = model._net.n_layers
  if n == nil or n <= count then
    return model
  end
  local kept = {}
  for i = 1, count do
    kept[i] = i - 1
  end
  local part = M.keep(model, kept, true)
  part._whole, part._scale, part._disk_bytes = model, n / count, model:disk_bytes()
  return part
end

--- Qwen2: the first layer whose attention has a window, among those that are left.
function H.first_window(model, kept)
  local first = model.config.max_window_layers
  if math.type(first) ~= "integer" then
    return nil
  end
  local n = 0
  for _, layer in ipairs(kept) do
    n = n + (layer < first and 1 or 0)
  end
  return n
end

return M
