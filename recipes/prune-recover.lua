-- SPDX-License-Identifier: Apache-2.0
-- Half of the heads and neurons go; what that costs, what training on the text gives back, and what
-- the original model as a teacher.
local vise = require "vise"

return vise.recipe {
  about = "half of a model's width goes, and is made up for with and without a teacher",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to prune" },
    train = vise.param.text { "share/text/tales.train.txt", doc = "the text to train on" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    sparsity = vise.param.real { 0.5, min = 0, max = 0.9, doc = "share of heads, neurons that go" },
    steps = vise.param.int { 100, min = 1, doc = "updates, each by 4 windows of 256 tokens" },
    rate = vise.param.real { 0.001, min = 0, doc = "the greatest learning rate" },
    tokens = vise.param.int { 4096, min = 256, doc = "calibration tokens" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local pruned = original
    for _, method in ipairs { "prune_heads", "prune_neurons" } do
      local stats = job:calibrate(pruned,
        { text = p.train, tokens = p.tokens, protocol = p.protocol })
      pruned = job:compress(pruned, { { method = method, sparsity = p.sparsity, stats = stats } })
    end
    local function recover(name, distill)
      return job:train {
        name = name, model = pruned, distill = distill, text = p.train, length = 256, batch = 4,
        steps = p.steps, rate = p.rate, warmup = 0.05, floor = 0.02, decay = 0.1, every = 50,
      }
    end
    local function measure(m, name, against)
      return job:measure(m,
        { name = name, against = against, text = p.text, protocol = p.protocol })
    end

    measure(original, "original")
    measure(pruned, "pruned", original)
    local by_text = recover("recovered by the text")
    measure(by_text, "recovered by the text", original)
    local by_teacher = recover("recovered by the original", { teacher = original })
    job:save(by_teacher)
    measure(by_teacher, "recovered by the original", original)
    local gain = measure(by_teacher, "against that of the text", by_text)
    job:log("with the teacher %.4f ± %.4f nats a token better than without", -gain.nll_delta,
      gain.nll_delta_se)
  end,
}
