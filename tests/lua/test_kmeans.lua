-- SPDX-License-Identifier: Apache-2.0
-- The method kmeans; tests/c/test_linalg_kmeans.c judges the solver.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

function H.weight(m, k)
  return weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_kmeans"))
end

TestKmeans = {}

function TestKmeans:test_codes_and_tables_are_all_that_is_stored()
  local w <close> = H.weight(16, 300)
  for _, case in ipairs({
    { { bits = 3 }, "codebook 8/row", 16 * 113 + 16 * 8 * 2 },
    { { bits = 4, per = "tensor", values = "f32" }, "codebook 16/tensor", 16 * 150 + 16 * 4 },
    { { bits = 2, per = "group", group = 128 }, "codebook 4/g128", 16 * 75 + 16 * 3 * 4 * 2 },
  }) do
    local q <close> = w:share(case[1])
    lu.assertEquals(q:describe(), case[2])
    lu.assertEquals(q:bytes(), case[3])
  end
end

-- Lloyd-Max for normal numbers: 0.3634, 0.1175, 0.03454, 0.009497 of the variance are lost. A table
-- for a whole tensor of so many numbers has learned little more than that.
function TestKmeans:test_one_table_comes_to_the_quantizer_of_normal_numbers()
  local w <close> = H.weight(256, 1024)
  for bits, expected in ipairs({ 0.3634, 0.1175, 0.03454, 0.009497 }) do
    local q <close> = w:share({ bits = bits, per = "tensor" })
    lu.assertAlmostEquals(q:error(w) ^ 2 / expected, 1, 0.01)
  end
end

-- 65536 numbers are solved as they are, one row more by bins.
function TestKmeans:test_bins_cost_next_to_nothing()
  local w <close> = H.weight(65, 1024)
  local first <close> = weight.dense(w:dense():narrow(1, 1, 64):convert("f32"))
  for _, bits in ipairs({ 2, 5, 8 }) do
    local exact <close> = first:share({ bits = bits, per = "tensor", values = "f32" })
    local binned <close> = w:share({ bits = bits, per = "tensor", values = "f32" })
    lu.assertAlmostEquals(binned:error(w) / exact:error(first), 1, bits == 8 and 0.03 or 0.01)
  end
end

function TestKmeans:test_smaller_tables_fit_better()
  local w <close> = H.weight(32, 512)
  local before = math.huge
  for _, options in ipairs({ { per = "tensor" }, { per = "row" },
    { per = "group", group = 64 } }) do
    options.bits = 3
    local q <close> = w:share(options)
    lu.assertTrue(q:error(w) < before)
    before = q:error(w)
  end
end

-- A weight that has no more than 2^bits values is kept, whatever they are in f32.
function TestKmeans:test_few_values_are_kept()
  local few = weight.dense(native.tensor.from("f32", { 2, 4 }, { 1, -2, 0.1, 1, 5, 5, 5, 7 }))
  local q <close> = few:share({ bits = 2, values = "f32" })
  lu.assertEquals(q:dense():string(), few:dense():string())
end

-- Two values, the error of one of which does not count.
function TestKmeans:test_columns_count_by_their_importance()
  local w <close> = weight.dense(native.tensor.from("f32", { 1, 4 }, { 0, 1, 10, 12 }))
  local importance <close> = native.tensor.from("f32", { 4 }, { 1, 1, 0, 0 })
  local q <close> = w:share({ bits = 1, values = "f32", stats = importance })
  local values = q:dense():table()
  lu.assertAlmostEquals(values[1], 0, 1e-3)
  lu.assertTrue(values[2] == values[3] or values[2] > 0.9)
  lu.assertTrue(q:error(w, importance) < 1e-2)
end

function TestKmeans:test_what_cannot_be_done_is_refused()
  local w <close> = H.weight(3, 5)
  for options, message in pairs({
    [{ bits = 9 }] = "kmeans: bits is 9, expected an integer in [1, 8]",
    [{ per = "column" }] = "kmeans: per is 'column', expected one of tensor, row, group",
    [{ method = "svd" }] = "share: method 'svd' is of the family factor, expected share",
  }) do
    lu.assertErrorMsgContains(message, w.share, w, options)
  end
end

os.exit(lu.LuaUnit.run())
