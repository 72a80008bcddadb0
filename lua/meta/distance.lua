---@meta
-- vise.native.distance: what distillation makes small, and its derivatives. Means in f64, NaN where
-- inputs are not finite. The same bits for any number of threads.

local M = {}

--- The mean over rows of KL(softmax(p) || softmax(q)).
---@param p vise.Tensor [n, v] f32 logits
---@param q vise.Tensor [n, v] f32 logits
---@return number|nil nats
---@return string? message
---@return string? code "cancelled"
function M.kl(p, q) end

--- The derivative of `scale` times the sum of those by q.
---@param scale number
---@param p vise.Tensor [n, v] f32 logits
---@param q vise.Tensor [n, v] f32 logits
---@return vise.Tensor|nil d_q
---@return string? message
---@return string? code "cancelled"
function M.kl_by_q(scale, p, q) end

--- The same by p.
---@param scale number
---@param p vise.Tensor [n, v] f32 logits
---@param q vise.Tensor [n, v] f32 logits
---@return vise.Tensor|nil d_p
---@return string? message
---@return string? code "cancelled"
function M.kl_by_p(scale, p, q) end

--- What is known of each row of logits by its k greatest probabilities: their columns, falling, the
--- first of equals before others; their logarithms, and that of the sum of all others.
---@param logits vise.Tensor [n, v] f32
---@param k integer 1 or more, fewer than v
---@return vise.Tensor|nil ids [n, k] i32, from 0
---@return vise.Tensor|string log_p [n, k]
---@return vise.Tensor|string log_tail [n]
function M.top(logits, k) end

--- The mean over rows of the divergence from the k greatest probabilities of a reference and the sum
--- of its others: native/nn/top.h. Raises for columns out of range.
---@param logits vise.Tensor [n, v] f32
---@param ids vise.Tensor [n, k] i32, different in a row
---@param log_p vise.Tensor [n, k] f32
---@param log_tail vise.Tensor [n] f32
---@return number|nil nats
---@return string? message
---@return string? code "cancelled"
function M.kl_top(logits, ids, log_p, log_tail) end

--- The derivative of `scale` times the sum of those by the logits.
---@param scale number
---@param logits vise.Tensor [n, v] f32
---@param ids vise.Tensor [n, k] i32
---@param log_p vise.Tensor [n, k] f32
---@param log_tail vise.Tensor [n] f32
---@return vise.Tensor|nil d_logits
---@return string? message
---@return string? code "cancelled"
function M.kl_top_back(scale, logits, ids, log_p, log_tail) end

--- The mean of the cosines of rows; 0 for a row of zeros.
---@param x vise.Tensor [t, d] f32
---@param y vise.Tensor [t, d] f32
---@return number|nil
---@return string? message
---@return string? code "cancelled"
function M.cosine(x, y) end

--- The derivative of `scale` times the sum of those by x.
---@param scale number
---@param x vise.Tensor [t, d] f32
---@param y vise.Tensor [t, d] f32
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.cosine_by_x(scale, x, y) end

--- The mean of (x - y)^2.
---@param x vise.Tensor f32
---@param y vise.Tensor of its shape
---@return number|nil
---@return string? message
---@return string? code "cancelled"
function M.mse(x, y) end

--- scale (x - y).
---@param scale number
---@param x vise.Tensor f32
---@param y vise.Tensor of its shape
---@return vise.Tensor|nil
---@return string? message
---@return string? code "cancelled"
function M.difference(scale, x, y) end

--- Softmax of each row; -infinity gives 0.
---@param x vise.Tensor [n, v] f32
---@return vise.Tensor|nil y
---@return string? message
---@return string? code "cancelled"
function M.softmax(x) end

--- Its derivative from that by the result, and the result.
---@param d_y vise.Tensor [n, v] f32
---@param y vise.Tensor [n, v] f32
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.softmax_back(d_y, y) end

--- The sum of all numbers.
---@param x vise.Tensor f32
---@return number|nil
---@return string? message
---@return string? code "cancelled"
function M.sum(x) end

return M
