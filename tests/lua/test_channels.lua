-- SPDX-License-Identifier: Apache-2.0
--- Convolutional networks compressed: batch norms folded, weights by every family, channels pruned.
local calibration = require("vise.calibration")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local small = require("support.small_convnet")

TestChannels = {}

local H = { folder = os.tmpname() .. ".channels" }

--- A model, five images, what the plain loops say of them, and a calibration over 40 others.
--- `change(name, values)` may change tensors of the file.
function H.case(changes, change)
  assert(native.file.remove_tree(H.folder))
  local config = small.write(H.folder, changes)
  if change then
    local path, items = H.folder .. "/model.safetensors", {}
    local file <close> = assert(native.safetensors.open(path))
    for _, name in ipairs(file:names()) do
      local tensor = file:tensor(name)
      local values = tensor:table()
      change(name, values)
      items[#items + 1] = { name, native.tensor.from("f32", tensor:shape(), values) }
    end
    assert(native.safetensors.write(path, items, {}))
  end
  small.write_images(H.folder .. "/data", "train", config, 40)
  local lists, batch = small.images(config, 5)
  local expected = {}
  for _, logits in ipairs(small.logits(H.folder, config, lists)) do
    table.move(logits, 1, #logits, #expected + 1, expected)
  end
  local plan = calibration.new({ data = H.folder .. "/data", images = 40 })
  return assert(model.open(H.folder)), batch, expected, plan
end

function H.logits(m, batch)
  local hidden <close> = assert(m:hidden(batch))
  return assert(m:logits(hidden))
end

--- Root of the mean square of the differences.
function H.distance(a, b)
  local sum = 0
  for i = 1, #b do
    sum = sum + (a[i] - b[i]) ^ 2
  end
  return (sum / #b) ^ 0.5
end

function H.prune(m, plan, options)
  local rule = { method = "prune_channels", stats = plan }
  for key, value in pairs(options) do
    rule[key] = value
  end
  return m:compress({ rule })
end

function TestChannels:test_folded_norms_leave_the_logits()
  local m, batch, expected = H.case()
  local folded = require("vise.model.fold").run(m)

  lu.assertFalse(folded.config.batch_norm)
  lu.assertEquals(#folded:tensors(), #m:places()) -- one bias each
  lu.assertTrue(H.distance(H.logits(folded, batch):table(), expected) < 2e-5)
  lu.assertTrue(rawequal(require("vise.model.fold").run(folded), folded))
end

function TestChannels:test_every_family_compresses_and_what_is_saved_is_what_was_measured()
  local m, batch, expected, plan = H.case({ hidden_sizes = { 8, 12 } })
  for _, case in ipairs({
    { 0.06, method = "rtn", bits = 8, group = 18 },
    { 1.0, method = "rtn", bits = 4, format = "int", group = 18 },
    { 1.0, method = "gptq", bits = 4, group = 18, stats = plan },
    { 4.0, method = "magnitude", sparsity = 0.3 },
    { 4.0, method = "wanda", sparsity = 0.3, stats = plan },
    { 0.5, method = "kmeans", bits = 5 },
    { 4.0, method = "svd", rank = 6, match = "conv1" },
  }) do
    local bound = table.remove(case, 1)
    case.match = case.match or "*"
    local compressed = m:compress({ case })
    local logits = H.logits(compressed, batch)
    lu.assertTrue(H.distance(logits:table(), expected) < bound, case.method)
    assert(compressed:save(H.folder .. "/model.vise"))
    local opened = assert(model.open(H.folder .. "/model.vise"))
    lu.assertEquals(H.logits(opened, batch):string(), logits:string(), case.method)
  end
end

function TestChannels:test_gptq_with_statistics_of_patches_is_nearer_than_rounding()
  local m, batch, expected, plan = H.case({ hidden_sizes = { 8, 12 } })
  local function distance(rule)
    return H.distance(H.logits(m:compress({ rule }), batch):table(), expected)
  end

  lu.assertTrue(distance({ match = "*", method = "gptq", bits = 3, group = 18, stats = plan })
    < distance({ match = "*", method = "rtn", bits = 3, group = 18 }))
end

function TestChannels:test_pruning_nothing_changes_no_bit()
  local m, batch, _, plan = H.case()

  lu.assertEquals(H.logits(H.prune(m, plan, { sparsity = 0 }), batch):string(),
    H.logits(m, batch):string())
end

--- Channel 2 of every stream is made zero by its norms, of the third stream channel 5.
function TestChannels:test_channels_that_are_zero_go_and_leave_the_logits()
  local m, batch, expected, plan = H.case({}, function(name, values)
    local is_norm = name:find("bn") or name:find("downsample.1")
    if is_norm and (name:find("weight") or name:find("bias")) then
      values[name:find("layer2") and 5 or 2] = 0
    end
  end)
  local pruned = H.prune(m, plan, { sparsity = 0.34 })

  lu.assertEquals(pruned.config.hidden_sizes, { 2, 4 })
  lu.assertEquals(pruned.config.inner_sizes, { 2, 2, 4 })
  lu.assertTrue(H.distance(H.logits(pruned, batch):table(), expected) < 2e-5)
end

--- Channel 5 of the last stream, which the head alone reads, is always 1: its bias takes that over
--- (channel 2 of the first stream is 0).
--- Channel 2 within each block is 0.5: all but the windows at the border lose nothing.
function TestChannels:test_what_a_constant_channel_gave_goes_into_biases_and_means()
  local function constant(name, values)
    local is_last = name:find("layer2%.0%.bn2") or name:find("layer2%.0%.downsample%.1")
    local is_inner = name:find("layer%d%.%d%.bn1")
    local is_first = name:find("^bn1") or name:find("layer1%.%d%.bn2")
    local channel = is_last and 5 or (is_inner or is_first) and 2
    if channel and (name:find("weight") or name:find("bias")) then
      values[channel] = name:find("bias") and not is_first and 0.5 or 0
    end
  end
  local m, batch, expected, plan = H.case({ image_size = 16 }, constant)
  for of, bound in pairs({ stages = 2e-5, blocks = 0.05 }) do
    local changed = of == "stages" and { 2, 4 } or { 2, 2, 4 }
    local pruned = H.prune(m, plan, { sparsity = 0.34, of = of, damping = 1e-6 })
    lu.assertEquals(pruned.config[of == "stages" and "hidden_sizes" or "inner_sizes"], changed)
    lu.assertTrue(H.distance(H.logits(pruned, batch):table(), expected) < bound, of)
  end
end

--- Two channels within a block say the same, so least squares let either go for nothing.
function TestChannels:test_of_two_equal_channels_one_goes_for_nothing()
  local m, batch, expected, plan = H.case({ hidden_sizes = { 4, 4 }, depths = { 1, 1 } },
    function(name, values)
      if name:find("conv1%.weight") and name:find("layer") then
        local n = #values // 4
        table.move(values, 1, n, 3 * n + 1)
      elseif name:find("layer%d%.0%.bn1") then
        values[4] = values[1]
      end
    end)
  local pruned = H.prune(m, plan, { sparsity = 0.25, of = "blocks", damping = 1e-6 })

  lu.assertEquals(pruned.config.inner_sizes, { 3, 3 })
  lu.assertTrue(H.distance(H.logits(pruned, batch):table(), expected) < 2e-3)
end

--- Numbers of a convnet of a config, counted one convolution after the other.
function H.parameters(c)
  local sum, before, at = 9 * c.num_channels * c.hidden_sizes[1] + 4 * c.hidden_sizes[1],
    c.hidden_sizes[1], 0
  for stage, m in ipairs(c.hidden_sizes) do
    for block = 1, c.depths[stage] do
      at = at + 1
      local inner = type(c.inner_sizes) == "table" and c.inner_sizes[at] or c.inner_sizes
      sum = sum + 9 * before * inner + 9 * inner * m + 4 * (inner + m)
      if stage > 1 and block == 1 then
        sum = sum + before * m + 4 * m
      end
      before = m
    end
  end
  return sum + before * c.num_labels + c.num_labels
end

function TestChannels:test_half_of_the_channels_leave_the_parameters_that_a_count_says()
  local m, batch, expected, plan = H.case({ hidden_sizes = { 8, 12 } })
  local pruned = H.prune(m, plan, { sparsity = 0.5 })

  lu.assertEquals(pruned.config.hidden_sizes, { 4, 6 })
  lu.assertEquals(pruned:parameters(), H.parameters(pruned.config))
  local logits = H.logits(pruned, batch)
  lu.assertTrue(H.distance(logits:table(), expected) < 3)
  assert(pruned:save(H.folder .. "/model.vise"))
  local opened = assert(model.open(H.folder .. "/model.vise"))
  lu.assertEquals(H.logits(opened, batch):string(), logits:string())
  local again = H.prune(pruned, plan, { sparsity = 0.25 })
  lu.assertEquals(again.config.hidden_sizes, { 3, 5 })
end

function TestChannels:test_threads_change_no_byte_of_a_file()
  local hashes, threads = {}, native.core.threads()
  for i, n in ipairs({ 1, 3 }) do
    native.core.threads(n)
    local m, _, _, plan = H.case()
    local compressed = H.prune(m, plan, { sparsity = 0.4 }):compress({
      { match = "*", method = "gptq", bits = 4, group = 9, stats = plan } })
    hashes[i] = assert(compressed:save(H.folder .. "/model.vise")).hash
  end
  native.core.threads(threads)
  lu.assertEquals(hashes[1], hashes[2])
end

function TestChannels:test_what_does_not_fit_is_refused()
  local m, _, _, plan = H.case()
  local function fails(rules, expected)
    lu.assertErrorMsgContains(expected, m.compress, m, rules)
  end
  fails({ { method = "prune_channels" } },
    "prune_channels: needs calibration data, which is not given")
  fails({ { method = "prune_neurons", stats = plan } }, "is a convnet, expected a llama")
  local quantized = m:compress({ { match = "*", method = "rtn", bits = 4, group = 9 } })
  lu.assertErrorMsgContains("expected floats (what makes a model narrower goes before",
    H.prune, quantized, plan, { sparsity = 0.5 })
  fails({ { method = "prune_channels", stats = calibration.new({ text = "a" }) } },
    "model '" .. m.name .. "' reads images, expected data")
end

function TestChannels:test_fit_says_that_it_is_for_texts()
  local m, _, _, plan = H.case()
  lu.assertErrorMsgContains("fit: stats are over images, expected them over a text",
    require("vise.fit").new, m, { candidates = { { method = "rtn" } }, stats = plan }, { seed = 0 })
end

function TestChannels.tearDownClass()
  native.file.remove_tree(H.folder)
end

os.exit(lu.LuaUnit.run())
