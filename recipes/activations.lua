-- SPDX-License-Identifier: Apache-2.0
-- What it costs to round activations, and keys and values, besides weights; and what smoothing and
-- rotating help.
local vise = require "vise"

local int8 = { match = "*.*", method = "rtn", bits = 8, per = "row" }

return vise.recipe {
  about = "weights, activations, keys and values in few bits, alone and together",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt", doc = "for statistics" },
    text = vise.param.text { "share/text/sample.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    tokens = vise.param.int { 4096, min = 256, doc = "calibration tokens" },
    recent = vise.param.int { 0, min = 0, doc = "newest tokens whose keys and values stay f32" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original, { text = p.calibration, tokens = p.tokens })
    local rotated = job:compress(original, { { method = "rotate" } })
    local weights = {
      f32 = original,
      rotated = rotated,
      int8 = job:compress(original, { int8 }),
      smoothed = job:compress(original, { -- rounds inputs too
        { match = "*.*", method = "smoothquant", stats = stats } }),
      ["rotated int8"] = job:compress(rotated, { int8 }),
      int4 = job:compress(original, {
        { match = "*.*", method = "gptq", bits = 4, group = 32, stats = stats } }),
    }
    local lines = {}
    for _, row in ipairs {
      { "f32", kv = "int8" }, { "f32", kv = "fp8" }, { "f32", kv = "int4" },
      { "rotated", kv = "int4" },
      { "f32", activations = "int8" }, { "f32", activations = "fp8" },
      { "rotated", activations = "int8" }, { "int8", activations = "int8" },
      { "smoothed" }, { "rotated int8", activations = "int8" },
      { "int4", activations = "int8", kv = "int4" },
    } do
      local kv, activations = row.kv or "f32", row.activations or "as they are"
      local rules = { { method = "kv", format = kv, recent = p.recent } }
      if row.activations then rules[2] = { method = "activations", format = activations } end
      local m = job:compress(weights[row[1]], rules) -- a saved model would keep both
      local is = job:measure(m, { name = ("%s, inputs %s, kv %s"):format(row[1], activations, kv),
        method = "activations", options = { weights = row[1], activations = activations, kv = kv },
        against = original, text = p.text, protocol = p.protocol })
      lines[#lines + 1] = ("%-12s %-11s %-4s KL %.6f ± %.6f, %d bytes, cache %d a token"):format(
        row[1], activations, kv, is.kl, is.kl_se, is.bytes, m:cache_bytes(4096) // 4096)
    end
    for _, line in ipairs(lines) do
      job:log("%s", line)
    end
  end,
}
