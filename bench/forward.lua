-- SPDX-License-Identifier: Apache-2.0
--- 512 tokens through a model of 1.1 billion bf16 weights, against our GEMM alone on f32 weights of
--- the same shapes: what attention, norms, decoding and everything else cost on top.
local model = require("vise.model")
local native = require("vise.native")

local HERE = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
local TOKENS = 512
local H = {}

function H.ids(vocabulary)
  local ids = {}
  for i = 1, TOKENS do
    ids[i] = i * 7919 % vocabulary
  end
  return native.tensor.from("i32", { TOKENS }, ids)
end

--- The product of every place but the embedding, in order, and the GFLOP of all; places of one
--- shape share their matrices.
function H.products(m)
  local by_shape, list, work = {}, {}, 0
  for _, place in ipairs(m:places()) do
    if place.name ~= "embed" then
      local rows, columns = place.shape[1], place.shape[2]
      local key = rows .. "x" .. columns
      by_shape[key] = by_shape[key] or {
        x = native.core.random_tensor("f32", { TOKENS, columns }, 1, "x"),
        w = native.core.random_tensor("f32", { rows, columns }, 1, "w"),
        y = native.tensor.zeros("f32", { TOKENS, rows }),
      }
      list[#list + 1] = by_shape[key]
      work = work + 2 * TOKENS * rows * columns / 1e9
    end
  end
  return list, work
end

return function(bench)
  local m = assert(model.open(dofile(HERE .. "/synth.lua").folder()))
  local batch = { ids = H.ids(m.vocabulary), starts = { 1 } }
  local products, work = H.products(m)
  return {
    bench.compare({
      name = ("forward, 1.1e9 weights, %d tokens"):format(TOKENS),
      unit = "GFLOP/s",
      work = work,
      ours = function()
        local hidden <close> = assert(m:hidden(batch))
        assert(m:logits(hidden)):close()
      end,
      rival = function()
        for _, p in ipairs(products) do
          assert(native.linalg.gemm(p.x, p.w, p.y))
        end
      end,
      rounds = 3,
      at_least = 0.85,
    }),
  }
end
