-- SPDX-License-Identifier: Apache-2.0
--- Weights in every form: products with one token against reading their bytes, with some tokens
-- against sgemm, and encoding against copying. Sparse kinds and factors have benches of their own.
local native = require("vise.native")
local weight = require("vise.weight")

local SHAPES = { { 4096, 4096 }, { 5632, 2048 }, { 2048, 5632 }, { 11008, 4096 } }
local ROUNDS = 7
local OUT_OF_CACHE = 512e6 -- stored bytes that one pass of a token walks over
local MOST_WEIGHTS = 135e9 -- a second: beyond it no memory is waited for

-- What is multiplied with one token, and the share of the speed of memory to reach.
local ONE_TOKEN = {
  { "f32", 0.80 }, { "bf16", 0.80 },
  { { format = "int", bits = 8, search = "none" }, 0.80 },
  { { format = "int", bits = 4, search = "none" }, 0.80 },
  { { format = "q4_0", search = "none" }, 0.80 },
  { { format = "q8_0", search = "none" }, 0.80 },
  { { format = "q4_k", search = "none" }, 0.70 },
  { { format = "q6_k", search = "none" }, 0.70 },
  { { format = "nf4", search = "none" }, 0.70 },
  { { format = "mxfp4", rule = "floor" }, 0.70 },
  { { format = "int", bits = 3, search = "none" }, 0.55 },
  { { format = "int", bits = 2, search = "none" }, 0.55 },
  { { format = "ternary", search = "none" }, 0.55 },
  { { prune = { sparsity = 0.5 } }, 0.55 },
  { { prune = { sparsity = 0.5 }, layout = "bitmask", values = "int4" }, 0.55 },
  { { prune = { pattern = "2:4" } }, 0.55 },
}
local SOME_TOKENS = { -- tokens, tokens of the rival, share of its rate, formats
  { 8, 4096, 0.35, { 3, 4, 5 } },
  { 32, 4096, 0.65, { 3, 4, 5 } },
  { 512, 512, 0.95, { 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 } },
}
local INT8_TOKENS = { -- the same with activations in int8
  { 512, 512, 3.8, { 3 }, "int8" },
  { 512, 512, 3, { 4, 5, 6 }, "int8" },
  { 512, 512, 2.5, { 7 }, "int8" },
}
local ENCODED = { -- format, weights a second in millions, or a share of the speed of copying
  { { format = "int", bits = 4, search = "none" }, nil, 0.25 },
  { { format = "nf4", search = "none" }, nil, 0.25 },
  { { format = "mxfp4", rule = "floor" }, nil, 0.25 },
  { { format = "q4_0", search = "none" }, nil, 0.25 },
  { { format = "q4_k" }, 300 }, { { format = "q6_k" }, 400 }, { { format = "iq4_xs" }, 120 },
}

local H = {}

function H.random(m, k, name)
  return native.core.random_tensor("f32", { m, k }, 1, name, 0.02)
end

H.originals = {} -- by shape: making random numbers takes longer than what is measured

--- A weight of `kind`: the name of a dtype, or options of W:quantize, of what is left by W:prune if
--- it has `prune`.
function H.made(kind, m, k)
  local shape = m .. "x" .. k
  H.originals[shape] = H.originals[shape] or H.random(m, k, "w")
  local t = H.originals[shape]
  if type(kind) == "string" then
    return weight.dense(t:convert(kind))
  end
  local dense <close> = weight.dense(t)
  if kind.prune == nil then
    return assert(dense:quantize(kind))
  end
  local pruned = assert(dense:prune(kind.prune))
  if kind.layout == nil then
    return pruned
  end
  local options = { layout = kind.layout, values = kind.values }
  local again = assert(weight.sparse(pruned, options))
  pruned:close()
  return again
end

--- The parts of a tree and of those below it, added to `parts`.
function H.add_parts(tree, parts)
  for _, part in pairs(tree.parts) do
    parts[#parts + 1] = part
  end
  for _, child in ipairs(tree.children) do
    H.add_parts(child, parts)
  end
end

--- Read the parts of a weight as they are stored.
function H.read(parts)
  for _, part in ipairs(parts) do
    native.bench.read(part)
  end
end

function H.one_token(bench, kind, at_least)
  local weights, parts, bytes, parameters = {}, {}, 0, 0
  while bytes < OUT_OF_CACHE do
    local shape = SHAPES[#weights % #SHAPES + 1]
    local w = H.made(kind, shape[1], shape[2])
    weights[#weights + 1] = { w = w, x = H.random(1, shape[2], "x") }
    H.add_parts(w:tree(), parts)
    bytes, parameters = bytes + w:bytes(), parameters + shape[1] * shape[2]
  end
  local name = weights[1].w:describe()
  local rates, limits, ratios = {}, {}, {}
  for round = 0, ROUNDS do -- the first is not counted
    local seconds = bench.time(function()
      for _, one in ipairs(weights) do
        assert(one.w:matmul(one.x)):close()
      end
    end)
    local reading = math.max(bench.time(function() H.read(parts) end), parameters / MOST_WEIGHTS)
    if round > 0 then
      rates[round], limits[round] = bytes / seconds / 1e9, bytes / reading / 1e9
      ratios[round] = reading / seconds
    end
  end
  for _, one in ipairs(weights) do
    one.w:close()
    one.x:close()
  end
  for _, part in ipairs(parts) do
    part:close()
  end
  return H.row(bench, ("%s, one token"):format(name), "GB/s", rates, limits, ratios, at_least)
end

function H.row(bench, name, unit, values, against, ratios, at_least)
  local row = {
    name = name, unit = unit, at_least = at_least,
    value = bench.quantile(values, 0.5), against = bench.quantile(against, 0.5),
    ratio = bench.quantile(ratios, 0.5),
    spread = bench.quantile(ratios, 0.75) - bench.quantile(ratios, 0.25),
  }
  bench.say(bench.line(row))
  return row
end

--- All formats of one shape in the same rounds as the rival, which is slow at 4096 tokens.
function H.some_tokens(bench, case, shape, add)
  local t, rival_t, at_least, which, input = table.unpack(case)
  local m, k = shape[1], shape[2]
  local x <close> = H.random(t, k, "x")
  local rival_x <close> = H.random(rival_t, k, "x")
  local dense <close> = H.random(m, k, "w")
  local y <close> = native.tensor.zeros("f32", { rival_t, m })
  local weights, rates, ratios, against = {}, {}, {}, {}
  for i, index in ipairs(which) do
    local w = H.made(ONE_TOKEN[index][1], m, k)
    weights[i], rates[i], ratios[i] = input and weight.input(w, { format = input }) or w, {}, {}
  end
  for round = 0, ROUNDS do
    local rival = 2e-9 * m * k * rival_t
      / bench.time(function() native.linalg.blas_gemm(rival_x, dense, y) end)
    bench.pause()
    for i, w in ipairs(weights) do
      local best = math.huge
      for _ = 1, t < 512 and 5 or 1 do
        best = math.min(best, (bench.time(function() assert(w:matmul(x)):close() end)))
      end
      if round > 0 then
        rates[i][round], against[round] = 2e-9 * m * k * t / best, rival
        ratios[i][round] = rates[i][round] / rival
      end
    end
  end
  for i, w in ipairs(weights) do
    local name = ("%s %dx%d, %d tokens"):format(w:describe(), m, k, t)
    add(H.row(bench, name, "GFLOP/s", rates[i], against, ratios[i], at_least))
    w:close()
  end
end

function H.encode(bench, case)
  local options, rate, at_least = table.unpack(case, 1, 3)
  local t <close> = H.random(4096, 4096, "w")
  local out <close> = native.tensor.zeros("f32", { 4096, 4096 })
  local dense <close> = weight.dense(t)
  local n = 4096 * 4096 / 1e6
  local encode = function() assert(dense:quantize(options)):close() end
  local q <close> = assert(dense:quantize(options))
  local name = ("encode %s%s"):format(q:describe(), rate and ", searched" or "")
  if rate == nil then
    return bench.compare({
      name = name, unit = "M weights/s", work = n, ours = encode, at_least = at_least,
      rival = function() native.bench.copy(out, t) end, rounds = ROUNDS,
    })
  end
  local values = {}
  for round = 1, ROUNDS do
    values[round] = n / bench.time(encode)
  end
  return bench.absolute({ name = name, unit = "M weights/s", values = values, against = rate })
end

return function(bench)
  local rows = {}
  local function add(row)
    rows[#rows + 1] = row
  end
  local before = native.linalg.blas_threads()
  native.linalg.blas_threads(native.core.threads())
  for _, case in ipairs(ONE_TOKEN) do
    add(H.one_token(bench, case[1], case[2]))
  end
  for _, cases in ipairs({ SOME_TOKENS, INT8_TOKENS }) do
    for _, case in ipairs(cases) do
      for _, shape in ipairs(SHAPES) do
        H.some_tokens(bench, case, shape, add)
      end
    end
  end
  for _, case in ipairs(ENCODED) do
    add(H.encode(bench, case))
  end
  native.linalg.blas_threads(before)
  return rows
end
