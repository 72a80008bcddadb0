---@meta
-- vise.native.nn: what a network does besides products with its weights. All f32, the same bits for
-- any number of threads and any CPU level. Token ids and positions count from 0, starts from 1.

--- Keys and values of one layer of one sequence.
---@class vise.KV
local KV = {}

--- Attention of the next tokens, whose keys and values are kept.
---@param q vise.Tensor [t, heads * d] f32
---@param k vise.Tensor [t, kv_heads * d] f32
---@param v vise.Tensor [t, kv_heads * d] f32
---@param options {heads: integer, kv_heads?: integer, window?: integer} see attention
---@return vise.Tensor|nil out [t, heads * d]
---@return string? message
---@return string? code "cancelled"
function KV:attention(q, k, v, options) end

--- Tokens in it.
---@return integer
function KV:length() end

--- Tokens that fit.
---@return integer
function KV:capacity() end

--- Of the memory it holds.
---@return integer
function KV:bytes() end

--- Let go now. Safe to call twice.
function KV:close() end

local M = {}

--- x / sqrt(mean of x^2 + eps) * gain, for each token.
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param eps number
---@return vise.Tensor|nil out [t, d]
---@return string? message
---@return string? code "cancelled"
function M.rmsnorm(x, gain, eps) end

--- x + b, for each token.
---@param x vise.Tensor [t, m] f32
---@param b vise.Tensor [m] f32
---@return vise.Tensor|nil out [t, m]
---@return string? message
---@return string? code "cancelled"
function M.bias(x, b) end

--- a x.
---@param x vise.Tensor f32
---@param a number
---@return vise.Tensor|nil out of its shape
---@return string? message
---@return string? code "cancelled"
function M.scale(x, a) end

--- x + y.
---@param x vise.Tensor f32
---@param y vise.Tensor of its shape
---@return vise.Tensor|nil out of their shape
---@return string? message
---@return string? code "cancelled"
function M.add(x, y) end

--- gate / (1 + exp(-gate)) * up.
---@param gate vise.Tensor f32
---@param up vise.Tensor of its shape
---@return vise.Tensor|nil out of their shape
---@return string? message
---@return string? code "cancelled"
function M.swiglu(gate, up) end

--- Frequencies of rotary positions, radians a token; formulas in native/nn/rope.h.
--- kind: none, linear, dynamic, llama3 or yarn; head_dim, theta (10000), factor (1), context (of the
--- unscaled model), low and high (frequency factors of llama3, beta_slow and beta_fast of yarn),
--- scale (yarn: 0 derives it from the factor), truncate (yarn, true). Raises for a field out of range.
---@param spec table
---@return vise.Tensor frequencies [head_dim / 2] f64
---@return number scale what multiplies cosines and sines
function M.rope_frequencies(spec) end

--- Cosines, then sines, of every position below n_positions.
---@param frequencies vise.Tensor [n] f64
---@param n_positions integer
---@param scale number
---@return vise.Tensor|nil table [n_positions, 2 n] f32
---@return string? message
---@return string? code "cancelled"
function M.rope_table(frequencies, n_positions, scale) end

--- Heads turned by the angles of their token's position. Raises for a position outside the table.
---@param x vise.Tensor [t, heads * 2 n] f32
---@param table vise.Tensor [p, 2 n] f32
---@param positions vise.Tensor [t] i32
---@return vise.Tensor|nil out [t, heads * 2 n]
---@return string? message
---@return string? code "cancelled"
function M.rope(x, table, positions) end

--- Causal attention of packed sequences. starts: the first token of each; window: how many keys a
--- query sees, itself among them, 0 (the default) for all before it; kv_heads divides heads.
---@param q vise.Tensor [t, heads * d] f32
---@param k vise.Tensor [t, kv_heads * d] f32
---@param v vise.Tensor [t, kv_heads * d] f32
---@param options {heads: integer, kv_heads?: integer, window?: integer, starts: integer[]}
---@return vise.Tensor|nil out [t, heads * d]
---@return string? message
---@return string? code "cancelled"
function M.attention(q, k, v, options) end

--- An empty cache of keys and values.
---@param capacity integer tokens
---@param kv_heads integer
---@param head_dim integer
---@return vise.KV
function M.kv(capacity, kv_heads, head_dim) end

--- Choose a token. temperature 0 (the default): the greatest logit, the lowest id of equals;
--- otherwise one of the top_k (0: all) likeliest and of the fewest that have top_p (1), by the number
--- of the stream of `seed` at `position`. Raises for a NaN and for options out of range.
---@param logits vise.Tensor [v] f32
---@param options {temperature?: number, top_k?: integer, top_p?: number, seed?: integer, position?: integer}
---@return integer id
function M.sample(logits, options) end

return M
