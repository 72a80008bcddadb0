-- SPDX-License-Identifier: Apache-2.0
--- Factors of matrices: SVD whole and truncated, eigenvalues, QR, Cholesky, Hadamard transforms.
-- Matrices are contiguous tensors [m, k] of f32 or f64; arithmetic is f64 but where said, results
-- have the dtype of the matrix. Every function returns nil, a message and "cancelled" when
-- interrupted, and raises for what the caller can mend: shapes, dtypes, NaN and infinity, a matrix
-- that is not positive definite. No result depends on the number of threads.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.SVD
---@field u vise.Tensor [m, r], orthonormal columns
---@field s vise.Tensor [r], descending, not negative
---@field vt vise.Tensor [r, k], orthonormal rows; the greatest magnitude of each is positive
---@field error? number of truncated factors: Frobenius norm of the difference to the matrix
---@field bound? number of randomized_svd: above the spectral norm of the difference, but once in
--- a million; often five to ten times too high, more where many singular values are left

--- A = U diag(s) V', r = min(m, k). The bits are those of one LAPACK build and core type.
---@param a vise.Tensor [m, k]
---@return vise.SVD|nil factors
---@return string? message
---@return string? code
function M.svd(a)
  local u, s, vt = native.linalg.svd(H.f64("svd", a))
  return u and H.as(a, { u = u, s = s, vt = vt }), s, vt
end

--- The best factors of a rank, by the eigenvectors of the smaller of W W' and W' W: faster than svd
-- for matrices much longer than wide, or wider than long.
---@param w vise.Tensor [m, k] f32
---@param options { rank: integer } 1 to min(m, k)
---@return vise.SVD|nil factors with `error`
---@return string? message
---@return string? code
function M.truncated_svd(w, options)
  local o = check.options("truncated_svd", { H.rank_row }, options)
  local u, s, vt, norm = native.linalg.gram_svd(w, H.rank("truncated_svd", w, o))
  return u and H.as(w, { u = u, s = s, vt = vt, error = norm }), s, vt
end

---@class vise.RandomizedOptions
---@field rank integer 1 to min(m, k)
---@field oversample? integer columns more than the rank while the range is sought, 10
---@field passes? integer power steps, 2; each reads the matrix twice
---@field seed? integer of the random numbers, 0
---@field name? string of their stream, the weight's by custom; ""

--- Factors of a rank that are near the best ones, by random projections in f32 and a last product
-- in f64.
---@param w vise.Tensor [m, k] f32
---@param options vise.RandomizedOptions
---@return vise.SVD|nil factors with `error` and `bound`
---@return string? message
---@return string? code
function M.randomized_svd(w, options)
  local o = check.options("randomized_svd", H.randomized_rows, options)
  local u, s, vt, norm, bound =
    native.linalg.randomized_svd(w, H.rank("randomized_svd", w, o), o)
  return u and H.as(w, { u = u, s = s, vt = vt, error = norm, bound = bound }), s, vt
end

--- A = V diag(values) V' of a symmetric matrix, read on and below its diagonal.
---@param a vise.Tensor [n, n]
---@return { values: vise.Tensor, vt: vise.Tensor }|nil result values [n] ascending; vt [n, n] has
--- eigenvectors as rows, signs as those of svd
---@return string? message
---@return string? code
function M.eigh(a)
  local values, vt, code = native.linalg.eigh(H.f64("eigh", a))
  return values and H.as(a, { values = values, vt = vt }), vt, code
end

--- A = Q R by Householder reflections, s = min(m, n).
---@param a vise.Tensor [m, n]
---@return { q: vise.Tensor, r: vise.Tensor }|nil result q [m, s] with orthonormal columns, r [s, n]
--- upper triangular, its diagonal not negative
---@return string? message
---@return string? code
function M.qr(a)
  local q, r, code = native.linalg.qr(H.f64("qr", a))
  return q and H.as(a, { q = q, r = r }), r, code
end

--- A = L L' of a symmetric positive definite matrix, read on and below its diagonal.
---@param a vise.Tensor [n, n]
---@param options? { damping?: number } factor A + damping x mean of the diagonal; where that is
--- not positive definite either, ten times as much, up to six times
---@return vise.Tensor|nil l [n, n], zeros above the diagonal
---@return number|string? damping used, or the message
---@return string? code
function M.cholesky(a, options)
  local o = check.options("cholesky", H.cholesky_rows, options or {})
  local l, damping, code = native.linalg.cholesky(H.f64("cholesky", a), o.damping)
  return l and H.as(a, { l })[1], damping, code
end

--- Solve L x = b, or L' x = b, for every row b.
---@param l vise.Tensor [n, n], read on and below the diagonal
---@param b vise.Tensor [t, n]
---@param options? { transposed?: boolean }
---@return vise.Tensor|nil x [t, n], the dtype of b
---@return string? message
---@return string? code
function M.solve_triangular(l, b, options)
  local o = check.options("solve_triangular", H.solve_rows, options or {})
  local who = "solve_triangular"
  local x, message, code =
    native.linalg.solve_triangular(H.f64(who, l), H.f64(who, b), o.transposed)
  return x and H.as(b, { x })[1], message, code
end

--- W W', or W' W.
---@param w vise.Tensor [m, k] f32
---@param options? { of?: "rows"|"columns" } "rows": W W'
---@return vise.Tensor|nil g [m, m] or [k, k], always f64, symmetric to the bit
---@return string? message
---@return string? code
function M.gram(w, options)
  local o = check.options("gram", H.gram_rows, options or {})
  return native.linalg.gram(w, o.of == "columns")
end

--- The orthonormal Hadamard transform of each run of `block` columns, in f32.
---@param x vise.Tensor [rows, k] f32
---@param options? { block?: integer, inverse?: boolean } `block` divides k; hadamard_block(k) if
--- absent
---@return vise.Tensor|nil y [rows, k] f32
---@return string? message
---@return string? code
function M.hadamard(x, options)
  local o = check.options("hadamard", H.hadamard_rows, options or {})
  local k = math.max(1, x:shape()[2] or 1)
  return native.linalg.hadamard(x, o.block or native.linalg.hadamard_block(k), o.inverse)
end

--- n if there is a Hadamard matrix of that order, else the greatest power of two that divides n.
---@param n integer >= 1
---@return integer
function M.hadamard_block(n)
  return native.linalg.hadamard_block(n)
end

H.rank_row = { name = "rank", kind = "int", min = 1, doc = "singular values to keep" }
H.randomized_rows = {
  H.rank_row,
  { name = "oversample", kind = "int", default = 10, min = 0, doc = "columns more than the rank" },
  { name = "passes", kind = "int", default = 2, min = 0, doc = "power steps" },
  { name = "seed", kind = "int", default = 0, doc = "of the random numbers" },
  { name = "name", kind = "string", default = "", doc = "of their stream" },
}
H.cholesky_rows = { { name = "damping", kind = "real", doc = "of the mean of the diagonal" } }
H.solve_rows = { { name = "transposed", kind = "bool", default = false, doc = "L' x = b" } }
H.gram_rows = {
  { name = "of", kind = "choice", choices = { "rows", "columns" }, default = "rows", doc = "W W'" },
}
H.hadamard_rows = {
  { name = "block", kind = "int", min = 1, doc = "columns of a run" },
  { name = "inverse", kind = "bool", default = false, doc = "by the transpose" },
}

function H.rank(who, w, options)
  if not options.rank then
    local shape = w:shape()
    check.fail("%s: rank is missing, expected an integer in [1, %d]", who,
      math.min(shape[1], shape[2] or 0))
  end
  return options.rank
end

--- `a` in f64; raises for dtypes whose results would have to be rounded to something coarse.
function H.f64(who, a)
  if a:dtype() == "f64" then
    return a
  elseif a:dtype() ~= "f32" then
    check.fail("%s: tensor is %s, expected f32 or f64", who, a:dtype())
  end
  return a:convert("f64")
end

--- The f64 tensors of `results` in the dtype of `a`; numbers stay.
function H.as(a, results)
  for key, value in pairs(results) do
    if type(value) ~= "number" and a:dtype() ~= "f64" then
      results[key] = value:convert(a:dtype())
      value:close()
    end
  end
  return results
end

return M
