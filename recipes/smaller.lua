-- SPDX-License-Identifier: Apache-2.0
-- Models that are really smaller: fewer neurons, fewer heads, fewer layers. They need no kernels
-- for sparse weights and can be rounded as any other; what is left makes up for what went.
local vise = require "vise"

return vise.recipe {
  about = "a part of the neurons, heads or layers taken out, and the rest rounded",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt", doc = "for statistics" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    tokens = vise.param.int { 8192, min = 256, doc = "calibration tokens" },
    sparsity = vise.param.real { 0.25, min = 0, max = 0.9, doc = "share of the neurons" },
  },
  claims = { kl = { "<=", 0.25 }, bytes = { "<=", 1900000 } },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    local function measure(name, rules)
      local small = job:compress(original, rules)
      local row = job:measure(small,
        { name = name, against = original, text = p.text, protocol = p.protocol })
      job:log("%s: %.0f %% of the parameters, %.0f tokens/s", name,
        100 * small:parameters() / original:parameters(), row.tokens_per_s)
      return small
    end

    local neurons = { method = "prune_neurons", sparsity = p.sparsity, stats = stats }
    job:measure(original, { name = "original", text = p.text, protocol = p.protocol })
    measure("fewer neurons", { neurons })
    measure("half of the heads", { { method = "prune_heads", sparsity = 0.5, stats = stats } })
    measure("a layer less", { { method = "drop_layers", count = 1, stats = stats } })
    local small = measure("fewer neurons, 4 bits",
      { neurons, { match = "*.*", method = "gptq", bits = 4, group = 64, stats = stats } })
    job:save(small)
  end,
}
