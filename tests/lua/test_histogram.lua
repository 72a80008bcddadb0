-- SPDX-License-Identifier: Apache-2.0
--- Histograms of weights, against counts made by hand.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

TestHistogram = {}

local function dense(shape, values)
  return weight.dense(native.tensor.from("f32", shape, values))
end

function TestHistogram:test_counts_edges_and_sums()
  local h = dense({ 2, 4 }, { 0, 1, 1, 2, 3, 4, 4, 1 }):histogram({ bins = 4 })

  lu.assertEquals(h.edges, { 0, 1, 2, 3, 4 })
  lu.assertEquals(h.counts, { 1, 3, 1, 3 }) -- 4 is the edge of the last bin, and in it
  lu.assertEquals({ h.low, h.high, h.mean, h.total }, { 0, 4, 2, 8 })
  lu.assertAlmostEquals(h.deviation, math.sqrt((4 + 1 + 1 + 0 + 1 + 4 + 4 + 1) / 8), 1e-12)
end

function TestHistogram:test_a_weight_read_in_several_chunks_counts_every_number_once()
  local k, values = 40000, {}
  for i = 1, 5 * k do
    values[i] = i % 10
  end
  local h = dense({ 5, k }, values):histogram({ bins = 10 })

  for i = 1, 10 do
    lu.assertEquals(h.counts[i], 5 * k / 10)
  end
end

function TestHistogram:test_it_prints_bars_in_proportion()
  local lines = {}
  for line in (tostring(dense({ 1, 6 }, { 0, 0, 0, 0, 1, 1 }):histogram({ bins = 2 })) .. "\n")
    :gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end

  lu.assertEquals(#lines, 3)
  lu.assertEquals(#lines[1]:match("#+"), 2 * #lines[2]:match("#+"))
  lu.assertStrContains(lines[3], "6 numbers from 0 to 1, mean 0.3333")
end

function TestHistogram:test_equal_numbers_are_one_bin()
  lu.assertEquals(dense({ 1, 3 }, { 2, 2, 2 }):histogram({ bins = 2 }).counts, { 3, 0 })
end

function TestHistogram:test_what_is_wrong_is_refused()
  local w = dense({ 1, 2 }, { 0 / 0, 1 })
  lu.assertErrorMsgContains("row 0", w.histogram, w)
  lu.assertErrorMsgContains("unknown option 'bin' (did you mean 'bins'?", w.histogram, w,
    { bin = 2 })
  lu.assertErrorMsgContains("histogram: options are 8, expected a table", w.histogram, w, 8)
  lu.assertErrorMsgContains("quantize: options are 'rtn', expected a table such as { method =",
    w.quantize, w, "rtn")
  lu.assertErrorMsgContains("error: the original is 3, expected a weight: q:error(w)",
    w.error, w, 3)
end

os.exit(lu.LuaUnit.run())
