-- SPDX-License-Identifier: Apache-2.0
-- LoRA extraction and merging.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")
local weight = require("vise.weight")

local H = {}

H.changed = { ["layers.0.attn.q"] = true, ["layers.1.mlp.down"] = true, head = true }

function H.base()
  local folder = os.tmpname()
  os.remove(folder)
  tiny_model.write(folder)
  return assert(model.open(folder)), folder
end

--- B A of rank three and about the size of a weight.
function H.product(place, m, k)
  local b = weight.dense(native.core.random_tensor("f32", { m, 3 }, 5, place .. " b", 0.2))
  local a = weight.dense(native.core.random_tensor("f32", { 3, k }, 5, place .. " a", 0.2))
  return b * a
end

--- `base` and B A at three places, as plain weights.
function H.tuned(base)
  return base:_derive({
    _make = function(place)
      local w = assert(base:materialise(place))
      if not H.changed[place] then
        return w:handle()
      end
      local shape = w:shape()
      return weight.dense((w + H.product(place, shape[1], shape[2])):dense())
    end,
    fallbacks = {}, notes = {},
  })
end

TestExtract = {}

function TestExtract:test_what_was_added_is_found_and_nothing_else()
  local base, folder = H.base()
  local extracted = base:extract(H.tuned(base), { rank = 3, values = "f32" })
  for _, place in ipairs(base:places()) do
    local before = assert(base:weight(place.name))
    local w = assert(extracted:weight(place.name))
    if H.changed[place.name] then
      local tree = w:tree()
      lu.assertEquals(tree.kind, "sum")
      local found <close> = w - before
      local product <close> = H.product(place.name, place.shape[1], place.shape[2])
      lu.assertTrue(found:error(product) < 1e-5, place.name)
    else
      lu.assertTrue(w == before)
    end
  end
  native.file.remove_tree(folder)
end

function TestExtract:test_merging_gives_the_tuned_model()
  local base, folder = H.base()
  local tuned = H.tuned(base)
  local merged = base:extract(tuned, { rank = 8, values = "f32" })
    :compress({ { match = "*", method = "merged", values = "f32" } })
  local batch = { ids = native.tensor.from("i32", { 5 }, { 1, 9, 8, 7, 200 }), starts = { 1 } }
  local is = assert(merged:logits(assert(merged:hidden(batch)))):table()
  local was = assert(tuned:logits(assert(tuned:hidden(batch)))):table()
  for i, x in ipairs(was) do
    lu.assertAlmostEquals(is[i], x, 1e-3)
  end
  for _, place in ipairs(merged:places()) do
    lu.assertEquals(merged:weight(place.name):describe(), "f32")
  end
  native.file.remove_tree(folder)
end

function TestExtract:test_a_pattern_says_where()
  local base, folder = H.base()
  local extracted = base:extract(H.tuned(base), { rank = 2, match = "attn.*" })
  lu.assertEquals(extracted:weight("layers.0.attn.q"):describe(), "sum(f32, lowrank 2 f16)")
  lu.assertEquals(extracted:weight("head"):describe(), "f32")
  native.file.remove_tree(folder)
end

function TestExtract:test_what_cannot_be_done_is_refused()
  local base, folder = H.base()
  local tied_folder = os.tmpname()
  os.remove(tied_folder)
  local tied = assert(model.open(tiny_model.write(tied_folder, { tied = true })))
  lu.assertErrorMsgContains(
    "extract: tuned has head [320, 64] tied, expected head [320, 64] as the base",
    base.extract, base, tied)
  lu.assertErrorMsgContains("extract: no place matches 'mpl.*'", base.extract, base, base,
    { match = "mpl.*" })
  lu.assertErrorMsgContains("extract: rank is 0", base.extract, base, base, { rank = 0 })
  native.file.remove_tree(tied_folder)
  native.file.remove_tree(folder)
end

os.exit(lu.LuaUnit.run())
