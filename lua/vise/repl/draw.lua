-- SPDX-License-Identifier: Apache-2.0
--- What `hist` and `spectrum` draw: weights, and also tensors and lists of numbers.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

--- The histogram of a weight, a tensor or a list of numbers.
---@param x vise.Weight|vise.Tensor|number[]
---@param options? { bins?: integer }
---@return vise.Histogram|nil histogram
---@return string? message
---@return string? code "cancelled"
function M.hist(x, options)
  return H.weight("hist", x):histogram(options)
end

--- The singular values of a weight or a matrix.
---@param x vise.Weight|vise.Tensor
---@return vise.Spectrum|nil spectrum
---@return string? message
---@return string? code "cancelled"
function M.spectrum(x)
  return H.weight("spectrum", x):spectrum()
end

--- A weight of the same numbers; of what is no matrix a row.
function H.weight(who, x)
  local kind = type(x) == "userdata" and tostring(x):match("^vise%.(%a+) ")
  if kind == "weight" then
    return x
  elseif type(x) == "table" and type(x[1]) == "number" then
    x, kind = native.tensor.from("f32", { 1, #x }, x), "tensor"
  end
  if kind ~= "tensor" then
    check.fail("%s: %s, expected a weight, a tensor or a list of numbers", who, check.quote(x))
  end
  local matrix = #x:shape() == 2 and x or x:reshape({ 1, x:count() })
  return native.weight.dense(assert(matrix:convert("f32")))
end

return M
