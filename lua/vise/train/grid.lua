-- SPDX-License-Identifier: Apache-2.0
--- A weight on a grid while it is trained, and the packed weight that it becomes.
--
--   W ~= s (clip(round(W / s + v) + z, 0, codes - 1) - z)
--
-- W is the weight before it was rounded, s and z the packed weight's scales and zeros. Trained are
-- factors of the scales (LSQ), from 1, and the offsets v, from those that give the packed weight's
-- codes: learned rounding, and, as nothing bounds them, training of the weights themselves, in
-- steps. Scales are used as they are stored, so that the packed weight is to the bit what was
-- trained.

local grad = require("vise.grad")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}

---@class vise.TrainedGrid
---@field parameters vise.Value[] "NAME offsets" and "NAME scales", or one of both
local Grid = {}
Grid.__index = Grid

--- Begin with a packed weight: format int (scales per group or row) or ternary; raises for another.
---@param name string of the place
---@param packed vise.Weight [m, k], kept
---@param original vise.Tensor|nil [m, k] f32: what was rounded; nil: codes stay, scales are trained
---@param learn? {scales?: boolean} scales true if absent
---@return vise.TrainedGrid
function M.new(name, packed, original, learn)
  local scales, zeros, about = must(native.method.grid(packed))
  local from = original or native.tensor.zeros("f32", packed:shape())
  local offsets = must(native.method.offsets(packed, from))
  local grid = setmetatable({ parameters = {}, _packed = packed, _from = from, _offsets = offsets,
    _scales = scales, _zeros = zeros, _dtype = about.dtype,
    _options = { low = 0, high = about.codes - 1, group = about.group } }, Grid)
  if original then
    grid._offsets = grad.parameter(offsets, name .. " offsets")
    table.insert(grid.parameters, grid._offsets)
  end
  if original == nil or learn == nil or learn.scales ~= false then
    grid._factors = grad.parameter(must(native.learn.filled(scales:shape(), 1)), name .. " scales")
    table.insert(grid.parameters, grid._factors)
  end
  return grid
end

--- The scales as they are now.
function Grid:scales()
  local scales = self._factors and grad.mul(self._scales, self._factors) or self._scales
  return grad.stored(scales, self._dtype)
end

--- The weight as it is now.
---@return vise.Value|vise.Tensor [m, k]
function Grid:weight()
  return grad.fake_quant(self._from, self:scales(), self._zeros, self._options, self._offsets)
end

--- The same, packed.
---@return vise.Weight
function Grid:pack()
  local values <close> = self:weight()
  local scales <close> = self:scales()
  return must(native.method.regrid(self._packed, grad.data(values), grad.data(scales)))
end

return M
