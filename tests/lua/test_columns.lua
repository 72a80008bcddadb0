-- SPDX-License-Identifier: Apache-2.0
-- The methods awq and smoothquant.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

function H.weight(m, k)
  return weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_columns"))
end

--- `t` inputs, of which every 13th column is 20 times as large as the others.
function H.inputs(n, t)
  local x = native.core.random_tensor("f32", { t, n }, 2, "test_columns inputs"):table()
  for i = 1, #x do
    x[i] = x[i] * (i % n % 13 == 0 and 20 or 1)
  end
  return native.tensor.from("f32", { t, n }, x)
end

function H.moments(n, t)
  return native.stats.moments(n):add(H.inputs(n, t))
end

TestColumns = {}

-- AWQ with a = 0 is the rounding itself.
function TestColumns:test_awq_without_scales_is_the_rounding()
  local w <close> = H.weight(20, 64)
  local s <close> = H.moments(64, 100)
  local awq <close> = w:quantize({ method = "awq", steps = 1, bits = 3, group = 32, stats = s })
  local rtn <close> = w:quantize({ bits = 3, group = 32, stats = s })
  lu.assertEquals(awq:describe(), "int3/g32")
  lu.assertEquals(awq:dense():string(), rtn:dense():string())
end

function TestColumns:test_awq_loses_less_than_rounding_where_inputs_differ()
  for _, shape in ipairs({ { 48, 128 }, { 300, 128 } }) do
    local w <close> = H.weight(shape[1], shape[2])
    local s <close> = H.moments(128, 400)
    for _, options in ipairs({ { bits = 3, group = 64 }, { bits = 4, per = "row" },
      { format = "nf4" }, { format = "mxfp4" } }) do
      options.stats = s
      local rtn <close> = w:quantize(options)
      options.method = "awq"
      local awq <close> = w:quantize(options)
      lu.assertTrue(awq:error(w, s) < rtn:error(w, s), awq:describe())
    end
    local plain <close> = w:quantize({ bits = 3, search = "none" })
    local awq <close> = w:quantize({ method = "awq", bits = 3, search = "none", stats = s })
    lu.assertTrue(awq:error(w, s) < 0.75 * plain:error(w, s))
  end
end

-- I7: inputs that are alike in size have s = 1 whatever the power.
function TestColumns:test_awq_does_nothing_for_inputs_of_one_size()
  local n <const> = 16
  local x = {}
  for i = 0, n * n - 1 do
    x[i + 1] = i // n == i % n and 4 or 0
  end
  local s <close> = native.stats.moments(n):add(native.tensor.from("f32", { n, n }, x))
  local w <close> = H.weight(8, n)
  local awq <close> = w:quantize({ method = "awq", bits = 3, stats = s })
  local rtn <close> = w:quantize({ bits = 3, stats = s })
  lu.assertEquals(awq:dense():string(), rtn:dense():string())
end

-- By the definition: |x_j| reaches 4 and 1, |w_j| reaches 1 and 4, so s = (2, 1/2) for alpha = 1/2,
-- in the middle of whose range is 1; all of it is exact in f16.
function TestColumns:test_smoothquant_scales_by_the_ranges_of_both()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 2 }, { 1, 4, -0.5, 2 }))
  local s <close> = native.stats.moments(2)
    :add(native.tensor.from("f32", { 2, 2 }, { 4, 1, 2, -1 }))
  local q <close> = w:quantize({ method = "smoothquant", input = "none", stats = s })
  local tree = q:tree()
  lu.assertEquals(tree.kind, "scaled")
  lu.assertEquals(tree.parts.right:table(), { 0.5, 2 })
  lu.assertEquals(tree.children[1].attributes.bits, 8)
  lu.assertEquals(tree.children[1].attributes.per, "row")
end

-- What the method is for: inputs in 8 bits too.
function TestColumns:test_smooth_inputs_lose_less_in_eight_bits()
  local k <const>, t <const> = 128, 200
  local w <close> = H.weight(64, k)
  local inputs <close> = H.inputs(k, t)
  local s <close> = native.stats.moments(k):add(inputs)
  local expected <close> = weight.dense(w:matmul(inputs))
  local function lost(q)
    local product <close> = weight.dense(q:matmul(inputs))
    return product:error(expected)
  end
  local rounded <close> = w:quantize({ bits = 8, per = "row" })
  for _, per in ipairs({ "token", "tensor" }) do
    local greatest = math.max(table.unpack(s:max_abs():table()))
    local plain <close> = weight.input(rounded, { format = "int8", per = per,
      scale = per == "tensor" and greatest / 127 or nil })
    local smooth <close> = w:quantize({ method = "smoothquant", input_per = per, stats = s })
    lu.assertTrue(lost(smooth) < 0.6 * lost(plain), per)
  end
end

function TestColumns:test_inputs_that_never_occur_are_no_trouble()
  local x = H.inputs(32, 40):table()
  for i = 1, #x do
    x[i] = (i % 32 < 4) and 0 or x[i]
  end
  local s <close> = native.stats.moments(32):add(native.tensor.from("f32", { 40, 32 }, x))
  local none <close> = native.stats.moments(32):add(native.tensor.zeros("f32", { 40, 32 }))
  local w <close> = H.weight(8, 32)
  for _, name in ipairs({ "awq", "smoothquant" }) do
    local q <close> = w:quantize({ method = name, stats = s })
    lu.assertTrue(q:error(w, s) < 0.2)
    local of_none <close> = w:quantize({ method = name, stats = none })
    of_none:check_finite()
  end
end

function TestColumns:test_what_cannot_be_done_is_refused()
  local w <close> = H.weight(4, 40)
  local s <close> = H.moments(40, 50)
  for options, message in pairs({
    [{ method = "awq" }] = "awq: needs statistics of the inputs, which are not given",
    [{ method = "awq", rounding = "awq", stats = s }] = "awq: rounding is 'awq', expected",
    [{ method = "awq", steps = 0, stats = s }] = "awq: steps is 0",
    [{ method = "awq", format = "q4_k", stats = s }] = "blocks of 256",
    [{ method = "smoothquant", alpha = 2, stats = s }] = "smoothquant: alpha is 2",
  }) do
    lu.assertErrorMsgContains(message, w.quantize, w, options)
  end
  local other <close> = H.moments(41, 50)
  lu.assertErrorMsgContains("statistics are of 41 columns, expected 40", w.quantize, w,
    { method = "smoothquant", stats = other })
end

os.exit(lu.LuaUnit.run())
