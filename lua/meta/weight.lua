---@meta
-- vise.native.weight: matrices W [m, k] in any representation; immutable, shared by reference.

---@class vise.Weight
---@operator add(vise.Weight): vise.Weight
---@operator sub(vise.Weight): vise.Weight
---@operator mul(vise.Weight|number): vise.Weight
---@operator unm: vise.Weight
local Weight = {}

--- Y [t, m] = X [t, k] W'. The same bits on any number of threads and any CPU level.
---@param x vise.Tensor [t, k] f32
---@return vise.Tensor|nil y [t, m] f32
---@return string? message
---@return string? code "cancelled"
function Weight:matmul(x) end

--- Y [t, k] = X [t, m] W: what a gradient with respect to X needs. The same promises.
---@param x vise.Tensor [t, m] f32
---@return vise.Tensor|nil y [t, k] f32
---@return string? message
---@return string? code "cancelled"
function Weight:matmul_t(x) end

--- Rows by token id.
---@param ids vise.Tensor [n] i32, from 0
---@return vise.Tensor|nil rows [n, k] f32
---@return string? message
---@return string? code "cancelled"
function Weight:rows(ids) end

---@return vise.Tensor|nil values [m, k] f32
---@return string? message
---@return string? code "cancelled"
function Weight:dense() end

---@return vise.Tensor|nil tensor the stored tensor of a dense weight; nil of any other kind
function Weight:tensor() end

---@return integer[] shape {m, k}
function Weight:shape() end

---@return integer bytes exactly what is stored
function Weight:bytes() end

---@return string kind "dense", "quant", "sum", ...
function Weight:kind() end

---@return string text "bf16", "int4/g64"
function Weight:describe() end

---@class vise.WeightTree
---@field kind string
---@field m integer
---@field k integer
---@field attributes table<string, integer|number|string>
---@field parts table<string, vise.Tensor>
---@field children vise.WeightTree[]

---@return vise.WeightTree
function Weight:tree() end

--- Sums over all elements, f64; raises if the shapes differ.
---@param other vise.Weight
---@param importance? vise.Tensor [k] f32, 0 or more: a factor of each column's squares
---@return number|nil squared sum of (self - other)^2
---@return number|string norm sum of self^2, or the message
---@return string? code "cancelled"
function Weight:difference(other) end

---@return vise.Tensor|nil greatest [k] f32, the greatest magnitude of each column, NaN left out
---@return string? message
---@return string? code "cancelled"
function Weight:column_max() end

--- Raises naming row and column of the first NaN or infinity.
---@return true|nil
---@return string? message
---@return string? code "cancelled"
function Weight:check_finite() end

--- Another handle of the same weight: closing one leaves the other open.
---@return vise.Weight
function Weight:handle() end

---@return vise.Weight|nil values of a sparse weight, [n, 256]; nil of any other kind
function Weight:values() end

--- What another weight is at the places of a sparse one, laid out as its values are.
---@param from vise.Weight [m, k]
---@return vise.Tensor [n, 256] f32
function Weight:gather(from) end

--- The positions of a sparse weight with other values; raises if they are not as many as before.
---@param values vise.Weight [n, 256]
---@return vise.Weight
function Weight:with_values(values) end

--- Let go now; safe to call twice.
function Weight:close() end

local M = {}

--- A weight over a tensor, which is retained. Raises if it is no contiguous float matrix.
---@param tensor vise.Tensor [m, k]
---@return vise.Weight
function M.dense(tensor) end

--- The product B A. Raises if the shapes do not fit.
---@param b vise.Weight [m, r]
---@param a vise.Weight [r, k]
---@return vise.Weight
function M.lowrank(b, a) end

--- 1 to 64 weights of one shape, added in this order.
---@param terms vise.Weight[]
---@return vise.Weight
function M.sum(terms) end

--- diag(left) W diag(right); a missing factor is one.
---@param w vise.Weight [m, k]
---@param options {left?: vise.Tensor, right?: vise.Tensor} [m] and [k] of f32, f16 or bf16
---@return vise.Weight
function M.scaled(w, options) end

--- W, whose products take activations rounded to 8 bits.
---@param w vise.Weight
---@param format "int8"|"fp8"
---@param scale? number of all tokens, above 0; each token has its own if absent
---@return vise.Weight
function M.input(w, format, scale) end

--- The numbers of `w` that are not zero; vise.weight.sparse has names for the arguments.
---@param w vise.Weight|vise.Tensor
---@param layout "csr"|"bitmask"|"nm"|"block"
---@param n integer nm: kept in each group
---@param m integer nm: columns of a group
---@param rows integer block: of a block
---@param columns integer block: of a block
---@param dtype string of the values
---@return vise.Weight|nil
---@return string? message
---@return string? code "cancelled"
function M.sparse(w, layout, n, m, rows, columns, dtype) end

--- L W R' by Hadamard matrices of these orders; nil or false: none, true: the greatest known.
---@param w vise.Weight
---@param left? integer|boolean divides the rows
---@param right? integer|boolean divides the columns
---@return vise.Weight
function M.rotated(w, left, right) end

--- Rows of indices into tables; vise.weight.codebook has names for the arguments.
---@param indices vise.Tensor [m, ceil(k / d)] of integers
---@param table vise.Tensor [tables, 2^bits, d] f32, f16 or bf16
---@param k integer columns
---@param per "tensor"|"row"|"group"|"column"
---@param group integer columns that share a table; 0 unless per is "group"
---@return vise.Weight
function M.codebook(indices, table, k, per, group) end

--- A weight by the nearest numbers of one table.
---@param w vise.Weight
---@param table vise.Tensor [1, 2^bits, 1] f32, f16 or bf16, ascending, 1 to 8 bits
---@return vise.Weight|nil
---@return string? message
---@return string? code "cancelled"
function M.codebook_of(w, table) end

return M
