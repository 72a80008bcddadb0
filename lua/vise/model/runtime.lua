-- SPDX-License-Identifier: Apache-2.0
--- How a model is run, as options of evaluation and generation: what keys, values and inputs of
--- weights are rounded to. Each is a method of scope model, by which a saved model has it for good.

local M = {}

---@class vise.RuntimeOptions
---@field kv? "model"|"f32"|"int8"|"int4"|"fp8" how keys and values are kept
---@field kv_recent? integer newest tokens that stay f32
---@field activations? "model"|"int8"|"fp8" what inputs of weights are rounded to

--- Rows of the options.
---@type vise.OptionRow[]
M.options = {
  { name = "kv", kind = "choice", default = "model",
    choices = { "model", "f32", "int8", "int4", "fp8" },
    doc = "how keys and values are kept; model: as it says itself" },
  { name = "kv_recent", kind = "int", default = 32, min = 0, max = 1 << 20,
    doc = "with kv, so many newest tokens stay f32" },
  { name = "activations", kind = "choice", default = "model", choices = { "model", "int8", "fp8" },
    doc = "what inputs of weights are rounded to, token by token; model: as it says itself" },
}

--- The model that is run so: `model` itself where nothing is asked for.
---@param model vise.Model
---@param options vise.RuntimeOptions
---@param context? vise.CompressContext
---@return vise.Model
function M.apply(model, options, context)
  local rules = {}
  if (options.kv or "model") ~= "model" then
    rules[1] = { method = "kv", format = options.kv, recent = options.kv_recent }
  end
  if (options.activations or "model") ~= "model" then
    rules[#rules + 1] = { method = "activations", format = options.activations }
  end
  return rules[1] and model:compress(rules, context) or model
end

return M
