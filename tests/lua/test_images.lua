-- SPDX-License-Identifier: Apache-2.0
--- Sets of images: idx files, packed by Python's gzip, and what is wrong with them.
local lu = require("luaunit")
local images = require("vise.images")
local native = require("vise.native")

TestImages = {}

local H = { folder = os.tmpname() .. ".images" }

--- Write the files of a split; `o` says what differs from 3 images of 2 x 2 x 1.
function H.write(o)
  assert(native.file.remove_tree(H.folder))
  assert(native.file.make_dirs(H.folder))
  local head = o.head or string.pack(">I4I4I4I4", 0x803, 3, 2, 2)
  assert(native.file.replace(H.folder .. "/t10k-images-idx3-ubyte", head
    .. (o.pixels or "\0\1\2\3\4\5\6\7\8\9\10\255")))
  if o.labels ~= false then
    assert(native.file.replace(H.folder .. "/t10k-labels-idx1-ubyte", o.labels
      or string.pack(">I4I4", 0x801, 3) .. "\0\9\4"))
  end
  return H.folder
end

function H.refused(o, expected)
  local set, message, code = images.open(H.write(o), "test")
  lu.assertNil(set)
  lu.assertStrContains(message, expected)
  return code
end

function TestImages:test_a_set_is_its_images_and_labels()
  local set = assert(images.open(H.write({}), "test"))

  lu.assertEquals({ set.count, set.images:shape(), set.images:get(3, 2, 2, 1), set.labels:table() },
    { 3, { 3, 2, 2, 1 }, 255, { 0, 9, 4 } })
  lu.assertEquals(set:batch(2, 2).images:table(), { 4, 5, 6, 7, 8, 9, 10, 255 })
end

function TestImages:test_colours_are_a_fourth_dimension()
  local set = assert(images.open(H.write({ head = string.pack(">I4I4I4I4I4", 0x804, 3, 1, 2, 2) }),
    "test"))

  lu.assertEquals(set.images:shape(), { 3, 1, 2, 2 })
end

function TestImages:test_what_is_wrong_is_said_with_its_file()
  lu.assertEquals(H.refused({ labels = false }, "t10k-labels-idx1-ubyte: no such file"), "io")
  H.refused({ labels = string.pack(">I4I4", 0x801, 2) .. "\0\9" },
    "labels-idx1-ubyte: 2 labels, expected one for each of the 3 images")
  H.refused({ labels = "nothing" }, "labels-idx1-ubyte: is no idx file")
  H.refused({ pixels = "\0" }, "images-idx3-ubyte: has 1 bytes of elements, expected 12")
  H.refused({ head = string.pack(">I4I4", 0x801, 12) }, "elements are u8 of 1 dimensions")
  local _, message = images.open("/nowhere", "train")
  lu.assertStrContains(message, "/nowhere/train-images-idx3-ubyte: no such file, expected it (or")
end

--- Origin: Python's gzip wrote them (tests/fuzz/seeds/gzip), its zlib made the text again.
function TestImages:test_gzip_gives_what_python_packed()
  local function seed(name)
    return assert(native.file.read("tests/fuzz/seeds/gzip/" .. name))
  end

  lu.assertEquals(native.file.gunzip(seed("fixed_named")), ("a"):rep(12))
  local text = assert(native.file.gunzip(seed("text")))
  lu.assertEquals(text:gsub("%a+ ", function(word)
    return ({ the = "", goose = "", girl = "", ["and"] = "" })[word:sub(1, -2)]
  end), "")
  lu.assertEquals(#native.file.gunzip(seed("stored")), 90)
  lu.assertEquals(native.file.gunzip(seed("stored") .. seed("fixed_named")):sub(91), ("a"):rep(12))
end

function TestImages:test_gzip_refuses_every_cut_and_every_altered_byte_that_matters()
  local packed = assert(native.file.read("tests/fuzz/seeds/gzip/text"))
  for n = 0, #packed - 1 do
    local out, message, code = native.file.gunzip(packed:sub(1, n))
    lu.assertNil(out, n)
    lu.assertEquals(code, "format")
    lu.assertStrContains(message, "gzip: ")
  end
  for at = 11, #packed do -- before: a time and a system, which mean nothing
    local altered = packed:sub(1, at - 1) .. string.char(packed:byte(at) ~ 1) .. packed:sub(at + 1)
    lu.assertNil(native.file.gunzip(altered), at)
  end
  local _, message = native.file.gunzip(packed, 100)
  lu.assertStrContains(message, "more than 100 bytes come out")
end

function TestImages.tearDownClass()
  native.file.remove_tree(H.folder)
end

os.exit(lu.LuaUnit.run())
