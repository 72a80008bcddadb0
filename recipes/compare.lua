-- SPDX-License-Identifier: Apache-2.0
-- One table over the methods: what each loses at each size, on your model and text.
local vise = require "vise"

-- Rows: name, method, the options that the row shows, and what else the rule says.
local function rows_of(p, width)
  local rows, g = {}, p.group
  local function add(name, method, options, more)
    rows[#rows + 1] = { name = name, method = method, options = options, more = more or {} }
  end
  for _, bits in ipairs { 8, 4, 3, 2 } do
    for _, method in ipairs { "rtn", "gptq", "awq", "kmeans" } do
      local options = { bits = bits, group = method ~= "kmeans" and g or nil }
      add(("%s %d"):format(method, bits), method, options)
    end
  end
  for _, bits in ipairs { 3, 2 } do
    add(("rtn %d + rank 8"):format(bits), "compensated", { bits = bits, group = g, rank = 8 })
    add(("gptq %d + rank 8"):format(bits), "compensated", { bits = bits, group = g, rank = 8 },
      { base = "gptq" })
  end
  local halves = { values = "f16" }
  for _, sparsity in ipairs { 0.3, 0.5, 0.7 } do
    for _, method in ipairs { "magnitude", "wanda", "ria", "sparsegpt" } do
      add(("%s %g"):format(method, sparsity), method, { sparsity = sparsity }, halves)
    end
    add(("wanda %g refit"):format(sparsity), "wanda", { sparsity = sparsity, refit = true }, halves)
  end
  for _, method in ipairs { "magnitude", "wanda", "sparsegpt" } do
    add(method .. " 2:4", method, { pattern = "2:4" }, halves)
  end
  add("sparsegpt 0.5 and 4 bits", "sparsegptq", { sparsity = 0.5, bits = 4, group = g })
  for _, rank in ipairs { width // 8, width // 4, width // 2 } do
    add(("svd %d plain"):format(rank), "svd", { rank = rank }, { plain = true })
    add(("svd %d"):format(rank), "svd", { rank = rank })
  end
  local whole = { is_whole = true }
  add("neurons 25 %", "prune_neurons", { sparsity = 0.25 }, whole)
  add("heads 25 %", "prune_heads", { sparsity = 0.25 }, whole)
  add("one layer less", "drop_layers", { count = 1 }, whole)
  return rows
end

return vise.recipe {
  about = "every method at its usual sizes, in one table",
  params = {
    model = vise.param.model { doc = "the model to compress" },
    calibration = vise.param.text { doc = "the text that statistics are taken over" },
    text = vise.param.text { doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    group = vise.param.enum { 32, 64, 128, doc = "weights that share one scale" },
    tokens = vise.param.int { 16384, min = 256, doc = "calibration tokens" },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    job:measure(original, { name = "original", text = p.text, protocol = p.protocol })
    for _, row in ipairs(rows_of(p, original.config.hidden_size)) do
      local rule = { match = not row.more.is_whole and "*.*" or nil, method = row.method }
      for _, options in ipairs { row.options, row.more } do
        for key, value in pairs(options) do rule[key] = value end
      end
      rule.plain, rule.is_whole = nil, nil
      if not row.more.plain then rule.stats = stats end
      job:measure(job:compress(original, { rule }), {
        name = row.name, method = row.method, options = row.options,
        against = original, text = p.text, protocol = p.protocol,
      })
    end
  end,
}
