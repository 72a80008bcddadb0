-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local native = require("vise.native")
require("vise.weight")

local H = {}

function H.weight(m, k)
  return native.weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_prune"))
end

--- Of inputs with much in common.
function H.moments(k, tokens)
  local mix <close> = native.core.random_tensor("f32", { k, k }, 2, "test_prune")
  local raw <close> = native.core.random_tensor("f32", { tokens, k }, 3, "test_prune")
  local x <close> = native.linalg.gemm(raw, mix)
  local s = native.stats.moments(k)
  s:add(x)
  return s
end

TestPrune = {}

function TestPrune:test_prune_without_statistics_is_by_magnitude()
  local w <close> = H.weight(4, 10)

  local p <close> = w:prune({ sparsity = 0.3 })

  local before, after = w:dense():table(), p:dense():table()
  for i = 0, 3 do
    local row, kept = {}, {}
    for j = 1, 10 do
      row[j] = { math.abs(before[i * 10 + j]), after[i * 10 + j] ~= 0 }
    end
    table.sort(row, function(a, b) return a[1] < b[1] end)
    for j = 1, 10 do
      kept[j] = row[j][2]
    end
    lu.assertEquals(kept, { false, false, false, true, true, true, true, true, true, true })
  end
end

function TestPrune:test_prune_with_statistics_is_wandas_and_a_refit_loses_less()
  local w <close> = H.weight(32, 64)
  local s = H.moments(64, 400)

  local plain <close> = w:prune({ sparsity = 0.5, stats = s })
  local refit <close> = w:prune({ sparsity = 0.5, stats = s, refit = true })
  local magnitude <close> = w:prune({ sparsity = 0.5, method = "magnitude" })

  lu.assertTrue(plain:error(w, s) < magnitude:error(w, s))
  lu.assertTrue(refit:error(w, s) < 0.8 * plain:error(w, s))
end

function TestPrune:test_a_pattern_is_stored_as_such()
  local w <close> = H.weight(16, 64)
  local nm <close> = w:prune({ pattern = "2:4", values = "bf16" })
  local blocks <close> = w:prune({ pattern = "16x4", values = "f16", sparsity = 0.75 })
  lu.assertStrContains(nm:describe(), "2:4")
  lu.assertStrContains(blocks:describe(), "16x4")
end

function TestPrune:test_what_a_method_cannot_do_is_an_error()
  local w <close> = H.weight(4, 10)
  lu.assertErrorMsgContains("sparsity is 1, expected a number in [0, 0.999]", w.prune, w,
    { sparsity = 1 })
  lu.assertErrorMsgContains("groups of 4 (2:4) do not divide the 10 columns of w", w.prune, w,
    { pattern = "2:4" })
  lu.assertErrorMsgContains("wanda: needs statistics of the inputs", w.prune, w,
    { method = "wanda" })
  lu.assertErrorMsgContains("refit: needs statistics of the inputs", w.prune, w, { refit = true })
  lu.assertErrorMsgContains("method 'rtn' is of the family quant, expected prune", w.prune, w,
    { method = "rtn" })
end

os.exit(lu.LuaUnit.run())
