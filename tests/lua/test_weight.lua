-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

function H.weight(m, k)
  return weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_weight"))
end

TestWeight = {}

function TestWeight:test_dense_shares_the_tensor()
  local t <close> = native.tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 })
  local w <close> = weight.dense(t)
  lu.assertEquals(w:shape(), { 2, 3 })
  lu.assertEquals(w:kind(), "dense")
  lu.assertEquals(w:bytes(), 24)
  lu.assertEquals(w:tensor():table(), { 1, 2, 3, 4, 5, 6 })
  lu.assertEquals(tostring(w), "vise.weight f32 [2, 3] 32 bpw 24 B")
end

function TestWeight:test_dense_refuses_integers_and_vectors()
  local integers <close> = native.tensor.zeros("i32", { 2, 2 })
  local vector <close> = native.tensor.zeros("f32", { 4 })
  lu.assertErrorMsgContains("weight: tensor is i32, expected a float type", weight.dense, integers)
  local message = "weight: tensor is [4], expected a contiguous matrix"
  lu.assertErrorMsgContains(message, weight.dense, vector)
end

function TestWeight:test_matmul_of_a_case_worked_by_hand()
  local w <close> = weight.dense(native.tensor.from("bf16", { 2, 3 }, { 1, 2, 3, 4, 5, 6 }))
  local x <close> = native.tensor.from("f32", { 2, 3 }, { 1, 1, 1, 1, 0, -1 })
  lu.assertEquals(w:matmul(x):table(), { 6, 15, -2, -2 })
  local wrong <close> = native.tensor.zeros("f32", { 2, 4 })
  local message = "matmul: x is [2, 4], expected [2, 3] (columns of w)"
  lu.assertErrorMsgContains(message, w.matmul, w, wrong)
end

function TestWeight:test_rows_take_ids_from_zero()
  local w <close> = weight.dense(native.tensor.from("f32", { 3, 2 }, { 1, 2, 3, 4, 5, 6 }))
  local ids <close> = native.tensor.from("i32", { 2 }, { 2, 0 })
  lu.assertEquals(w:rows(ids):table(), { 5, 6, 1, 2 })
  local bad <close> = native.tensor.from("i32", { 2 }, { 2, 3 })
  lu.assertErrorMsgContains("weight: id 1 is 3, expected 0 to 2", w.rows, w, bad)
end

function TestWeight:test_quantize_counts_every_stored_byte()
  local w <close> = H.weight(16, 172)
  local q <close> = w:quantize({ bits = 3, group = 64 })
  -- 172 columns: 65 bytes of 3-bit codes and three groups of an f16 scale in each row
  lu.assertEquals(q:bytes(), 16 * (65 + 3 * 2))
  lu.assertEquals(q:describe(), "int3/g64")
  local tree = q:tree()
  lu.assertEquals(tree.attributes, {
    format = "int", bits = 3, per = "group", group = 64, symmetric = 1, scale = "f16",
  })
  lu.assertEquals(tree.parts.codes:shape(), { 16, 65 })
  lu.assertEquals(tree.parts.scales:shape(), { 16, 3 })
end

-- The values of a weight of the format int, computed from its tree as share/doc/weights.md says.
function H.decode_by_the_book(tree)
  local a, codes = tree.attributes, tree.parts.codes:string()
  local group = a.per == "group" and a.group or tree.k
  local groups = (tree.k + group - 1) // group
  local row_bytes = (tree.k * a.bits + 7) // 8
  local scales = tree.parts.scales:convert("f32"):table()
  local zeros = tree.parts.zeros and tree.parts.zeros:table()
  local values = {}
  for i = 0, tree.m - 1 do
    for j = 0, tree.k - 1 do
      local code = 0
      for bit = 0, a.bits - 1 do
        local at = j * a.bits + bit
        code = code | (codes:byte(i * row_bytes + at // 8 + 1) >> (at % 8) & 1) << bit
      end
      local g = (a.per == "tensor" and 0 or i * groups) + j // group + 1
      local zero = zeros and zeros[g] or 1 << (a.bits - 1)
      values[#values + 1] = string.unpack("<f", string.pack("<f", (code - zero) * scales[g]))
    end
  end
  return values
end

function TestWeight:test_values_are_those_of_the_written_format()
  local w <close> = H.weight(5, 172)
  for _, bits in ipairs({ 2, 3, 4, 5, 6, 8 }) do
    for i, per in ipairs({ "group", "row", "tensor" }) do
      local q <close> = w:quantize({
        bits = bits, per = per, group = 48, symmetric = (bits + i) % 2 == 0,
        scale = ({ "f16", "bf16", "f32" })[i],
      })
      lu.assertEquals(q:dense():table(), H.decode_by_the_book(q:tree()))
    end
  end
end

-- The rule of share/doc/weights.md for plain symmetric codes, in f32 by way of string.pack.
function TestWeight:test_plain_codes_are_those_of_the_written_rule()
  local function f32(x)
    return (string.unpack("<f", string.pack("<f", x)))
  end
  local w <close> = H.weight(3, 100)
  local q <close> = w:quantize({ bits = 4, group = 32, search = "none", scale = "f32" })
  local x, got = w:dense():table(), q:dense():table()
  for row = 0, 2 do
    for first = 0, 99, 32 do
      local low, high = 0, 0
      local last = math.min(first + 31, 99)
      for j = first, last do
        low, high = math.min(low, x[row * 100 + j + 1]), math.max(high, x[row * 100 + j + 1])
      end
      local s = f32((-low >= high and low or high) / -8)
      local r = f32(1 / s)
      for j = first, last do
        local t = math.max(-8, math.min(7, f32(x[row * 100 + j + 1] * r)))
        local code = math.floor(t + 0.5)
        if t + 0.5 == code and code % 2 ~= 0 then
          code = code - 1 -- a tie goes to the even one
        end
        lu.assertEquals(got[row * 100 + j + 1], f32(code * s) + 0.0)
      end
    end
  end
end

function TestWeight:test_error_falls_as_bits_grow()
  local w <close> = H.weight(32, 256)
  local last = math.huge
  for _, bits in ipairs({ 2, 3, 4, 5, 6, 8 }) do
    local q <close> = w:quantize({ bits = bits })
    local e = q:error(w)
    lu.assertTrue(e < 0.6 * last)
    last = e
  end
  lu.assertEquals(w:error(w), 0.0)
end

function TestWeight:test_error_of_a_case_worked_by_hand()
  local a <close> = weight.dense(native.tensor.from("f32", { 1, 2 }, { 3, 4 }))
  local b <close> = weight.dense(native.tensor.from("f32", { 1, 2 }, { 3, 3 }))
  lu.assertEquals(b:error(a), 0.2) -- |(0, 1)| / |(3, 4)|
end

function TestWeight:test_quantize_refuses_what_it_does_not_know()
  local w <close> = H.weight(2, 4)
  lu.assertErrorMsgContains("did you mean 'bits'", w.quantize, w, { bitz = 4 })
  lu.assertErrorMsgContains("unknown method 'gtpq'", w.quantize, w, { method = "gtpq" })
end

function TestWeight:test_nan_is_refused_with_its_place()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 0 / 0, 6 }))
  lu.assertErrorMsgContains("w: row 1, column 1 (from 0) is", w.quantize, w)
  lu.assertErrorMsgContains("expected a finite number", w.check_finite, w)
end

function TestWeight:test_a_closed_weight_says_so()
  local w = H.weight(2, 4)
  w:close()
  w:close()
  lu.assertErrorMsgContains("weight is closed", w.shape, w)
  lu.assertEquals(tostring(w), "vise.weight (closed)")
end

-- design.md: C = Q + (W - Q):factor{...}; here the factor comes from the test.
function TestWeight:test_operators_compose_without_copying()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 }))
  local b <close> = weight.dense(native.tensor.from("f32", { 2, 1 }, { 1, -1 }))
  local a <close> = weight.dense(native.tensor.from("f16", { 1, 3 }, { 1, 0, 2 }))
  local product <close> = b * a
  lu.assertEquals(product:dense():table(), { 1, 0, 2, -1, 0, -2 })
  lu.assertEquals(product:describe(), "lowrank 1 (f32, f16)")
  lu.assertEquals(product:bytes(), 2 * 4 + 3 * 2)
  local sum <close> = w + product + 0.5 * w
  lu.assertEquals(sum:kind(), "sum")
  lu.assertEquals(#sum:tree().children, 3)
  lu.assertEquals(sum:dense():table(), { 2.5, 3, 6.5, 5, 7.5, 7 })
  lu.assertEquals((w - w):dense():table(), { 0, 0, 0, 0, 0, 0 })
  lu.assertEquals((w * -2):dense():table(), { -2, -4, -6, -8, -10, -12 })
  lu.assertEquals((-w):matmul_t(native.tensor.from("f32", { 1, 2 }, { 1, 2 })):table(),
    { -9, -12, -15 })
  lu.assertEquals(tostring(sum),
    "vise.weight sum(f32, lowrank 1 (f32, f16), scaled(f32)) [2, 3] 88 bpw 66 B")
  lu.assertErrorMsgContains("sum: term 2 is [2, 1], expected [2, 3] as term 1", function()
    return w + b
  end)
  lu.assertErrorMsgContains("expected as many columns of b as rows of a", function()
    return a * w
  end)
  lu.assertErrorMsgContains("vise.weight expected", function()
    return w + 1
  end)
end

function TestWeight:test_the_remainder_restores_the_weight()
  local w <close> = H.weight(9, 130)
  local q <close> = w:quantize({ bits = 3 })
  local c <close> = q + (w - q)
  lu.assertTrue(c:error(w) < 1e-7)
  local again <close> = (w - q):quantize({ bits = 8 }) -- made of weights: expanded first
  lu.assertTrue((q + again):error(w) < 0.01 * q:error(w))
end

function TestWeight:test_scaled_is_a_diagonal_on_either_side()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 }))
  local left <close> = native.tensor.from("bf16", { 2 }, { 1, 10 })
  local right <close> = native.tensor.from("f32", { 3 }, { 1, 0, -1 })
  local s <close> = weight.scaled(w, { left = left, right = right })
  lu.assertEquals(s:dense():table(), { 1, 0, -3, 40, 0, -60 })
  lu.assertEquals(s:bytes(), 24 + 4 + 12)
  lu.assertErrorMsgContains("did you mean 'left'", weight.scaled, w, { lefd = left })
  lu.assertErrorMsgContains("has neither left nor right", weight.scaled, w, {})
  lu.assertErrorMsgContains("left is number, expected a tensor", weight.scaled, w, { left = 2 })
  lu.assertErrorMsgContains("left is [3], expected [2]", weight.scaled, w, { left = right })
end

function TestWeight:test_sparse_counts_what_each_layout_stores()
  local t <close> = native.tensor.from("f32", { 2, 8 }, {
    1, 0, 0, 2, 0, 0, 0, 0,
    0, 0, 0, 0, 3, 0, -4, 0,
  })
  local dense <close> = weight.dense(t)
  local values = 256 * 2 -- f16: four numbers, made up to a row of 256
  for _, case in ipairs({
    { { layout = "csr" }, 3 * 4 + 4 * 2, "csr f16" },
    { { layout = "bitmask" }, 2, "bitmask f16" },
    { { layout = "nm", n = 2, m = 4 }, 2 * 1, "2:4 f16" }, -- two codes of 3 bits a row
    { { layout = "nm", n = 1, m = 3 }, nil },
    { { layout = "block", block = { 2, 4 } }, 2 * 4 + 2 * 2, "block2x4 f16" },
  }) do
    local options, positions, text = table.unpack(case)
    options.values = "f16"
    if positions == nil then
      lu.assertErrorMsgContains("row 0, columns 0 to 2 (from 0) have more than 1", function()
        weight.sparse(weight.dense(native.tensor.from("f32", { 1, 3 }, { 1, 2, 0 })), options)
      end)
    else
      local s <close> = weight.sparse(t, options)
      lu.assertEquals(s:bytes(), positions + values)
      lu.assertEquals(s:describe(), text)
      lu.assertEquals(s:error(dense), 0.0)
    end
  end
end

function TestWeight:test_values_of_sparse_may_be_quantized()
  local w <close> = H.weight(16, 96)
  local q <close> = weight.sparse(w, { layout = "bitmask", values = "int8" })
  lu.assertEquals(q:describe(), "bitmask int8/g64")
  lu.assertEquals(q:bytes(), 16 * 12 + 6 * (256 + 8))
  lu.assertTrue(q:error(w) < 0.01)
  local three <close> = weight.sparse(w, { layout = "csr", values = { bits = 3, group = 32 } })
  lu.assertEquals(three:values():describe(), "int3/g32")
  lu.assertNil(w:values())
  lu.assertErrorMsgContains("values are dense [16, 96], expected [6, 256]", q.with_values, q, w)
  lu.assertErrorMsgContains("weight is not sparse", w.with_values, w, q)
end

function TestWeight:test_sparse_refuses_options_that_do_not_belong()
  local w <close> = H.weight(2, 4)
  lu.assertErrorMsgContains("layout is 'csc', expected one of: csr, bitmask, nm, block",
    weight.sparse, w, { layout = "csc" })
  lu.assertErrorMsgContains("layout 'csr' and n, m do not go together", weight.sparse, w,
    { layout = "csr", n = 1, m = 2 })
  lu.assertErrorMsgContains("did you mean 'layout'", weight.sparse, w, { layuot = "csr" })
  lu.assertErrorMsgContains("block is 0 x 4, expected 1 to 256 each way", weight.sparse, w,
    { layout = "block", block = { 0, 4 } })
end

function TestWeight:test_input_rounds_activations_to_8_bits()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 2 }, { 1, 0, 0, 1 }))
  local x <close> = native.tensor.from("f32", { 2, 2 }, { 127, 1.4, -1, 0.5 })
  local token <close> = weight.input(w)
  lu.assertEquals(token:describe(), "input(int8, f32)")
  lu.assertAlmostEquals(token:matmul(x):get(1, 2), 1, 1e-6)
  lu.assertAlmostEquals(token:matmul(x):get(2, 2), 64 / 127, 1e-6) -- 63.5 is halfway, 64 even
  local one <close> = weight.input(w, { format = "fp8", per = "tensor", scale = 0.1 })
  lu.assertEquals(one:describe(), "input(fp8/tensor, f32)")
  lu.assertAlmostEquals(one:matmul(x):get(1, 1), 44.8, 1e-5) -- 448 is the greatest
  lu.assertErrorMsgContains("expected one of: int8, fp8", weight.input, w, { format = "int4" })
  lu.assertErrorMsgContains("do not go together", weight.input, w, { per = "tensor" })
  lu.assertErrorMsgContains("do not go together", weight.input, w, { scale = 1 })
  lu.assertErrorMsgContains("did you mean 'scale'", weight.input, w, { scael = 1 })
end

function TestWeight:test_rotated_turns_either_side()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 4 }, { 1, 2, 3, 4, 5, 6, 7, 8 }))
  local right <close> = weight.rotated(w, { right = 4 })
  lu.assertEquals(right:dense():table(), { 5, -1, -2, 0, 13, -1, -2, 0 })
  lu.assertEquals(right:describe(), "rotated(f32, right 4)")
  lu.assertEquals(right:bytes(), w:bytes())
  local both <close> = weight.rotated(w, { left = true, right = true })
  lu.assertEquals(both:describe(), "rotated(f32, left 2, right 4)")
  local back <close> = weight.rotated(both, { left = true, right = true })
  lu.assertTrue(back:error(w) < 1e-6)
  lu.assertErrorMsgContains("right is 3, expected 0 or an order that divides the 4 columns",
    weight.rotated, w, { right = 3 })
  lu.assertErrorMsgContains("has neither left nor right", weight.rotated, w, {})
end

function TestWeight:test_codebook_of_cases_worked_by_hand()
  local indices <close> = native.tensor.from("u8", { 2, 2 }, { 3, 0, 1, 2 })
  local scalars <close> = native.tensor.from("f16", { 1, 4, 1 }, { -1, 0, 0.5, 2 })
  local w <close> = weight.codebook(indices, scalars)
  lu.assertEquals(w:dense():table(), { 2, -1, 0, 0.5 })
  lu.assertEquals(w:describe(), "codebook 4/tensor")
  lu.assertEquals(w:bytes(), 2 * 1 + 4 * 2)
  local pairs_of <close> = native.tensor.from("f32", { 2, 4, 2 },
    { 1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 30, 40, 50, 60, 70, 80 })
  local rows <close> = weight.codebook(indices, pairs_of, { per = "row", k = 3 })
  lu.assertEquals(rows:dense():table(), { 7, 8, 1, 30, 40, 50 })
  local places <close> = weight.codebook(indices, pairs_of, { per = "column" })
  lu.assertEquals(places:dense():table(), { 7, 8, 10, 20, 3, 4, 50, 60 })
  lu.assertEquals(places:describe(), "codebook 4x2/column")
  lu.assertErrorMsgContains("expected 4 tables", weight.codebook, indices, pairs_of,
    { per = "group", group = 2 })
  lu.assertErrorMsgContains("did you mean 'group'", weight.codebook, indices, pairs_of,
    { grup = 2 })
end

function TestWeight:test_sum_takes_a_list_of_weights()
  local w <close> = H.weight(2, 4)
  lu.assertEquals(weight.sum({ w, w, w }):matmul(native.tensor.from("f32", { 1, 4 },
    { 0, 0, 0, 0 })):table(), { 0, 0 })
  lu.assertErrorMsgContains("expected 1 to 64 weights", weight.sum, {})
  lu.assertErrorMsgContains("sum: term 2 is string, expected a weight", weight.sum, { w, "w" })
  local closed = H.weight(2, 4)
  closed:close()
  lu.assertErrorMsgContains("sum: term 1 is closed, expected a weight", weight.sum, { closed })
end

function TestWeight:test_error_under_importance_of_a_case_worked_by_hand()
  local a <close> = weight.dense(native.tensor.from("f32", { 1, 2 }, { 3, 4 }))
  local b <close> = weight.dense(native.tensor.from("f32", { 1, 2 }, { 2, 3 }))
  local importance <close> = native.tensor.from("f32", { 2 }, { 4, 0 })
  lu.assertEquals(b:error(a, importance), 1 / 3)
  local short <close> = native.tensor.from("f32", { 1 }, { 4 })
  lu.assertErrorMsgContains("importance: is [1], expected [2]", b.error, b, a, short)
end

-- The lines of design.md, section 1.
function TestWeight:test_what_quantizing_lost_comes_back_in_part_by_factors()
  local w <close> = H.weight(64, 96)
  local q <close> = w:quantize({ bits = 3, group = 64 })
  local c <close> = q + (w - q):factor({ rank = 8 })
  lu.assertTrue(c:error(w) < 0.9 * q:error(w))
  local half <close> = w:factor({ rank = 8, values = "f16" })
  lu.assertEquals(half:bytes(), 2 * 8 * (64 + 96))
end

-- The same weight at two places and inside two others: its bytes are in the file once.
function TestWeight:test_a_weight_in_several_places_is_stored_once()
  local path <const> = os.tmpname()
  local w <close> = H.weight(64, 256)
  local q <close> = w:quantize({ bits = 4 })
  local other <close> = weight.lowrank(H.weight(64, 2), H.weight(2, 256))
  local writer = assert(native.artifact.create(path, { coder = "raw" }))
  assert(writer:add_weight("a", q))
  assert(writer:add_weight("b", q + other))
  assert(writer:add_weight("c", 2 * (q + q)))
  assert(writer:commit("{}"))
  local file <close> = assert(native.artifact.open(path))
  local ledger = file:ledger()
  local coded = {}
  for i, row in ipairs(ledger) do
    local again <close> = assert(file:weight(row.name))
    lu.assertEquals(row.packed, again:bytes())
    lu.assertEquals(row.description, again:describe())
    coded[i] = row.coded
  end
  lu.assertEquals(ledger[2].packed, q:bytes() + other:bytes())
  lu.assertEquals(coded, { q:bytes(), other:bytes(), 4 })
  os.remove(path)
end

function TestWeight:test_two_handles_of_one_tensor_are_not_the_same_weight()
  local t <close> = native.tensor.zeros("f32", { 2, 2 })
  local a <close> = weight.dense(t)
  local b <close> = weight.dense(t)
  lu.assertFalse(a == b)
  lu.assertTrue(a == a)
end

os.exit(lu.LuaUnit.run())
