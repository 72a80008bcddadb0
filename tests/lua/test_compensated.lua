-- SPDX-License-Identifier: Apache-2.0
-- The method compensated, and how options name another method.
local linalg = require("vise.linalg")
local lu = require("luaunit")
local method = require("vise.method")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

function H.weight(m, k)
  return weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_compensated"))
end

--- Moments of tokens with a common direction, whose columns differ in size.
function H.moments(n, t)
  local noise = native.core.random_tensor("f32", { t, n }, 2, "test_compensated inputs"):table()
  for i = 0, t - 1 do
    local common = noise[i * n + 1]
    for j = 1, n do
      noise[i * n + j] = (noise[i * n + j] + common) * 0.8 ^ (j % 16)
    end
  end
  return native.stats.moments(n):add(native.tensor.from("f32", { t, n }, noise))
end

TestCompensated = {}

-- I12, QERA-exact: what is left is the tail of the spectrum of (W - Q) L, L L' = H.
function TestCompensated:test_the_loss_is_the_tail_of_the_error_under_the_inputs()
  local w <close> = H.weight(24, 40)
  local s <close> = H.moments(40, 300)
  local q <close> = w:quantize({ bits = 2, group = 20, stats = s })
  local l <close> = assert(linalg.cholesky(s:second()))
  local rest <close> = (w - q):dense():convert("f64")
  local whitened <close> = native.linalg.gemm(rest, l:transpose():convert("f64"))
  local whole <close> = native.linalg.gemm(w:dense():convert("f64"), l:transpose():convert("f64"))
  local norm, tail = 0, 0
  for _, x in ipairs(whole:table()) do
    norm = norm + x * x
  end
  local spectrum = linalg.svd(whitened).s:table()
  for r = #spectrum, 1, -1 do
    local c <close> = w:factor({ method = "compensated", rank = r, bits = 2, group = 20, stats = s,
      factors = "f32" })
    lu.assertAlmostEquals(c:error(w, s) ^ 2, tail / norm, 2e-7 + 1e-3 * tail / norm)
    tail = tail + spectrum[r] ^ 2
  end
end

function TestCompensated:test_without_statistics_it_is_the_base_and_a_plain_product()
  local w <close> = H.weight(20, 64)
  local q <close> = w:quantize({ bits = 3, group = 32 })
  local c <close> = w:factor({ method = "compensated", rank = 4, bits = 3, group = 32 })
  local by_hand <close> = q + (w - q):factor({ rank = 4 })
  lu.assertEquals(c:describe(), "sum(int3/g32, lowrank 4 f16)")
  lu.assertEquals(c:dense():string(), by_hand:dense():string())
end

-- The base may be any method that is not itself made of factors; a search it does not have is no
-- reason to refuse the statistics.
function TestCompensated:test_any_other_method_may_be_the_base()
  local w <close> = H.weight(20, 64)
  local s <close> = H.moments(64, 100)
  for _, options in ipairs({
    { base = "kmeans", bits = 2 }, { base = "rtn", format = "nf4" }, { bits = 3, search = "none" },
  }) do
    options.method, options.rank, options.stats = "compensated", 6, s
    local c <close> = w:factor(options)
    local base = { method = options.base or "rtn", bits = options.bits, format = options.format,
      search = options.search }
    local q <close> = options.base == "kmeans" and w:share(base) or w:quantize(base)
    lu.assertTrue(c:error(w, s) < 0.9 * q:error(w, s))
  end
end

function TestCompensated:test_options_are_those_of_the_method_that_is_named()
  local resolved = method.resolve("compensated", { base = "rtn", format = "nf4", rank = 4 })
  lu.assertEquals(resolved.base, "rtn")
  lu.assertEquals(resolved.format, "nf4")
  lu.assertNil(resolved.bits)
  lu.assertEquals(method.resolve("compensated", { base = "kmeans" }).per, "row")
  local name, options = method.inner("compensated", method.resolve("compensated", { bits = 3 }))
  lu.assertEquals({ name, options }, { "rtn", method.resolve("rtn", { bits = 3 }) })
end

function TestCompensated:test_what_cannot_be_done_is_refused()
  for options, message in pairs({
    [{ rank = 7 }] = "svd: rank is 7, expected 1 to 6, the smaller side of w",
    [{ rank = 0 }] = "compensated: rank is 0, expected an integer in [1, 1048576]",
    [{ base = "svd" }] = "compensated: base is 'svd', expected one of",
    [{ base = "compensated" }] = "compensated: base is 'compensated', expected one of",
    [{ bits = 7 }] = "compensated: bits is 7, expected one of 2, 3, 4, 5, 6, 8",
    [{ format = "in" }] = "compensated: unknown format 'in' (did you mean 'int'?",
    [{ base = "kmeans", format = "int" }] = "compensated: unknown option 'format'",
    [{ rank = 2, format = "q4_k" }] = "blocks of 256",
  }) do
    lu.assertErrorMsgContains(message, method.check, "compensated", 6, 40, options)
  end
end

function TestCompensated:test_needs_are_those_of_the_method_that_is_named_too()
  method.register({
    name = "needy", family = "quant", summary = "s", source = "none", version = 1, scope = "weight",
    needs = { "gradients" }, is_exact = true, params = {}, run = function(w)
      return w
    end,
  })
  local options = method.resolve("compensated", { base = "needy", rank = 1 })
  lu.assertEquals(method.needs("compensated", options), { "gradients" })
  lu.assertTrue(method.wants("compensated", "gradients", options))
  lu.assertFalse(method.wants("compensated", "gradients", method.resolve("compensated")))
  lu.assertErrorMsgContains("compensated: needs gradients", method.check, "compensated", 3, 4,
    options)
end

--- What qronos leaves is no error of the weight: it makes up for the inputs that have changed.
function TestCompensated:test_a_method_that_follows_drift_is_no_base()
  lu.assertErrorMsgContains("base is 'qronos', expected one of", method.resolve, "compensated",
    { base = "qronos" })
  lu.assertErrorMsgContains("rounding is 'qronos', expected one of", method.resolve, "outliers",
    { rounding = "qronos" })
end

os.exit(lu.LuaUnit.run())
