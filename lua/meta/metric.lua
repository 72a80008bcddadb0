---@meta
-- vise.native.metric: what a model lost, token by token, from rows of logits.

local M = {}

--- -log softmax(logits[i])[targets[i]], in nats.
--- Raises for a target out of range and for logits that are not finite.
---@param logits vise.Tensor [n, v] f32
---@param targets vise.Tensor [n] i32, each in [0, v)
---@return vise.Tensor|nil nll [n] f64
---@return string? message
---@return string? code "cancelled"
function M.nll(logits, targets) end

--- KL(softmax(p[i]) || softmax(q[i])) in nats, never negative and 0 for equal rows; and whether
--- both rows are greatest at the same id (the lowest of several).
--- Raises for logits that are not finite.
---@param p vise.Tensor [n, v] f32, the reference
---@param q vise.Tensor [n, v] f32
---@return vise.Tensor|nil kl [n] f64
---@return vise.Tensor|string agree [n] u8, 0 or 1; or the message
---@return string? code "cancelled"
function M.divergence(p, q) end

--- The cosine of each row with its other, 0 where one is 0.
---@param x vise.Tensor [n, d] f32
---@param y vise.Tensor [n, d] f32
---@return vise.Tensor|nil cosines [n] f64
---@return string? message
---@return string? code "cancelled"
function M.cosine(x, y) end

return M
