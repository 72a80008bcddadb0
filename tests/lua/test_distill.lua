--- Distillation against its formula in f64 and plain loops, its derivatives against central
--- differences of that formula, and what is kept of a teacher.
local grad = require("vise.grad")
local lu = require("luaunit")
local naive = require("support.naive_ops")
local native = require("vise.native")
local vise = require("vise")

TestDistill = {}

local H = {}

--- Of both models in f32 and sums of a few dozen numbers; the greatest derivatives are about 0.1.
H.TOLERANCE = 3e-5
H.STEP = 1e-4
H.BATCH = { ids = { 3, 7, 7, 1, 0, 11, 2 }, targets = { 7, 7, 1, 5, 11, 2, 9 }, starts = { 1, 5 } }

function H.config(width, layers)
  return { model_type = "llama", hidden_size = width, intermediate_size = 10,
    num_hidden_layers = layers, num_attention_heads = 4, num_key_value_heads = 2, vocab_size = 12,
    max_position_embeddings = 16, tie_word_embeddings = true, rms_norm_eps = 1e-5 }
end

--- A model whose weights are large enough that predictions differ.
function H.model(name, width, layers)
  local m = assert(vise.model.new(H.config(width, layers), { name = name,
    tensors = function(part)
      local norm = part:find("norm$")
      local shape = norm and { width } or H.shapes(width)[part:match("%w+$")]
      local random = native.core.random_tensor("f32", shape, 1, name .. part, norm and 0.2 or 0.5)
      return norm and assert(native.nn.add(random, H.ones(width))) or random
    end }))
  m:_identify(name)
  return m
end

function H.ones(n)
  local values = {}
  for i = 1, n do
    values[i] = 1.0
  end
  return native.tensor.from("f32", { n }, values)
end

function H.shapes(d)
  return { embed = { 12, d }, q = { d, d }, k = { d // 2, d }, v = { d // 2, d }, o = { d, d },
    gate = { 10, d }, up = { 10, d }, down = { d, 10 } }
end

--- All weights of a model as the formulas take them.
function H.numbers(m)
  local all = {}
  for _, place in ipairs(m:places()) do
    if not place.tied_to then
      all[place.name] = m:weight(place.name):dense():table()
      all[place.name].n = place.shape[2]
    end
  end
  for _, name in ipairs(m:tensors()) do
    all[name] = m:tensor(name):table()
  end
  return all
end

--- Logits, states after layers, and q, k, v of the last layer before they are turned.
function H.forward(w, width, layers)
  local positions = { 0, 1, 2, 3, 0, 1, 2 }
  local x, states, last = naive.rows(w.embed, H.BATCH.ids), {}, nil
  for layer = 0, layers - 1 do
    local at = ("layers.%d."):format(layer)
    local n = naive.rmsnorm(x, w[at .. "attn.norm"], 1e-5)
    last = { naive.linear(n, w[at .. "attn.q"]), naive.linear(n, w[at .. "attn.k"]),
      naive.linear(n, w[at .. "attn.v"]) }
    local mixed = naive.attention(naive.rope(last[1], positions, width // 4),
      naive.rope(last[2], positions, width // 4), last[3],
      { heads = 4, kv_heads = 2, starts = H.BATCH.starts })
    x = naive.add(x, naive.linear(mixed, w[at .. "attn.o"]))
    n = naive.rmsnorm(x, w[at .. "mlp.norm"], 1e-5)
    local inner = naive.swiglu(naive.linear(n, w[at .. "mlp.gate"]),
      naive.linear(n, w[at .. "mlp.up"]))
    x = naive.add(x, naive.linear(inner, w[at .. "mlp.down"]))
    states[layer + 1] = x
  end
  local hidden = naive.rmsnorm(x, w.norm, 1e-5)
  return naive.linear(hidden, w.embed), states, last
end

--- The mean over heads and tokens of the divergence of relations, each token with those before.
function H.relations(x, y, heads)
  local function row(values, i, first, head)
    local d, p, sum = values.n // heads, {}, 0
    for j = first, i do
      local product = 0
      for c = head * d + 1, (head + 1) * d do
        product = product + values[(i - 1) * values.n + c] * values[(j - 1) * values.n + c]
      end
      p[j] = math.exp(product / math.sqrt(d))
      sum = sum + p[j]
    end
    for j = first, i do
      p[j] = p[j] / sum
    end
    return p
  end
  local total = 0
  for i = 1, 7 do
    local first = i < 5 and 1 or 5
    for head = 0, heads - 1 do
      local p, q = row(y, i, first, head), row(x, i, first, head)
      for j = first, i do
        total = total + p[j] * math.log(p[j] / q[j])
      end
    end
  end
  return total / (7 * heads)
end

--- The loss by its definition.
function H.formula(student, teacher, o)
  local logits, states, last = H.forward(student, 8, 2)
  local aim, aim_states, aim_last = H.forward(teacher, 16, 3)
  local t = o.temperature or 1
  local p, q = naive.scale(aim, 1 / t), naive.scale(logits, 1 / t)
  local share = o.share or 1
  local kl = o.direction == "reverse" and naive.kl(q, p) or naive.kl(p, q)
  local loss = share * t * t * kl + (1 - share) * naive.cross_entropy(logits, H.BATCH.targets)
  for layer, of_teacher in ipairs(o.hidden and { 2, 3 } or {}) do
    local y, squares = aim_states[of_teacher], 0
    for i = 1, #y do
      squares = squares + y[i] ^ 2
    end
    local x = naive.linear(states[layer], student["distill." .. layer - 1])
    loss = loss + o.hidden / 2 * naive.mse(x, y) * #y / squares
  end
  if o.cosine then
    local x = naive.linear(states[2], student["distill.1"])
    loss = loss + o.cosine * (1 - naive.cosine(x, aim_states[3]))
  end
  for i = 1, o.attention and 3 or 0 do
    loss = loss + o.attention / 3 * H.relations(last[i], aim_last[i], o.relations)
  end
  return loss
end

function H.tensors()
  local function int32(list)
    return native.tensor.from("i32", { #list }, list)
  end
  return { ids = int32(H.BATCH.ids), targets = int32(H.BATCH.targets), starts = H.BATCH.starts }
end

function H.check(options)
  local student, teacher = H.model("student", 8, 2), H.model("teacher", 16, 3)
  local network = vise.train.network(student)
  local given = { teacher = teacher }
  for key, value in pairs(options) do
    given[key] = value
  end
  local goal = vise.train.distill(network, given)
  local numbers, fixed = H.numbers(student), H.numbers(teacher)
  for _, parameter in ipairs(goal.parameters) do
    if parameter.name:find("^distill") then
      numbers[parameter.name] = parameter.data:table()
      numbers[parameter.name].n = parameter:shape()[2]
    end
  end

  local tape <close> = grad.tape()
  local loss = goal.loss(H.tensors())
  lu.assertAlmostEquals(loss.data, H.formula(numbers, fixed, options), 1e-5)
  tape:backward(loss)

  for _, parameter in ipairs(goal.parameters) do
    local list, is = numbers[parameter.name], parameter.grad:table()
    for i = 1, #list, #list // 3 do
      local before = list[i]
      list[i] = before + H.STEP
      local above = H.formula(numbers, fixed, options)
      list[i] = before - H.STEP
      local wanted = (above - H.formula(numbers, fixed, options)) / (2 * H.STEP)
      list[i] = before
      lu.assertAlmostEquals(is[i], wanted, H.TOLERANCE, parameter.name .. " " .. i)
    end
  end
end

for name, options in pairs({
  predictions = {},
  a_temperature_and_a_share_of_the_text = { temperature = 2.5, share = 0.6 },
  the_reverse_direction = { direction = "reverse", temperature = 1.5 },
  states_of_layers = { hidden = 0.7, share = 0.0 },
  the_cosine_of_the_last_states = { cosine = 0.5 },
  relations_of_other_heads = { attention = 2.0, relations = 2 },
  all_of_them = { hidden = 0.3, cosine = 0.2, attention = 0.5, relations = 4, share = 0.5 },
}) do
  TestDistill["test_loss_and_derivatives_of_" .. name] = function()
    H.check(options)
  end
end

--- From the k greatest by sorting: their logarithms rounded to f16, and the exact rest.
function TestDistill:test_the_greatest_probabilities_are_found_and_the_rest_summed()
  local logits = native.core.random_tensor("f32", { 9, 40 }, 1, "logits", 3.0)
  local ids, log_p, log_tail = native.distance.top(logits, 5)
  local values, columns, tails = logits:table(), ids:table(), log_tail:table()
  local logs = log_p:table()
  for row = 0, 8 do
    local order, total, tail = {}, 0, 0
    for c = 1, 40 do
      order[c] = c - 1
      total = total + math.exp(values[row * 40 + c])
    end
    table.sort(order, function(a, b)
      return values[row * 40 + a + 1] > values[row * 40 + b + 1]
    end)
    for i, c in ipairs(order) do
      local value = values[row * 40 + c + 1]
      if i <= 5 then
        lu.assertEquals(columns[row * 5 + i], c)
        lu.assertAlmostEquals(logs[row * 5 + i], value - math.log(total), 1e-5)
      else
        tail = tail + math.exp(value)
      end
    end
    lu.assertAlmostEquals(tails[row + 1], math.log(tail / total), 1e-5)
  end
  local even = native.tensor.from("f32", { 1, 6 }, { 1, 2, 2, 1, 2, 0 })
  lu.assertEquals(native.distance.top(even, 4):table(), { 1, 2, 4, 0 })
  lu.assertErrorMsgContains("fewer than the columns", native.distance.top, even, 6)
end

function H.few(folder, temperature)
  local network = vise.train.network(H.model("student", 8, 2))
  local goal = vise.train.distill(network, { teacher = H.model("teacher", 16, 3), top = 6,
    cache = folder, temperature = temperature })
  local tape <close> = grad.tape()
  local loss = goal.loss(H.tensors())
  local value = loss.data
  tape:backward(loss)
  return value, network.parameters[1].grad:string()
end

function TestDistill:test_a_kept_teacher_says_what_the_teacher_said()
  local folder = os.tmpname()
  os.remove(folder)
  local loss, gradient = H.few(folder, 2.0)
  local files = assert(native.file.list(folder))
  lu.assertEquals(#files, 2) -- one a window
  lu.assertEquals({ H.few(folder, 2.0) }, { loss, gradient })
  lu.assertEquals(assert(native.file.list(folder)), files)
  lu.assertEquals({ H.few(nil, 2.0) }, { loss, gradient })

  -- A bound from below, close for half of the outcomes (log-sum inequality).
  local goal = vise.train.distill(vise.train.network(H.model("student", 8, 2)),
    { teacher = H.model("teacher", 16, 3), temperature = 2.0 })
  local whole = goal.loss(H.tensors())
  lu.assertTrue(loss < whole + 1e-3 and loss > 0.6 * whole, loss .. " of " .. whole)

  H.few(folder, 1.0) -- another temperature is kept beside it
  lu.assertEquals(#assert(native.file.list(folder)), 4)
  for _, name in ipairs(assert(native.file.list(folder))) do -- a damaged entry is made again
    assert(native.file.replace(folder .. "/" .. name, "no artifact"))
  end
  lu.assertEquals({ H.few(folder, 2.0) }, { loss, gradient })
  assert(native.file.remove_tree(folder))
end

--- 12 steps of a student with all terms; with `stop`, interrupted after that one.
function H.train(path, stop, temperature)
  local network = vise.train.network(H.model("student", 8, 2))
  local goal = vise.train.distill(network, { teacher = H.model("teacher", 16, 3), hidden = 0.5,
    attention = 0.5, share = 0.5, temperature = temperature })
  local ids = {}
  for i = 1, 60 do
    ids[i] = (7 * i + i // 9) % 12
  end
  local result, message = vise.train.run({ parameters = goal.parameters, loss = goal.loss,
    key = goal.key, path = path, every = 5, steps = 12, rate = 1e-2,
    data = vise.train.windows({ ids = native.tensor.from("i32", { 60 }, ids), length = 7,
      batch = 2 }),
    on_progress = function(p)
      if p.step == stop then
        native.core.cancel()
      end
    end })
  native.core.cancel_clear()
  local parts = {}
  for i, parameter in ipairs(goal.parameters) do
    parts[i] = parameter.data:string()
  end
  return native.core.sha256(table.concat(parts)), result, message
end

function TestDistill:test_interrupted_it_goes_on_to_the_same_bits()
  local path = os.tmpname()
  os.remove(path)
  local whole, result = H.train()
  lu.assertTrue(result.losses[12] < result.losses[1])

  local _, none, message = H.train(path, 8)
  lu.assertEquals({ none, message }, { nil, "interrupted" })
  local again, rest = H.train(path)

  lu.assertEquals(rest.resumed, 5)
  lu.assertEquals(rest.losses, result.losses)
  lu.assertEquals(again, whole)
  lu.assertStrContains(select(3, H.train(path, nil, 2.0)),
    "it has distill temperature 1.0, this one distill temperature 2.0")
  os.remove(path)
end

function TestDistill:test_what_does_not_fit_is_named()
  local network = vise.train.network(H.model("student", 8, 2))
  local teacher = H.model("teacher", 16, 3)
  local config = H.config(8, 1)
  config.vocab_size = 13
  local other = assert(vise.model.new(config))
  local function expect(message, options)
    lu.assertErrorMsgContains(message, vise.train.distill, network, options)
  end
  expect("distill: teacher is missing", {})
  expect("distill: the teacher has 13 tokens, expected 12", { teacher = other })
  expect("distill: top is 12, expected fewer than the 12 tokens", { teacher = teacher, top = 12 })
  expect("the reverse direction needs all",
    { teacher = teacher, top = 3, direction = "reverse" })
  expect("did you mean 'temperature'", { teacher = teacher, temprature = 2 })
  expect("expected a divisor of the width 8 of layers.1.attn.q",
    { teacher = teacher, attention = 1, relations = 3 })
end

function TestDistill:test_steps_leave_no_memory_to_the_collector()
  local student, teacher = H.model("student", 8, 2), H.model("teacher", 16, 3)
  local goal = vise.train.distill(vise.train.network(student), { teacher = teacher, hidden = 1,
    cosine = 1, attention = 1, share = 0.5 })
  local function step()
    local tape <close> = grad.tape()
    local batch = H.tensors()
    local loss = goal.loss(batch)
    tape:backward(loss)
    for _, parameter in ipairs(goal.parameters) do
      parameter.grad:close()
      parameter.grad = nil
    end
    batch.ids:close()
    batch.targets:close()
  end
  step()
  collectgarbage()
  collectgarbage("stop")
  local before = native.core.memory().live_bytes
  step()
  local after = native.core.memory().live_bytes
  collectgarbage("restart")
  lu.assertTrue(after - before <= 512, after - before) -- handles, no activations of 224 bytes
end

os.exit(lu.LuaUnit.run())
