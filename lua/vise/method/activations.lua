-- SPDX-License-Identifier: Apache-2.0
--- Activations rounded to 8 bits before every product with a weight, token by token. Weights stay
--- as they are; with codes of integers the product is one of integers (kind `input`).

local cache = require("vise.cache")
local reshape = require("vise.model.reshape")
local weight = require("vise.weight")

local H = {}

function H.run(model, resolved, extra)
  local reads_inputs = {}
  for _, site in ipairs(model:sites()) do
    for _, name in ipairs(site.places) do
      reads_inputs[model:_owner_of(name)] = true
    end
  end
  local key = model:_key_of_all({
    require("vise.method").identity("activations", resolved, extra.context.recipe), resolved,
  })
  return reshape.run(model, {
    config = reshape.config(model, {}),
    weight = function(place)
      local w = model:_own(place)
      if not reads_inputs[place] or w:kind() == "input" then
        return w
      end
      local inner <close> = w
      return weight.input(inner, { format = resolved.format })
    end,
    key = key and function(name)
      return cache.key({ key, name })
    end,
  })
end

---@type vise.Method
return {
  name = "activations",
  family = "quant",
  summary = "inputs of all weights rounded to 8 bits, token by token; weights stay as they are",
  source = "Xiao et al. 2023, arXiv:2211.10438, section 3",
  version = 1,
  scope = "model",
  needs = {},
  is_exact = true,
  params = {
    { name = "format", kind = "choice", default = "int8", choices = { "int8", "fp8" },
      doc = "what inputs are rounded to, each token with a scale of its own; fp8 is E4M3" },
  },
  run = H.run,
}
