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

-- What the others have where these two columns have e^-1 and e^-2, ...
H.TAIL = {}
for i, known in ipairs({ { -1, -2 }, { -0.5, -3 }, { -1.5, -1 } }) do
  H.TAIL[i] = math.log(1 - math.exp(known[1]) - math.exp(known[2]))
end

local ATTENTION = { heads = 4, kv_heads = 2, starts = { 1, 4 } }
local LONG = { heads = 2, kv_heads = 1, starts = { 1, 4 } }
local IMAGE = { 2, 5, 6, 3 }
local FIT = { size = 3, stride = 2, pad = 1 }
local PAIRS = { size = 2, stride = 2, pad = 0 }
local COLUMNS = { { 3, 1 }, { 0, 5 }, { 2, 2 } }

--- A row of a function of one argument by its own name.
local function unary(name)
  return { name, { { 3, 7 } } }
end

function H.moments()
  return { mean = native.tensor.from("f32", { 3 }, { 0.5, -1, 2 }),
    variance = native.tensor.from("f32", { 3 }, { 1, 4, 0.25 }) }
end

--- A formula that rounds: formula(surrogate, ...), see naive.surrogate.
function H.surrogate(formula)
  local surrogate = naive.surrogate()
  return function(...)
    surrogate.begin()
    return formula(surrogate, ...)
  end
end

function H.top(list)
  return math.max(0, table.unpack(list))
end

function H.bottom(list)
  return math.min(0, table.unpack(list))
end

--- w on 2^bits numbers between bottom and top of groups of 4.
function H.integers(surrogate, w, top, bottom, bits)
  local high = (1 << bits) - 1
  local s, z = { n = top.n }, { n = top.n }
  for i = 1, #top do
    s[i] = (top[i] - bottom[i]) / high
    z[i] = surrogate.round(-bottom[i] / s[i])
  end
  return naive.fake_quant(w, s, z, { low = 0, high = high, group = 4 }, surrogate)
end

local WINDOW = { heads = 2, kv_heads = 2, starts = { 1 }, window = 5 }

--- name, shapes of the arguments, the operation, the formula. Every operation has a row or more.
H.rows = {
  { "linear", { { 5, 20 }, { 7, 20 } } },
  { "adapted", { { 5, 9 }, { 7, 9 }, { 2, 9 }, { 7, 2 } }, function(x, w, a, b)
    return grad.linear(x, grad.adapted(w, a, b, 0.5))
  end, function(x, w, a, b)
    local more = naive.linear(naive.linear(x, a), b)
    return naive.add(naive.linear(x, w), naive.scale(more, 0.5))
  end },
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
  unary("relu"), unary("sigmoid"), unary("tanh"), unary("silu"), unary("gelu"),
  unary("gelu_tanh"), unary("log_sigmoid"), unary("softmax"), unary("sum"), unary("mean"),
  unary("transpose"),
  { "mul", { { 5, 9 }, { 5, 9 } } },
  { "div", { { 5, 9 }, { 5, 9 } }, function(x, y)
    return grad.div(x, grad.sigmoid(y))
  end, function(x, y)
    return naive.div(x, naive.sigmoid(y))
  end },
  { "layernorm", { { 5, 9 }, { 9 }, { 9 } }, function(x, gain, bias)
    return grad.layernorm(x, gain, bias, 1e-5)
  end, function(x, gain, bias)
    return naive.layernorm(x, gain, bias, 1e-5)
  end },
  { "batchnorm", { { 300, 3 }, { 3 }, { 3 } }, function(x, gain, bias)
    return grad.batchnorm(x, gain, bias, H.moments(), { training = true })
  end, function(x, gain, bias)
    return naive.batchnorm(x, gain, bias, 1e-5)
  end },
  { "batchnorm", { { 7, 3 }, { 3 }, { 3 } }, function(x, gain, bias)
    return grad.batchnorm(x, gain, bias, H.moments(), {})
  end, function(x, gain, bias)
    local y = { n = 3 }
    for i = 1, #x do
      local c = (i - 1) % 3 + 1
      y[i] = (x[i] - ({ 0.5, -1, 2 })[c]) / math.sqrt(({ 1, 4, 0.25 })[c] + 1e-5) * gain[c]
        + bias[c]
    end
    return y
  end },
  { "dropout", { { 5, 9 } }, function(x)
    return grad.dropout(x, 0.25, 7, "here")
  end, function(x)
    local y = { n = 9 }
    local kept = grad.dropout(native.learn.filled({ 5, 9 }, 0.75), 0.25, 7, "here"):table()
    for i = 1, #x do
      y[i] = kept[i] * x[i] / 0.75
    end
    return y
  end },
  { "masked", { { 4, 6 }, { 4, 6 } }, function(w, score)
    return grad.masked(w, score, native.tensor.from("f32", { 4, 6 }, H.MASK))
  end, function(w, score) -- the surrogate: the mask, and what the score has moved since
    H.score = H.score or table.move(score, 1, 24, 1, {})
    local y = { n = 6 }
    for i = 1, 24 do
      y[i] = w[i] * (H.MASK[i] + score[i] - H.score[i])
    end
    return y
  end },
  { "kl", { { 4, 7 }, { 4, 7 } } },
  { "kl_top", { { 3, 6 } }, function(x)
    return grad.kl_top(x, native.tensor.from("i32", { 3, 2 }, { 3, 1, 0, 5, 2, 4 }),
      native.tensor.from("f32", { 3, 2 }, { -1, -2, -0.5, -3, -1.5, -1 }),
      native.tensor.from("f32", { 3 }, H.TAIL))
  end, function(x)
    return naive.kl_top(x, { { 3, 1 }, { 0, 5 }, { 2, 4 } },
      { { -1, -2 }, { -0.5, -3 }, { -1.5, -1 } }, H.TAIL)
  end },
  { "mse", { { 4, 7 }, { 4, 7 } } },
  { "cosine", { { 4, 7 }, { 4, 7 } } },
  { "reshape", { { 4, 6 } }, function(x)
    return grad.reshape(x, { 3, 8 })
  end, function(x)
    return x
  end },
  { "slice", { { 4, 6 } }, function(x)
    return grad.slice(x, 2, 2, 3)
  end, function(x)
    return naive.slice(x, 2, 3)
  end },
  { "concat", { { 4, 6 }, { 4, 2 } }, function(x, y)
    return grad.concat({ x, y }, 2)
  end },
  { "take", { { 3, 6 } }, function(x)
    return grad.take(x, native.tensor.from("i32", { 3, 2 }, { 3, 1, 0, 5, 2, 2 }))
  end, function(x)
    return naive.take(x, COLUMNS)
  end },
  { "conv2d", { IMAGE, { 4, 27 } }, function(x, w)
    return grad.conv2d(x, w, FIT)
  end, function(x, w)
    return naive.conv2d(x, w, IMAGE, FIT)
  end },
  { "patches", { IMAGE }, function(x)
    return (grad.patches(x, FIT))
  end, function(x)
    return naive.patches(x, IMAGE, FIT)
  end },
  { "max_pool", { IMAGE }, function(x)
    return grad.max_pool(x, FIT)
  end, function(x)
    return naive.max_pool(x, IMAGE, FIT)
  end },
  { "mean_pool", { IMAGE }, function(x)
    return grad.mean_pool(x, PAIRS)
  end, function(x)
    return naive.mean_pool(x, IMAGE, PAIRS)
  end },
  { "round", { { 5, 9 } }, function(x)
    return grad.round(grad.scale(x, 3.0))
  end, H.surrogate(function(surrogate, x)
    local y = { n = x.n }
    for i = 1, #x do
      y[i] = surrogate.round(3 * x[i])
    end
    return y
  end) },
  { "fake_quant", { { 5, 9 }, { 5, 3 } }, function(w, s)
    return grad.fake_quant(w, grad.sigmoid(s), nil, { low = -2, high = 1, group = 4 })
  end, H.surrogate(function(surrogate, w, s)
    return naive.fake_quant(w, naive.sigmoid(s), nil, { low = -2, high = 1, group = 4 }, surrogate)
  end) },
  { "fake_quant", { { 5, 9 }, { 5, 3 }, { 5, 9 } }, function(w, s, v)
    return grad.fake_quant(w, grad.sigmoid(s), nil, { low = -2, high = 1, group = 4 }, v)
  end, H.surrogate(function(surrogate, w, s, v)
    return naive.fake_quant(w, naive.sigmoid(s), nil, { low = -2, high = 1, group = 4 }, surrogate,
      v)
  end) },
  { "stored", { { 5, 9 } }, function(x)
    return grad.stored(x, "bf16")
  end, H.surrogate(function(surrogate, x) -- rounding to 8 bits
    local y = { n = x.n }
    for i = 1, #x do
      local unit = 2.0 ^ (math.floor(math.log(math.abs(x[i]), 2)) - 7)
      y[i] = unit * surrogate.round(x[i] / unit)
    end
    return y
  end) },
  { "ste", { { 5, 9 } }, function(w)
    return grad.ste(w, { bits = 3, group = 4 })
  end, H.surrogate(function(surrogate, w)
    H.frozen = H.frozen or { naive.groups(w, 4, H.top), naive.groups(w, 4, H.bottom) }
    return H.integers(surrogate, w, H.frozen[1], H.frozen[2], 3)
  end) },
  { "lwc", { { 5, 9 }, { 5, 3 }, { 5, 3 } }, function(w, upper, lower)
    return grad.lwc(w, upper, lower, { bits = 2, group = 4 })
  end, H.surrogate(function(surrogate, w, upper, lower)
    H.ranges = H.ranges or { naive.groups(w, 4, H.top), naive.groups(w, 4, H.bottom) }
    return H.integers(surrogate, w, naive.mul(naive.sigmoid(upper), H.ranges[1]),
      naive.mul(naive.sigmoid(lower), H.ranges[2]), 2)
  end) },
  { "ternary", { { 5, 9 } }, function(w)
    return grad.ternary(w, { group = 4 })
  end, H.surrogate(function(surrogate, w)
    H.means = H.means or naive.groups(w, 4, function(list)
      local sum = 0
      for _, v in ipairs(list) do
        sum = sum + math.abs(v)
      end
      return sum / #list
    end)
    return naive.fake_quant(w, H.means, nil, { low = -1, high = 1, group = 4 }, surrogate)
  end) },
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

H.MASK = { 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1 }

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
  local weights = {}
  if type(y.data) == "number" then
    H.expect_near(name, { y.data }, { wanted })
    tape:backward(y)
  else
    H.expect_near(name, y.data:table(), wanted)
    local c = native.core.random_tensor("f32", y:shape(), 2, name)
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
  for name in pairs(grad.operations) do
    lu.assertTrue(has_row[name] or false, name)
  end
end

function TestGrad:test_derivatives_of_a_value_used_twice_are_added()
  local x = grad.parameter(native.tensor.from("f32", { 1, 2 }, { 3, 4 }))
  local tape <close> = grad.tape()
  tape:backward(grad.add(x, grad.scale(x, 2.0)), native.tensor.from("f32", { 1, 2 }, { 1, 10 }))
  lu.assertEquals(x.grad:table(), { 3.0, 30.0 })
end

function TestGrad:test_the_divergence_of_a_few_outcomes_is_never_above_that_of_all()
  local teacher = native.core.random_tensor("f32", { 50, 40 }, 1, "teacher", 2.0)
  local student = native.core.random_tensor("f32", { 50, 40 }, 1, "student", 2.0)
  local p = native.distance.softmax(teacher)
  local ids, log_p, log_tail = {}, {}, {}
  for row = 1, 50 do
    local order = {}
    for i = 1, 40 do
      order[i] = i
    end
    table.sort(order, function(a, b)
      return p:get(row, a) > p:get(row, b)
    end)
    local tail = 0
    for i, column in ipairs(order) do
      if i <= 8 then
        ids[#ids + 1], log_p[#log_p + 1] = column - 1, math.log(p:get(row, column))
      else
        tail = tail + p:get(row, column)
      end
    end
    log_tail[row] = math.log(tail)
  end
  local few = grad.kl_top(student, native.tensor.from("i32", { 50, 8 }, ids),
    native.tensor.from("f32", { 50, 8 }, log_p), native.tensor.from("f32", { 50 }, log_tail))
  local all = grad.kl(teacher, student)
  lu.assertTrue(few > 0.5 * all and few <= all, few .. " " .. all)
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
  local _ <close> = grad.tape()
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
