-- SPDX-License-Identifier: Apache-2.0
-- The method rotate. Its oracle is the model itself: the new one computes the same.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")
local weight = require("vise.weight")

local H = {}

function H.open(options)
  local folder = os.tmpname()
  os.remove(folder)
  tiny_model.write(folder, options)
  return assert(model.open(folder)), folder
end

function H.logits(m)
  local ids = {}
  for i = 1, 40 do
    ids[i] = i * 37 % 320
  end
  local batch = { ids = native.tensor.from("i32", { #ids }, ids), starts = { 1, 18 } }
  return assert(m:logits(assert(m:hidden(batch)))):table()
end

--- The greatest difference, relative to the greatest logit.
function H.difference(a, b)
  local y, most, greatest = H.logits(b), 0, 0
  for i, x in ipairs(H.logits(a)) do
    most, greatest = math.max(most, math.abs(x - y[i])), math.max(greatest, math.abs(y[i]))
  end
  return most / greatest
end

--- Mean of x^4 over that of x^2 squared: 3 of normal numbers.
function H.kurtosis(w)
  local squares, fourths, n = 0, 0, 0
  for _, x in ipairs(w:dense():table()) do
    squares, fourths, n = squares + x * x, fourths + x ^ 4, n + 1
  end
  return fourths / n / (squares / n) ^ 2
end

TestRotate = {}

-- I8, in every form of the family: tied heads, biases (qwen2), windows (mistral).
function TestRotate:test_the_logits_stay()
  for _, options in ipairs({ {}, { tied = true }, { arch = "qwen2" }, { arch = "mistral" } }) do
    local m, folder = H.open(options)
    for _, heads in ipairs({ true, false }) do
      local rotated = m:compress({ { method = "rotate", heads = heads } })
      lu.assertTrue(H.difference(rotated, m) < 1e-4)
      lu.assertFalse(rotated.config.tie_word_embeddings)
    end
    native.file.remove_tree(folder)
  end
end

function TestRotate:test_every_weight_is_another_and_norms_are_one()
  local m, folder = H.open()
  local rotated = m:compress({ { method = "rotate" } })
  for _, place in ipairs(m:places()) do
    local before, after = assert(m:weight(place.name)), assert(rotated:weight(place.name))
    lu.assertTrue(after:error(before) > 0.5, place.name)
  end
  for _, name in ipairs(rotated:tensors()) do
    for _, x in ipairs(rotated:tensor(name):table()) do
      lu.assertEquals(x, 1)
    end
  end
  native.file.remove_tree(folder)
end

-- One dimension of the states that is 30 times the others is spread over all of them.
function TestRotate:test_outliers_of_states_are_spread()
  local m, folder = H.open()
  local factors = {}
  for i = 1, 64 do
    factors[i] = i == 5 and 30 or 1
  end
  local loud = m:_derive({
    _make = function(place)
      local w = assert(m:materialise(place))
      local right = native.tensor.from("f32", { 64 }, factors)
      return place == "embed" and weight.dense(weight.scaled(w, { right = right }):dense())
        or w:handle()
    end,
    fallbacks = {}, notes = {},
  })
  local rotated = loud:compress({ { method = "rotate" } })
  lu.assertTrue(H.kurtosis(loud:weight("embed")) > 30)
  lu.assertTrue(H.kurtosis(rotated:weight("embed")) < 4)
  native.file.remove_tree(folder)
end

function TestRotate:test_seeds_choose_the_signs()
  local m, folder = H.open()
  local function embed(seed)
    return m:compress({ { method = "rotate" } }, { seed = seed }):weight("embed"):dense():string()
  end
  lu.assertEquals(embed(3), embed(3))
  lu.assertNotEquals(embed(3), embed(4))
  native.file.remove_tree(folder)
end

-- The file of the rotated model opens as what it is: untied, with its own norms.
function TestRotate:test_it_is_saved_and_opened_and_rounds_on()
  local m, folder = H.open({ tied = true })
  local path = folder .. "/rotated.vise"
  local rotated = m:compress({ { method = "rotate" }, { match = "*.*", method = "rtn", bits = 8 } })
  assert(rotated:save(path))
  local opened = assert(model.open(path))
  lu.assertEquals(H.difference(opened, rotated), 0)
  lu.assertTrue(H.difference(opened, m) < 0.1)
  native.file.remove_tree(folder)
end

os.exit(lu.LuaUnit.run())
