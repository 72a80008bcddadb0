--- native.json: values in both directions, and what is refused.
local json = require("vise.native").json
local lu = require("luaunit")

TestJson = {}

function TestJson:test_values_of_every_kind_are_read()
  local v = json.decode('{"a": [1, -2.5, true, false, null, "x\\u00e9\\n"], "b": {}}')
  lu.assertEquals(v.a[1], 1)
  lu.assertEquals(v.a[2], -2.5)
  lu.assertIs(v.a[3], true)
  lu.assertIs(v.a[4], false)
  lu.assertIs(v.a[5], json.null)
  lu.assertEquals(v.a[6], "x\u{e9}\n")
  lu.assertEquals(v.b, {})
end

function TestJson:test_integers_stay_integers_and_floats_floats()
  lu.assertEquals(math.type(json.decode("3")), "integer")
  lu.assertEquals(math.type(json.decode("3.0")), "float")
  lu.assertEquals(json.decode("9223372036854775807"), math.maxinteger)
  lu.assertEquals(json.decode("-9223372036854775808"), math.mininteger)
  lu.assertEquals(json.encode({ 3, 3.0, 1e300, math.mininteger }),
    "[3,3.0,1e+300,-9223372036854775808]")
end

function TestJson:test_every_float_survives_a_round_trip()
  local samples = { 0.1, -0.0, 1 / 3, 5e-324, 1.7976931348623157e308, 2 ^ 53 + 2, 1e22, math.pi }
  for i = 0, 999 do
    -- any bits, by way of a pack: not only round numbers
    local bits = (i * 0x9E3779B97F4A7C15) ~ (i << 52)
    local x = string.unpack("<d", string.pack("<i8", bits))
    if x == x and x - x == 0 then
      samples[#samples + 1] = x
    end
  end
  for _, x in ipairs(samples) do
    local back = json.decode(json.encode(x))
    lu.assertEquals(string.pack("<d", back), string.pack("<d", x))
    lu.assertEquals(math.type(back), "float")
  end
end

function TestJson:test_what_is_no_number_is_null()
  lu.assertEquals(json.encode({ 0 / 0, 1 / 0, -1 / 0, json.null }), "[null,null,null,null]")
end

function TestJson:test_keys_are_in_byte_order()
  lu.assertEquals(json.encode({ b = 1, a = 2, B = 3, ["10"] = 4, ["a\u{e9}"] = 5, [""] = 6 }),
    '{"":6,"10":4,"B":3,"a":2,"a\u{e9}":5,"b":1}')
end

function TestJson:test_indent_puts_each_value_on_a_line()
  lu.assertEquals(json.encode({ a = { 1, 2 }, b = {}, c = json.array({}) }, { indent = 2 }),
    '{\n  "a": [\n    1,\n    2\n  ],\n  "b": {},\n  "c": []\n}')
end

function TestJson:test_arrays_remember_what_they_are()
  lu.assertEquals(json.encode(json.array({})), "[]")
  lu.assertEquals(json.encode({}), "{}")
  lu.assertEquals(json.encode(json.decode('{"a":[],"b":{}}')), '{"a":[],"b":{}}')
end

function TestJson:test_strings_are_escaped_as_the_standard_says()
  local text = json.encode('"\\/\b\f\n\r\t\0\x1f\x7f\u{20ac}\u{1f600}')
  lu.assertEquals(text, '"\\"\\\\/\\u0008\\u000c\\n\\u000d\\t\\u0000\\u001f\x7f\u{20ac}\u{1f600}"')
  lu.assertEquals(json.decode(text), '"\\/\b\f\n\r\t\0\x1f\x7f\u{20ac}\u{1f600}')
end

function TestJson:test_bytes_that_are_no_utf8_become_the_replacement_character()
  -- a lone start, a lone continuation, an overlong slash, a surrogate, beyond Unicode, cut short
  for bad, n in pairs({ ["\xff"] = 1, ["\x80"] = 1, ["\xc0\xaf"] = 2, ["\xed\xa0\x80"] = 3,
    ["\xf4\x90\x80\x80"] = 4, ["\xe2\x82"] = 2 }) do
    lu.assertEquals(json.encode("a" .. bad .. "b"), '"a' .. ("\u{fffd}"):rep(n) .. 'b"')
  end
end

function TestJson:test_bad_texts_are_refused_with_the_place()
  local cases = {
    { "", "json: line 1, column 0: '[' or '{' expected near end of file" },
    { '{"a": 1, "a": 2}', "json: line 1, column 12: duplicate object key near '\"a\"'" },
    { "[1,\n2,,3]", "json: line 2, column 3: unexpected token near ','" },
    { "[1] 2", "json: line 1, column 5: end of file expected near '2'" },
    { "9223372036854775808",
      "json: line 1, column 19: too big integer near '9223372036854775808'" },
    { "1e999", "json: line 1, column 5: real number overflow near '1e999'" },
    { '"\xff"', nil },
    { '"\\ud800"', nil },
    { "nul", nil },
    { "'a'", nil },
    { "[NaN]", nil },
    { '{"a\\u0000b": 1}', nil },
  }
  for _, case in ipairs(cases) do
    local value, message, code = json.decode(case[1])
    lu.assertNil(value)
    lu.assertEquals(code, "format")
    if case[2] and case[1] ~= "" then
      lu.assertEquals(message, case[2])
    end
  end
end

function TestJson:test_depth_is_limited_to_64_in_both_directions()
  local function nested(n)
    return ("["):rep(n) .. ("]"):rep(n)
  end
  lu.assertEquals(json.encode(json.decode(nested(64))), nested(64))
  local value, message, code = json.decode(nested(65))
  lu.assertNil(value)
  lu.assertEquals({ message, code }, { "json: line 1: nested deeper than 64 levels", "format" })
  lu.assertNil((json.decode(("["):rep(1000000))))
  lu.assertEquals(json.decode('"' .. ("["):rep(100) .. '"'), ("["):rep(100))

  local cycle = {}
  cycle.self = cycle
  lu.assertErrorMsgContains("json: nested deeper than 64 levels", json.encode, cycle)
end

function TestJson:test_what_json_cannot_say_is_raised()
  lu.assertErrorMsgContains("json: cannot write a function", json.encode, { print })
  lu.assertErrorMsgContains("json: key 2 is a number, expected a string", json.encode,
    { [2] = true })
  lu.assertErrorMsgContains("json: key true is a boolean, expected a string", json.encode,
    { [true] = 1 })
  lu.assertErrorMsgContains("expected an indent of 0 to 16 spaces", json.encode, {},
    { indent = 17 })
end

os.exit(lu.LuaUnit.run())
