-- SPDX-License-Identifier: Apache-2.0
-- A small convolutional net for digits: its channels pruned, its weights in int8 and int4, and a
-- student half as wide taught by it. share/doc/images.md says where images come from;
-- `data=../shared/data/mnist steps=2000` trains and compresses a net for MNIST.
local vise = require "vise"

local function config(width)
  return {
    model_type = "convnet", image_size = 28, num_channels = 1, num_labels = 10,
    image_mean = 0.13, image_std = 0.31,
    hidden_sizes = { width, 2 * width, 4 * width }, depths = { 1, 1, 1 }, stem_stride = 2,
  }
end

return vise.recipe {
  about = "a convolutional net for digits, pruned by channels, quantized and distilled",
  params = {
    data = vise.param.data { doc = "images: a folder that `vise corpus digits` wrote, or MNIST" },
    model = vise.param.model { "share/models/digits", doc = "the net, unless `steps` trains one" },
    steps = vise.param.int { 0, min = 0, doc = "updates that train a net anew; 0 opens `model`" },
    width = vise.param.int { 16, min = 2, doc = "channels of its first stage" },
    tune = vise.param.int { 400, min = 1, doc = "updates after pruning, and of each student" },
    sparsity = vise.param.real { 0.5, min = 0, max = 0.9, doc = "share of the channels that go" },
    save = vise.param.enum { "smallest", "net", doc = "what is saved; with `net` no more is done" },
  },
  run = function(p, job)
    local function learn(options, steps)
      options.data, options.steps, options.batch, options.shift = p.data, steps, 64, 1
      options.rate, options.warmup = options.rate or 0.01, 0.05
      options.floor, options.decay = 0.01, 0.01
      return job:train(options)
    end
    local net = p.steps == 0 and job:open(p.model)
      or learn({ name = "digits", config = config(p.width) }, p.steps)
    local function measure(m, name)
      return job:measure(m, { name = name, data = p.data, protocol = "images-test",
        against = m ~= net and net or nil })
    end
    measure(net, "net")
    if p.save == "net" then
      return job:save(net)
    end

    local function int4(m)
      local stats = job:calibrate(m, { data = p.data, images = 256 })
      return job:compress(m, {
        { match = "*", method = "gptq", bits = 4, group = 48, stats = stats },
      })
    end
    measure(job:compress(net, { { match = "*", method = "rtn", bits = 8, group = 48 } }), "int8")
    measure(int4(net), "int4")

    local stats = job:calibrate(net, { data = p.data, images = 512 })
    local pruned = job:compress(net, { { method = "prune_channels", sparsity = p.sparsity,
      stats = stats } })
    measure(pruned, "pruned")
    local teach = { teacher = net, temperature = 3, share = 0.8 }
    local tuned = learn({ model = pruned, name = "tuned", rate = 0.003, distill = teach }, p.tune)
    measure(tuned, "pruned, tuned")
    local smallest = int4(tuned)
    measure(smallest, "pruned, tuned, int4")

    local half = config(p.width // 2)
    measure(learn({ name = "alone", config = half }, p.tune), "student alone")
    local student = learn({ name = "student", config = half, distill = teach }, p.tune)
    measure(student, "student taught")
    measure(int4(student), "student taught, int4")
    return job:save(smallest)
  end,
}
