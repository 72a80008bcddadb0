-- SPDX-License-Identifier: Apache-2.0
--- Methods on one matrix of 4096 x 4096 weights, statistics given.
-- GPTQ factors the second moments (n^3 / 3 flops in f32, sums in f64), updates targets (m n^2) and
-- searches the scales: its bar is seconds on two cores. What our own products would take for as
-- many flops in the same run says how much of it is arithmetic. Plain rounding and Wanda are held
-- against copying; collecting statistics against the forward pass of the blocks that it is part of.
local calibration = require("vise.calibration")
local model = require("vise.model")
local native = require("vise.native")
local stats = require("vise.stats")
local walk = require("vise.model.walk")
local weight = require("vise.weight")

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"

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

--- Flops a second of our product of two matrices.
function H.rate(bench)
  local n <const> = 2048
  local x <close> = native.core.random_tensor("f32", { n, n }, 1, "bench methods")
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
  local ideal = (SIDE ^ 3 / 3 + SIDE ^ 3) / H.rate(bench)
  local best = bench.quantile(seconds, 0)
  local row = {
    name = "its flops as products",
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

--- What statistics at all sites add to a forward pass of the blocks, as a part of it.
function H.statistics(bench)
  local m = assert(model.open(here .. "../share/models/tales"))
  local text = assert(native.file.read(here .. "../share/text/tales.train.txt"))
  local plan = calibration.new({ text = text, tokens = 8192 })
  local sites, values = {}, {}
  for _, site in ipairs(m:sites()) do
    sites[site.name] = site.places[1] ~= "head" or nil
  end
  local function pass(wanted)
    return bench.time(function()
      local steps = walk.new(m, plan, function(place) return assert(m:weight(place)) end)
      for _ = 1, #m:blocks() - 1 do
        steps:pass(wanted, function() end)
      end
      steps:close()
    end)
  end
  for round = 1, ROUNDS do
    local plain = pass({})
    values[round] = pass(sites) / plain - 1
  end
  return bench.absolute({
    name = "statistics on top of a forward pass",
    unit = "of it",
    values = values,
    against = 0.8,
    is_limit = true,
  })
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
    H.statistics(bench),
  }
end
