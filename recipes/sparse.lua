-- SPDX-License-Identifier: Apache-2.0
-- Half of all weights become 0: which ones, and what do the others make up for? In the file a
-- sparse matrix is a mask and the values that stay; every size here is that of the file.
local vise = require "vise"

return vise.recipe {
  about = "half the weights: by size, by what they multiply, with the rest refitted, as 2:4",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt", doc = "for statistics" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    tokens = vise.param.int { 8192, min = 256, doc = "calibration tokens" },
    sparsity = vise.param.real { 0.5, min = 0.1, max = 0.9, doc = "without a pattern" },
  },
  claims = { kl = { "<=", 0.3 }, bits_per_weight = { "<=", 4.5 } },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    local function measure(name, options)
      local rule = { match = "*.*", stats = stats }
      for key, value in pairs(options) do rule[key] = value end
      return job:measure(job:compress(original, { rule }), { name = name, method = rule.method,
        options = options, against = original, text = p.text, protocol = p.protocol })
    end

    for _, pattern in ipairs { "unstructured", "2:4" } do
      local function prune(name, method, refit)
        return measure(("%s, %s"):format(pattern, name), { method = method, values = "bf16",
          pattern = pattern, sparsity = p.sparsity, refit = refit })
      end
      prune("smallest", "magnitude")
      local wanda = prune("smallest times input", "wanda")
      local refit = prune("the same, refitted", "wanda", true)
      job:log("%s: refitting leaves %.2f of the loss, in %.2f of the bytes", pattern,
        refit.kl / wanda.kl, refit.bytes / wanda.bytes)
    end
    measure("2:4, what stays at 4 bits", { method = "sparsegptq", pattern = "2:4", bits = 4 })
  end,
}
