---@meta
-- vise.native.learn: what training has that a transformer's forward pass has not: functions of numbers,
-- norms, rounding, parts of tensors; each with its derivative. vise.grad is the public face.

local M = {}

--- f(x) of each number.
---@param name "relu"|"sigmoid"|"tanh"|"silu"|"gelu"|"gelu_tanh"|"log_sigmoid"|"round"
---@param x vise.Tensor f32
---@return vise.Tensor|nil y
---@return string? message
---@return string? code "cancelled"
function M.unary(name, x) end

--- d_y f'(x).
---@param name "relu"|"sigmoid"|"tanh"|"silu"|"gelu"|"gelu_tanh"|"log_sigmoid"|"round"
---@param d_y vise.Tensor f32
---@param x vise.Tensor of its shape
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.unary_back(name, d_y, x) end

--- x y, number by number.
---@param x vise.Tensor f32
---@param y vise.Tensor of its shape
---@return vise.Tensor|nil
---@return string? message
---@return string? code "cancelled"
function M.multiply(x, y) end

--- x / y, number by number.
---@param x vise.Tensor f32
---@param y vise.Tensor of its shape
---@return vise.Tensor|nil
---@return string? message
---@return string? code "cancelled"
function M.divide(x, y) end

--- x / (1 - share), or 0 for a share of the numbers, by number i of the stream (seed, name).
---@param x vise.Tensor f32
---@param share number in [0, 1)
---@param seed integer
---@param name string
---@return vise.Tensor|nil
---@return string? message
---@return string? code "cancelled"
function M.dropout(x, share, seed, name) end

--- A tensor of one value.
---@param shape integer[]
---@param value number
---@return vise.Tensor f32
function M.filled(shape, value) end

--- (x - mean) / sqrt(variance + eps) * gain + bias of each row.
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param bias vise.Tensor [d] f32
---@param eps number
---@return vise.Tensor|nil y
---@return string? message
---@return string? code "cancelled"
function M.layernorm(x, gain, bias, eps) end

--- Its derivatives.
---@param d_y vise.Tensor [t, d] f32
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param eps number
---@return vise.Tensor|nil d_x
---@return vise.Tensor|string d_gain, or the message
---@return vise.Tensor|string d_bias, or the code
function M.layernorm_back(d_y, x, gain, eps) end

--- Mean and variance of each column.
---@param x vise.Tensor [t, d] f32
---@return vise.Tensor|nil mean [d]
---@return vise.Tensor|string variance [d], or the message
---@return string? code "cancelled"
function M.moments(x) end

--- (x - mean) / sqrt(variance + eps) * gain + bias of each column, with these moments.
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param bias vise.Tensor [d] f32
---@param mean vise.Tensor [d] f32
---@param variance vise.Tensor [d] f32
---@param eps number
---@return vise.Tensor|nil y
---@return string? message
---@return string? code "cancelled"
function M.batchnorm(x, gain, bias, mean, variance, eps) end

--- Its derivatives, with moments that are those of x, or constant.
---@param d_y vise.Tensor [t, d] f32
---@param x vise.Tensor [t, d] f32
---@param gain vise.Tensor [d] f32
---@param mean vise.Tensor [d] f32
---@param variance vise.Tensor [d] f32
---@param eps number
---@param is_constant? boolean
---@return vise.Tensor|nil d_x
---@return vise.Tensor|string d_gain, or the message
---@return vise.Tensor|string d_bias, or the code
function M.batchnorm_back(d_y, x, gain, mean, variance, eps, is_constant) end

--- s (clip(round(w / s + v) + z, low, high) - z): native/nn/fakequant.h.
---@param w vise.Tensor [m, k] f32
---@param s vise.Tensor [m, groups] f32
---@param z? vise.Tensor [m, groups] f32
---@param options {low: number, high: number, group?: integer}
---@param v? vise.Tensor [m, k] f32
---@return vise.Tensor|nil [m, k]
---@return string? message
---@return string? code "cancelled"
function M.fakequant(w, s, z, options, v) end

--- Its derivatives.
---@param d_y vise.Tensor [m, k] f32
---@param w vise.Tensor [m, k] f32
---@param s vise.Tensor [m, groups] f32
---@param z? vise.Tensor [m, groups] f32
---@param options {low: number, high: number, group?: integer}
---@param v? vise.Tensor [m, k] f32
---@return vise.Tensor|nil d_w
---@return vise.Tensor|string d_s, or the message
---@return vise.Tensor|string d_z, or the code
---@return vise.Tensor|nil d_v where v is given
function M.fakequant_back(d_y, w, s, z, options, v) end

--- Of each group of columns of a row.
---@param w vise.Tensor [m, k] f32
---@param group integer columns
---@return vise.Tensor|nil least [m, groups]
---@return vise.Tensor|string greatest, or the message
---@return vise.Tensor|string magnitude the mean, or the code
function M.group_range(w, group) end

--- Overwrite indices start .. of dimension dim. Raises where the part does not fit.
---@param to vise.Tensor f32 of its own memory
---@param part vise.Tensor f32
---@param dim integer from 1
---@param start integer from 1
---@return true|nil
---@return string? message
---@return string? code "cancelled"
function M.paste(to, part, dim, start) end

--- Columns of each row, from 0.
---@param x vise.Tensor [t, v] f32
---@param ids vise.Tensor [t, n] i32
---@return vise.Tensor|nil [t, n]
---@return string? message
---@return string? code "cancelled"
function M.take(x, ids) end

--- Its derivative.
---@param d_y vise.Tensor [t, n] f32
---@param ids vise.Tensor [t, n] i32
---@param v integer
---@return vise.Tensor|nil [t, v]
---@return string? message
---@return string? code "cancelled"
function M.take_back(d_y, ids, v) end

return M
