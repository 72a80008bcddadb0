-- SPDX-License-Identifier: Apache-2.0
--- Our randomized SVD against the whole one of LAPACK (sgesdd in OpenBLAS), each on all threads.
-- The matrix is a sum of products of normal numbers, of rank 16, 16, 32, 64, ... and ever smaller:
-- singular value i is about 1 / i.
local linalg = require("vise.linalg")
local native = require("vise.native")
local weight = require("vise.weight")

local SIDE, RANK = 4096, 64
local H = {}

--- One product of the sum: `rank` singular values of about `size`.
function H.part(rank, size)
  local scale = math.sqrt(size / SIDE)
  local name = "bench " .. size
  local x <close> = native.core.random_tensor("f32", { SIDE, rank }, 1, name .. " x", scale)
  local y <close> = native.core.random_tensor("f32", { SIDE, rank }, 1, name .. " y", scale)
  return assert(native.linalg.gemm(x, y))
end

function H.matrix()
  local sum = H.part(16, 1 / 16)
  local rank = 16
  while 2 * rank <= SIDE do
    local part <close> = H.part(rank, 1 / (2 * rank))
    local old <close> = sum
    sum = native.nn.add(old, part)
    rank = 2 * rank
  end
  return sum
end

--- |W - U U' W|, which is the error of U diag(s) V', by products in f32 and a difference in f64.
function H.error(w, u)
  local ut <close> = u:transpose(1, 2):convert("f32")
  local wt <close> = w:transpose(1, 2):convert("f32")
  local kept <close> = assert(native.linalg.gemm(wt, ut))
  local back <close> = assert(native.linalg.gemm(u, kept))
  return math.sqrt((assert(weight.dense(w):difference(weight.dense(back)))))
end

return function(bench)
  local rows = {}
  local before = native.linalg.blas_threads()
  native.linalg.blas_threads(native.core.threads())
  local w <close> = H.matrix()
  local near, s
  rows[1] = bench.compare({
    name = ("randomized svd, rank %d of %d"):format(RANK, SIDE),
    unit = "svd/s",
    work = 1,
    ours = function() near = assert(linalg.randomized_svd(w, { rank = RANK })) end,
    rival = function() s = select(2, native.linalg.blas_svd(w)) end,
    rounds = 7,
    at_least = 60,
  })
  local squares = 0
  for i = RANK + 1, SIDE do
    squares = squares + s:get(i) ^ 2
  end
  rows[2] = bench.absolute({
    name = "its error, best possible = 1",
    unit = "",
    values = { H.error(w, near.u) / math.sqrt(squares) },
    against = 1.02,
    is_limit = true,
  })
  native.linalg.blas_threads(before)
  return rows
end
