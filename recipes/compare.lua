-- SPDX-License-Identifier: Apache-2.0
-- One table over the methods: what each loses at each size, on your model and text; then which
-- orders that theory expects between them hold.
local vise = require "vise"

-- Rows in `rows`: name, method, the options that the row shows, and what else its rule says. Pairs
-- of names in `orders`: the first should lose less than the second.
local function table_of(p, config)
  local rows, orders, g = {}, {}, p.group
  local function add(name, method, options, more)
    rows[#rows + 1] = { name = name, method = method, options = options, more = more or {} }
  end
  local function expect(better, worse) orders[#orders + 1] = { better, worse } end
  local plain = { stats = false }

  for _, bits in ipairs { 8, 4, 3, 2 } do
    add("rtn " .. bits, "rtn", { bits = bits, group = g }, plain)
    add("hqq " .. bits, "hqq", { bits = bits, group = g }, plain)
    for _, method in ipairs { "gptq", "qronos", "awq", "outliers" } do
      add(method .. " " .. bits, method, { bits = bits, group = g })
    end
    add("kmeans " .. bits, "kmeans", { bits = bits })
    if bits < 8 then expect("gptq " .. bits, "rtn " .. bits) end
  end
  for _, bits in ipairs { 8, 4 } do
    add("smoothquant, inputs int8, " .. bits, "smoothquant", { bits = bits, group = g })
    add("rotate and rtn " .. bits, "rtn", { bits = bits, group = g },
      { stats = false, first = "rotate" })
  end
  add("codebook of all layers 4", "codebook", { bits = 4 }, { is_whole = true, stats = false })
  if config.hidden_size % 256 == 0 and config.intermediate_size % 256 == 0 then
    for _, format in ipairs { "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs" } do
      add("rtn " .. format, "rtn", { format = format })
      add("gptq " .. format, "gptq", { format = format })
      expect("gptq " .. format, "rtn " .. format)
    end
  end

  local halves, refitted = { values = "f16" }, { values = "f16", refit = true }
  for _, sparsity in ipairs { 0.3, 0.5, 0.7 } do
    local function name(method) return ("%s %g"):format(method, sparsity) end
    add(name "magnitude", "magnitude", { sparsity = sparsity }, { values = "f16", stats = false })
    for _, method in ipairs { "wanda", "ria", "sparsegpt" } do
      add(name(method), method, { sparsity = sparsity }, halves)
    end
    add(name "wanda" .. " refit", "wanda", { sparsity = sparsity }, refitted)
    add(name "sparsegpt" .. " refit", "sparsegpt", { sparsity = sparsity }, refitted)
    if sparsity > 0.3 then
      expect(name "sparsegpt", name "wanda")
      expect(name "wanda" .. " refit", name "wanda")
      expect(name "wanda", name "magnitude")
    end
  end
  add("magnitude 2:4", "magnitude", { pattern = "2:4" }, { values = "f16", stats = false })
  add("wanda 2:4", "wanda", { pattern = "2:4" }, halves)
  add("sparsegpt 2:4", "sparsegpt", { pattern = "2:4" }, halves)
  add("sparsegpt 0.5 and 4 bits", "sparsegptq", { sparsity = 0.5, bits = 4, group = g })
  add("sparsegpt 2:4 and 4 bits", "sparsegptq", { pattern = "2:4", bits = 4, group = g })

  for _, part in ipairs { 8, 4, 2 } do
    local rank = config.hidden_size // part
    add(("svd %d plain"):format(rank), "svd", { rank = rank }, plain)
    add(("svd %d"):format(rank), "svd", { rank = rank })
    expect(("svd %d"):format(rank), ("svd %d plain"):format(rank))
  end
  for _, bits in ipairs { 3, 2 } do
    for _, base in ipairs { "rtn", "gptq" } do
      local name = ("%s %d"):format(base, bits)
      add(name .. " + rank 8", "compensated", { bits = bits, group = g, rank = 8 }, { base = base })
      expect(name .. " + rank 8", name)
    end
  end

  local whole = { is_whole = true }
  add("neurons 25 %", "prune_neurons", { sparsity = 0.25 }, whole)
  add("heads 25 %", "prune_heads", { sparsity = 0.25 }, whole)
  add("one layer less", "drop_layers", { count = 1 }, whole)
  add("layers tied", "tie", { error = 2 }, { is_whole = true, stats = false })
  add("gptq 3 everywhere", "gptq", { bits = 3, group = g }, { match = "*" })
  expect("fit", "gptq 3 everywhere")
  return rows, orders
end

-- The rules of a row.
local function rules_of(row, stats)
  local rule = { method = row.method, match = not row.more.is_whole and "*.*" or nil } -- not embed
  for _, options in ipairs { row.options, row.more } do
    for key, value in pairs(options) do rule[key] = value end
  end
  rule.is_whole, rule.first = nil, nil
  if rule.stats == nil then rule.stats = stats else rule.stats = nil end
  return row.more.first and { { method = row.more.first }, rule } or { rule }
end

local function candidates_of(p)
  local list = {}
  for _, bits in ipairs { 2, 3, 4, 5 } do
    list[#list + 1] = { method = "gptq", bits = bits, group = p.group }
    list[#list + 1] = { method = "gptq", bits = bits, group = 2 * p.group }
  end
  list[#list + 1] = { method = "compensated", base = "gptq", bits = 2, group = p.group, rank = 8,
    factors = "int8" }
  return list
end

return vise.recipe {
  about = "every method at its usual sizes, in one table",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    calibration = vise.param.text { "share/text/tales.train.txt",
      doc = "the text that statistics are taken over" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    protocol = vise.param.protocol { "nll-256", doc = "how to measure" },
    group = vise.param.enum { 32, 64, 128, doc = "weights that share one scale" },
    tokens = vise.param.int { 16384, min = 256, doc = "calibration tokens" },
  },
  run = function(p, job)
    local original, measured = job:open(p.model), {}
    local stats = job:calibrate(original,
      { text = p.calibration, tokens = p.tokens, protocol = p.protocol })
    local function measure(m, name, method, options)
      measured[name] = job:measure(m, { name = name, method = method, options = options,
        against = m ~= original and original or nil, text = p.text, protocol = p.protocol })
    end
    measure(original, "original")
    local rows, orders = table_of(p, original.config)
    for _, row in ipairs(rows) do
      measure(job:compress(original, rules_of(row, stats)), row.name, row.method, row.options)
    end
    local uniform = measured["gptq 3 everywhere"] -- a fit has a choice for every place
    measure(job:fit(original, { candidates = candidates_of(p), stats = stats,
      bytes = uniform.bytes, tokens = 2048 }), "fit", "fit",
      { bits_per_weight = uniform.bits_per_weight })
    for _, order in ipairs(orders) do
      local better, worse = measured[order[1]], measured[order[2]]
      local gap = (worse.kl - better.kl) / math.sqrt(better.kl_se ^ 2 + worse.kl_se ^ 2)
      job:log("%s: %s < %s, by %.1f standard errors", gap > 1 and "holds" or "DOES NOT HOLD",
        order[1], order[2], gap)
    end
  end,
}
