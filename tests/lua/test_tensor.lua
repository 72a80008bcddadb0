--- native.tensor: views, values and messages as Lua sees them.
local tensor = require("vise.native").tensor
local lu = require("luaunit")

TestTensor = {}

local function counting()
  return tensor.from("i32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 })
end

function TestTensor:test_a_tensor_tells_what_it_is()
  local t = counting()
  lu.assertEquals(t:shape(), { 2, 3 })
  lu.assertEquals(t:dtype(), "i32")
  lu.assertEquals(t:count(), 6)
  lu.assertEquals(t:bytes(), 24)
  lu.assertEquals(tostring(t), "vise.tensor [2, 3] i32 24 B")
  lu.assertEquals(tostring(tensor.zeros("f16", { 4096, 11008 })),
    "vise.tensor [4096, 11008] f16 86.0 MiB")
end

function TestTensor:test_indices_begin_at_one()
  local t = counting()
  lu.assertEquals(t:get(1, 1), 1)
  lu.assertEquals(t:get(2, 3), 6)
  lu.assertErrorMsgContains("index out of range", t.get, t, 0, 1)
  lu.assertErrorMsgContains("index out of range", t.get, t, 1, 4)
  lu.assertErrorMsgContains("one index per dimension", t.get, t, 1)
end

function TestTensor:test_views_show_the_same_elements()
  local t = counting()
  lu.assertEquals(t:transpose():table(), { 1, 4, 2, 5, 3, 6 })
  lu.assertEquals(t:narrow(2, 2, 2):table(), { 2, 3, 5, 6 })
  lu.assertEquals(t:reshape({ 6 }):table(), { 1, 2, 3, 4, 5, 6 })
  lu.assertEquals(t:narrow(2, 2, 2):string(), string.pack("<i4i4i4i4", 2, 3, 5, 6))
  lu.assertErrorMsgContains("does not fit dimension", t.narrow, t, 2, 2, 3)
  lu.assertErrorMsgContains("no such dimension", t.narrow, t, 3, 1, 1)
  lu.assertErrorMsgContains("cannot reshape [2, 3] to 5 elements", t.reshape, t, { 5 })
end

function TestTensor:test_numbers_keep_their_kind_and_their_value()
  local t = tensor.from("i64", { 2 }, { math.maxinteger, math.mininteger })
  lu.assertEquals(t:table(), { math.maxinteger, math.mininteger })
  lu.assertEquals(math.type(t:get(1)), "integer")
  lu.assertEquals(math.type(tensor.from("f32", { 1 }, { 1 }):get(1)), "float")
  lu.assertEquals(tensor.from("f16", { 2 }, { 1 / 3, 1e6 }):table(), { 0.333251953125, math.huge })
end

function TestTensor:test_bytes_are_little_endian()
  local t = tensor.from_bytes("u16", { 2 }, "\1\2\3\4")
  lu.assertEquals(t:table(), { 0x0201, 0x0403 })
  lu.assertErrorMsgContains("string has not the bytes of the shape", tensor.from_bytes, "u16",
    { 2 }, "\1\2\3")
end

function TestTensor:test_wrong_arguments_are_raised()
  lu.assertErrorMsgContains("unknown dtype 'f31'", tensor.zeros, "f31", { 1 })
  lu.assertErrorMsgContains("dimensions are integers of 0 or more", tensor.zeros, "f32", { -1 })
  lu.assertErrorMsgContains("dimensions are integers of 0 or more", tensor.zeros, "f32", { 1.5 })
  lu.assertErrorMsgContains("more than 8 dimensions", tensor.zeros, "f32",
    { 1, 1, 1, 1, 1, 1, 1, 1, 1 })
  lu.assertErrorMsgContains("2 values for 3 elements", tensor.from, "f32", { 3 }, { 1, 2 })
  lu.assertErrorMsgContains("values are numbers", tensor.from, "f32", { 1 }, { "x" })
  lu.assertErrorMsgContains("values are integers", tensor.from, "i64", { 1 }, { 0.5 })
  lu.assertErrorMsgContains("element 0 is 300, which u8 cannot hold", tensor.from, "u8", { 1 },
    { 300 })
  lu.assertErrorMsgContains("out of memory", tensor.zeros, "f64", { 1 << 50 })
end

function TestTensor:test_a_closed_tensor_says_so()
  local t = counting()
  local view = t:transpose()
  t:close()
  t:close()
  lu.assertEquals(tostring(t), "vise.tensor (closed)")
  lu.assertErrorMsgContains("tensor is closed", t.shape, t)
  lu.assertEquals(view:get(3, 2), 6)
  local outside
  do
    local inside <close> = counting()
    outside = inside
  end
  lu.assertErrorMsgContains("tensor is closed", outside.count, outside)
end

function TestTensor:test_methods_can_be_added_but_metamethods_not_reached()
  function tensor.methods.first(t)
    return t:get(1, 1)
  end
  lu.assertEquals(counting():first(), 1)
  tensor.methods.first = nil
  lu.assertIs(getmetatable(counting()), false)
end

os.exit(lu.LuaUnit.run())
