-- SPDX-License-Identifier: Apache-2.0
-- The method svd. Its oracle is LAPACK's SVD of W L, L L' = H, of which the method computes
-- neither.
local linalg = require("vise.linalg")
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

function H.weight(m, k)
  return weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_svd"))
end

--- Moments of `t` tokens whose `n` columns depend on each other and differ in size.
function H.moments(n, t)
  local noise <close> = native.core.random_tensor("f32", { t, n }, 2, "test_svd inputs")
  local mixing = native.core.random_tensor("f32", { n, n }, 2, "test_svd mixing"):table()
  for i = 0, n - 1 do
    for j = 0, n - 1 do
      mixing[i * n + j + 1] = (mixing[i * n + j + 1] + (i == j and 9 or 0)) * 0.8 ^ (i % 16)
    end
  end
  local x <close> = native.linalg.gemm(noise, native.tensor.from("f32", { n, n }, mixing))
  return native.stats.moments(n):add(x)
end

--- The singular values of W L.
function H.spectrum(w, moments)
  local l <close> = assert(linalg.cholesky(moments:second()))
  local values <close> = w:dense():convert("f64")
  local product <close> = native.linalg.gemm(values, l:transpose():convert("f64"))
  return linalg.svd(product).s:table()
end

--- sum_{i > r} s_i^2 / sum s_i^2
function H.tail(s, r)
  local all, tail = 0, 0
  for i, x in ipairs(s) do
    all, tail = all + x * x, tail + (i > r and x * x or 0)
  end
  return tail / all
end

TestSvd = {}

-- I11: both shapes, whose exact solutions go different ways. Values are stored in f32.
function TestSvd:test_the_loss_under_the_inputs_is_the_tail_of_the_whitened_spectrum()
  for _, shape in ipairs({ { 24, 40 }, { 40, 24 } }) do
    local w <close> = H.weight(shape[1], shape[2])
    local s <close> = H.moments(shape[2], 200)
    local spectrum = H.spectrum(w, s)
    for _, r in ipairs({ 1, 7, 20 }) do
      local f <close> = w:factor({ rank = r, stats = s, exact = true, values = "f32" })
      lu.assertEquals(f:describe(), "lowrank " .. r)
      lu.assertAlmostEquals(f:error(w, s) ^ 2, H.tail(spectrum, r), 1e-6)
    end
  end
end

function TestSvd:test_a_random_subspace_loses_at_most_a_hundredth_more()
  for _, shape in ipairs({ { 96, 160 }, { 160, 96 } }) do
    local w <close> = H.weight(shape[1], shape[2])
    local s <close> = H.moments(shape[2], 400)
    local spectrum = H.spectrum(w, s)
    for _, r in ipairs({ 4, 16, 48 }) do
      local f <close> = w:factor({ rank = r, stats = s, values = "f32" })
      local best = H.tail(spectrum, r)
      local is = f:error(w, s) ^ 2
      lu.assertTrue(is >= best - 1e-6 and is <= 1.01 * best, ("%g %g"):format(is, best))
    end
  end
end

function TestSvd:test_whitened_loses_less_than_plain_and_plain_less_of_the_weights()
  local w <close> = H.weight(64, 96)
  local s <close> = H.moments(96, 300)
  for _, r in ipairs({ 2, 8, 32 }) do
    local plain <close> = w:factor({ rank = r })
    local whitened <close> = w:factor({ rank = r, stats = s })
    lu.assertTrue(whitened:error(w, s) < (r == 32 and 0.8 or 1) * plain:error(w, s))
    lu.assertTrue(plain:error(w) < whitened:error(w))
  end
end

-- I7: sqrt(n) times the unit vectors have H = I.
function TestSvd:test_inputs_that_are_all_alike_change_nothing()
  local n <const> = 16
  local x = {}
  for i = 0, n * n - 1 do
    x[i + 1] = i // n == i % n and 4 or 0
  end
  local s <close> = native.stats.moments(n):add(native.tensor.from("f32", { n, n }, x))
  local w <close> = H.weight(20, n)
  local ones = {}
  for i = 1, n do
    ones[i] = 1
  end
  local plain <close> = w:factor({ rank = 5, values = "f32" })
  local by_moments <close> = w:factor({ rank = 5, stats = s, values = "f32" })
  local by_ones <close> = w:factor({ rank = 5, values = "f32",
    stats = native.tensor.from("f32", { n }, ones) })
  lu.assertAlmostEquals(plain:error(w) ^ 2,
    H.tail(linalg.svd(w:dense():convert("f64")).s:table(), 5), 1e-6)
  lu.assertTrue(by_moments:error(plain) < 1e-6)
  lu.assertTrue(by_ones:error(plain) < 1e-6)
end

-- Three tokens have a second moment of rank three, up to its sums in f32: nothing is lost on them.
function TestSvd:test_fewer_tokens_than_columns_are_no_trouble()
  local w <close> = H.weight(30, 50)
  local s <close> = H.moments(50, 3)
  local f <close> = w:factor({ rank = 3, stats = s, values = "f32" })
  lu.assertTrue(f:error(w, s) < 1e-3)
end

-- W = 6 a b' + 2 c d' of orthonormal vectors, so that its singular values are 6 and 2.
function H.two_singular_values()
  local w = {}
  for i, a in ipairs({ 0.5, -0.5, 0.5, 0.5 }) do
    for j, b in ipairs({ 0.6, 0.8, 0.0 }) do
      local c, d = ({ 0.5, 0.5, -0.5, 0.5 })[i], ({ 0.8, -0.6, 0.0 })[j]
      w[#w + 1] = 6 * a * b + 2 * c * d
    end
  end
  return weight.dense(native.tensor.from("f32", { 4, 3 }, w))
end

function TestSvd:test_factor_leaves_the_small_singular_values()
  local w <close> = H.two_singular_values()
  local one <close> = w:factor({ rank = 1, values = "f32" })
  local two <close> = w:factor({ rank = 2, values = "f32" })
  lu.assertAlmostEquals(one:error(w), math.sqrt(4 / 40), 1e-6)
  lu.assertTrue(two:error(w) < 1e-6)
  local again <close> = w:factor({ rank = 1, values = "f32" })
  lu.assertEquals(again:dense():string(), one:dense():string())
end

-- Only the third column counts: one factor is enough for it.
function TestSvd:test_columns_count_by_their_importance()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 3 }, { 9, 7, 1, -8, 9, 2 }))
  local importance <close> = native.tensor.from("f32", { 3 }, { 0, 1e-8, 4 })
  local f <close> = w:factor({ rank = 1, stats = importance })
  local values = f:dense():table()
  lu.assertAlmostEquals(values[3], 1, 1e-3)
  lu.assertAlmostEquals(values[6], 2, 1e-3)
  local plain <close> = w:factor({ rank = 1 })
  lu.assertTrue(f:error(w, importance) < 1e-3)
  lu.assertTrue(plain:error(w, importance) > 0.1)
end

-- r (m + k) <= keep m k
function TestSvd:test_the_rank_follows_from_the_numbers_to_keep()
  local w <close> = H.weight(64, 96)
  local half <close> = w:factor()
  local tenth <close> = w:factor({ keep = 0.1 })
  lu.assertEquals(half:describe(), "lowrank 19 f16") -- 19.2
  lu.assertEquals(tenth:describe(), "lowrank 3 f16") -- 3.84
  local least <close> = w:factor({ keep = 0 })
  lu.assertEquals(least:describe(), "lowrank 1 f16")
end

function TestSvd:test_factors_are_stored_as_asked()
  local w <close> = H.weight(64, 96)
  local whole <close> = w:factor({ rank = 8, values = "f32" })
  for values, bytes in pairs({ f32 = 4 * 8 * 160, f16 = 2 * 8 * 160, bf16 = 2 * 8 * 160,
    int8 = 8 * 160 + 2 * (64 + 8 * 2), int4 = 4 * 160 + 2 * (64 + 8 * 2) }) do
    local f <close> = w:factor({ rank = 8, values = values })
    lu.assertEquals(f:bytes(), bytes)
    lu.assertTrue(f:error(whole) < (values == "int4" and 0.15 or 0.01))
  end
end

-- W = B A of numbers around 1e10: both factors have such numbers, which f16 does not.
function TestSvd:test_numbers_beyond_f16_are_cut()
  local w <close> = 1e20 * H.weight(8, 8)
  local f <close> = w:factor({ rank = 8, values = "f16" })
  f:check_finite()
end

function TestSvd:test_threads_change_nothing()
  local w <close> = H.weight(150, 200)
  local s <close> = H.moments(200, 300)
  local threads = native.core.threads()
  local digests = {}
  for n = 1, 3 do
    native.core.threads(n)
    local f <close> = w:factor({ rank = 12, stats = s })
    digests[n] = native.core.tree_hash(f:dense())
  end
  native.core.threads(threads)
  lu.assertEquals({ digests[2], digests[3] }, { digests[1], digests[1] })
end

function TestSvd:test_what_cannot_be_done_is_refused()
  local w <close> = H.weight(3, 5)
  local s <close> = H.moments(4, 9)
  local short <close> = native.tensor.from("f32", { 1 }, { 4 })
  local negative <close> = native.tensor.from("f32", { 5 }, { 1, 1, -1, 1, 1 })
  for options, message in pairs({
    [{ rank = 4 }] = "svd: rank is 4, expected 1 to 3, the smaller side of w",
    [{ rank = -1 }] = "svd: rank is -1, expected an integer in [0, 1048576]",
    [{ rnak = 1 }] = "did you mean 'rank'",
    [{ rank = 1, stats = short }] = "svd: importance is [1], expected [5] (columns of w)",
    [{ rank = 1, stats = negative }] = "importance: of column 2 is -1",
    [{ rank = 1, stats = s }] = "svd: statistics are of 4 columns, expected 5",
    [{ method = "rtn" }] = "factor: method 'rtn' is of the family quant, expected factor",
  }) do
    lu.assertErrorMsgContains(message, w.factor, w, options)
  end
  local nan <close> = weight.dense(native.tensor.from("f32", { 1, 2 }, { 1, 0 / 0 }))
  lu.assertErrorMsgContains("row 0, column 1", nan.factor, nan, { rank = 1 })
end

os.exit(lu.LuaUnit.run())
