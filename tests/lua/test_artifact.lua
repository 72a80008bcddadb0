-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local ledgers = require("vise.artifact")
local native = require("vise.native")
require("vise.weight")

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
  for _, coder in ipairs({ "raw", "rans", "zstd" }) do
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

--- What the file's bytes are: the sums, and their parts.
function TestArtifact:test_the_ledger_adds_up_to_the_file()
  local matrix = H.tensor("f32", { 64, 96 }, "w")
  for _, coder in ipairs({ "raw", "rans", "zstd" }) do
    local reader, _, path = H.artifact(function(writer)
      assert(writer:add_weight("q", weight.dense(matrix):quantize({ bits = 4, group = 32 })))
      assert(writer:add_weight("d", weight.dense(matrix)))
      assert(writer:add_weight("again", weight.dense(matrix)))
    end, { coder = coder })
    local totals, sum = ledgers.totals(reader), 0
    for _, row in ipairs(reader:ledger()) do
      for _, part in ipairs(row.parts or {}) do
        sum = sum + part.coded
      end
    end

    lu.assertEquals(totals.bytes, native.file.stat(path).bytes)
    lu.assertEquals(totals.coded, sum)
    lu.assertEquals(totals.coded + totals.overhead, totals.bytes)
    -- 64 x 96 codes of 4 bits, 64 x 3 scales of f16, and the matrix itself
    lu.assertEquals(totals.packed, 64 * 96 // 2 + 64 * 3 * 2 + 64 * 96 * 4)
    local lines = ledgers.ledger_text(reader, { parts = true })
    lu.assertStrContains(lines, "same as d")
    lu.assertStrContains(lines, "f32 [64, 96] " .. (coder == "raw" and "raw" or "planes+rans"))
  end
end

--- Contents whose entropy is known: n equal bytes 0; n bytes of which each value is as frequent, n;
--- a quarter of one and three quarters of another, n (2 - 3/4 log2 3) / 8 = 0.81128 n / 8.
function TestArtifact:test_the_entropy_of_parts()
  local n = 3 * 1024 * 1024 // 2 -- two frames
  local known = {
    same = { ("x"):rep(n), 0 },
    all = { H.all_bytes():rep(n // 256), n },
    quarter = { ("abbb"):rep(n // 4), math.floor(n * (2 - 0.75 * math.log(3, 2)) / 8 + 0.5) },
    few = { "aab", 0 }, -- 2.75 bits
    none = { "", 0 },
  }
  for _, coder in ipairs({ "raw", "rans", "zstd" }) do
    local reader = H.artifact(function(writer)
      for name, row in pairs(known) do
        local bytes = native.tensor.from_bytes("u8", { #row[1] }, row[1])
        assert(writer:add_tensor(name, bytes))
        assert(writer:add_tensor(name .. " again", bytes:reshape({ 1, #row[1] })))
      end
    end, { coder = coder })
    lu.assertNil(reader:ledger()[1].entropy)
    lu.assertTrue(reader:measure_entropy())
    for _, row in ipairs(reader:ledger()) do
      local expected = known[row.name] and known[row.name][2] or 0 -- an equal part came first
      lu.assertEquals({ row.entropy, row.parts[1].entropy }, { expected, expected }, row.name)
    end
  end
end

function H.all_bytes()
  local bytes = {}
  for v = 0, 255 do
    bytes[v + 1] = string.char(v)
  end
  return table.concat(bytes)
end

--- Contents that try coders: by name the bytes.
function H.adversaries()
  local skew, random, x = {}, {}, 1
  for i = 1, 40000 do
    x = x * 1664525 + 1013904223 & 0xffffffff
    local zeros = 0
    while x >> (31 - zeros) & 1 == 0 and zeros < 20 do
      zeros = zeros + 1
    end
    skew[i], random[i] = string.char(zeros * 12), string.char(x >> 24)
  end
  return {
    a_byte = "x",
    one_value = ("\0"):rep(70000),
    two_values = ("\xff\0\0"):rep(5000),
    each_once = H.all_bytes(),
    each_often = H.all_bytes():rep(30),
    one_rare = ("a"):rep(30000) .. "b" .. ("a"):rep(2000),
    skew = table.concat(skew),
    random = table.concat(random),
  }
end

--- tests/support/read_artifact.py knows the specification and nothing of our code.
function TestArtifact:test_an_independent_reader_sees_the_same()
  local path = H.path()
  local matrix = H.tensor("f32", { 16, 64 }, "w")
  for _, coder in ipairs({ "raw", "rans", "zstd" }) do
    local writer = assert(artifact.create(path, { coder = coder }))
    local dense = weight.dense(matrix)
    local large = H.tensor("bf16", { coder == "rans" and 70 or 700, 1000 }, "l") -- two frames
    assert(writer:add_weight("q", dense:quantize({ bits = 3, group = 64 })))
    assert(writer:add_weight("embed", dense))
    assert(writer:add_weight("head", dense))
    assert(writer:add_tensor("large", large))
    local adversaries = H.adversaries()
    for name, bytes in pairs(adversaries) do
      assert(writer:add_tensor(name, native.tensor.from_bytes("u8", { #bytes }, bytes)))
    end
    assert(writer:add_tensor("none", native.tensor.from_bytes("i64", { 0, 2 }, "")))
    local seal = assert(writer:commit('{"caf\u{e9}": [1, 2.5]}'))

    local pipe = assert(io.popen("python3 tests/support/read_artifact.py " .. path .. " 2>&1"))
    local out = pipe:read("a")
    local _, _, status = pipe:close()
    if status == 77 or status == 127 then
      return lu.skip("needs python3 and zstd: " .. out)
    end

    lu.assertEquals(status, 0, out)
    local seen = assert(native.json.decode(out))
    lu.assertEquals(seen.hash, seal.hash)
    lu.assertEquals({ table.unpack(seen.names, 1, 4) }, { "q", "embed", "head", "large" })
    lu.assertEquals(seen.manifest["caf\u{e9}"], { 1, 2.5 })
    lu.assertEquals(seen.objects.q.kind, "quant")
    lu.assertEquals(seen.objects.q.attributes.bits, 3)
    lu.assertEquals(seen.objects.head, seen.objects.embed)
    local function digest(object)
      return seen.sha256[object.part + 1]
    end
    lu.assertEquals(digest(seen.objects.embed.parts.values), core.sha256(matrix:string()))
    lu.assertEquals(digest(seen.objects.large), core.sha256(large:string()))
    lu.assertEquals(digest(seen.objects.none), core.sha256(""))
    for name, bytes in pairs(adversaries) do
      lu.assertEquals(digest(seen.objects[name]), core.sha256(bytes), name)
    end
    local coders = {}
    for _, row in ipairs(assert(artifact.open(path)):ledger()) do
      coders[row.name] = row.parts and row.parts[1].coder
    end
    lu.assertEquals(coders.skew, coder == "raw" and "raw" or "rans")
    lu.assertEquals(coders.two_values, coder)
    lu.assertEquals(coders.random, "raw")
  end
end

function TestArtifact:test_what_is_taken_stays_after_the_file_is_closed()
  local gain = H.tensor("f32", { 300 }, "g")
  local reader = H.artifact(function(writer)
    assert(writer:add_tensor("norm", gain))
  end, { coder = "raw" })
  local loaded = assert(reader:tensor("norm"))
  reader:close()
  lu.assertEquals(core.tree_hash(loaded), core.tree_hash(gain))
  lu.assertErrorMsgContains("artifact is closed", reader.names, reader)
end

function TestArtifact:test_an_altered_frame_of_a_part_of_several_frames_is_refused()
  local several = H.tensor("f32", { 700000 }, "several") -- 2.8 MB: three frames
  for _, coder in ipairs({ "raw", "rans", "zstd" }) do
    local _, seal, path = H.artifact(function(writer)
      assert(writer:add_tensor("several", several))
    end, { coder = coder })
    local file <close> = assert(io.open(path, "r+b"))
    file:seek("set", seal.bytes // 2)
    local byte = file:read(1):byte()
    file:seek("set", seal.bytes // 2)
    file:write(string.char(byte ~ 1))
    file:flush()
    local reader = assert(artifact.open(path))

    for _, read in ipairs({ function() return reader:tensor("several") end,
      function() return reader:verify() end }) do
      local result, message, code = read()
      lu.assertNil(result)
      lu.assertStrContains(message, "'several': frame 1 does not match its")
      lu.assertEquals(code, "format")
    end
  end
end

function TestArtifact:test_wrong_calls_are_raised()
  local path = H.path()
  lu.assertErrorMsgContains("unknown option 'codec' (known: coder, level, sync)", artifact.create,
    path, { codec = "raw" })
  lu.assertErrorMsgContains("coder is 'lzma', expected raw, rans or zstd", artifact.create, path,
    { coder = "lzma" })
  lu.assertErrorMsgContains("level is outside -50 to 19", artifact.create, path, { level = 99 })
  local reader = H.artifact(function(writer)
    assert(writer:add_tensor("t", H.tensor("f32", { 3 }, "t")))
    lu.assertErrorMsgContains("name 't' is there already", writer.add_tensor, writer, "t",
      H.tensor("f32", { 3 }, "u"))
  end)
  lu.assertErrorMsgContains("'t' is a tensor, expected a weight", reader.weight, reader, "t")
  local nothing, message, code = reader:tensor("u")
  lu.assertNil(nothing)
  lu.assertStrContains(message, "has no weight or tensor 'u'")
  lu.assertEquals(code, "format")
end

function TestArtifact:test_a_writer_that_is_dropped_leaves_nothing()
  local path = H.path()
  os.remove(path)
  local writer = assert(artifact.create(path))
  assert(writer:add_tensor("t", H.tensor("f32", { 3 }, "t")))
  writer = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  local folder, name = path:match("^(.*)/([^/]*)$")
  for _, file in ipairs(assert(native.file.list(folder))) do
    lu.assertFalse(file:sub(1, #name) == name, file)
  end
end

function TestArtifact:test_an_interrupted_write_leaves_nothing()
  local path = H.path()
  os.remove(path)
  local gain = H.tensor("f32", { 3 }, "t")
  local writer = assert(artifact.create(path))
  core.cancel()
  local added, message, code = writer:add_tensor("t", gain)
  core.cancel_clear()
  lu.assertNil(added)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
  writer:abort()
  lu.assertNil((native.file.stat(path)))
end

--- Files that were refused once, each by the message that its name stands for.
function TestArtifact:test_the_museum_of_corrupt_files_is_refused()
  local rows = dofile("tests/corrupt/artifact/expected.lua")
  for name, expected in pairs(rows) do
    local path = "tests/corrupt/artifact/" .. name
    local reader, message = artifact.open(path)
    if reader then
      reader, message = reader:verify()
    end
    lu.assertNil(reader, name)
    lu.assertEquals(message, path .. ": " .. expected)
  end
end

os.exit(lu.LuaUnit.run())
