-- SPDX-License-Identifier: Apache-2.0
local bench = dofile("bench/run.lua")
local lu = require("luaunit")
local native = require("vise.native")

bench.say = function() end

TestBench = {}

function TestBench:test_a_quantile_lies_on_the_line_between_its_neighbours()
  lu.assertEquals(bench.quantile({ 4, 1, 3, 2 }, 0.5), 2.5)
  lu.assertEquals(bench.quantile({ 4, 1, 3, 2 }, 0), 1)
  lu.assertEquals(bench.quantile({ 4, 1, 3, 2 }, 0.75), 3.25)
  lu.assertEquals(bench.quantile({ 7 }, 0.9), 7)
end

function TestBench:test_an_upper_limit_is_inverted()
  local row = bench.absolute({ name = "peak", unit = "MB", values = { 100, 120, 80 }, against = 150,
    is_limit = true })

  lu.assertEquals(row.value, 100)
  lu.assertEquals(row.ratio, 1.5)
  lu.assertEquals(row.at_least, 1)
end

function TestBench:test_a_rival_that_takes_three_times_as_long_gives_a_ratio_near_three()
  -- A clock of its own, which other programs on the machine do not slow down.
  local real, now = native.core.clock, 0
  function native.core.clock()
    now = now + 1e-5
    return now
  end
  local function wait(seconds)
    now = now + seconds
  end

  local row = bench.compare({ name = "wait", unit = "1/s", work = 1, at_least = 2, rounds = 3,
    ours = function() wait(0.004) end, rival = function() wait(0.012) end })
  native.core.clock = real

  lu.assertAlmostEquals(row.ratio, 3, 0.3)
  lu.assertAlmostEquals(row.value, 250, 30)
end

TestLinalg = {}

function TestLinalg:test_gemm_multiplies_by_the_transpose()
  local x = native.tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 })
  local w = native.tensor.from("f32", { 1, 3 }, { 1, 10, 100 })
  local y = native.tensor.zeros("f32", { 2, 1 })

  lu.assertEquals(native.linalg.gemm(x, w):table(), { 321, 654 })
  lu.assertEquals(native.linalg.gemm(x:convert("f64"), w:convert("f64")):table(), { 321, 654 })
  lu.assertEquals(native.linalg.blas_gemm(x, w, y):table(), { 321, 654 })
  lu.assertEquals(y:table(), { 321, 654 })
end

function TestLinalg:test_shapes_that_do_not_fit_are_named()
  local x = native.tensor.zeros("f32", { 2, 3 })
  local w = native.tensor.zeros("f32", { 4, 5 })

  lu.assertErrorMsgContains("w has 5 columns, expected the 3 of x", native.linalg.gemm, x, w)
  lu.assertErrorMsgContains("y is not a [2, 2] tensor", native.linalg.gemm, x,
    native.tensor.zeros("f32", { 2, 3 }), w)
  lu.assertErrorMsgContains("tensor is f64 [2, 3], expected f32", native.linalg.blas_gemm,
    x:convert("f64"), w)
end

function TestLinalg:test_openblas_starts_with_one_thread()
  lu.assertEquals(native.linalg.blas_threads(), 1)
end

os.exit(lu.LuaUnit.run())
