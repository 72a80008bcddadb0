-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local native = require("vise.native")

local artifact, core, weight = native.artifact, native.core, native.weight

TestArtifact = {}

local H = {}

function H.path()
  local path = os.tmpname()
  H.made[#H.made + 1] = path
  return path
end

function H.tensor(dtype, shape, name)
  return core.random_tensor(dtype, shape, 1, name)
end

--- An artifact of what `fill` adds, open.
function H.artifact(fill, options)
  local path = H.path()
  local writer <close> = assert(artifact.create(path, options))
  fill(writer)
  local seal = assert(writer:commit('{"about":"test"}', '{"host":"here"}'))
  return assert(artifact.open(path)), seal, path
end

function TestArtifact:setUp()
  H.made = {}
end

function TestArtifact:tearDown()
  for _, path in ipairs(H.made) do
    os.remove(path)
  end
end

function TestArtifact:test_weights_and_tensors_come_back_as_they_went_in()
  local matrix, gain = H.tensor("bf16", { 700, 900 }, "w"), H.tensor("f32", { 900 }, "g")
  for _, coder in ipairs({ "raw", "zstd" }) do
    local reader = H.artifact(function(writer)
      assert(writer:add_weight("layers.0.mlp.up", weight.dense(matrix)))
      assert(writer:add_tensor("norm", gain))
    end, { coder = coder })

    lu.assertEquals(reader:names(), { "layers.0.mlp.up", "norm" })
    lu.assertEquals(reader:kind("norm"), "tensor")
    local loaded = assert(reader:weight("layers.0.mlp.up"))
    lu.assertEquals(core.tree_hash(loaded:tensor()), core.tree_hash(matrix))
    lu.assertEquals(core.tree_hash(assert(reader:tensor("norm"))), core.tree_hash(gain))
    lu.assertEquals(reader:manifest(), '{"about":"test"}')
    lu.assertEquals(reader:record(), '{"host":"here"}')
    lu.assertTrue(reader:verify())
  end
end

function TestArtifact:test_the_hash_is_that_of_the_content_whatever_the_coder()
  local function fill(writer)
    assert(writer:add_tensor("t", H.tensor("f16", { 3, 400000 }, "t")))
  end
  local _, raw = H.artifact(fill, { coder = "raw" })
  local _, zstd = H.artifact(fill, { coder = "zstd", level = 5 })
  lu.assertEquals(raw.hash, zstd.hash)
  lu.assertTrue(zstd.bytes < raw.bytes)
end

function TestArtifact:test_one_weight_under_two_names_is_stored_once_and_opens_as_one()
  local tied = weight.dense(H.tensor("f32", { 64, 32 }, "w"))
  local reader = H.artifact(function(writer)
    assert(writer:add_weight("embed", tied))
    assert(writer:add_weight("head", tied))
  end)

  local rows = reader:ledger()
  lu.assertEquals(rows[2].same_as, "embed")
  lu.assertEquals(rows[2].coded, 0)
  lu.assertTrue(reader:weight("embed") == reader:weight("head"))
end

os.exit(lu.LuaUnit.run())
