---@meta
-- vise.native.stats: what calibration knows of the inputs of a weight.

local M = {}

---@class vise.Moments sums over tokens of the inputs x [n] of a weight
local Moments = {}

M.methods = Moments

--- Moments of no tokens yet.
---@param n integer columns of the weights that read the inputs
---@param has_cross? boolean with moments of the inputs before compression times those after
---@return vise.Moments
function M.moments(n, has_cross) end

--- Moments from what `parts` gave; raises if the tensors do not fit together.
---@param count integer tokens
---@param parts table<string, vise.Tensor>
---@return vise.Moments
function M.from_parts(count, parts) end

--- tr(E H E') with E = a - b, and tr(a H a'): squares of output errors per token.
---@param a vise.Weight
---@param b vise.Weight
---@param moments vise.Moments
---@return number|nil squared
---@return number|string norm
---@return string? code
function M.output_error(a, b, moments) end

---@param value any
---@return boolean
function M.is_moments(value) end

--- Add tokens; raises for NaN and infinity.
---@param x vise.Tensor [t, n] f32
---@param original? vise.Tensor [t, n] f32: the same inputs before compression, for cross moments
---@return vise.Moments|nil self
---@return string? message
---@return string? code "cancelled"
function Moments:add(x, original) end

--- Add the tokens of other moments.
---@param other vise.Moments
---@return vise.Moments self
function Moments:merge(other) end

---@return integer tokens
function Moments:count() end

---@return integer n
function Moments:columns() end

---@return vise.Tensor [n, n] f64, the mean of x x'
function Moments:second() end

---@return vise.Tensor|nil [n, n] f64, the mean of o x', o the input before compression
function Moments:cross() end

--- Those of the inputs times factors.
---@param factors vise.Tensor [n] f32
---@return vise.Moments
function Moments:scaled(factors) end

---@return vise.Tensor [n] f32, the mean of x^2
function Moments:importance() end

---@return vise.Tensor [n] f64
function Moments:mean() end

---@return vise.Tensor [n] f64
function Moments:mean_abs() end

---@return vise.Tensor [n] f64
function Moments:max_abs() end

---@return table<string, vise.Tensor> f64 sums: second, cross, sum, sum_abs, max_abs
function Moments:parts() end

--- Let the memory go; safe to call twice.
function Moments:close() end

return M
