-- SPDX-License-Identifier: Apache-2.0
--- Models of images: convolutional networks and MLPs opened, evaluated, saved, folded.
local export = require("vise.model.export")
local images = require("vise.images")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local small = require("support.small_convnet")

TestConvNet = {}

local H = { folder = os.tmpname() .. ".convnet" }

-- Sums of at most 9 x 5 products of numbers near 1, seven layers deep, in f32.
H.TOLERANCE = 2e-5

function H.logits(m, batch)
  local hidden <close> = assert(m:hidden(batch))
  return assert(m:logits(hidden))
end

--- A folder of a config, opened, and what the plain loops say of five images.
function H.case(changes)
  assert(native.file.remove_tree(H.folder))
  local config = small.write(H.folder, changes)
  local lists, batch = small.images(config, 5)
  local expected = {}
  for _, logits in ipairs(small.logits(H.folder, config, lists)) do
    table.move(logits, 1, #logits, #expected + 1, expected)
  end
  return assert(model.open(H.folder)), batch, expected
end

function H.assert_near(actual, expected, tolerance)
  actual = type(actual) == "table" and actual or actual:table()
  lu.assertEquals(#actual, #expected)
  for i = 1, #expected do
    lu.assertAlmostEquals(actual[i], expected[i], tolerance or H.TOLERANCE, i)
  end
end

function TestConvNet:test_logits_are_those_of_plain_loops_over_the_files_tensors()
  for _, changes in ipairs({ {}, { stem_stride = 2, image_size = 9, depths = { 1, 2 } },
    { num_channels = 1, hidden_sizes = { 2, 3, 4 }, depths = { 1, 1, 1 } } }) do
    local m, batch, expected = H.case(changes)
    H.assert_near(H.logits(m, batch), expected)
  end
end

function TestConvNet:test_threads_and_batches_change_no_bit()
  local m, batch = H.case()
  local expected = H.logits(m, batch):string()
  local threads = native.core.threads()
  for _, n in ipairs({ 1, 2, 5 }) do
    native.core.threads(n)
    lu.assertEquals(H.logits(m, batch):string(), expected)
  end
  native.core.threads(threads)
  local one = H.logits(m, { images = batch.images:narrow(1, 2, 1) }):string()
  lu.assertEquals(one, expected:sub(17, 32))
end

function TestConvNet:test_a_saved_model_is_the_same_to_the_bit()
  local m, batch = H.case()
  local path = H.folder .. "/model.vise"
  assert(m:save(path))
  lu.assertEquals(H.logits(assert(model.open(path)), batch):string(), H.logits(m, batch):string())
  assert(native.file.remove_tree(H.folder .. ".out"))
  assert(export.run(m, H.folder .. ".out", { to = "hf" }))
  local names = { "/model.safetensors" }
  for _, name in ipairs(names) do -- every tensor as it was
    local before <close> = assert(native.safetensors.open(H.folder .. name))
    local after <close> = assert(native.safetensors.open(H.folder .. ".out" .. name))
    for _, tensor in ipairs(before:names()) do
      lu.assertEquals(after:tensor(tensor):string(), before:tensor(tensor):string(), tensor)
    end
  end
  assert(native.file.remove_tree(H.folder .. ".out"))
end

--- Origin: the README of ../shared/data says 94.51 % for this MLP; it is not ours.
function TestConvNet:test_an_mlp_trained_elsewhere_classifies_as_its_readme_says()
  local mnist = "../shared/data/mnist"
  if not native.file.stat(mnist) then
    lu.skip("no ../shared/data/mnist")
  end
  assert(native.file.remove_tree(H.folder))
  assert(native.file.make_dirs(H.folder))
  assert(native.file.replace(H.folder .. "/config.json", native.json.encode({
    model_type = "mlp", image_size = 28, num_labels = 10, hidden_sizes = { 128, 32 },
  })))
  assert(native.file.replace(H.folder .. "/model.safetensors",
    assert(native.file.read(mnist .. "/mlp.safetensors"))))
  local m = assert(model.open(H.folder))
  local set = assert(images.open(mnist, "test"))
  set:check(m)
  local right = 0
  for _, batch in ipairs(set:batches()) do
    local logits, targets = H.logits(m, batch):table(), batch.targets:table()
    for i, target in ipairs(targets) do
      local best = 1
      for class = 2, 10 do
        best = logits[(i - 1) * 10 + class] > logits[(i - 1) * 10 + best] and class or best
      end
      right = right + (best - 1 == target and 1 or 0)
    end
  end
  lu.assertEquals(right, 9451)
end

function TestConvNet:test_a_config_that_is_wrong_is_refused_by_name()
  for expected, changes in pairs({
    ["hidden_sizes is a table, expected a list of integers"] = { hidden_sizes = {} },
    ["depths is a table, expected an integer, or one for each of the 2 layers"] =
      { depths = { 1 } },
    ["image_size is 0, expected an integer"] = { image_size = 0 },
    ["image_std is 0, expected a number above 0"] = { image_std = 0 },
    ["batch_norm is 'yes', expected true or false"] = { batch_norm = "yes" },
    ["tensor 'conv1.weight' is [3, 2, 3, 3], expected [3, 1, 3, 3]"] = { num_channels = 1 },
  }) do
    H.case()
    local config = {}
    for key, value in pairs(small.CONFIG) do
      config[key] = value
    end
    for key, value in pairs(changes) do
      config[key] = value
    end
    assert(native.file.replace(H.folder .. "/config.json", native.json.encode(config)))
    local m, message = model.open(H.folder)
    lu.assertNil(m, expected)
    lu.assertStrContains(message, expected)
  end
end

function TestConvNet:test_sets_that_do_not_fit_are_refused()
  local m = H.case()
  small.write_images(H.folder .. "/data", "t10k", small.CONFIG, 3, { 0, 1, 9 })
  local set = assert(images.open(H.folder .. "/data", "test"))
  lu.assertErrorMsgContains("the label of image 3 is 9, expected 0 to 3", set.check, set, m)
  small.write_images(H.folder .. "/data", "t10k", { image_size = 6, num_channels = 1,
    num_labels = 4 }, 3)
  set = assert(images.open(H.folder .. "/data", "test"))
  lu.assertErrorMsgContains("images are 6 x 6 x 1, expected the 7 x 7 x 2 of model", set.check, set,
    m)
end

function TestConvNet.tearDownClass()
  native.file.remove_tree(H.folder)
end

os.exit(lu.LuaUnit.run())
