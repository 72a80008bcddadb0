-- SPDX-License-Identifier: Apache-2.0
-- What are products of two thin matrices good for? Alone they lose far more than rounding of the
-- same size; beside rounded weights a few ranks take back much of what rounding lost.
local vise = require "vise"

return vise.recipe {
  about = "low rank alone, and low rank for what three bits have lost",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt", doc = "for statistics" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    tokens = vise.param.int { 8192, min = 256, doc = "calibration tokens" },
    bits = vise.param.enum { 3, 2, 4, doc = "of the rounded weights" },
  },
  claims = { kl = { "<=", 0.05 } },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    local function measure(name, options)
      local rule = { match = "*.*" }
      for key, value in pairs(options) do rule[key] = value end
      if name ~= "nearest" then rule.stats = stats end
      return job:measure(job:compress(original, { rule }), { name = name, method = rule.method,
        options = options, against = original, text = p.text, protocol = p.protocol })
    end

    measure("nearest", { method = "svd", keep = 0.5, values = "int8" })
    measure("nearest under the inputs", { method = "svd", keep = 0.5, values = "int8" })
    measure("with 3/4 of the numbers", { method = "svd", keep = 0.75, values = "int8" })
    local rounded = measure(("rounded to %d bits"):format(p.bits),
      { method = "rtn", bits = p.bits })
    local best
    for _, rank in ipairs { 4, 8, 16 } do
      best = measure(("rounded and rank %d"):format(rank),
        { method = "compensated", bits = p.bits, rank = rank, factors = "int8" })
    end
    job:log("rank 16 leaves %.2f of what rounding lost, for %.2f bits a weight",
      best.kl / rounded.kl, best.bits_per_weight - rounded.bits_per_weight)
  end,
}
