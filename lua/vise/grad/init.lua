-- SPDX-License-Identifier: Apache-2.0
--- Gradients: a tape over the operations of native/nn. share/doc/training.md has the whole story.
--
--   local w = grad.parameter(tensor)
--   local tape <close> = grad.tape()
--   local loss = grad.cross_entropy(grad.linear(x, w), targets)
--   tape:backward(loss)                          -- w.grad is the derivative

local ops = require("vise.grad.ops")
local tape = require("vise.grad.tape")

local M = {}

--- The operations, each a field: linear, rows, rmsnorm, ...
for name, op in next, ops do
  M[name] = op
end

M.parameter = tape.parameter
M.tape = tape.open
M.data = tape.data
M.is_value = tape.is_value

return M
