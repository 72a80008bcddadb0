--- Compressed models that are trained and stay compressed.
local lu = require("luaunit")
local native = require("vise.native")
local small = require("support.small_training")
local train = require("vise.train")

TestPacked = {}

local H = {}

H.data = train.windows({ ids = small.ids(700), length = 16, batch = 3, seed = 5 })

--- A model that has learned a little.
function H.original()
  local _, network = small.run()
  return network:model("original")
end

---@return vise.Model trained
---@return vise.TrainedNetwork
---@return number[] losses
function H.train(m, options, changes)
  local network, groups = train.packed(m, options)
  local given = { parameters = network.parameters, groups = groups, data = H.data, steps = 25,
    rate = 3e-3, loss = function(batch)
      return network:loss(batch)
    end }
  for key, value in pairs(changes or {}) do
    given[key] = value
  end
  local result = assert(train.run(given))
  return network:model("trained"), network, result.losses
end

function H.loss(m)
  return train.network(m, { train = {} }):loss(H.data:batch(1))
end

function H.digest(m)
  local parts = {}
  for i, place in ipairs(m:places()) do
    parts[i] = assert(m:weight(place.name)):dense():string()
  end
  for _, name in ipairs(m:tensors()) do
    parts[#parts + 1] = m:vector(name):string()
  end
  return native.core.sha256(table.concat(parts))
end

TestPacked.original = H.original()

function TestPacked:test_weights_learn_on_their_grids_and_stay_packed()
  local before = H.loss(self.original)
  for _, options in ipairs({ { bits = 2, group = 16 }, { bits = 2, group = 16, symmetric = false },
    { format = "ternary", per = "group", group = 16 } }) do
    local rule = { match = "*.*", method = "rtn" }
    for key, value in pairs(options) do
      rule[key] = value
    end
    local small_model = self.original:compress({ rule })
    local lost = H.loss(small_model) - before
    for _, from in ipairs({ self.original, false }) do
      local trained, network = H.train(small_model, { original = from or nil }, { steps = 50 })
      lu.assertTrue(H.loss(trained) - before < 0.5 * lost, (H.loss(trained) - before) / lost)
      -- what was trained is what is stored, to the bit
      lu.assertEquals(H.loss(trained), network:loss(H.data:batch(1)))
      lu.assertEquals(trained:bytes(), small_model:bytes())
      for _, place in ipairs(small_model:places()) do
        lu.assertEquals(trained:weight(place.name):describe(),
          small_model:weight(place.name):describe())
      end
    end
  end
end

function TestPacked:test_scales_learn_alone()
  local packed = self.original:compress({ { match = "*.*", method = "rtn", bits = 2, group = 16 } })
  local trained = H.train(packed, { learn = "scales" })
  lu.assertTrue(H.loss(trained) < H.loss(packed))
  local name = "layers.1.mlp.down"
  lu.assertEquals(trained:weight(name):tree().parts.codes:string(),
    packed:weight(name):tree().parts.codes:string())
  lu.assertTrue((trained:weight(name):difference(packed:weight(name))) > 0)
  lu.assertNotEquals(trained:vector("norm"):string(), packed:vector("norm"):string())
end

function TestPacked:test_adapters_are_stored_beside_any_compressed_weight_and_merged()
  local packed = self.original:compress({ { match = "mlp.*", method = "rtn", bits = 2, group = 16 },
    { match = "attn.*", method = "magnitude", sparsity = 0.5 } })
  local trained, network = H.train(packed, { learn = "adapters", rank = 2 })
  lu.assertTrue(H.loss(trained) < H.loss(packed))
  lu.assertAlmostEquals(H.loss(trained), network:loss(H.data:batch(1)), 1e-6)
  local w = trained:weight("layers.0.mlp.up")
  lu.assertEquals(w:kind(), "sum")
  lu.assertEquals(w:bytes(), packed:weight("layers.0.mlp.up"):bytes() + 2 * 2 * (32 + 48))
  local merged = trained:compress({ { match = "*.*", method = "merged" } })
  lu.assertEquals(merged:weight("layers.0.mlp.up"):kind(), "dense")
  lu.assertAlmostEquals(H.loss(merged), H.loss(trained), 1e-3) -- f16
end

function TestPacked:test_threads_change_no_bit()
  local packed = self.original:compress({ { match = "*.*", method = "rtn", bits = 2, group = 16 } })
  local digests = {}
  for i, threads in ipairs({ 1, 2 }) do
    native.core.threads(threads)
    digests[i] = H.digest((H.train(packed, {}, { steps = 4 })))
  end
  lu.assertEquals(digests[2], digests[1])
end

function TestPacked:test_stopped_in_between_it_ends_with_the_same_bits()
  local packed = self.original:compress({ { match = "*.*", method = "rtn", bits = 2, group = 16 } })
  local whole = H.digest((H.train(packed, {}, { steps = 8 })))
  local path = os.tmpname()
  os.remove(path)
  local given = { steps = 8, every = 3, path = path, on_progress = function(p)
    if p.step == 5 then
      error("stop")
    end
  end }
  lu.assertFalse(pcall(H.train, packed, {}, given))
  given.on_progress = nil
  lu.assertEquals(H.digest((H.train(packed, {}, given))), whole)
  os.remove(path)
end

function TestPacked:test_what_cannot_be_trained_is_said()
  lu.assertErrorMsgContains("no weight of 'original' is compressed", train.packed, self.original,
    {})
  local packed = self.original:compress({ { match = "mlp.*", method = "rtn", format = "nf4" } })
  lu.assertErrorMsgContains("layers.0.mlp.gate: the weight has no scales for groups of a row",
    train.packed, packed, {})
  lu.assertErrorMsgContains("unknown option 'lern'", train.packed, packed, { lern = "scales" })
end

os.exit(lu.LuaUnit.run())
