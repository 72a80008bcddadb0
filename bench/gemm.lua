-- SPDX-License-Identifier: Apache-2.0
--- Our f32 GEMM against multithreaded OpenBLAS sgemm, on shapes of a model of a billion weights.
-- The rival chooses its own kernels (unset OPENBLAS_CORETYPE) and gets as many threads as we have.
local native = require("vise.native")

local SHAPES = { { 4096, 4096 }, { 5632, 2048 }, { 2048, 5632 } } -- rows and columns of W
local TOKENS = { { 32, 0.90 }, { 128, 0.95 }, { 512, 0.97 }, { 2048, 0.97 } } -- and the bar

return function(bench)
  local linalg, rows = native.linalg, {}
  local version = native.core.version()
  local before = linalg.blas_threads()
  linalg.blas_threads(native.core.threads())
  bench.say(string.format("cpu %s (%s), OpenBLAS core %s, %d threads", version.cpu,
    version.cpu_model, version.openblas_core, linalg.blas_threads()))
  for _, shape in ipairs(SHAPES) do
    local m, k = shape[1], shape[2]
    local w = native.core.random_tensor("f32", { m, k }, 1, "w")
    for _, case in ipairs(TOKENS) do
      local t, at_least = case[1], case[2]
      local x = native.core.random_tensor("f32", { t, k }, 1, "x")
      local y = native.tensor.zeros("f32", { t, m })
      rows[#rows + 1] = bench.compare({
        name = string.format("gemm f32 %dx%d, %d tokens", m, k, t),
        unit = "GFLOP/s",
        work = 2 * m * k * t / 1e9,
        ours = function() assert(linalg.gemm(x, w, y)) end,
        rival = function() linalg.blas_gemm(x, w, y) end,
        at_least = at_least,
      })
      x:close()
      y:close()
    end
    w:close()
  end
  linalg.blas_threads(before)
  return rows
end
