---@meta
-- vise.native.linalg: dense products, ours and OpenBLAS's.

local M = {}

--- Y = X W'. Exact: one chain of fused multiply-adds over ascending k for each output, whatever the
--- threads and the CPU level. Raises for shapes that do not fit.
---@param x vise.Tensor [t, k] f32 or f64
---@param w vise.Tensor [m, k] of the same type
---@param y? vise.Tensor [t, m] to overwrite; a new tensor if absent
---@return vise.Tensor|nil y [t, m]
---@return string? message
---@return string? code "cancelled"
function M.gemm(x, w, y) end

--- The same by OpenBLAS sgemm: the rival in benches. Its bits depend on threads and machine.
---@param x vise.Tensor [t, k] f32
---@param w vise.Tensor [m, k] f32
---@param y? vise.Tensor [t, m] to overwrite; a new tensor if absent
---@return vise.Tensor y [t, m]
function M.blas_gemm(x, w, y) end

--- Threads of an OpenBLAS call, 1 from the start. Raises unless n is in 1..256.
---@param n? integer use so many from now on; for benches
---@return integer n in use
function M.blas_threads(n) end

return M
