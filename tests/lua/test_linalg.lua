-- SPDX-License-Identifier: Apache-2.0
-- tests/c/test_linalg_*.c judge the factors; here: what Lua adds, and NumPy (of VISE_PYTHON).
local linalg = require("vise.linalg")
local lu = require("luaunit")
local native = require("vise.native")

--- Two good f64 algorithms on the well-conditioned matrices here differ by some hundred roundings.
local F64_TOL <const> = 1e-11

local H = {}

function H.random(dtype, m, k)
  return native.core.random_tensor(dtype, { m, k }, 3, "test_linalg")
end

function H.near(tensor, expected, tolerance)
  local is = tensor:table()
  lu.assertEquals(#is, #expected)
  for i, value in ipairs(expected) do
    lu.assertAlmostEquals(is[i], value, tolerance)
  end
end

function H.ask(a)
  if not os.getenv("VISE_PYTHON") then
    lu.skip("no Python with NumPy: VISE_PYTHON is not set")
  end
  local process <close> = assert(native.process.spawn({
    argv = { os.getenv("VISE_PYTHON"), "tests/support/linalg.py" },
    input = native.json.encode({ a = native.json.array(a:table()),
      shape = native.json.array(a:shape()) }),
    capture = true,
  }))
  local answer = process:read_line()
  lu.assertEquals(process:wait(), 0)
  return assert(native.json.decode(answer))
end

TestLinalg = {}

function TestLinalg.test_factors_agree_with_numpy()
  for _, shape in ipairs({ { 30, 12 }, { 12, 30 }, { 17, 17 } }) do
    local m, k = shape[1], shape[2]
    local a <close> = H.random("f64", m, k)
    local expected = H.ask(a)
    local symmetric <close> = native.tensor.from("f64", { m, m }, expected.symmetric)

    local svd, qr, eigh = linalg.svd(a), linalg.qr(a), linalg.eigh(symmetric)
    local l <close> = linalg.cholesky(symmetric)

    H.near(svd.u, expected.u, F64_TOL)
    H.near(svd.s, expected.s, F64_TOL)
    H.near(svd.vt, expected.vt, F64_TOL)
    H.near(qr.q, expected.q, F64_TOL)
    H.near(qr.r, expected.r, F64_TOL)
    H.near(eigh.values, expected.values, F64_TOL * 100) -- values reach 100
    H.near(l, expected.l, F64_TOL)
  end
end

function TestLinalg.test_truncated_factors_agree_with_numpy()
  local w <close> = H.random("f32", 40, 25)
  local expected = H.ask(w)
  local tail = 0
  for i = 6, 25 do
    tail = tail + expected.s[i] ^ 2
  end

  local best = linalg.truncated_svd(w, { rank = 5 })
  local near = linalg.randomized_svd(w, { rank = 5, passes = 8, name = "w" })
  local gram <close> = linalg.gram(w, { of = "columns" })

  lu.assertEquals(best.u:dtype(), "f32")
  H.near(best.s, { table.unpack(expected.s, 1, 5) }, 1e-5)
  lu.assertAlmostEquals(best.error, math.sqrt(tail), 1e-9)
  H.near(near.s, { table.unpack(expected.s, 1, 5) }, 1e-3) -- 8 passes leave (s6/s5)^17 of a mixture
  lu.assertTrue(near.error >= best.error - 1e-9 and near.error < 1.001 * best.error)
  lu.assertTrue(near.bound > expected.s[6])
  H.near(gram, expected.gram, 1e-11)
end

function TestLinalg.test_solving_undoes_a_product()
  local x <close> = native.tensor.from("f64", { 2, 2 }, { 1, 2, 3, 4 })
  local l <close> = native.tensor.from("f64", { 2, 2 }, { 2, 99, 1, 4 }) -- above is not read
  -- rows (1, 2) and (3, 4): L x = (2, 1 + 8), (6, 3 + 16); L' x = (2 + 2, 8), (6 + 4, 16)
  local b <close> = native.tensor.from("f64", { 2, 2 }, { 2, 9, 6, 19 })
  local c <close> = native.tensor.from("f32", { 2, 2 }, { 4, 8, 10, 16 })
  lu.assertEquals(linalg.solve_triangular(l, b):table(), x:table())
  local transposed <close> = linalg.solve_triangular(l, c, { transposed = true })
  lu.assertEquals(transposed:table(), x:table())
  lu.assertEquals(transposed:dtype(), "f32")
end

function TestLinalg.test_damping_is_reported()
  local a <close> = native.tensor.from("f64", { 2, 2 }, { 1, 1, 1, 0.95 })
  local l <close>, damping = linalg.cholesky(a, { damping = 0.01 })
  lu.assertAlmostEquals(damping, 0.1, 1e-15)
  lu.assertAlmostEquals(l:get(1, 1), math.sqrt(1 + 0.0975), 1e-15)
end

function TestLinalg.test_hadamard_takes_the_greatest_block()
  lu.assertEquals(linalg.hadamard_block(768), 768)
  lu.assertEquals(linalg.hadamard_block(172), 4)
  local x <close> = native.tensor.from("f32", { 1, 6 }, { 1, 2, 3, 4, 5, 6 })
  local half = math.sqrt(0.5)
  H.near(linalg.hadamard(x), { 3 * half, -half, 7 * half, -half, 11 * half, -half }, 1e-6)
  local y <close> = H.random("f32", 3, 40)
  local turned <close> = linalg.hadamard(y, { block = 20 })
  H.near(linalg.hadamard(turned, { block = 20, inverse = true }), y:table(), 1e-6)
end

function TestLinalg.test_mistakes_are_named()
  local half <close> = native.tensor.zeros("f16", { 2, 2 })
  local w <close> = native.tensor.zeros("f32", { 2, 3 })
  local indefinite <close> = native.tensor.from("f64", { 2, 2 }, { 1, 2, 2, 1 })
  local raises = lu.assertErrorMsgContains
  raises("svd: tensor is f16, expected f32 or f64", linalg.svd, half)
  raises("randomized_svd: rank is missing, expected an integer in [1, 2]", linalg.randomized_svd,
    w, {})
  raises("rank is 3, expected 1 to 2, the smaller side of w", linalg.truncated_svd, w, { rank = 3 })
  raises("unknown option 'pases' (did you mean 'passes'?", linalg.randomized_svd, w, { pases = 1 })
  raises("tensor is [2, 3], expected a square", linalg.eigh, w)
  raises("cholesky: pivot 1 is -3, expected a positive number", linalg.cholesky, indefinite)
  raises("hadamard: blocks of 2 do not divide the 3 columns", linalg.hadamard, w, { block = 2 })
  raises("solve_triangular: pivot 0 is 0", linalg.solve_triangular, native.tensor.zeros("f64",
    { 2, 2 }), indefinite)
end

function TestLinalg.test_cancelling_is_no_mistake()
  local a <close> = H.random("f64", 2, 2)
  local w <close> = H.random("f32", 2, 2)
  native.core.cancel()
  local answers = {
    { linalg.svd(a) }, { linalg.eigh(a) }, { linalg.qr(a) }, { linalg.cholesky(a) },
    { linalg.solve_triangular(a, a) }, { linalg.gram(w) }, { linalg.hadamard(w) },
    { linalg.truncated_svd(w, { rank = 1 }) }, { linalg.randomized_svd(w, { rank = 1 }) },
  }
  native.core.cancel_clear()
  for _, answer in ipairs(answers) do
    lu.assertNil(answer[1])
    lu.assertEquals(answer[2], "interrupted")
    lu.assertEquals(answer[3], "cancelled")
  end
end

os.exit(lu.LuaUnit.run())
