-- SPDX-License-Identifier: Apache-2.0
--- Matrices in any representation: what Lua adds to the class of native/bind/bind_weight.c.
-- Requiring this module gives every weight the methods `quantize`, `error` and `histogram`.

local check = require("vise.check")
local native = require("vise.native")
require("vise.tensor")

local M = {}
local H = {}

local methods <const> = native.weight.methods

--- A weight that holds a tensor as it is.
---@param tensor vise.Tensor [m, k] of a float dtype
---@return vise.Weight
function M.dense(tensor)
  return native.weight.dense(tensor)
end

--- The product B A. `b * a` is the same.
---@param b vise.Weight [m, r]
---@param a vise.Weight [r, k]
---@return vise.Weight
function M.lowrank(b, a)
  return native.weight.lowrank(b, a)
end

--- Weights of one shape added in this order. `a + b` is the same; `a - b` adds `-1 * b`.
---@param terms vise.Weight[] 1 to 64
---@return vise.Weight
function M.sum(terms)
  return native.weight.sum(terms)
end

---@class vise.ScaledOptions
---@field left? vise.Tensor [m] f32, f16 or bf16: a factor for each row
---@field right? vise.Tensor [k]: a factor for each column

--- The weight diag(left) W diag(right). For one number write `2 * w`.
---@param w vise.Weight [m, k]
---@param options vise.ScaledOptions at least one of both
---@return vise.Weight
function M.scaled(w, options)
  H.check_names("scaled", options, { "left", "right" })
  if options.left == nil and options.right == nil then
    check.fail("scaled: has neither left nor right, expected at least one")
  end
  return native.weight.scaled(w, options)
end

--- The weight compressed by a method of the family quant; `self` is not changed.
---@param self vise.Weight
---@param options? table `method` ("rtn" if absent), `importance` [k] f32, and the method's options;
--- an importance that the method would not use (rtn with search = "none") raises
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function methods.quantize(self, options)
  local method = require("vise.method")
  local name, extra, rest = "rtn", {}, {}
  for key, value in check.sorted_pairs(options or {}) do
    if key == "method" then
      name = value
    elseif key == "importance" then
      extra.importance = value
    else
      rest[key] = value
    end
  end
  local family = method.find(name).family
  if family ~= "quant" then
    check.fail("quantize: method '%s' is of the family %s, expected quant", name, family)
  end
  return method.run(name, self, rest, extra)
end

--- How its numbers are spread: counts in bins of equal width, drawn as bars by tostring.
---@param self vise.Weight
---@param options? {bins?: integer} 16 if absent
---@return vise.Histogram|nil histogram
---@return string? message
---@return string? code "cancelled"
function methods.histogram(self, options)
  return require("vise.histogram").of(self, options)
end

--- Relative error |self - original| / |original|; 0 if both are zero.
---@param self vise.Weight
---@param original vise.Weight of the same shape; raises without it
---@param importance? vise.Tensor [k] f32, 0 or more: what a column counts in the Frobenius norms
---@return number|nil error
---@return string? message
---@return string? code "cancelled"
function methods.error(self, original, importance)
  if original == nil then
    check.fail("error: the original is absent, expected the weight to compare with: q:error(w)")
  end
  local squared, norm, code = original:difference(self, importance)
  if squared == nil then
    return nil, norm, code
  end
  return squared == 0 and 0.0 or math.sqrt(squared / norm)
end

--- Raise for a key of `options` that is not in `known`.
function H.check_names(who, options, known)
  for key in check.sorted_pairs(options) do
    local is_known = false
    for _, name in ipairs(known) do
      is_known = is_known or name == key
    end
    if not is_known then
      check.fail("%s: %s", who, check.unknown("option", key, known))
    end
  end
end

check.guard("vise.weight", methods)

return M
