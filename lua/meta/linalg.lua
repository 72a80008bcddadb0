---@meta
-- vise.native.linalg: dense products and factors, ours and OpenBLAS's. vise.linalg is the public face.

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

--- Load OpenBLAS now, as its first use would: what shuts itself off from files does so before.
---@return boolean is_there
function M.blas_load() end

--- Threads of an OpenBLAS call, 1 from the start. Raises unless n is in 1..256.
---@param n? integer use so many from now on; for benches
---@return integer n in use
function M.blas_threads(n) end

--- The whole SVD by sgesdd, as many threads as set: the rival in benches.
---@param a vise.Tensor [m, k] f32
---@return vise.Tensor u [m, r], r = min(m, k)
---@return vise.Tensor s [r]
---@return vise.Tensor vt [r, k]
function M.blas_svd(a) end

--- A = U diag(s) V'. Raises for NaN and infinity.
---@param a vise.Tensor [m, k] f64
---@return vise.Tensor|nil u [m, r], r = min(m, k)
---@return vise.Tensor|string s [r], descending
---@return vise.Tensor|string vt [r, k]
function M.svd(a) end

--- Symmetric eigenvalues; reads on and below the diagonal. Raises for NaN and infinity.
---@param a vise.Tensor [n, n] f64
---@return vise.Tensor|nil values [n], ascending
---@return vise.Tensor|string vt [n, n], eigenvectors as rows
function M.eigh(a) end

--- A = Q R, s = min(m, n). Raises for NaN and infinity.
---@param a vise.Tensor [m, n] f64
---@return vise.Tensor|nil q [m, s]
---@return vise.Tensor|string r [s, n], its diagonal not negative
function M.qr(a) end

--- A = L L'; reads on and below the diagonal. Raises for NaN, infinity and a pivot not above 0.
---@param a vise.Tensor [n, n] f64
---@param damping? number > 0: of A + damping x mean of the diagonal; grows tenfold up to six times
---@return vise.Tensor|nil l [n, n], zeros above the diagonal
---@return number|string? damping used
function M.cholesky(a, damping) end

--- Rows x of the result solve L x = b, or L' x = b, for the rows b. Raises for a pivot of 0.
---@param l vise.Tensor [n, n] f64, read on and below the diagonal
---@param b vise.Tensor [t, n] f64
---@param is_transposed? boolean
---@return vise.Tensor|nil x [t, n]
---@return string? message
---@return string? code "cancelled"
function M.solve_triangular(l, b, is_transposed) end

--- W W', or W' W, in f64.
---@param w vise.Tensor [m, k] f32
---@param is_of_columns? boolean
---@return vise.Tensor|nil g [m, m] or [k, k] f64
---@return string? message
---@return string? code "cancelled"
function M.gram(w, is_of_columns) end

--- The best factors of rank r, by the eigenvectors of the smaller Gram matrix.
---@param w vise.Tensor [m, k] f32
---@param r integer 1 to min(m, k)
---@return vise.Tensor|nil u [m, r] f64
---@return vise.Tensor|string s [r]
---@return vise.Tensor|string vt [r, k]
---@return number error Frobenius norm of W - U diag(s) V'
function M.gram_svd(w, r) end

--- Near the best factors of rank r, by random projections.
---@param w vise.Tensor [m, k] f32
---@param r integer 1 to min(m, k)
---@param options? table oversample (10), passes (2), seed (0), name ("")
---@return vise.Tensor|nil u [m, r] f64
---@return vise.Tensor|string s [r]
---@return vise.Tensor|string vt [r, k]
---@return number error Frobenius norm of W - U diag(s) V'
---@return number bound of its spectral norm, missed with probability 1e-6
function M.randomized_svd(w, r, options) end

--- What removing each group of neighbouring columns alone costs when the others are set to the least
--- squares of the outputs W x of inputs with second moments H.
---@param w vise.Tensor [m, k] f32
---@param h vise.Tensor [k, k] f64
---@param group integer columns of a group, a divisor of k
---@param damping number > 0: added to the diagonal of H, in units of its mean
---@return vise.Tensor|nil losses [k / group] f64
---@return number|string norm tr(W H W')
---@return string? code "cancelled"
function M.column_losses(w, h, group, damping) end

--- The groups that stay when `n` go, those of the least loss a sixteenth at a time; and the least
--- squares W of what stays.
---@param w vise.Tensor [m, k] f32
---@param h vise.Tensor [k, k] f64
---@param group integer
---@param damping number
---@param n integer fewer than there are
---@return vise.Tensor|nil kept i32, from 0, ascending
---@return vise.Tensor|string v [m, k] f32, 0 in the columns that go
---@return vise.Tensor|string losses [n] f64: what each cost when it went, ascending; "cancelled"
function M.drop_columns(w, h, group, damping, n) end

--- Orthonormal Hadamard transform of each run of `order` columns. Raises for an order without a
--- known matrix and one that does not divide k.
---@param x vise.Tensor [rows, k] f32
---@param order integer
---@param is_inverse? boolean by the transpose
---@return vise.Tensor|nil y [rows, k] f32
---@return string? message
---@return string? code "cancelled"
function M.hadamard(x, order, is_inverse) end

--- n if there is a transform of that order, else the greatest power of two that divides n.
---@param n integer >= 1
---@return integer
function M.hadamard_block(n) end

return M
