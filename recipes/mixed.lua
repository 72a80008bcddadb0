-- SPDX-License-Identifier: Apache-2.0
-- Where do bits count most? One width everywhere; more bits where people say that they matter; and
-- in the very same size the choice that measuring makes.
local vise = require "vise"

return vise.recipe {
  about = "three bits a weight: everywhere alike, by rules, by measurement",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt", doc = "for statistics" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    tokens = vise.param.int { 8192, min = 256, doc = "calibration tokens" },
    bits = vise.param.enum { 3, 2, 4, doc = "of most weights" },
  },
  claims = { kl = { "<=", 0.025 } },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    local function gptq(match, bits)
      return { match = match, method = "gptq", bits = bits, group = 64, stats = stats }
    end
    local function measure(name, m)
      return job:measure(m, { name = name, against = original, text = p.text,
        protocol = p.protocol })
    end
    local embed = { match = "embed", method = "rtn", bits = p.bits + 1, group = 64 }
    measure("all alike", job:compress(original, { embed, gptq("*", p.bits) }))
    local rules = measure("v and down wider", job:compress(original, {
      embed, gptq("attn.v", p.bits + 1), gptq("mlp.down", p.bits + 1), gptq("*", p.bits),
    }))

    local candidates = {}
    for _, bits in ipairs { 2, 3, 4, 5, 6 } do
      for _, method in ipairs { "gptq", "rtn" } do
        candidates[#candidates + 1] = { method = method, bits = bits, group = 64 }
      end
    end
    local fitted = job:fit(original,
      { candidates = candidates, stats = stats, bytes = rules.bytes })
    local row = measure("fitted", fitted)
    job:log("in the bytes of the rules the fit loses %.2f of what they lose", row.kl / rules.kl)
  end,
}
