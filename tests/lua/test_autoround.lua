--- Learned rounding: the grid of a weight, and blocks that learn.
local cache = require("vise.cache")
local calibration = require("vise.calibration")
local grad = require("vise.grad")
local grid = require("vise.train.grid")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")
local weight = require("vise.weight")

TestGrid = {}
TestAutoround = {}

local H = {}

H.TEXT = ("the cat sat on the mat and the dog ran to the big tree. "):rep(12)

function H.random(m, k, name)
  return native.core.random_tensor("f32", { m, k }, 1, name)
end

--- Weights of every layout that has a grid; the last group of a row is short.
function H.packed(w)
  return coroutine.wrap(function()
    for _, options in ipairs({
      { bits = 2, group = 8 }, { bits = 3, group = 8, symmetric = false, scale = "bf16" },
      { bits = 4, per = "row", scale = "f32" }, { format = "ternary", per = "group", group = 8 },
    }) do
      coroutine.yield(assert(w:quantize(options)), options)
    end
  end)
end

function TestGrid:test_codes_and_scales_are_those_of_the_packed_weight()
  local w = weight.dense(H.random(3, 20, "w"))
  for packed, options in H.packed(w) do
    local scales, zeros, about = native.method.grid(packed)
    local dense = packed:dense()
    lu.assertEquals(about.codes, options.format and 3 or 1 << options.bits)
    for i = 1, 3 do
      for j = 1, 20 do
        local group = (j - 1) // about.group + 1
        local s, z = scales:get(i, group), zeros:get(i, group)
        local code = dense:get(i, j) / s + z
        lu.assertAlmostEquals(code, math.floor(code + 0.5), 1e-6)
        lu.assertTrue(code > -0.5 and code < about.codes - 0.5)
      end
    end
  end
end

function TestGrid:test_offsets_round_a_weight_to_given_codes()
  local w, other = H.random(3, 20, "w"), H.random(3, 20, "another")
  for packed in H.packed(weight.dense(other)) do
    local trained = grid.new("w", packed, w)
    lu.assertEquals(grad.data(trained:weight()):table(), packed:dense():table())
    lu.assertEquals(trained:pack():tree().parts.codes:string(), packed:tree().parts.codes:string())
  end
  local same = grid.new("w", assert(weight.dense(w):quantize({ bits = 4, search = "none" })), w)
  for _, v in ipairs(same.parameters[1].data:table()) do -- 7.5 steps are clipped to 7
    lu.assertTrue(math.abs(v) < 0.0101, v)
  end
end

--- After any step, what is packed is to the bit what was trained.
function TestGrid:test_packed_equals_trained()
  local w = H.random(3, 20, "w")
  for packed in H.packed(weight.dense(w)) do
    local trained = grid.new("w", packed, w)
    for i, parameter in ipairs(trained.parameters) do
      local noise = parameter.data:table()
      for j in ipairs(noise) do
        noise[j] = noise[j] + 0.7 * (native.core.uniform(i, "noise", j) - 0.5)
      end
      native.grad.copy(parameter.data, native.tensor.from("f32", parameter:shape(), noise))
    end
    local now = trained:pack()
    lu.assertEquals(now:dense():table(), grad.data(trained:weight()):table())
    lu.assertEquals(now:describe(), packed:describe())
    lu.assertTrue((packed:difference(now)) > 0)
  end
end

function TestGrid:test_scales_alone_leave_the_codes()
  local packed = assert(weight.dense(H.random(3, 20, "w")):quantize({ bits = 2, group = 8 }))
  local trained = grid.new("w", packed)
  lu.assertEquals(#trained.parameters, 1)
  local factors = trained.parameters[1]
  native.grad.copy(factors.data, native.learn.filled(factors:shape(), 1.5))
  local now = trained:pack():tree().parts
  lu.assertEquals(now.codes:string(), packed:tree().parts.codes:string())
  lu.assertNotEquals(now.scales:string(), packed:tree().parts.scales:string())
end

function TestGrid:test_other_weights_have_none()
  local w = weight.dense(H.random(4, 64, "w"))
  for _, other in ipairs({ w, assert(w:quantize({ format = "nf4" })),
    assert(w:quantize({ bits = 4, per = "tensor" })) }) do
    lu.assertErrorMsgContains("has no scales for groups of a row", native.method.grid, other)
  end
  local packed = assert(w:quantize({ bits = 4 }))
  local scales = native.method.grid(packed)
  local bad = native.learn.filled({ 4, 64 }, 1 / 0)
  lu.assertErrorMsgContains("not finite", native.method.regrid, packed, bad, scales)
end

function TestAutoround:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  tiny_model.write(self.folder .. "/model")
  self.model = assert(model.open(self.folder .. "/model"))
  self.model:_identify("the tiny model")
  self.plan = calibration.new({ text = H.TEXT, protocol = "nll-64", tokens = 200 })
end

function TestAutoround:tearDown()
  native.core.threads(2)
  assert(native.file.remove_tree(self.folder))
end

function H.rule(plan, more)
  local rule = { match = "*.*", method = "autoround", bits = 2, group = 32, stats = plan }
  for key, value in pairs(more or {}) do
    rule[key] = value
  end
  return { rule }
end

function H.made(m)
  for _, place in ipairs(m:places()) do
    assert(m:weight(place.name))
  end
  return m
end

--- The mean squared error of the last hidden states over the tokens that it learned from.
function H.error(plan, m, small)
  local sum, n = 0, 0
  for _, batch in ipairs(calibration.batches(plan, m)) do
    local x, y = assert(m:hidden(batch)), assert(small:hidden(batch))
    sum, n = sum + native.distance.mse(x, y), n + 1
  end
  return sum / n
end

function H.digest(m)
  local parts = {}
  for i, place in ipairs(m:places()) do
    parts[i] = assert(m:weight(place.name)):dense():string()
  end
  return native.core.sha256(table.concat(parts))
end

function TestAutoround:test_what_it_learned_by_is_better_than_before()
  local m, errors = self.model, {}
  for name, rule in pairs({
    rtn = H.rule(nil, { method = "rtn" })[1],
    gptq = H.rule(self.plan, { method = "gptq" })[1],
    rounding = H.rule(self.plan, { steps = 60, learn = "rounding" })[1],
    scales = H.rule(self.plan, { steps = 60, learn = "scales" })[1],
    both = H.rule(self.plan, { steps = 60 })[1],
  }) do
    errors[name] = H.error(self.plan, m, m:compress({ rule }))
  end
  lu.assertTrue(errors.both < 0.6 * errors.gptq, errors.both / errors.gptq)
  lu.assertTrue(errors.rounding < 0.7 * errors.gptq, errors.rounding / errors.gptq)
  lu.assertTrue(errors.scales < errors.gptq, errors.scales / errors.gptq)
  lu.assertTrue(errors.gptq < errors.rtn)
end

function TestAutoround:test_threads_change_no_bit()
  local digests = {}
  for i, threads in ipairs({ 1, 2 }) do
    native.core.threads(threads)
    digests[i] = H.digest(self.model:compress(H.rule(self.plan, { steps = 4 })))
  end
  lu.assertEquals(digests[2], digests[1])
end

--- Stopped in its second block, it goes on from there and ends with the same bits.
function TestAutoround:test_it_goes_on_from_the_blocks_that_are_done()
  local rules = H.rule(self.plan, { steps = 4 })
  local expected = H.digest(self.model:compress(rules))
  local kept = cache.open(self.folder .. "/cache")
  local function compress(on_result)
    return self.model:compress(rules, { cache = kept, on_result = on_result })
  end
  local stopped = compress(function(place)
    if place == "layers.0.mlp.down" then
      native.core.cancel()
    end
  end)
  local result, _, code = stopped:weight("layers.1.mlp.down")
  native.core.cancel_clear()
  lu.assertNil(result)
  lu.assertEquals(code, "cancelled")
  local found = {}
  local again = compress(function(place, is_cached)
    found[place] = is_cached
  end)
  lu.assertEquals(H.digest(again), expected)
  lu.assertEquals({ found["layers.0.attn.q"], found["layers.0.mlp.down"] }, { true, true })
  lu.assertEquals({ found["layers.1.attn.q"], found["layers.1.mlp.down"] }, { false, false })
end

--- What a place learns depends on all that learns with it.
function TestAutoround:test_another_neighbour_is_another_entry()
  local kept, n = cache.open(self.folder .. "/cache"), nil
  local function count(place, is_cached)
    n = n + (not is_cached and place:find("attn", 1, true) and 1 or 0)
  end
  for i, bits in ipairs({ 4, 3, 4 }) do
    local rules = { { match = "mlp.*", method = "rtn", bits = bits },
      H.rule(self.plan, { match = "attn.*", steps = 2 })[1] }
    n = 0
    H.made(self.model:compress(rules, { cache = kept, on_result = count }))
    lu.assertEquals(n, ({ 8, 8, 0 })[i])
  end
end

function TestAutoround:test_what_it_cannot_do_is_said()
  local m, plan = self.model, self.plan
  local function refused(message, more)
    lu.assertErrorMsgContains(message, m.compress, m, H.rule(plan, more))
  end
  refused("learns by what a block gives, and 'embed' stands in none", { match = "*" })
  refused("expected int (per group or row) or ternary", { per = "tensor" })
  refused("unknown option 'step'", { step = 3 })
  lu.assertErrorMsgContains("needs calibration data", m.compress, m, H.rule(nil))
  local original = calibration.new({ text = H.TEXT, sequential = false })
  lu.assertErrorMsgContains("expected sequential = true", m.compress, m, H.rule(original))
  local two = m:compress({ H.rule(plan, { match = "mlp.*", steps = 3 })[1],
    H.rule(plan, { match = "attn.*", steps = 2 })[1] })
  lu.assertErrorMsgContains("learn together, expected one method with the same steps", two.weight,
    two, "layers.0.attn.q")
end

os.exit(lu.LuaUnit.run())
