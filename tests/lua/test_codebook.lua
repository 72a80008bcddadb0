-- SPDX-License-Identifier: Apache-2.0
-- The method codebook.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")
local weight = require("vise.weight")

TestCodebook = {}

-- By the definition: the nearest of the four, the lower one halfway.
function TestCodebook:test_the_nearest_number_of_a_table_is_chosen()
  local w <close> = weight.dense(native.tensor.from("f32", { 2, 3 }, { -9, -1.5, 0, 0.4, 0.6, 7 }))
  local numbers = native.tensor.from("f16", { 1, 4, 1 }, { -2, -1, 0, 1 })
  local q <close> = native.weight.codebook_of(w, numbers)
  lu.assertEquals(q:dense():table(), { -2, -2, 0, 0, 1, 1 })
  local falling = native.tensor.from("f16", { 1, 2, 1 }, { 1, 0 })
  lu.assertErrorMsgContains("not ascending", native.weight.codebook_of, w, falling)
  local three = native.tensor.from("f16", { 1, 3, 1 }, { 0, 1, 2 })
  lu.assertErrorMsgContains("expected [1, 2^bits, 1]", native.weight.codebook_of, w, three)
end

function TestCodebook:test_all_layers_have_one_table()
  local folder = os.tmpname()
  os.remove(folder)
  tiny_model.write(folder)
  local m = assert(model.open(folder))
  local small = m:compress({ { method = "codebook", bits = 3 } })
  local first
  for _, place in ipairs(m:places()) do
    local q = assert(small:weight(place.name))
    if place.name:find("layers") then
      local tree = q:tree()
      lu.assertEquals({ tree.kind, tree.children[1].kind }, { "scaled", "codebook" })
      local numbers = tree.children[1].parts.table:string()
      first = first or numbers
      lu.assertEquals(numbers, first)
      -- the root of what Lloyd-Max loses of normal numbers, 0.03454, and a little more
      lu.assertTrue(q:error(m:weight(place.name)) < 0.22, place.name)
    else
      lu.assertEquals(q:dense():string(), m:weight(place.name):dense():string())
    end
  end
  local path = folder .. "/small.vise"
  assert(small:save(path))
  local opened = assert(model.open(path))
  lu.assertEquals(opened:weight("layers.1.mlp.up"):dense():string(),
    small:weight("layers.1.mlp.up"):dense():string())
  native.file.remove_tree(folder)
end

os.exit(lu.LuaUnit.run())
