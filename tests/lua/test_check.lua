-- SPDX-License-Identifier: Apache-2.0
--- vise.check: suggestions, ranges, messages.
local check = require("vise.check")
local lu = require("luaunit")

local rows = {
  { name = "bits", kind = "int", default = 4, min = 2, max = 8, doc = "bits per weight" },
  { name = "ratio", kind = "real", default = 0.5, min = 0, max = 1, doc = "a share" },
  { name = "fast", kind = "bool", default = false, doc = "a switch" },
  { name = "scale", kind = "choice", default = "f16", choices = { "f16", "bf16" }, doc = "words" },
  { name = "group", kind = "choice", default = 32, choices = { 32, 64 }, doc = "numbers" },
}

TestCheck = {}

function TestCheck:test_a_slip_is_suggested_and_a_stranger_is_not()
  lu.assertEquals(check.nearest("bitz", { "bits", "group" }), "bits")
  lu.assertEquals(check.nearest("gruop", { "bits", "group" }), "group")
  lu.assertEquals(check.nearest("Bits", { "bits" }), "bits")
  lu.assertNil(check.nearest("temperature", { "bits", "group" }))
  lu.assertNil(check.nearest("x", {}))
  lu.assertNil(check.nearest("W", { "m" })) -- one letter is near every other
end

function TestCheck:test_unknown_names_list_what_is_known_in_order()
  lu.assertEquals(
    check.unknown("method", "gtpq", { "rtn", "gptq" }),
    "unknown method 'gtpq' (did you mean 'gptq'? known: gptq, rtn)"
  )
  lu.assertEquals(check.unknown("method", "zzzz", { "rtn" }), "unknown method 'zzzz' (known: rtn)")
end

function TestCheck:test_options_fill_defaults_and_keep_what_was_given()
  local got = check.options("rtn", rows, { bits = 3.0, scale = "bf16", group = 64 })

  lu.assertEquals(got, { bits = 3, ratio = 0.5, fast = false, scale = "bf16", group = 64 })
  lu.assertEquals(math.type(got.bits), "integer")
end

function TestCheck:test_options_refuse_with_the_message_of_the_house()
  local cases = {
    {
      { bitz = 4 },
      "rtn: unknown option 'bitz' (did you mean 'bits'? known: bits, fast, group, ratio, scale)",
    },
    { { bits = 9 }, "rtn: bits is 9, expected an integer in [2, 8]" },
    { { bits = 2.5 }, "rtn: bits is 2.5, expected an integer in [2, 8]" },
    { { bits = "four" }, "rtn: bits is 'four', expected an integer in [2, 8]" },
    { { ratio = 0 / 0 }, nil },
    { { fast = 1 }, "rtn: fast is 1, expected true or false" },
    { { scale = "f8" }, "rtn: scale is 'f8', expected one of f16, bf16" },
    {
      { scale = "bf61" },
      "rtn: scale is 'bf61', expected one of f16, bf16 (did you mean 'bf16'?)",
    },
    { { group = 48 }, "rtn: group is 48, expected one of 32, 64" },
    { { group = "64" }, "rtn: group is '64', expected one of 32, 64, without the quotes" },
    { { bits = "3" }, "rtn: bits is '3', expected an integer in [2, 8], without the quotes" },
  }
  for _, case in ipairs(cases) do
    local ok, message = pcall(check.options, "rtn", rows, case[1])
    lu.assertFalse(ok)
    if case[2] then
      lu.assertEquals(message, case[2])
    end
  end
end

function TestCheck:test_text_becomes_the_type_of_its_row()
  lu.assertEquals(check.parse(rows[1], "3"), 3)
  lu.assertEquals({ check.parse(rows[1], "0x") }, { nil, "an integer in [2, 8]" })
  lu.assertEquals({ check.parse(rows[1], "nan") }, { nil, "an integer in [2, 8]" })
  lu.assertEquals(check.parse(rows[2], ".25"), 0.25)
  lu.assertEquals(check.parse(rows[3], "yes"), true)
  lu.assertEquals({ check.parse(rows[3], "maybe") }, { nil, "true or false" })
  lu.assertEquals(check.parse(rows[5], "64"), 64)
end

function TestCheck:test_a_guarded_class_names_the_nearest_method()
  local methods = { quantize = print, error = print }
  check.guard("vise.weight", methods)

  lu.assertEquals(methods.error, print)
  lu.assertErrorMsgContains(
    "vise.weight: unknown method 'quantise' (did you mean 'quantize'? known: error, quantize)",
    function()
      return methods.quantise
    end
  )
end

function TestCheck:test_pairs_come_in_the_order_of_their_keys()
  local seen = {}
  for key, value in check.sorted_pairs({ b = 2, a = 1, [10] = "x", [2] = "y" }) do
    seen[#seen + 1] = { key, value }
  end
  lu.assertEquals(seen, { { 2, "y" }, { 10, "x" }, { "a", 1 }, { "b", 2 } })
end

function TestCheck:test_positions_of_our_own_files_are_taken_off()
  lu.assertEquals(check.strip_position("/opt/share/lua/5.4/vise/model/init.lua:12: no"), "no")
  lu.assertEquals(check.strip_position("recipe.lua:3: no"), "recipe.lua:3: no")
end

os.exit(lu.LuaUnit.run())
