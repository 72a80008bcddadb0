-- SPDX-License-Identifier: Apache-2.0
-- The method outliers.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

--- Normal numbers, every 101st of them 30 times as great.
function H.weight(m, k)
  local values = native.core.random_tensor("f32", { m, k }, 1, "test_outliers"):table()
  for i = 1, #values, 101 do
    values[i] = values[i] * 30
  end
  return weight.dense(native.tensor.from("f32", { m, k }, values))
end

TestOutliers = {}

function TestOutliers:test_the_greatest_weights_are_kept_and_the_others_rounded()
  local w <close> = H.weight(64, 256)
  local q <close> = w:quantize({ method = "outliers", fraction = 0.01, bits = 3 })
  local tree = q:tree()
  lu.assertEquals(tree.kind, "sum")
  lu.assertEquals({ tree.children[1].kind, tree.children[2].kind }, { "quant", "sparse" })
  local is, was = q:dense():table(), w:dense():table()
  local sizes = {}
  for i, x in ipairs(was) do
    sizes[i] = math.abs(x)
  end
  table.sort(sizes)
  local limit = sizes[#sizes - 150] -- of 163 that are set apart
  for i, x in ipairs(was) do
    if math.abs(x) > limit then
      lu.assertAlmostEquals(is[i] / x, 1, 0.02)
    end
  end
end

-- What another method makes of the 0 that it gets at those places need not be 0.
function TestOutliers:test_the_greatest_weights_are_exact_beside_any_table()
  local w <close> = H.weight(64, 256)
  for _, options in ipairs({ { rounding = "kmeans", bits = 2 }, { format = "ternary" } }) do
    options.method, options.fraction = "outliers", 0.01
    local q <close> = w:quantize(options)
    local is, was = q:dense():table(), w:dense():table()
    for i = 1, #was, 101 do
      if math.abs(was[i]) > 30 then
        lu.assertAlmostEquals(is[i] / was[i], 1, 2 ^ -10)
      end
    end
  end
end

-- One per cent of such numbers have most of the range, and cost half a bit a weight here.
function TestOutliers:test_outliers_cost_less_than_the_bits_they_save()
  local w <close> = H.weight(64, 256)
  for _, options in ipairs({ { bits = 3, per = "row" }, { rounding = "kmeans", bits = 3 },
    { format = "nf4", group = 64 } }) do
    options.method, options.fraction = "outliers", 0.01
    local apart <close> = w:quantize(options)
    options.method, options.fraction = options.rounding or "rtn", nil
    options.rounding = nil
    local whole <close> = options.method == "kmeans" and w:share(options) or w:quantize(options)
    lu.assertTrue(apart:error(w) < 0.8 * whole:error(w))
    lu.assertTrue(apart:bytes() < whole:bytes() + 64 * 256 * 0.07)
  end
end

function TestOutliers:test_what_cannot_be_done_is_refused()
  local w <close> = H.weight(4, 40)
  for options, message in pairs({
    [{ fraction = 0 }] = "outliers: fraction is 0, expected a number in [0.001, 0.5]",
    [{ rounding = "svd" }] = "outliers: rounding is 'svd', expected one of",
    [{ rounding = "gptq" }] = "outliers: needs statistics of the inputs",
  }) do
    options.method = "outliers"
    lu.assertErrorMsgContains(message, w.quantize, w, options)
  end
end

os.exit(lu.LuaUnit.run())
