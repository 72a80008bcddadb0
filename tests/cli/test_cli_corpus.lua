-- SPDX-License-Identifier: Apache-2.0
--- vise corpus.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tales = require("vise.corpus.tales")

TestCorpus = {}

function TestCorpus:test_without_a_name_it_lists_what_there_is()
  local output, code = program.run({ "corpus" })

  lu.assertEquals(code, 0)
  lu.assertStrContains(output, "digits")
  lu.assertStrContains(output, "tales")
end

function TestCorpus:test_it_writes_what_the_generator_gives()
  local path = program.folder() .. "/tales.txt"

  local result = program.json({ "corpus", "tales", "--split", "test", "--count", "3", "--seed", "9",
    "--out", path, "--json" })

  local text = assert(native.file.read(path))
  lu.assertEquals(text, tales.text("test", 3, 9))
  lu.assertEquals(result, { files = { { path = path, bytes = #text } } })
end

function TestCorpus:test_it_writes_images_into_a_folder()
  local folder = program.folder() .. "/new/images"

  local output, code = program.run({ "corpus", "digits", "--count", "2", "--out", folder })

  lu.assertEquals(code, 0)
  lu.assertStrContains(output, folder .. "/train-images-idx3-ubyte")
  lu.assertEquals(native.file.list(folder),
    { "train-images-idx3-ubyte", "train-labels-idx1-ubyte" })
end

function TestCorpus:test_what_is_wrong_is_said()
  for _, case in ipairs({
    { { "tals", "--out", "x" }, 2, "unknown corpus 'tals' (did you mean 'tales'?" },
    { { "tales" }, 2, "missing --out: where the tales go" },
    { { "tales", "--count", "0", "--out", "x" }, 2, "count is '0'" },
    { { "tales", "--count", "1", "--out", "/nowhere/x" }, 1, "/nowhere/x" },
  }) do
    local _, code, errors = program.run({ "corpus", table.unpack(case[1]) })
    lu.assertEquals(code, case[2], errors)
    lu.assertStrContains(errors, case[3])
  end
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
