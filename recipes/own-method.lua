-- SPDX-License-Identifier: Apache-2.0
-- A method of your own in twenty lines: clip the outliers of each matrix before rounding it.
local vise = require "vise"

vise.method.register {
  name = "clipped", family = "quant", scope = "weight", version = 1, is_exact = true,
  summary = "rounds what is left between two quantiles", source = "this recipe", needs = {},
  params = {
    { name = "bits", kind = "int", default = 4, min = 2, max = 8, doc = "bits per weight" },
    { name = "keep", kind = "real", default = 0.999, min = 0.5, max = 1,
      doc = "share not clipped" },
  },
  run = function(w, o)
    local values, sizes = w:dense():table(), {}
    for i, x in ipairs(values) do sizes[i] = math.abs(x) end
    table.sort(sizes)
    local most = sizes[math.max(1, math.floor(#sizes * o.keep))]
    for i, x in ipairs(values) do values[i] = math.max(-most, math.min(most, x)) end
    local clipped = vise.weight.dense(vise.tensor.from("f32", w:shape(), values))
    return clipped:quantize { bits = o.bits, group = 32, search = "none" }
  end,
}

return vise.recipe {
  about = "a method defined in the recipe, against rounding to nearest",
  params = {
    model = vise.param.model { doc = "the model to compress" },
    text = vise.param.text { "share/text/sample.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    bits = vise.param.int { 4, min = 2, max = 8, doc = "bits per weight" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    for _, rule in ipairs {
      { match = "*", method = "rtn", bits = p.bits, search = "none" },
      { match = "*", method = "clipped", bits = p.bits },
    } do
      job:measure(job:compress(original, { rule }), {
        name = rule.method, against = original, text = p.text, protocol = p.protocol,
      })
    end
  end,
}
