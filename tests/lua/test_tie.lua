-- SPDX-License-Identifier: Apache-2.0
-- The method tie.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")
local weight = require("vise.weight")

local H = {}

--- A model whose second layer has the `up` of the first, and its `down` with 1 % of noise.
function H.open()
  local folder = os.tmpname()
  os.remove(folder)
  tiny_model.write(folder)
  local m = assert(model.open(folder))
  return m:_derive({
    _make = function(place)
      if place == "layers.1.mlp.up" then
        return weight.dense(assert(m:materialise("layers.0.mlp.up")):dense())
      elseif place == "layers.1.mlp.down" then
        local w = assert(m:materialise("layers.0.mlp.down"))
        local noise <close> =
          weight.dense(native.core.random_tensor("f32", w:shape(), 9, "noise", 1))
        local _, square = noise:difference(noise)
        local _, of_w = w:difference(w)
        return weight.dense((w + 0.01 * math.sqrt(of_w / square) * noise):dense())
      end
      return assert(m:materialise(place)):handle()
    end,
    fallbacks = {}, notes = {},
  }), folder
end

function H.bytes(m, path)
  return assert(m:save(path, { coder = "raw" })).bytes
end

TestTie = {}

function TestTie:test_equal_weights_are_held_once()
  local m, folder = H.open()
  local told = {}
  local tied = m:compress({ { method = "tie" } }, { on_note = function(place, text)
    told[#told + 1] = place .. ": " .. text
  end })
  lu.assertEquals(told, {
    "layers.1.mlp.up: holds the weight of layers.0.mlp.up, relative error 0",
  })
  lu.assertEquals(#tied.notes, 1)
  lu.assertEquals(tied.notes[1].place, "layers.1.mlp.up")
  lu.assertEquals(tied.notes[1].text, "holds the weight of layers.0.mlp.up, relative error 0")
  for _, place in ipairs(m:places()) do
    lu.assertEquals(tied:weight(place.name):dense():string(), m:weight(place.name):dense():string())
  end
  native.file.remove_tree(folder)
end

function TestTie:test_near_weights_are_held_once_and_stored_once()
  local m, folder = H.open()
  local tied = m:compress({ { method = "tie", error = 0.02 } })
  lu.assertEquals(#tied.notes, 2)
  local down = tied:weight("layers.1.mlp.down")
  lu.assertEquals(down:dense():string(), m:weight("layers.0.mlp.down"):dense():string())
  lu.assertAlmostEquals(down:error(m:weight("layers.1.mlp.down")), 0.01, 1e-3)
  local less = m:compress({ { method = "tie", error = 0.005 } })
  lu.assertEquals(#less.notes, 1)
  local saved = H.bytes(m, folder .. "/a.vise") - H.bytes(tied, folder .. "/b.vise")
  lu.assertTrue(saved >= 64 * 172 * 4, saved)
  local opened = assert(model.open(folder .. "/b.vise"))
  lu.assertEquals(opened:weight("layers.1.mlp.down"):dense():string(), down:dense():string())
  native.file.remove_tree(folder)
end

function TestTie:test_a_tied_model_is_compressed_on()
  local m, folder = H.open()
  local both = m:compress({ { method = "tie" }, { match = "*.*", method = "rtn", bits = 4 } })
  lu.assertEquals(both:weight("layers.1.mlp.up"):dense():string(),
    both:weight("layers.0.mlp.up"):dense():string())
  lu.assertErrorMsgContains("tie: error is 3, expected a number in [0, 2]", m.compress, m,
    { { method = "tie", error = 3 } })
  native.file.remove_tree(folder)
end

os.exit(lu.LuaUnit.run())
