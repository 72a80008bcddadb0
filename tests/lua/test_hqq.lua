-- SPDX-License-Identifier: Apache-2.0
-- The method hqq.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

--- Student's t with three degrees of freedom: tails as weights have them, and worse.
function H.weight(m, k)
  local values = native.core.random_tensor("f32", { m, k }, 1, "test_hqq"):table()
  local others = native.core.random_tensor("f32", { 3, m * k }, 1, "test_hqq others"):table()
  for i, x in ipairs(values) do
    local square = others[i] ^ 2 + others[m * k + i] ^ 2 + others[2 * m * k + i] ^ 2
    values[i] = x / math.sqrt(square / 3)
  end
  return weight.dense(native.tensor.from("f32", { m, k }, values))
end

--- The sum of |a - b|^(3/4) / mean |b|^(3/4) of each group of 64, over all groups.
function H.lost(a, b)
  local x, y = a:dense():table(), b:dense():table()
  local sum = 0
  for first = 1, #y, 64 do
    local unit = 0
    for i = first, first + 63 do
      unit = unit + math.abs(y[i]) / 64
    end
    for i = first, first + 63 do
      sum = sum + (math.abs(x[i] - y[i]) / unit) ^ 0.75
    end
  end
  return sum
end

TestHqq = {}

function TestHqq:test_less_is_lost_of_the_power_that_it_is_for()
  local w <close> = H.weight(32, 256)
  for _, bits in ipairs({ 2, 3, 4, 8 }) do
    local rtn <close> = w:quantize({ bits = bits, symmetric = false })
    local hqq <close> = w:quantize({ method = "hqq", bits = bits })
    lu.assertEquals(hqq:describe(), rtn:describe())
    local ratio = H.lost(hqq, w) / H.lost(rtn, w)
    lu.assertTrue(ratio <= (bits <= 3 and 0.97 or 1), ("%d bits: %g"):format(bits, ratio))
    lu.assertTrue(bits > 4 or hqq:error(w) > rtn:error(w)) -- what that is bought with
  end
end

-- I9
function TestHqq:test_a_power_of_two_goes_through()
  local w <close> = H.weight(8, 130)
  local doubled <close> = weight.dense((4 * w):dense())
  local q <close> = w:quantize({ method = "hqq", bits = 3 })
  local q4 <close> = doubled:quantize({ method = "hqq", bits = 3 })
  lu.assertEquals(q4:dense():string(), (4 * q):dense():string())
end

function TestHqq:test_what_cannot_be_done_is_refused()
  local w <close> = H.weight(4, 64)
  local importance <close> = native.tensor.zeros("f32", { 64 })
  for options, message in pairs({
    [{ bits = 7 }] = "hqq: bits is 7, expected one of 2, 3, 4, 5, 6, 8",
    [{ group = 0 }] = "hqq: group is 0",
    [{ stats = importance }] = "hqq: importance is given, expected none",
  }) do
    options.method = "hqq"
    lu.assertErrorMsgContains(message, w.quantize, w, options)
  end
end

os.exit(lu.LuaUnit.run())
