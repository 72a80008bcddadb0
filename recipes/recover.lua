-- SPDX-License-Identifier: Apache-2.0
-- What a model that was rounded to a few bits learns again from the original, with little to learn:
-- its scales and norms, or a product of two thin matrices beside each weight.
local vise = require "vise"

return vise.recipe {
  about = "a model of few bits recovers by its scales and norms alone, or by adapters (LoRA)",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    train = vise.param.text { "share/text/tales.train.txt", doc = "the text to learn from" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    bits = vise.param.enum { 2, 3, 4, doc = "bits per weight" },
    group = vise.param.enum { 64, 32, 128, doc = "weights that share one scale" },
    rank = vise.param.int { 8, min = 1, doc = "of the adapters" },
    tokens = vise.param.int { 16384, min = 256, doc = "calibration tokens" },
    steps = vise.param.int { 100, min = 1, doc = "updates of training" },
    batch = vise.param.int { 4, min = 1, doc = "windows of a step" },
    rate = vise.param.real { 0.001, min = 0, doc = "the greatest learning rate" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.train, tokens = p.tokens, protocol = p.protocol })
    local function measure(name, m)
      job:measure(m, { name = name, text = p.text, protocol = p.protocol, against = original })
    end
    local rounded = job:compress(original, {
      { match = "*.*", method = "gptq", bits = p.bits, group = p.group, stats = stats },
    })
    local function recover(name, compressed)
      local m = job:train {
        name = name, model = rounded, compressed = compressed, distill = { teacher = original },
        text = p.train, batch = p.batch, steps = p.steps, rate = p.rate,
      }
      measure(name, m)
      return m
    end

    measure("gptq", rounded)
    recover("scales and norms", { learn = "scales" })
    local adapted = recover("adapters", { learn = "adapters", rank = p.rank })
    measure("adapters, merged", job:compress(adapted, { { match = "*.*", method = "merged" } }))
    job:save(adapted)
  end,
}
