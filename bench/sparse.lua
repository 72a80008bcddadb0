-- SPDX-License-Identifier: Apache-2.0
--- Sparse weights times many tokens, against multithreaded OpenBLAS sgemm on the dense matrix.
local native = require("vise.native")
local weight = require("vise.weight")

local M, K = 4096, 4096
local CASES = { -- layout, share of zeros, tokens, bar
  { { layout = "csr" }, 0.70, 512, 1.0 },
  { { layout = "csr" }, 0.80, 128, 1.8 },
  { { layout = "csr" }, 0.80, 512, 1.8 },
  { { layout = "csr" }, 0.90, 128, 3.6 },
  { { layout = "csr" }, 0.90, 512, 3.6 },
  { { layout = "csr" }, 0.95, 128, 7.0 },
  { { layout = "csr" }, 0.95, 512, 7.0 },
  { { layout = "block", block = { 16, 4 } }, 0.75, 512, 2.5 },
  { { layout = "nm", n = 1, m = 4 }, 0.75, 512, 1.4 },
}

local H = {}

-- A matrix of random numbers of which that share is zero, in the pattern of the layout. Zeros come
-- from a fixed sequence, so that every run sees the same matrix.
function H.pruned(options, zeros)
  local state, rows = 1, {}
  local function is_kept()
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
    return (state >> 20) % 1000 >= zeros * 1000
  end
  local height, width = 1, 1
  if options.layout == "block" then
    height, width = options.block[1], options.block[2]
  end
  for i = 0, M - 1, height do
    local row = {}
    for j = 0, K - 1, width do
      local kept = is_kept()
      if options.layout == "nm" then
        kept = j % options.m == (i + j // options.m) % options.m
      end
      local number = kept and string.pack("<f", (state % 2000 - 1000.5) / 1000) or "\0\0\0\0"
      row[#row + 1] = number:rep(width)
    end
    rows[i // height + 1] = table.concat(row):rep(height)
  end
  return native.tensor.from_bytes("f32", { M, K }, table.concat(rows))
end

return function(bench)
  local linalg, rows = native.linalg, {}
  local before = linalg.blas_threads()
  linalg.blas_threads(native.core.threads())
  for _, case in ipairs(CASES) do
    local options, zeros, t, at_least = table.unpack(case)
    local dense = H.pruned(options, zeros)
    local w = assert(weight.sparse(dense, options))
    local x = native.core.random_tensor("f32", { t, K }, 1, "x")
    local y = native.tensor.zeros("f32", { t, M })
    rows[#rows + 1] = bench.compare({
      name = string.format("%s %dx%d, %g %% zeros, %d tokens", w:describe(), M, K, zeros * 100, t),
      unit = "GFLOP/s, as if dense",
      work = 2 * M * K * t / 1e9,
      ours = function() assert(w:matmul(x)):close() end,
      rival = function() linalg.blas_gemm(x, dense, y) end,
      at_least = at_least,
      rounds = 7,
    })
    for _, value in ipairs({ dense, w, x, y }) do
      value:close()
    end
  end
  linalg.blas_threads(before)
  return rows
end
