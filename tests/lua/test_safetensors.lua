local lu = require("luaunit")
local native = require("vise.native")

local safetensors, tensor = native.safetensors, native.tensor

TestSafetensors = {}

local H = {}

function H.path()
  local path = os.tmpname()
  H.made[#H.made + 1] = path
  return path
end

--- A file with `header` as its JSON and `data` after it.
function H.file(header, data)
  local path = H.path()
  local f <close> = assert(io.open(path, "wb"))
  f:write(string.pack("<s8", header), data or "")
  return path
end

--- One tensor's entry of a header.
function H.entry(name, dtype, shape, offsets)
  return ('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%s]}'):format(
    name, dtype, shape, offsets)
end

--- The message with which a file of these parts is refused.
function H.refusal(header, data)
  local path = H.file(header, data)
  local file, message, code = safetensors.open(path)
  lu.assertNil(file)
  lu.assertEquals(code, "format")
  lu.assertEquals(message:sub(1, #path + 2), path .. ": ")
  return message:sub(#path + 3)
end

function TestSafetensors:setUp()
  H.made = {}
end

function TestSafetensors:tearDown()
  for _, path in ipairs(H.made) do
    os.remove(path)
  end
end

function TestSafetensors:test_reads_what_the_format_says()
  local header = '{"__metadata__":{"format":"pt"},'
    .. '"b":{"dtype":"I16","shape":[3],"data_offsets":[8,14]},'
    .. '"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
    .. '"none":{"dtype":"BF16","shape":[0,5],"data_offsets":[14,14]}}   '

  local data = string.pack("<ffi2i2i2", 1.5, -2, 7, -8, 9)

  local f <close> = assert(safetensors.open(H.file(header, data)))

  lu.assertEquals(f:names(), { "a", "b", "none" })
  lu.assertEquals({ f:info("a") }, { "f32", { 1, 2 } })
  lu.assertEquals({ f:info("none") }, { "bf16", { 0, 5 } })
  lu.assertEquals(f:tensor("a"):table(), { 1.5, -2.0 })
  lu.assertEquals(f:tensor("b"):table(), { 7, -8, 9 })
  lu.assertEquals(f:tensor("none"):table(), {})
  lu.assertEquals(f:metadata(), { format = "pt" })
end

function TestSafetensors:test_a_tensor_outlives_its_file()
  local f = assert(safetensors.open(
    H.file('{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}', "\1\2\3")))
  local t = f:tensor("a")

  f:close()
  f:close()

  lu.assertEquals(t:table(), { 1, 2, 3 })
  lu.assertErrorMsgContains("file is closed", f.names, f)
  lu.assertEquals(tostring(f), "vise.safetensors (closed)")
end

function TestSafetensors:test_a_misaligned_tensor_is_copied()
  local header = '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
    .. '"x":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}}'

  local f <close> = assert(safetensors.open(H.file(header, string.pack("<Bd", 5, 0.125))))

  lu.assertEquals(f:tensor("x"):table(), { 0.125 })
end

function TestSafetensors:test_an_unknown_name_is_a_refusal()
  local path = H.file("{}", "")
  local f <close> = assert(safetensors.open(path))

  local t, message, code = f:tensor("lm_head.weight")

  lu.assertNil(t)
  lu.assertEquals(message, path .. ": has no tensor 'lm_head.weight'")
  lu.assertEquals(code, "format")
end

function TestSafetensors:test_a_tensor_past_the_end_is_named_with_its_byte()
  local header = '{"lm_head.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'

  lu.assertEquals(H.refusal(header, ("x"):rep(12)),
    ("tensor 'lm_head.weight' ends at byte %d, file has %d bytes"):format(
      8 + #header + 16, 8 + #header + 12))
end

function TestSafetensors:test_tables_that_contradict_themselves_are_refused()
  local entry = H.entry
  local cases = {
    { "{" .. entry("a", "F7", "1", "0,1") .. "}", 1, "tensor 'a' has unknown dtype 'F7'" },
    { "{" .. entry("a", "f32", "1", "0,4") .. "}", 4, "unknown dtype 'f32'" },
    { '{"a":{"shape":[1],"data_offsets":[0,1]}}', 1, "tensor 'a' has no dtype" },
    { '{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1, "tensor 'a' has no shape" },
    { '{"a":{"dtype":"U8","shape":[1]}}', 1, "data_offsets of tensor 'a'" },
    { "{" .. entry("a", "U8", "1", "1,0") .. "}", 1, "data_offsets of tensor 'a'" },
    { "{" .. entry("a", "U8", "1", "-1,0") .. "}", 1, "data_offsets of tensor 'a'" },
    { "{" .. entry("a", "U8", "1", "0,1.0") .. "}", 1, "data_offsets of tensor 'a'" },
    { "{" .. entry("a", "U8", "-1", "0,1") .. "}", 1, "dimension 0 of tensor 'a'" },
    { "{" .. entry("a", "U8", "1,1,1,1,1,1,1,1,1", "0,1") .. "}", 1, "has 9 dimensions" },
    { "{" .. entry("a", "F32", "4294967296,4294967296", "0,1") .. "}", 1, "overflows" },
    { "{" .. entry("a", "F32", "3", "0,8") .. "}", 8, "tensor 'a' has 8 bytes, expected 12" },
    { '{"a":[]}', 0, "entry of tensor 'a' is no object" },
    { '{"__metadata__":{"a":1}}', 0, "__metadata__ 'a' is no string" },
    { '{"__metadata__":[]}', 0, "__metadata__ is no object" },
    { "{" .. entry("a", "U8", "2", "0,2") .. "," .. entry("b", "U8", "2", "1,3") .. "}", 3,
      "tensors 'a' and 'b' overlap at byte" },
    { "{" .. entry("a", "U8", "1", "0,1") .. "," .. entry("b", "U8", "1", "2,3") .. "}", 3,
      "before tensor 'b' belong to no tensor" },
    { "{" .. entry("a", "U8", "1", "0,1") .. "}", 2, "tensors end at byte" },
    { '{"a":{},"a":{}}', 0, "duplicate object key" },
    { '{"a":', 0, "header: line 1" },
    { "[]", 0, "header does not begin with '{'" },
    { "", 0, "header does not begin with '{'" },
    { "{" .. ('"a":{'):rep(100), 0, "nested deeper than 64 levels" },
  }
  for _, case in ipairs(cases) do
    lu.assertStrContains(H.refusal(case[1], ("x"):rep(case[2])), case[3])
  end
end

function TestSafetensors:test_header_lengths_that_lie_are_refused()
  for bytes, message in pairs({
    [""] = "file has 0 bytes, expected at least 8",
    ["\2\0\0\0\0\0\0"] = "file has 7 bytes",
    ["\255\255\255\255\255\255\255\255"] = "header of 18446744073709551615 bytes, expected at most",
    ["\0\0\0\8\0\0\0\0{}"] = "header of 134217728 bytes, expected at most 100000000",
    ["\3\0\0\0\0\0\0\0{}"] = "header ends at byte 11, file has 10 bytes",
  }) do
    local path = H.path()
    local f = assert(io.open(path, "wb"))
    f:write(bytes)
    f:close()

    local file, text = safetensors.open(path)

    lu.assertNil(file)
    lu.assertStrContains(text, message)
  end
end

function TestSafetensors:test_every_truncation_of_a_sound_file_is_refused()
  local header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
  local whole = string.pack("<s8", header) .. ("x"):rep(8)
  for n = 0, #whole - 1 do
    local path = H.path()
    local f = assert(io.open(path, "wb"))
    f:write(whole:sub(1, n))
    f:close()

    lu.assertNil((safetensors.open(path)))

    os.remove(path)
  end
end

function TestSafetensors:test_what_is_written_is_read()
  local path = H.path()
  local a = tensor.from("u8", { 3 }, { 1, 2, 3 })
  local b = tensor.from("f32", { 2, 2 }, { 1, 2, 3, 4 })

  assert(safetensors.write(path, { { "a", a }, { "b", b:transpose() } }, { z = "1", y = "\u{e9}" }))

  local f <close> = assert(safetensors.open(path))
  lu.assertEquals(f:names(), { "b", "a" })
  lu.assertEquals(f:tensor("a"):table(), { 1, 2, 3 })
  lu.assertEquals(f:tensor("b"):table(), { 1.0, 3.0, 2.0, 4.0 })
  lu.assertEquals(f:metadata(), { z = "1", y = "\u{e9}" })
  local raw <close> = assert(io.open(path, "rb"))
  lu.assertEquals(string.unpack("<I8", raw:read(8)) % 8, 0)
end

function TestSafetensors:test_write_refuses_bad_names_and_leaves_nothing()
  local path = H.path()
  os.remove(path)
  local t = tensor.zeros("u8", { 1 })
  for _, case in ipairs({
    { { { "a", t }, { "a", t } }, "two tensors are named 'a'" },
    { { { "", t } }, "no tensor may be named ''" },
    { { { "__metadata__", t } }, "no tensor may be named '__metadata__'" },
    { { { "\255", t } }, "is not UTF-8" },
    { { { "a" } }, "entries are {name, tensor}" },
  }) do
    lu.assertErrorMsgContains(case[2], safetensors.write, path, case[1])
    lu.assertNil(io.open(path))
  end
  lu.assertErrorMsgContains("metadata maps", safetensors.write, path, {}, { a = 1 })
  for key, value in pairs({ ["a\255"] = "b", a = "b\255" }) do
    local message = ("metadata '%s' is not UTF-8"):format(key)
    lu.assertErrorMsgContains(message, safetensors.write, path, {}, { [key] = value })
  end
end

function TestSafetensors:test_a_folder_that_is_not_there_is_an_io_refusal()
  local ok, message, code = safetensors.write("/nowhere/x.safetensors", {})
  lu.assertNil(ok)
  lu.assertStrContains(message, "/nowhere/x.safetensors: cannot create")
  lu.assertEquals(code, "io")
end

function TestSafetensors:test_the_museum_of_corrupt_files_is_refused()
  for name, expected in pairs(dofile("tests/corrupt/safetensors/expected.lua")) do
    local path = "tests/corrupt/safetensors/" .. name

    local file, message, code = safetensors.open(path)

    lu.assertNil(file, name)
    lu.assertEquals(message, path .. ": " .. expected)
    lu.assertEquals(code, "format")
  end
end

function TestSafetensors:test_the_shared_models_open()
  local path = "../shared/data/prose15M/model-00001-of-00002.safetensors"
  if not io.open(path) then
    print("skipped: " .. path .. " is not here")
    lu.skip("its data is not here")
  end

  local f <close> = assert(safetensors.open(path))

  local parameters = 0
  for _, name in ipairs(f:names()) do
    local dtype, shape = f:info(name)
    lu.assertEquals(dtype, "bf16")
    local n = 1
    for _, dim in ipairs(shape) do
      n = n * dim
    end
    parameters = parameters + n
  end
  lu.assertTrue(parameters > 8000000)
end

os.exit(lu.LuaUnit.run())
