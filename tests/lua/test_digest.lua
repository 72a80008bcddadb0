-- SPDX-License-Identifier: Apache-2.0
--- vise.run.digest: remembered only for files that are the same and have settled.
local digest = require("vise.run.digest")
local lu = require("luaunit")
local native = require("vise.native")

local folder = os.tmpname()
os.remove(folder)
assert(native.file.make_dirs(folder))
local path, memory = folder .. "/input", folder .. "/cache/digests.json"
local options = { folder = folder .. "/cache", smallest = 1, settled = -1 }

local function write(content)
  assert(native.file.replace(path, content))
end

TestDigest = {}

function TestDigest:setUp()
  assert(native.file.remove_tree(options.folder))
end

function TestDigest:test_a_file_has_the_hash_of_its_content()
  write("one")

  lu.assertEquals(digest.of(path, options), native.file.digest(path))
  lu.assertEquals(digest.of(path, options), native.file.digest(path))
end

function TestDigest:test_a_settled_file_is_remembered()
  write("one")
  local real = digest.of(path, options)
  local told = ("0123456789abcdef"):rep(4)
  assert(native.file.replace(memory, (native.file.read(memory):gsub(real, told))))

  lu.assertEquals(digest.of(path, options), told)
end

function TestDigest:test_a_file_that_changed_is_hashed_again()
  write("one")
  local before = digest.of(path, options)
  local file <close> = assert(io.open(path, "r+")) -- in place, of the same size
  file:write("two")
  file:close()
  os.execute(("touch -d '1 hour ago' '%s'"):format(path))

  lu.assertNotEquals(digest.of(path, options), before)
end

function TestDigest:test_a_file_written_just_now_is_not_remembered()
  write("fresh")
  local unsettled = { folder = options.folder, smallest = 1 }
  lu.assertEquals(digest.of(path, unsettled), native.file.digest(path))

  lu.assertNil((native.file.stat(memory)))
end

function TestDigest:test_a_small_file_leaves_no_memory()
  write("small")
  lu.assertEquals(digest.of(path, { folder = options.folder }), native.file.digest(path))

  lu.assertNil((native.file.stat(memory)))
end

function TestDigest:test_a_broken_memory_is_as_none()
  write("one")
  assert(native.file.make_dirs(options.folder))
  for _, content in ipairs({ "", "[1", '{"a": 3}', '{"a": "zz"}', "[]" }) do
    assert(native.file.replace(memory, content))
    lu.assertEquals(digest.of(path, options), native.file.digest(path))
  end
end

function TestDigest:test_a_file_that_is_not_there_is_the_worlds_refusal()
  local hex, message, code = digest.of(folder .. "/nowhere", options)

  lu.assertNil(hex)
  lu.assertStrContains(message, "/nowhere")
  lu.assertEquals(code, "io")
end

local code = lu.LuaUnit.run()
native.file.remove_tree(folder)
os.exit(code)
