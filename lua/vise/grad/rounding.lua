-- SPDX-License-Identifier: Apache-2.0
--- Weights rounded to a grid, with derivatives to train through: quantization-aware training.
-- Formulas and derivatives: native/nn/fakequant.h.

local functions = require("vise.grad.functions")
local native = require("vise.native")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local learn = native.learn
local must = refusal.must

local M = {}
local H = {}

--- s (clip(round(w / s + v) + z, low, high) - z), with a scale and a zero for each group of a row,
--- and for each weight an offset in steps. The derivative by s is LSQ's: divide it by
--- sqrt(group high) as its authors do by a group of parameters of that rate.
---@param w vise.Tensor|vise.Value [m, k]
---@param s vise.Tensor|vise.Value [m, ceil(k / group)]
---@param z vise.Tensor|vise.Value|nil of its shape, whole numbers; nil: all zero
---@param options { low: number, high: number, group?: integer } group: the whole row if absent
---@param v? vise.Tensor|vise.Value [m, k]
---@return vise.Tensor|vise.Value [m, k]
function M.fake_quant(w, s, z, options, v)
  local y = must(learn.fakequant(data(w), data(s), z and data(z), options, v and data(v)))
  local kept = { w, s, z or w, v }
  return record(y, { w, s, z or w, v }, kept, function(d_y, a, b, c, d)
    local d_w, d_s, d_z, d_v = must(learn.fakequant_back(d_y, a, b, z and c or nil, options, d))
    give(w, d_w)
    give(s, d_s)
    give(z, d_z)
    give(v, d_v)
  end)
end

--- x as it is when stored in a float type: of derivative 1.
---@param x vise.Tensor|vise.Value
---@param dtype string "f16", "bf16" or "f32"
---@return vise.Tensor|vise.Value of its shape
function M.stored(x, dtype)
  local narrow <close> = must(data(x):convert(dtype))
  return record(must(narrow:convert("f32")), { x }, {}, function(d_y)
    give(x, tape.share(d_y))
  end)
end

--- Integers of `bits` bits between the least and the greatest number of each group, and zero: the
--- straight-through estimator.
---@param w vise.Tensor|vise.Value [m, k]
---@param options { bits: integer, group?: integer }
function M.ste(w, options)
  local group = options.group or data(w):shape()[2]
  local least, greatest = H.range(data(w), group)
  return H.integers(w, least, greatest, options.bits, group)
end

--- The same with the range clipped by learned strengths: sigmoid(upper) of the greatest number,
--- sigmoid(lower) of the least (LWC of OmniQuant). Begin with 4: 98 % of the range.
---@param w vise.Tensor|vise.Value [m, k]
---@param upper vise.Value [m, ceil(k / group)]
---@param lower vise.Value of its shape
---@param options { bits: integer, group?: integer }
function M.lwc(w, upper, lower, options)
  local group = options.group or data(w):shape()[2]
  local least, greatest = H.range(data(w), group)
  local top = functions.mul(functions.sigmoid(upper), greatest)
  local bottom = functions.mul(functions.sigmoid(lower), least)
  return H.integers(w, bottom, top, options.bits, group)
end

--- -1, 0 and 1 times the mean magnitude of a group (BitNet b1.58), straight-through.
---@param w vise.Tensor|vise.Value [m, k]
---@param options? { group?: integer }
function M.ternary(w, options)
  local group = options and options.group or data(w):shape()[2]
  local _, _, magnitude = must(learn.group_range(data(w), group))
  return M.fake_quant(w, magnitude, nil, { low = -1, high = 1, group = group })
end

--- Least and greatest of each group, zero among them.
function H.range(w, group)
  local least, greatest = must(learn.group_range(w, group))
  local negative <close> = must(native.nn.scale(least, -1.0))
  local depth <close> = must(learn.unary("relu", negative))
  return must(native.nn.scale(depth, -1.0)), must(learn.unary("relu", greatest))
end

function H.integers(w, bottom, top, bits, group)
  local high = (1 << bits) - 1
  local below = ops.scale(bottom, -1.0)
  local positive = must(learn.filled(data(top):shape(), 1e-20)) -- also where all numbers are zero
  local s = ops.add(ops.scale(ops.add(top, below), 1 / high), positive)
  local z = functions.round(functions.div(below, s))
  return M.fake_quant(w, s, z, { low = 0, high = high, group = group })
end

return M
