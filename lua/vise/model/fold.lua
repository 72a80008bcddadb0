-- SPDX-License-Identifier: Apache-2.0
--- A model of images without batch norms: each is a factor and a shift of what its convolution
-- gives, so it goes into the weights (Jacob et al. 2018, arXiv:1712.05877, section 3.2):
--
--   w' = g w    bias' = bias - g mean    g = gain / sqrt(variance + eps), one for each row
--
-- What is rounded, pruned or factored then is what multiplies.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local reshape = require("vise.model.reshape")

local must = refusal.must

local M = {}
local H = {}

--- The model, or one that computes the same without batch norms.
---@param model vise.Model
---@return vise.Model
function M.run(model)
  if not model._net.has_norm then
    return model
  end
  local folded = reshape.run(model, {
    config = reshape.config(model, { batch_norm = false }),
    weight = function(place)
      return refusal.protect(H.weight, model, place)
    end,
    tensor = function(name)
      return refusal.protect(H.bias, model, name)
    end,
    key = model._key and function(name)
      return model:_key_of_all({ "fold", name })
    end,
  })
  folded._original = model._original or model
  return folded
end

function H.weight(model, place)
  local factors = H.factors(model, place)
  if factors == nil then
    return model:_own(place)
  end
  local w <close> = model:_own(place)
  local scaled <close> = native.weight.scaled(w, { left = native.tensor.from("f32", { #factors },
    factors) })
  return native.weight.dense(must(scaled:dense()))
end

function H.bias(model, name)
  local place = name:match("^(.*)%.bias$")
  local factors, bias = H.factors(model, place), model:vector(name)
  if factors == nil then
    return bias:reshape(bias:shape())
  end
  local values, means = bias:table(), model:vector(place .. ".mean"):table()
  for i, factor in ipairs(factors) do
    values[i] = values[i] - factor * means[i]
  end
  return native.tensor.from("f32", { #values }, values)
end

--- The factor of each row of a place; nil of one that has no norm.
function H.factors(model, place)
  local gain = model:vector(place .. ".gain")
  if gain == nil then
    return nil
  end
  local factors, variances = gain:table(), model:vector(place .. ".variance"):table()
  for i, variance in ipairs(variances) do
    factors[i] = factors[i] / math.sqrt(variance + model._net.eps)
  end
  return factors
end

return M
