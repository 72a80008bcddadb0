-- SPDX-License-Identifier: Apache-2.0
--- Methods on one matrix of 4096 x 4096 weights, statistics given.
-- GPTQ factors the second moments in f64 (n^3 / 3 flops), updates targets in f32 (m n^2) and
-- searches the scales: its bar is seconds on two cores. What our own products would take for as
-- many flops in the same run says how much of it is arithmetic. Plain rounding and Wanda are held
-- against copying.
local native = require("vise.native")
local stats = require("vise.stats")
local weight = require("vise.weight")

local SIDE <const>, TOKENS <const> = 4096, 5120
local SECONDS <const> = 0.75 -- GPTQ int4 g128, on two cores
local ROUNDS <const> = 5

local H = {}

function H.moments()
  local moments = stats.moments(SIDE)
  for i = 1, TOKENS / 1024 do
    local x <close> = native.core.random_tensor("f32", { 1024, SIDE }, 1, "bench methods " .. i)
    assert(moments:add(x))
  end
  return moments
end

--- Flops a second of our product of two matrices of that dtype.
function H.rate(bench, dtype)
  local n <const> = 2048
  local f32 <close> = native.core.random_tensor("f32", { n, n }, 1, "bench methods")
  local x <close> = f32:convert(dtype)
  local best = math.huge
  for _ = 1, ROUNDS do
    best = math.min(best, (bench.time(function() assert(native.linalg.gemm(x, x)):close() end)))
  end
  return 2 * n ^ 3 / best
end

--- Seconds of GPTQ, round by round.
function H.gptq(bench, w, moments)
  local seconds = {}
  for round = 1, ROUNDS do
    seconds[round] = bench.time(function()
      assert(w:quantize({ method = "gptq", bits = 4, group = 128, stats = moments })):close()
    end)
  end
  return seconds
end

--- How long the flops of GPTQ would take as products, as a part of what it took: to know, no bar.
function H.arithmetic(bench, seconds)
  local ideal = SIDE ^ 3 / 3 / H.rate(bench, "f64") + SIDE ^ 3 / H.rate(bench, "f32")
  local best = bench.quantile(seconds, 0)
  local row = {
    name = "its flops as products, f64 and f32",
    value = ideal,
    unit = "s",
    against = best,
    ratio = ideal / best,
    spread = 0,
    at_least = 0,
  }
  bench.say(bench.line(row))
  return row
end

--- A method against a copy of the matrix.
function H.against_copy(bench, name, w, run)
  return bench.compare({
    name = name .. " against a copy",
    unit = "M weights/s",
    work = SIDE * SIDE / 1e6,
    ours = run,
    rival = function() assert(w:dense()):close() end,
    at_least = 0.25,
  })
end

return function(bench)
  local moments <close> = H.moments()
  local shape <const> = { SIDE, SIDE }
  local values <close> = native.core.random_tensor("f32", shape, 1, "bench methods w", 0.02)
  local w <close> = weight.dense(values)
  local seconds = H.gptq(bench, w, moments)
  return {
    bench.absolute({
      name = "gptq int4/g128 of 4096 x 4096",
      unit = "s",
      values = seconds,
      against = SECONDS,
      is_limit = true,
    }),
    H.arithmetic(bench, seconds),
    H.against_copy(bench, "plain rtn int4/g128", w, function()
      assert(w:quantize({ bits = 4, group = 128, search = "none" })):close()
    end),
    H.against_copy(bench, "wanda, half", w, function()
      assert(w:prune({ method = "wanda", stats = moments })):close()
    end),
  }
end
