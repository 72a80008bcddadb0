-- SPDX-License-Identifier: Apache-2.0
-- Round every weight of a model to a few bits, see what that costs, keep the result.
local vise = require "vise"

return vise.recipe {
  about = "every weight rounded to the nearest of 2^bits levels, one scale per group",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    bits = vise.param.enum { 4, 2, 3, 5, 6, 8, doc = "bits per weight" },
    group = vise.param.enum { 32, 16, 64, 128, doc = "weights that share one scale" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local compressed = job:compress(original, {
      { match = "*", method = "rtn", bits = p.bits, group = p.group },
    })
    for _, m in ipairs { original, compressed } do -- what it writes, before and after
      local begin = "Once, in a village between two hills, there lived"
      local sample = begin .. m:generate(begin, { tokens = 40, seed = 1, temperature = 0.3 })
      local name = m == original and "original" or "compressed"
      job:log("%s: %s", name, (sample:gsub("%s+", " "):gsub(" $", "")))
    end
    job:measure(original, { name = "original", text = p.text, protocol = p.protocol })
    job:measure(compressed, {
      name = "compressed", against = original, text = p.text, protocol = p.protocol,
    })
    job:save(compressed)
  end,
}
