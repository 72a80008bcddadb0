-- SPDX-License-Identifier: Apache-2.0
-- The curve of file bytes against divergence: at each size the best choice of a method for each
-- place.
local vise = require "vise"

local function candidates_of(group)
  local list = {}
  for _, rate in ipairs { 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5.5 } do
    list[#list + 1] = { method = "watersic", rate = rate }
  end
  for _, rate in ipairs { 1, 1.5, 2, 2.5, 3, 3.5, 4, 5 } do -- rare words may be coarse
    list[#list + 1] = { match = "embed", method = "watersic", rate = rate, rows = "softmax" }
    list[#list + 1] = { match = "head", method = "watersic", rate = rate, rows = "softmax" }
  end
  for _, rank in ipairs { 2, 8 } do
    list[#list + 1] = { match = "*.*", method = "compensated", base = "watersic", rate = 2,
      rank = rank, factors = "int8" }
  end
  for _, bits in ipairs { 2, 3, 4 } do
    list[#list + 1] = { match = "*.*", method = "gptq", bits = bits, group = group }
  end
  for _, format in ipairs { "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs" } do
    list[#list + 1] = { match = "*.*", method = "gptq", format = format }
  end
  list[#list + 1] = { method = "rtn", bits = 8, group = group }
  return list
end

return vise.recipe {
  about = "file bytes against divergence, the method of every place chosen by measurement",
  params = {
    model = vise.param.model { doc = "the model to compress" },
    calibration = vise.param.text { doc = "the text that statistics are taken over" },
    text = vise.param.text { doc = "the text to measure on" },
    protocol = vise.param.protocol { "llama.cpp-256", doc = "how to measure" },
    group = vise.param.enum { 64, 32, 128, doc = "weights that share one scale" },
    tokens = vise.param.int { 32768, min = 256, doc = "calibration tokens" },
    from = vise.param.real { 2.5, min = 1, max = 16, doc = "bits per weight of the smallest file" },
    to = vise.param.real { 5.0, min = 1, max = 16, doc = "bits per weight of the largest file" },
    points = vise.param.int { 6, min = 2, max = 20, doc = "files" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original, { text = p.calibration, tokens = p.tokens,
      sequential = false })
    local candidates = candidates_of(p.group)
    for i = 0, p.points - 1 do
      local bits = p.from * (p.to / p.from) ^ (i / (p.points - 1))
      local fitted = job:fit(original, { candidates = candidates, stats = stats,
        bits_per_weight = bits })
      job:measure(fitted, { name = ("%.2f bits"):format(bits), method = "fit",
        options = { bits_per_weight = bits }, against = original, text = p.text,
        protocol = p.protocol })
    end
  end,
}
