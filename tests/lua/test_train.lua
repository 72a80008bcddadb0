--- The training loop: it learns, stops, resumes and repeats itself to the bit.
local lu = require("luaunit")
local native = require("vise.native")
local small = require("support.small_training")
local train = require("vise.train")
local vise = require("vise")

TestTrain = {}
TestOptimizer = {}
TestData = {}

local H = {}

function TestTrain:setUp()
  self.path = os.tmpname()
  os.remove(self.path)
end

function TestTrain:tearDown()
  os.remove(self.path)
  native.core.threads(2)
end

function TestTrain:test_one_batch_is_learned_by_heart()
  local data = train.windows({ ids = small.ids(33), length = 16, batch = 2 })
  local result = small.run({ data = data, steps = 150, rate = 2e-2, clip = 1.0 })
  lu.assertTrue(result.losses[1] > 3, result.losses[1]) -- ln 40 = 3.7 of a model that knows nothing
  lu.assertTrue(result.losses[150] < 0.02, result.losses[150])
end

function TestTrain:test_the_page_trains_as_it_stands()
  local page = assert(native.file.read("share/doc/training.md"))
  local text = page:match("\n## Training\n.-```lua\n(.-)```"):gsub("small%.checkpoint", self.path)
  local last
  local env = setmetatable({ print = function(...)
    last = table.pack(...)
  end }, { __index = _G })
  assert(load(text, "=training.md", "t", env))()
  lu.assertStrContains(tostring(last[1]), "vise.model llama small")
  lu.assertTrue(last[3] < last[2] - 0.1, last[3])
end

function TestTrain:test_threads_change_no_bit()
  local digests = {}
  for i, threads in ipairs({ 1, 2, 3 }) do
    native.core.threads(threads)
    local _, network = small.run()
    digests[i] = small.digest(network)
  end
  lu.assertEquals(digests[2], digests[1])
  lu.assertEquals(digests[3], digests[1])
end

function TestTrain:test_the_level_of_the_processor_changes_no_bit()
  local _, network = small.run()
  local lines = H.lines(self.path, nil, { VISE_CPU = "ref", VISE_THREADS = "1" })
  lu.assertEquals(lines[#lines], small.digest(network))
end

function TestTrain:test_ctrl_c_ends_a_run_between_two_checkpoints()
  local m = assert(vise.model.new(small.CONFIG))
  local network = train.network(m)
  local result, message, code = train.run({
    parameters = network.parameters, steps = 50, every = 10, path = self.path,
    data = train.windows({ ids = small.ids(700), length = 16, batch = 3 }),
    loss = function(batch)
      return network:loss(batch)
    end,
    on_progress = function(p)
      if p.step == 15 then
        native.core.cancel()
      end
    end,
  })
  native.core.cancel_clear()
  lu.assertNil(result)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
  local file <close> = assert(native.safetensors.open(self.path))
  lu.assertEquals(file:metadata().step, "10")
end

--- The lines that the program prints; it is killed after `last` of them if that is given.
function H.lines(path, last, env)
  local file = assert(package.searchpath("support.small_training", package.path))
  local lines = {}
  local process <close> = assert(native.process.spawn({ argv = { "lua5.4", file, path },
    capture = true, env = env }))
  for line in function() return process:read_line() end do
    lines[#lines + 1] = line
    if #lines == last then
      process:kill(9)
    end
  end
  process:wait()
  return lines
end

function TestTrain:test_killed_between_checkpoints_it_resumes_to_the_same_bits()
  local whole, network = small.run()

  H.lines(self.path, 27)
  local rest = H.lines(self.path)

  lu.assertEquals(rest[#rest], small.digest(network))
  local first = math.tointeger(tonumber(rest[1]))
  lu.assertTrue(first > 20 and first <= 50 and first % 10 == 1, rest[1])
  local again = small.run({ path = self.path }) -- nothing is left to do
  lu.assertEquals(again.resumed, 50)
  lu.assertEquals(again.losses, whole.losses)
end

function TestTrain:test_a_checkpoint_of_another_run_is_refused()
  small.run({ path = self.path })
  local ok, message = pcall(small.run, { path = self.path, rate = 0.02 })
  lu.assertFalse(ok)
  lu.assertStrContains(message, "is of another run: it has rate 0.01, this one rate 0.02")
end

function TestTrain:test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint()
  local m = assert(vise.model.new(small.CONFIG, { seed = 3 }))
  local network = train.network(m)
  local before
  local ok, message = pcall(train.run, {
    parameters = network.parameters, steps = 50, every = 10, path = self.path,
    data = train.windows({ ids = small.ids(700), length = 16, batch = 3 }),
    loss = function(batch)
      local file = native.file.read(self.path)
      before = file or before
      return vise.grad.scale(network:loss(batch), file and 0 / 0 or 1.0)
    end,
  })
  lu.assertFalse(ok)
  lu.assertStrContains(message, "loss is")
  lu.assertStrContains(message, "nan at step 11, expected a finite number")
  lu.assertStrContains(message, "the checkpoint of step 10 stays in " .. self.path)
  lu.assertEquals(native.file.read(self.path), before)
end

function TestTrain:test_what_cannot_be_trained_is_named()
  local p = vise.grad.parameter(native.tensor.zeros("f32", { 2, 2 }), "p")
  local nameless = vise.grad.parameter(native.tensor.zeros("f32", { 2, 2 }))
  local function message(changes)
    local _, text = pcall(small.run, changes)
    return text
  end
  lu.assertStrContains(message({ parameters = { p, p } }), "train: parameter 2 is named 'p' as one")
  lu.assertStrContains(message({ parameters = { nameless } }), "train: parameter 1 has no name")
  lu.assertStrContains(message({ parameters = {} }), "train: there are no parameters")
  lu.assertStrContains(message({ rat = 1.0 }), "did you mean 'rate'")
  lu.assertErrorMsgContains("windows: unknown option 'lenght' (did you mean 'length'?",
    train.windows, { ids = small.ids(100), lenght = 16 })
  lu.assertErrorMsgContains("arrays: unknown option 'input' (did you mean 'inputs'?",
    train.arrays, { input = small.ids(100) })
  lu.assertStrContains(message({ loss = function()
    return 1.0
  end }), "train: the loss depends on no parameter")
end

function TestTrain:test_accumulated_batches_are_one_larger_batch()
  local data = train.windows({ ids = small.ids(700), length = 16, batch = 6 })
  local halves = train.windows({ ids = small.ids(700), length = 16, batch = 3 })
  local one = small.run({ data = data, steps = 5 })
  local two = small.run({ data = halves, steps = 5, accumulate = 2 })
  for i = 1, 5 do -- the same sums in another order: f32 errors of a few 1e-7, and their growth
    lu.assertAlmostEquals(two.losses[i], one.losses[i], 1e-4)
  end
end

function TestTrain:test_recomputed_layers_give_the_same_bits()
  local _, network = small.run()
  local _, other = small.run(nil, { recompute = true })
  lu.assertEquals(small.digest(other), small.digest(network))
end

function TestTrain:test_steps_leave_no_memory_to_the_collector()
  for _, recompute in ipairs({ false, true }) do
    local live = {}
    collectgarbage()
    collectgarbage("stop")
    small.run({ steps = 6, on_progress = function()
      live[#live + 1] = native.core.memory().live_bytes
    end }, { recompute = recompute })
    collectgarbage("restart")
    -- a step has activations of 6 KiB by the dozen; what stays is batches and a few handles
    lu.assertTrue(live[6] - live[2] < 4 * 4096, live[6] - live[2])
  end
end

function TestTrain:test_a_part_of_the_network_is_trained()
  local _, network = small.run({ steps = 3 }, { train = { "*.norm", "norm" } })
  lu.assertEquals(#network.parameters, 5)
  local m = assert(network:model("tuned"))
  local fresh = assert(vise.model.new(small.CONFIG, { seed = 3 }))
  lu.assertEquals(m:weight("layers.0.mlp.up"):dense():table(),
    fresh:weight("layers.0.mlp.up"):dense():table())
  lu.assertNotEquals(m:tensor("norm"):table(), fresh:tensor("norm"):table())
end

function TestTrain:test_weights_are_trained_through_what_they_become()
  local options = { through = function(name, w)
    return name ~= "embed" and vise.grad.ste(w, { bits = 2, group = 16 }) or w
  end }
  local result, network = small.run({ steps = 80 }, options)
  local m = assert(network:model("rounded"))
  local w = m:weight("layers.1.mlp.down")
  local seen, count = {}, 0
  for i = 1, 16 do -- one group: four numbers at most
    local value = w:dense():get(1, i)
    count = count + (seen[value] and 0 or 1)
    seen[value] = true
  end
  lu.assertTrue(count <= 4, count)
  lu.assertTrue(result.losses[80] < 0.8 * result.losses[1], result.losses[80])
  local batch = train.windows({ ids = small.ids(700), length = 16, batch = 3, seed = 5 }):batch(1)
  local logits = assert(m:logits(assert(m:hidden(batch))))
  lu.assertEquals(native.grad.nll_mean(logits, batch.targets), network:loss(batch))
end

function TestTrain:test_adapters_are_trained_on_frozen_compressed_weights()
  local _, learned = small.run()
  local m = assert(learned:model()):compress({
    { match = "mlp.*", method = "rtn", bits = 2, group = 16 },
  })
  local adapters, list = {}, {}
  for _, name in ipairs({ "layers.0.mlp.up", "layers.1.mlp.up" }) do
    adapters[name] = {
      a = vise.grad.parameter(native.core.random_tensor("f32", { 4, 32 }, 1, name, 0.2),
        name .. ".a"),
      b = vise.grad.parameter(native.tensor.zeros("f32", { 48, 4 }), name .. ".b"),
    }
    table.move({ adapters[name].a, adapters[name].b }, 1, 2, #list + 1, list)
  end
  local network = train.network(m, { train = {}, through = function(name, w)
    local adapter = adapters[name]
    return adapter and vise.grad.adapted(w, adapter.a, adapter.b) or w
  end })
  local data = train.windows({ ids = small.ids(33), length = 16, batch = 2 })
  local result = small.run({ parameters = list, data = data, steps = 40, loss = function(batch)
    return network:loss(batch)
  end })
  lu.assertTrue(result.losses[40] < result.losses[1] - 0.02,
    result.losses[1] .. " " .. result.losses[40])
end

function TestTrain:test_a_fresh_model_goes_through_a_folder_of_hugging_face()
  local export = require("vise.model.export")
  local m = assert(vise.model.new(small.CONFIG, { seed = 3, name = "fresh" }))
  assert(export.run(m, self.path, { to = "hf" }))
  local opened = assert(vise.model.open(self.path))
  for _, place in ipairs(m:places()) do
    lu.assertTrue(opened:weight(place.name):tensor():string()
      == m:weight(place.name):tensor():string(), place.name)
  end
  local other = assert(vise.model.new(small.CONFIG, { seed = 4 }))
  lu.assertTrue(other:weight("head"):tensor():string() ~= m:weight("head"):tensor():string())
  assert(native.file.remove_tree(self.path))
end

function TestTrain:test_the_trained_model_predicts_as_its_network_did()
  local result, network = small.run()
  local m = assert(network:model("trained"))
  local batch = train.windows({ ids = small.ids(700), length = 16, batch = 3, seed = 5 }):batch(1)
  local logits = assert(m:logits(assert(m:hidden(batch))))
  local mean = native.grad.nll_mean(logits, batch.targets)
  lu.assertEquals(mean, network:loss(batch))
  lu.assertTrue(mean < 0.8 * result.losses[1], mean)
end

function TestTrain:test_schedules_rise_and_fall()
  local rate = require("vise.train.schedule").rate
  local o = { schedule = "cosine", rate = 2.0, warmup = 0.1, floor = 0.1 }
  lu.assertAlmostEquals(rate(1, 100, o), 0.2, 1e-12)
  lu.assertAlmostEquals(rate(10, 100, o), 2.0, 1e-12)
  lu.assertAlmostEquals(rate(55, 100, o), 2.0 * 0.55, 1e-12) -- half way: the mean of 1 and 0.1
  lu.assertAlmostEquals(rate(100, 100, o), 0.2, 1e-12)
  o.schedule = "linear"
  lu.assertAlmostEquals(rate(64, 100, o), 2.0 * (0.1 + 0.9 * 0.4), 1e-12)
  o.schedule = "constant"
  lu.assertEquals(rate(100, 100, o), 2.0)
end

--- One parameter [2, 2] after two steps with these gradients, by an optimizer.
function H.two_steps(options, groups)
  local p = vise.grad.parameter(native.tensor.from("f32", { 2, 2 }, { 1, -2, 3, 0.5 }), "a.weight")
  local full = { clip = 0.0, decay = 0.1, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8,
    momentum = 0.9 }
  for key, value in pairs(options) do
    full[key] = value
  end
  local optimizer = require("vise.train.optimizer").new({ p }, full, groups)
  for step, g in ipairs({ { 0.5, -1, 0, 2 }, { 1, 1, -3, 0.25 } }) do
    p.grad = native.tensor.from("f32", { 2, 2 }, g)
    optimizer:step(step, 0.01, optimizer:norm())
  end
  return p.data:table()
end

--- The same by `update(p, g, state, step)`, in f64; within a few roundings of f32.
function H.expect_steps(is, update, scale)
  local p, states = { 1, -2, 3, 0.5 }, { {}, {}, {}, {} }
  for step, g in ipairs({ { 0.5, -1, 0, 2 }, { 1, 1, -3, 0.25 } }) do
    for i = 1, 4 do
      p[i] = update(p[i], g[i] * (scale and scale[step] or 1), states[i], step)
    end
  end
  for i = 1, 4 do
    lu.assertAlmostEquals(is[i], p[i], 1e-6)
  end
end

function H.adamw(decay)
  return function(p, g, s, step)
    s.m = 0.9 * (s.m or 0) + 0.1 * g
    s.v = 0.95 * (s.v or 0) + 0.05 * g * g
    local move = s.m / (1 - 0.9 ^ step) / (math.sqrt(s.v / (1 - 0.95 ^ step)) + 1e-8)
    return p - 0.01 * (move + decay * p)
  end
end

function TestOptimizer:test_adamw()
  H.expect_steps(H.two_steps({ optimizer = "adamw" }), H.adamw(0.1))
end

function TestOptimizer:test_clipping_scales_all_gradients_to_the_norm()
  local scale = {}
  for i, g in ipairs({ { 0.5, -1, 0, 2 }, { 1, 1, -3, 0.25 } }) do
    scale[i] = 1.5 / math.sqrt(g[1] ^ 2 + g[2] ^ 2 + g[3] ^ 2 + g[4] ^ 2)
  end
  H.expect_steps(H.two_steps({ optimizer = "adamw", clip = 1.5 }), H.adamw(0.1), scale)
end

function TestOptimizer:test_a_group_has_its_own_decay_and_rate()
  local is = H.two_steps({ optimizer = "sign" }, { { match = "weight", decay = 0.0, rate = 2.0 } })
  H.expect_steps(is, function(p, g)
    return p - 0.02 * (g > 0 and 1 or g < 0 and -1 or 0)
  end)
end

function TestOptimizer:test_sgd_with_momentum()
  H.expect_steps(H.two_steps({ optimizer = "sgd" }), function(p, g, s)
    s.m = 0.9 * (s.m or 0) + g + 0.1 * p
    return p - 0.01 * s.m
  end)
end

function TestOptimizer:test_signs()
  H.expect_steps(H.two_steps({ optimizer = "sign" }), function(p, g)
    return p - 0.01 * ((g > 0 and 1 or g < 0 and -1 or 0) + 0.1 * p)
  end)
end

function TestData:test_windows_go_through_the_text_once_an_epoch_in_a_seeded_order()
  local values = {}
  for i = 0, 49 do
    values[i + 1] = i
  end
  local ids = native.tensor.from("i32", { 50 }, values)
  local loader = train.windows({ ids = ids, length = 6, batch = 2, seed = 1 })
  local seen, order = {}, {}
  for step = 1, 4 do
    local batch = loader:batch(step)
    local inputs, targets = batch.ids:table(), batch.targets:table()
    for i = 1, 12 do
      lu.assertEquals(targets[i], inputs[i] + 1)
    end
    seen[inputs[1]], seen[inputs[7]] = true, true
    table.move({ inputs[1], inputs[7] }, 1, 2, #order + 1, order)
    lu.assertEquals(batch.starts, { 1, 7 })
  end
  for window = 0, 7 do
    lu.assertTrue(seen[6 * window], window)
  end
  lu.assertNotEquals(order, { 0, 6, 12, 18, 24, 30, 36, 42 })
  local other = train.windows({ ids = ids, length = 6, batch = 2, seed = 1 })
  lu.assertEquals(other:batch(7).ids:table(), loader:batch(7).ids:table())
end

function TestData:test_arrays_keep_inputs_and_targets_together()
  local inputs = native.tensor.from("f32", { 5, 1, 2 }, { 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5 })
  local targets = native.tensor.from("i32", { 5 }, { 0, 1, 2, 3, 4 })
  local loader = train.arrays({ inputs = inputs, targets = targets, batch = 3 })
  for step = 1, 5 do
    local batch = loader:batch(step)
    lu.assertEquals(batch.inputs:shape(), { 3, 1, 2 })
    local rows = batch.inputs:table()
    for i, label in ipairs(batch.targets:table()) do
      lu.assertEquals({ rows[2 * i - 1], rows[2 * i] }, { label, label + 0.5 })
    end
  end
end

function TestData:test_idx_files_are_big_endian()
  local path = os.tmpname()
  native.file.replace(path, string.pack(">I2BBI4I4 i2i2i2i2i2i2", 0, 0x0b, 2, 2, 3,
    1, -2, 300, 4, 5, -6))
  local tensor = assert(train.idx(path))
  lu.assertEquals(tensor:shape(), { 2, 3 })
  lu.assertEquals(tensor:table(), { 1, -2, 300, 4, 5, -6 })
  native.file.replace(path, string.pack(">I2BBI4", 0, 0x08, 1, 9) .. "12345678")
  local nothing, message, code = train.idx(path)
  lu.assertNil(nothing)
  lu.assertEquals(message, path .. ": has 8 bytes of elements, expected 9")
  lu.assertEquals(code, "format")
  os.remove(path)
end

os.exit(lu.LuaUnit.run())
