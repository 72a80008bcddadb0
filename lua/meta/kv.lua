---@meta
-- vise.native.kv: caches of keys and values in few bits.

local M = {}

---@class vise.PackedKV
local PackedKV = {}

--- Attention of the next tokens over all in the cache, which keeps them.
---@param q vise.Tensor [t, heads * d] f32
---@param k vise.Tensor [t, kv_heads * d] f32
---@param v vise.Tensor [t, kv_heads * d] f32
---@param options {heads: integer, kv_heads?: integer, window?: integer}
---@return vise.Tensor|nil out [t, heads * d]
---@return string? message
---@return string? code "cancelled"
function PackedKV:attention(q, k, v, options) end

--- Tokens in it.
---@return integer
function PackedKV:length() end

--- Tokens that fit.
---@return integer
function PackedKV:capacity() end

--- Of the memory it holds.
---@return integer
function PackedKV:bytes() end

--- Safe to call twice.
function PackedKV:close() end

--- An empty cache of one layer of one sequence.
---@param capacity integer tokens
---@param kv_heads integer
---@param head_dim integer
---@param format "int8"|"int4"|"fp8"
---@param recent integer newest tokens that stay f32
---@return vise.PackedKV
function M.new(capacity, kv_heads, head_dim, format, recent) end

--- Causal attention of packed sequences, each as through an empty cache of its own.
---@param q vise.Tensor [t, heads * d] f32
---@param k vise.Tensor [t, kv_heads * d] f32
---@param v vise.Tensor [t, kv_heads * d] f32
---@param options {heads: integer, kv_heads?: integer, window?: integer, starts: integer[]}
---@param format "int8"|"int4"|"fp8"
---@param recent integer
---@return vise.Tensor|nil out [t, heads * d]
---@return string? message
---@return string? code "cancelled"
function M.attention(q, k, v, options, format, recent) end

return M
