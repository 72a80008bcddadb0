-- SPDX-License-Identifier: Apache-2.0
--- A model from a config alone, with random weights, or with given ones: a source as of
--- vise.model.sources.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local M = {}
local H = {}

---@class vise.FreshOptions
---@field name? string "fresh" if absent
---@field seed? integer of the random weights, 0 if absent
---@field tensors? fun(name: string): vise.Tensor|nil the weight of a place, or a norm or bias;
--- instead of random ones
---@field tokenizer? {name: string, bytes: fun(): string|nil, string?, string?} the file's name,
--- tokenizer.json or tokenizer.model, and what gives its content

--- Weights are normal with the deviation of their place in the architecture; where it says none
--- with 0.02, those that end a branch of the residual stream divided by the root of the number of
--- branches (Radford et al. 2019). Norms are one, biases and means zero.
---@param config table as in config.json
---@param options vise.FreshOptions
---@return table source
function M.source(config, options)
  check.names("model.new", options, { "name", "seed", "tensors", "tokenizer" })
  local name = options.name or "fresh"
  local shapes, deviations, ends, branches = {}, {}, {}, 0
  local source = {
    name = name,
    config = config,
    config_path = name .. ": config",
    tokenizer_file = options.tokenizer,
  }
  function source.bind(net)
    for _, list in ipairs({ net.places, net.tensors }) do
      for _, part in ipairs(list) do
        shapes[part.name] = part.shape
      end
    end
    for _, place in ipairs(net.places) do
      deviations[place.name] = place.deviation
      ends[place.name] = place.name:find("%.attn%.o$") or place.name:find("%.mlp%.down$")
      branches = branches + (ends[place.name] and 1 or 0)
    end
  end
  function source.tensor(part)
    return H.given(options, part, shapes[part]) or H.constant(part, shapes[part])
  end
  function source.weight(place)
    local given = H.given(options, place, shapes[place])
    if given then
      return native.weight.dense(given)
    end
    local deviation = deviations[place] or 0.02 / (ends[place] and math.sqrt(branches) or 1)
    local random <close> =
      native.core.random_tensor("f32", shapes[place], options.seed or 0, place, deviation)
    return native.weight.dense(random)
  end
  function source.tokenizer()
    return require("vise.model.sources").tokenizer(options.tokenizer, name)
  end
  return source
end

function H.given(options, part, shape)
  local tensor = options.tensors and options.tensors(part)
  if tensor and table.concat(tensor:shape(), " ") ~= table.concat(shape, " ") then
    check.fail("new: %s is [%s], expected [%s]", part, table.concat(tensor:shape(), ", "),
      table.concat(shape, ", "))
  elseif options.tensors and tensor == nil then
    refusal.refuse_format("new: tensor '%s' is missing", part)
  end
  return tensor
end

function H.constant(part, shape)
  local value = (part:find("bias$") or part:find("mean$")) and 0.0 or 1.0
  local values = {}
  for i = 1, shape[1] do
    values[i] = value
  end
  return native.tensor.from("f32", shape, values)
end

return M
