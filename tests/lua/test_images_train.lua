-- SPDX-License-Identifier: Apache-2.0
--- Models of images trained and measured: one batch by heart, the same bits for any number of
--- threads and after a stop, moments of norms, what teachers teach, accuracy and its interval.
local images = require("vise.images")
local lu = require("luaunit")
local metric = require("vise.metric")
local model = require("vise.model")
local native = require("vise.native")
local small = require("support.small_convnet")
local train = require("vise.train")

TestImagesTrain = {}

local H = { folder = os.tmpname() .. ".train" }

H.config = { model_type = "convnet", image_size = 7, num_channels = 2, num_labels = 4,
  hidden_sizes = { 4, 6 }, depths = { 1, 1 } }

function H.set()
  small.write_images(H.folder, "train", small.CONFIG, 40)
  return assert(images.open(H.folder, "train"))
end

--- A fresh network trained; its parameters' bytes and the result.
function H.train(o)
  local network = train.network(assert(model.new(o.config or H.config, { seed = 1 })))
  local set = H.set()
  local result = assert(train.run({
    parameters = network.parameters, steps = o.steps or 6, rate = o.rate or 0.01, path = o.path,
    every = 3, on_progress = o.on_progress,
    data = train.images({ set = set, batch = o.batch or 8, shift = o.shift, seed = 2 }),
    loss = function(batch)
      return network:loss(batch)
    end,
  }))
  network:settle(set:batches())
  local bytes = {}
  for i, parameter in ipairs(network.parameters) do
    bytes[i] = parameter.data:string()
  end
  return table.concat(bytes), result, network
end

function TestImagesTrain:test_one_batch_is_learned_by_heart()
  local _, result = H.train({ steps = 80, batch = 40, rate = 0.03 })
  lu.assertTrue(result.losses[80] < 0.05, result.losses[80])
  lu.assertTrue(result.losses[1] > 1)
  _, result = H.train({ steps = 60, batch = 40, config = { model_type = "mlp", image_size = 7,
    num_channels = 2, num_labels = 4, hidden_sizes = { 32 } } })
  lu.assertTrue(result.losses[60] < 0.05, result.losses[60])
end

function TestImagesTrain:test_threads_change_no_bit()
  local seen, threads = {}, native.core.threads()
  for i, n in ipairs({ 1, 3 }) do
    native.core.threads(n)
    seen[i] = H.train({ shift = 1 })
  end
  native.core.threads(threads)
  lu.assertEquals(seen[1], seen[2])
end

function TestImagesTrain:test_a_stopped_run_goes_on_to_the_same_bits()
  local path = H.folder .. ".checkpoint"
  os.remove(path)
  local ok = pcall(H.train, { path = path, on_progress = function(p)
    assert(p.step < 5, "stop")
  end })
  lu.assertFalse(ok)
  local bytes, result = H.train({ path = path })
  lu.assertEquals(result.resumed, 3)
  lu.assertEquals(bytes, (H.train({})))
  local again, finished = H.train({ path = path })
  os.remove(path)
  lu.assertEquals(finished.resumed, 6)
  lu.assertTrue(again == bytes, "a finished run that is opened again has other moments")
end

--- Origin: sums over the pixels of all images, one after the other.
function TestImagesTrain:test_settled_moments_of_the_stem_are_those_of_all_images()
  local _, _, network = H.train({ batch = 8 })
  local m = network:model()
  local weight = m:weight("stem"):dense():table()
  local lists = small.images(small.CONFIG, 40)
  local sum, squares, n, batches = 0, 0, 40 * 49, 0
  local function value(pixels, row, column) -- of channel 3
    local y = 0
    for dr = 0, 2 do
      for dc = 0, 2 do
        local i, j = row + dr - 1, column + dc - 1
        for c = 1, i >= 0 and i < 7 and j >= 0 and j < 7 and 2 or 0 do
          y = y + pixels[(i * 7 + j) * 2 + c] / 255 * weight[2 * 18 + (dr * 3 + dc) * 2 + c]
        end
      end
    end
    return y
  end
  for _, range in ipairs({ { 1, 32 }, { 33, 40 } }) do -- two batches, each a half
    local s, q, count = 0, 0, (range[2] - range[1] + 1) * 49
    for image = range[1], range[2] do
      for at = 0, 48 do
        local y = value(lists[image], at // 7, at % 7)
        s, q = s + y, q + y * y
      end
    end
    sum, squares = sum + s / count / 2, squares + (q - s * s / count) / (count - 1) / 2
    batches = batches + 1
  end
  lu.assertEquals({ batches, n }, { 2, 1960 })
  lu.assertAlmostEquals(m:tensor("stem.mean"):get(3), sum, 1e-4)
  lu.assertAlmostEquals(m:tensor("stem.variance"):get(3), squares, 1e-3 * squares)
end

function TestImagesTrain:test_shifted_images_are_the_images_moved()
  local set = H.set()
  local one = train.images({ set = set, batch = 40, shift = 2, seed = 3 }):batch(1)
  local plain = train.images({ set = set, batch = 40, seed = 3 }):batch(1)
  lu.assertEquals(one.targets:table(), plain.targets:table())
  local seen = {}
  for i = 1, 40 do
    local found
    for down = -2, 2 do
      for right = -2, 2 do
        local is_same = true
        for row = 1, 7 do
          for column = 1, 7 do
            local r, c = row - down, column - right
            local is_inside = r >= 1 and r <= 7 and c >= 1 and c <= 7
            local expected = is_inside and plain.images:get(i, r, c, 2) or 0
            is_same = is_same and one.images:get(i, row, column, 2) == expected
          end
        end
        found = found or is_same and down .. "," .. right
      end
    end
    lu.assertNotNil(found, i)
    seen[found] = true
  end
  local count = 0
  for _ in pairs(seen) do
    count = count + 1
  end
  lu.assertTrue(count > 10, count)
end

function TestImagesTrain:test_a_student_comes_nearer_to_its_teacher()
  local _, _, taught = H.train({ steps = 40, batch = 40, rate = 0.03 })
  local teacher = taught:model("teacher")
  local student = train.network(assert(model.new(H.config, { seed = 7 })))
  local goal = train.distill(student, { teacher = teacher, temperature = 2, share = 0.9 })
  local set = H.set()
  local result = assert(train.run({ parameters = goal.parameters, loss = goal.loss, steps = 40,
    rate = 0.03, data = train.images({ set = set, batch = 40 }) }))
  lu.assertTrue(result.losses[40] < result.losses[1] / 10, result.losses[40])
  lu.assertErrorMsgContains("are for models of tokens, expected none", train.distill, student,
    { teacher = teacher, hidden = 1 })
end

--- Origin: binom.confint(x, n, method = "wilson") of R's package binom.
function TestImagesTrain:test_the_interval_is_wilsons()
  local interval = require("vise.metric.images").wilson
  for _, case in ipairs({ { 8, 10, 0.4901625, 0.9433178 }, { 0, 20, 0, 0.1611252 } }) do
    local low, high = interval(case[1] / case[2], case[2])
    lu.assertAlmostEquals(low, case[3], 1e-6)
    lu.assertAlmostEquals(high, case[4], 1e-6)
  end
end

function TestImagesTrain:test_a_measured_row_says_what_plain_loops_say()
  local config = small.write(H.folder .. "/model")
  small.write_images(H.folder, "t10k", config, 37)
  local m = assert(model.open(H.folder .. "/model"))
  local nll, right = 0, 0
  for i, logits in ipairs(small.logits(H.folder .. "/model", config,
    (small.images(config, 37)))) do
    local sum, best, target = 0, 1, i * 7 % 4 + 1
    for class = 1, 4 do
      sum = sum + math.exp(logits[class])
      best = logits[class] > logits[best] and class or best
    end
    nll, right = nll + math.log(sum) - logits[target], right + (best == target and 1 or 0)
  end
  local row = assert(metric.evaluate(m, { data = H.folder, protocol = "images-test", against = m }))

  lu.assertEquals({ row.images, row.accuracy, row.kl, row.top1, row.nll_delta },
    { 37, right / 37, 0, 1, 0 })
  lu.assertAlmostEquals(row.nll, nll / 37, 1e-5)
  lu.assertTrue(row.accuracy_low < row.accuracy and row.accuracy < row.accuracy_high)
end

function TestImagesTrain:test_what_does_not_fit_is_refused()
  local config = small.write(H.folder .. "/model")
  local m = assert(model.open(H.folder .. "/model"))
  local function fails(options, expected)
    lu.assertErrorMsgContains(expected, metric.evaluate, m, options)
  end
  fails({ text = "a", protocol = "nll-9" }, "is of images, expected a protocol of them")
  fails({ text = "a", protocol = "images-test" }, "data is absent, expected a folder of images")
  fails({ data = H.folder, protocol = "images-tset" }, "unknown protocol 'images-tset'")
  local _, message = metric.evaluate(m, { data = "/nowhere", protocol = "images-test" })
  lu.assertStrContains(message, "no such file")
  small.write_images(H.folder, "t10k", config, 2, { 1, 4 })
  _, message = metric.evaluate(m, { data = H.folder, protocol = "images-test" })
  lu.assertStrContains(message, "the label of image 2 is 4, expected 0 to 3")
end

function TestImagesTrain.tearDownClass()
  native.file.remove_tree(H.folder)
end

os.exit(lu.LuaUnit.run())
