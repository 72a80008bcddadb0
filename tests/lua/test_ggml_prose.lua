-- SPDX-License-Identifier: Apache-2.0
--- The default search of ggml's formats on the weights of a real model, judged by the error that
-- ggml's own search leaves (../shared/golden/ggml has its bytes, see tests/c/test_ggml.c).
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")

TestGgmlProse = {}

local H = { PROSE = "../shared/data/prose15M" }

H.FORMATS = {
  "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq2_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
  "iq4_nl", "iq4_xs",
}

--- Squares of normal numbers stand for the mean squares of activations.
function H.importance(k)
  local values = {}
  for i = 1, k do
    values[i] = native.core.normal(1, "importance", i) ^ 2
  end
  return native.tensor.from("f32", { k }, values)
end

function H.never_loses(w, importance)
  for _, format in ipairs(H.FORMATS) do
    local ours = assert(w:quantize({ format = format, stats = importance }))
    -- q8_0 and tq2_0 of ggml take no importance
    local is_weighted = importance ~= nil and format ~= "q8_0" and format ~= "tq2_0"
    local theirs = assert(w:quantize({
      format = format, search = "ggml", stats = is_weighted and importance or nil,
    }))

    local our_error, their_error = ours:error(w, importance), theirs:error(w, importance)

    lu.assertTrue(our_error > 0)
    lu.assertTrue(our_error <= their_error,
      ("%s: error %.9g, ggml's %.9g"):format(format, our_error, their_error))
    ours:close()
    theirs:close()
  end
end

function TestGgmlProse:test_the_default_search_never_loses_to_ggml()
  lu.skipIf(not native.file.stat(H.PROSE), H.PROSE .. " is not there")
  local m = assert(model.open(H.PROSE))
  for _, place in ipairs({ "layers.0.attn.q", "layers.1.mlp.down", "layers.3.attn.o" }) do
    local w = assert(m:weight(place))
    local importance <close> = H.importance(w:shape()[2])
    H.never_loses(w)
    H.never_loses(w, importance)
  end
end

os.exit(lu.LuaUnit.run())
