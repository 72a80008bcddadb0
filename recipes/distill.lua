-- SPDX-License-Identifier: Apache-2.0
-- A student with a third of the teacher's parameters, cut out of it, learns from it, and once more
-- from the text alone; then its weights are rounded to 4 bits.
local vise = require "vise"

return vise.recipe {
  about = "a student cut out of its teacher learns from it, better than from the text alone",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the teacher" },
    train = vise.param.text { "share/text/tales.train.txt", doc = "the text to learn" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    layers = vise.param.int { 2, min = 1, doc = "layers that go" },
    heads = vise.param.real { 0.5, min = 0, max = 0.99, doc = "share of the heads that go" },
    neurons = vise.param.real { 0.7, min = 0, max = 0.99, doc = "share of the neurons that go" },
    steps = vise.param.int { 150, min = 1, doc = "updates, each by 4 windows of 256 tokens" },
    rate = vise.param.real { 0.002, min = 0, doc = "the greatest learning rate" },
    tokens = vise.param.int { 4096, min = 256, doc = "calibration tokens" },
  },
  run = function(p, job)
    local teacher = job:open(p.model)
    local function stats(m)
      return job:calibrate(m, { text = p.train, tokens = p.tokens, protocol = p.protocol })
    end
    local begin = teacher
    for _, rule in ipairs {
      { method = "drop_layers", count = p.layers },
      { method = "prune_heads", sparsity = p.heads },
      { method = "prune_neurons", sparsity = p.neurons },
    } do
      rule.stats = stats(begin)
      begin = job:compress(begin, { rule })
    end
    local function student(name, distill)
      return job:train {
        name = name, model = begin, distill = distill, text = p.train, length = 256, batch = 4,
        steps = p.steps, rate = p.rate, warmup = 0.05, floor = 0.02, decay = 0.1, every = 50,
      }
    end
    local function measure(m, name, against)
      return job:measure(m,
        { name = name, against = against, text = p.text, protocol = p.protocol })
    end

    local taught_by = measure(teacher, "teacher")
    measure(begin, "student, not trained", teacher)
    local untaught = student("taught by the text")
    measure(untaught, "taught by the text", teacher)
    local taught = student("taught by the teacher", { teacher = teacher })
    measure(taught, "taught by the teacher", teacher)
    local gain = measure(taught, "against that of the text", untaught)
    local small = job:compress(taught, {
      { match = "*.*", method = "gptq", bits = 4, group = 64, stats = stats(taught) },
      { match = "*", method = "rtn", bits = 4, group = 64 },
    })
    local row = measure(small, "the same at 4 bits", teacher)
    local bytes = job:save(small).bytes

    job:log("the teacher's student is %.4f ± %.4f nats a token better than the text's",
      -gain.nll_delta, gain.nll_delta_se)
    local parameters = teacher:parameters()
    job:log("%d of %d parameters in %d bytes: 1/%.1f of the teacher's file, 1/%.1f of its numbers "
      .. "in f32; KL %.4f ± %.4f", small:parameters(), parameters, bytes,
      taught_by.bytes / bytes, 4 * parameters / bytes, row.kl, row.kl_se)
  end,
}
