-- SPDX-License-Identifier: Apache-2.0
-- Two bits and less by training: what rounding loses, learned rounding and quantization-aware
-- training win back.
local vise = require "vise"

return vise.recipe {
  about = "rounding, learned rounding and quantization-aware training at 3 and 2 bits, and ternary",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    train = vise.param.text { "share/text/tales.train.txt", doc = "the text to learn from" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    group = vise.param.enum { 64, 32, 128, doc = "weights that share one scale" },
    tokens = vise.param.int { 32768, min = 256, doc = "calibration tokens" },
    steps = vise.param.int { 150, min = 1, doc = "updates, of learned rounding those of a block" },
    batch = vise.param.int { 4, min = 1, doc = "windows of a step" },
    rate = vise.param.real { 0.0003, min = 0, doc = "the greatest learning rate" },
  },
  claims = { kl = { "<=", 0.2 }, nll_delta = { "<=", 0.17 } }, -- seen after 40 steps of 3 windows
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.train, tokens = p.tokens, protocol = p.protocol })
    local function measure(name, m, method, options)
      job:measure(m, { name = name, method = method, options = options, text = p.text,
        protocol = p.protocol, against = m ~= original and original or nil })
      return m
    end
    local function round(name, method, options)
      local rule = { match = "*.*", method = method, group = p.group, stats = stats }
      for key, value in pairs(options) do rule[key] = value end
      return measure(name, job:compress(original, { rule }), method, options)
    end
    local function train(name, m, options) -- the same numbers of bits, as the original predicts
      return measure(name, job:train {
        name = name, model = m, compressed = { original = original },
        distill = { teacher = original }, text = p.train, batch = p.batch,
        steps = p.steps, rate = p.rate,
      }, "qat", options)
    end

    measure("original", original)
    round("gptq 3", "gptq", { bits = 3 })
    round("autoround 3", "autoround", { bits = 3, steps = p.steps })
    round("gptq 2", "gptq", { bits = 2 })
    local two = round("autoround 2", "autoround", { bits = 2, steps = p.steps })
    local ternary = { format = "ternary", per = "group" }
    local three = round("gptq ternary", "gptq", ternary)
    train("qat ternary", three, ternary)
    job:save(train("qat 2", two, { bits = 2 }))
  end,
}
