--- Each operation of vise.grad: its result and its derivatives against central differences of the
-- same formula in f64 (support/naive_ops.lua).
local lu = require("luaunit")
local grad = require("vise.grad")
local naive = require("support.naive_ops")
local native = require("vise.native")

TestGrad = {}

local H = {}

-- Inputs are a few units and sums have up to some 60 terms: f32 leaves a few 1e-7 of the greatest
-- number, differences in f64 (step 1e-5) 1e-10. A wrong derivative is off by a good part of it.
H.TOLERANCE = 3e-6
H.STEP = 1e-5

H.IDS = { 3, 1, 3, 0, 2 }
H.TABLE = native.nn.rope_table(native.nn.rope_frequencies({ head_dim = 6 }), 8, 1.0)

function H.int32(values)
  return native.tensor.from("i32", { #values }, values)
end

local ATTENTION = { heads = 4, kv_heads = 2, starts = { 1, 4 } }
local LONG = { heads = 2, kv_heads = 1, starts = { 1, 4 } }
local WINDOW = { heads = 2, kv_heads = 2, starts = { 1 }, window = 5 }

--- name, shapes of the arguments, the operation, the formula. Every operation has a row or more.
H.rows = {
  { "linear", { { 5, 20 }, { 7, 20 } } },
  { "rows", { { 4, 6 } }, function(w)
    return grad.rows(w, H.int32(H.IDS))
  end, function(w)
    return naive.rows(w, H.IDS)
  end },
  { "rmsnorm", { { 5, 20 }, { 20 } }, function(x, gain)
    return grad.rmsnorm(x, gain, 1e-5)
  end, function(x, gain)
    return naive.rmsnorm(x, gain, 1e-5)
  end },
  { "bias", { { 5, 9 }, { 9 } } },
  { "add", { { 5, 9 }, { 5, 9 } } },
  { "scale", { { 5, 9 } }, function(x)
    return grad.scale(x, -1.75)
  end, function(x)
    return naive.scale(x, -1.75)
  end },
  { "swiglu", { { 5, 9 }, { 5, 9 } } },
  { "rope", { { 5, 12 } }, function(x)
    return grad.rope(x, H.TABLE, H.int32(H.IDS))
  end, function(x)
    return naive.rope(x, H.IDS, 6)
  end },
  { "attention", { { 9, 24 }, { 9, 12 }, { 9, 12 } }, function(q, k, v)
    return grad.attention(q, k, v, ATTENTION)
  end, function(q, k, v)
    return naive.attention(q, k, v, ATTENTION)
  end },
  { "attention", { { 71, 4 }, { 71, 2 }, { 71, 2 } }, function(q, k, v)
    return grad.attention(q, k, v, LONG)
  end, function(q, k, v)
    return naive.attention(q, k, v, LONG)
  end },
  { "attention", { { 20, 4 }, { 20, 4 }, { 20, 4 } }, function(q, k, v)
    return grad.attention(q, k, v, WINDOW)
  end, function(q, k, v)
    return naive.attention(q, k, v, WINDOW)
  end },
  { "cross_entropy", { { 5, 6 } }, function(x)
    return grad.cross_entropy(x, H.int32(H.IDS))
  end, function(x)
    return naive.cross_entropy(x, H.IDS)
  end },
  { "checkpoint", { { 5, 9 }, { 9, 9 } }, function(x, w)
    return grad.checkpoint(function(input)
      return grad.add(input, grad.linear(input, w))
    end, x)
  end, function(x, w)
    return naive.add(x, naive.linear(x, w))
  end },
}

--- A random argument: a tensor, and the same numbers as the formulas take them.
function H.argument(shape, name)
  local tensor = native.core.random_tensor("f32", shape, 1, name)
  local values = tensor:table()
  values.n = shape[#shape]
  return tensor, values
end

--- sum of c[i] y[i], or y itself if it is a number.
function H.loss(y, c)
  if type(y) == "number" then
    return y
  end
  local sum = 0
  for i = 1, #y do
    sum = sum + c[i] * y[i]
  end
  return sum
end

--- The derivative of the formula's loss by each number of argument `which`, or by some 60 of them:
--- {[index] = derivative}.
function H.differences(formula, arguments, which, c)
  local x, list = arguments[which], {}
  for i = 1, #x, #x // 60 + 1 do
    local before = x[i]
    x[i] = before + H.STEP
    local above = H.loss(formula(table.unpack(arguments)), c)
    x[i] = before - H.STEP
    list[i] = (above - H.loss(formula(table.unpack(arguments)), c)) / (2 * H.STEP)
    x[i] = before
  end
  return list
end

function H.expect_near(what, is, wanted)
  local worst, greatest = 0, 0
  for i, value in pairs(wanted) do
    local difference = i ~= "n" and math.abs(is[i] - value) or 0
    worst = difference <= worst and worst or difference
    greatest = math.max(greatest, i ~= "n" and math.abs(value) or 0)
  end
  lu.assertTrue(worst <= H.TOLERANCE * greatest,
    ("%s: off by %g where the greatest is %g"):format(what, worst, greatest))
end

function H.check(name, shapes, operation, formula)
  local values, arguments = {}, {}
  for i, shape in ipairs(shapes) do
    local tensor
    tensor, arguments[i] = H.argument(shape, name .. i)
    values[i] = grad.parameter(tensor, name .. i)
  end

  local tape <close> = grad.tape()
  local y = operation(table.unpack(values))
  local wanted = formula(table.unpack(arguments))
  local c, weights = nil, {}
  if type(y.data) == "number" then
    H.expect_near(name, { y.data }, { wanted })
    tape:backward(y)
  else
    H.expect_near(name, y.data:table(), wanted)
    c = native.core.random_tensor("f32", y:shape(), 2, name)
    weights = c:table()
    tape:backward(y, c)
  end

  for i, value in ipairs(values) do
    H.expect_near(("%s by argument %d"):format(name, i), value.grad:table(),
      H.differences(formula, arguments, i, weights))
  end
end

function TestGrad:test_derivatives_are_those_of_central_differences()
  for _, row in ipairs(H.rows) do
    local name, shapes, operation, formula = table.unpack(row)
    H.check(name, shapes, operation or grad[name], formula or naive[name])
  end
end

function TestGrad:test_every_operation_has_a_row()
  local has_row = {}
  for _, row in ipairs(H.rows) do
    has_row[row[1]] = true
  end
  for name in pairs(require("vise.grad.ops")) do
    lu.assertTrue(has_row[name] or false, name)
  end
end

function TestGrad:test_derivatives_of_a_value_used_twice_are_added()
  local x = grad.parameter(native.tensor.from("f32", { 1, 2 }, { 3, 4 }))
  local tape <close> = grad.tape()
  tape:backward(grad.add(x, grad.scale(x, 2.0)), native.tensor.from("f32", { 1, 2 }, { 1, 10 }))
  lu.assertEquals(x.grad:table(), { 3.0, 30.0 })
end

function TestGrad:test_numbers_are_added_and_scaled()
  local x = grad.parameter(native.core.random_tensor("f32", { 5, 6 }, 1, "logits"))
  local tape <close> = grad.tape()
  local nats = grad.cross_entropy(x, H.int32(H.IDS))
  local loss = grad.add(nats, grad.scale(nats, 3.0))
  lu.assertAlmostEquals(loss.data, 4 * nats.data, 1e-12)
  tape:backward(loss)
  local four = x.grad:table()
  x.grad = nil
  local other <close> = grad.tape()
  other:backward(grad.cross_entropy(x, H.int32(H.IDS)))
  for i, value in ipairs(x.grad:table()) do
    lu.assertAlmostEquals(four[i], 4 * value, 1e-7)
  end
end

function TestGrad:test_a_frozen_weight_passes_the_derivative_on()
  local w = native.core.random_tensor("f32", { 7, 20 }, 1, "w")
  local x = native.core.random_tensor("f32", { 9, 20 }, 1, "x")
  local d = native.core.random_tensor("f32", { 9, 7 }, 1, "d")
  local grads = {}
  for i, weight in ipairs({ native.weight.dense(w), w }) do
    local value = grad.parameter(x)
    local tape <close> = grad.tape()
    tape:backward(grad.linear(value, weight), d)
    grads[i] = value.grad:table()
  end
  lu.assertEquals(grads[1], grads[2])
end

function TestGrad:test_without_a_tape_operations_give_tensors()
  local x = grad.parameter(native.core.random_tensor("f32", { 5, 9 }, 1, "x"))
  lu.assertEquals(type(grad.add(x, x)), "userdata")
  local tape <close> = grad.tape()
  lu.assertTrue(grad.is_value(grad.add(x, x)))
  lu.assertEquals(type(grad.add(x.data, x.data)), "userdata")
end

function TestGrad:test_a_sweep_leaves_nothing_but_the_gradients()
  local x = grad.parameter(native.core.random_tensor("f32", { 50, 90 }, 1, "x"))
  local w = grad.parameter(native.core.random_tensor("f32", { 90, 90 }, 1, "w"))
  collectgarbage()
  local before = native.core.memory().live_bytes
  collectgarbage("stop")
  do
    local tape <close> = grad.tape()
    local y = grad.swiglu(grad.linear(x, w), x)
    local d <close> = native.tensor.zeros("f32", { 50, 90 })
    tape:backward(y, d)
    y:close()
  end
  local held = native.core.memory().live_bytes - before
  collectgarbage("restart")
  -- two gradients, and the result, which its owner may still read
  lu.assertTrue(held <= (3 * 50 * 90 + 90 * 90) * 4 + 8192, held)
end

os.exit(lu.LuaUnit.run())
