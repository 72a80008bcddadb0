---@meta
-- vise.native.grad: derivatives of the operations of vise.native.nn, and optimizers. vise.grad and
-- vise.train are the public faces. d_y is the derivative of the loss by an operation's result, d_x
-- that by its argument x. The same bits for any number of threads and any CPU level.

local M = {}

---@param d_y vise.Tensor [t, d] f32
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param eps number
---@return vise.Tensor|nil d_x [t, d]
---@return vise.Tensor|string d_gain [d], or the message
---@return string? code "cancelled"
function M.rmsnorm(d_y, x, gain, eps) end

---@param d_y vise.Tensor [t, m] f32
---@return vise.Tensor|nil d_b [m]
---@return string? message
---@return string? code "cancelled"
function M.bias(d_y) end

---@param d_y vise.Tensor f32
---@param gate vise.Tensor of its shape
---@param up vise.Tensor of its shape
---@return vise.Tensor|nil d_gate
---@return vise.Tensor|string d_up, or the message
---@return string? code "cancelled"
function M.swiglu(d_y, gate, up) end

---@param d_y vise.Tensor [t, heads * 2 n] f32
---@param table vise.Tensor [p, 2 n] f32
---@param positions vise.Tensor [t] i32
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.rope(d_y, table, positions) end

--- Probabilities are computed again from q and k.
---@param d_y vise.Tensor [t, heads * d] f32
---@param q vise.Tensor [t, heads * d] f32
---@param k vise.Tensor [t, kv_heads * d] f32
---@param v vise.Tensor [t, kv_heads * d] f32
---@param options {heads: integer, kv_heads?: integer, window?: integer, starts: integer[]}
---@return vise.Tensor|nil d_q
---@return vise.Tensor|string d_k, or the message
---@return vise.Tensor|string d_v, or the code "cancelled"
function M.attention(d_y, q, k, v, options) end

--- Of taking rows by token id.
---@param d_y vise.Tensor [n, k] f32
---@param ids vise.Tensor [n] i32
---@param m integer rows of the matrix
---@return vise.Tensor|nil d_w [m, k]
---@return string? message
---@return string? code "cancelled"
function M.gather(d_y, ids, m) end

--- The mean of -log softmax(logits)[target]; NaN where logits are not finite.
---@param logits vise.Tensor [n, v] f32
---@param targets vise.Tensor [n] i32, each in [0, v)
---@return number|nil nats
---@return string? message
---@return string? code "cancelled"
function M.nll_mean(logits, targets) end

--- Of `scale` times the sum of -log softmax(logits)[target].
---@param scale number
---@param logits vise.Tensor [n, v] f32
---@param targets vise.Tensor [n] i32
---@param in_place? boolean write over the logits; the result is another handle of them
---@return vise.Tensor|nil d_logits
---@return string? message
---@return string? code "cancelled"
function M.nll(scale, logits, targets, in_place) end

--- x w': the product with a weight in memory.
---@param x vise.Tensor [t, k] f32
---@param w vise.Tensor [m, k] f32
---@return vise.Tensor|nil y [t, m]
---@return string? message
---@return string? code "cancelled"
function M.matmul(x, w) end

--- d_y w.
---@param d_y vise.Tensor [t, m] f32
---@param w vise.Tensor [m, k] f32
---@return vise.Tensor|nil d_x [t, k]
---@return string? message
---@return string? code "cancelled"
function M.matmul_x(d_y, w) end

--- d_y' x.
---@param d_y vise.Tensor [t, m] f32
---@param x vise.Tensor [t, k] f32
---@return vise.Tensor|nil d_w [m, k]
---@return string? message
---@return string? code "cancelled"
function M.matmul_w(d_y, x) end

--- A step of AdamW: p, m and v change. Formulas in native/kernels/grad.h.
---@param p vise.Tensor f32 of its own memory, as m and v
---@param m vise.Tensor
---@param v vise.Tensor
---@param d vise.Tensor the derivative by p
---@param options {rate: number, beta1?: number, beta2?: number, epsilon?: number, decay?: number, step: integer, clip?: number}
---@return true|nil
---@return string? message
---@return string? code "cancelled"
function M.adamw(p, m, v, d, options) end

--- A step of SGD with momentum: p and m change.
---@param p vise.Tensor f32
---@param m vise.Tensor
---@param d vise.Tensor
---@param options {rate: number, momentum?: number, decay?: number, clip?: number}
---@return true|nil
---@return string? message
---@return string? code "cancelled"
function M.sgd(p, m, d, options) end

--- A step by the signs of the derivatives: p changes.
---@param p vise.Tensor f32
---@param d vise.Tensor
---@param options {rate: number, decay?: number}
---@return true|nil
---@return string? message
---@return string? code "cancelled"
function M.sign(p, d, options) end

--- `to` becomes `from`.
---@param to vise.Tensor f32 of its own memory
---@param from vise.Tensor f32 of its shape
---@return true
function M.copy(to, from) end

--- The sum of x^2, in f64.
---@param x vise.Tensor f32
---@return number|nil
---@return string? message
---@return string? code "cancelled"
function M.squares(x) end

return M
