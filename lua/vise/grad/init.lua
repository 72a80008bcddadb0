-- SPDX-License-Identifier: Apache-2.0
--- Gradients: a tape over the operations of native/nn. share/doc/training.md has the whole story.
--
--   local w = grad.parameter(tensor)
--   local tape <close> = grad.tape()
--   local loss = grad.cross_entropy(grad.linear(x, w), targets)
--   tape:backward(loss)                          -- w.grad is the derivative

local functions = require("vise.grad.functions")
local images = require("vise.grad.images")
local losses = require("vise.grad.losses")
local ops = require("vise.grad.ops")
local rounding = require("vise.grad.rounding")
local shapes = require("vise.grad.shapes")
local tape = require("vise.grad.tape")

local M = { operations = {} }

--- The operations by name, each also a field: linear, rmsnorm, kl, conv2d, fake_quant, ...
for _, family in ipairs({ functions, images, losses, ops, rounding, shapes }) do
  for name, op in next, family do
    M.operations[name], M[name] = op, op
  end
end

M.parameter = tape.parameter
M.tape = tape.open
M.data = tape.data
M.is_value = tape.is_value

return M
