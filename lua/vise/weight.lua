-- SPDX-License-Identifier: Apache-2.0
--- Matrices in any representation: what Lua adds to the class of native/bind/bind_weight.c.
-- Requiring this module gives every weight the methods `quantize`, `error` and `histogram`.

local check = require("vise.check")
local native = require("vise.native")
require("vise.tensor")

local M = {}

local methods <const> = native.weight.methods

--- A weight that holds a tensor as it is.
---@param tensor vise.Tensor [m, k] of a float dtype
---@return vise.Weight
function M.dense(tensor)
  return native.weight.dense(tensor)
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

--- Relative error |self - original| / |original|, Frobenius norms; 0 if both are zero.
---@param self vise.Weight
---@param original vise.Weight of the same shape; raises without it
---@return number|nil error
---@return string? message
---@return string? code "cancelled"
function methods.error(self, original)
  if original == nil then
    check.fail("error: the original is absent, expected the weight to compare with: q:error(w)")
  end
  local squared, norm, code = original:difference(self)
  if squared == nil then
    return nil, norm, code
  end
  return squared == 0 and 0.0 or math.sqrt(squared / norm)
end

check.guard("vise.weight", methods)

return M
