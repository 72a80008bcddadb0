-- SPDX-License-Identifier: Apache-2.0
--- vise.text: expected values are worked by hand.
local lu = require("luaunit")
local text = require("vise.text")

TestText = {}

function TestText:test_bytes_take_the_unit_that_fits()
  lu.assertEquals(text.bytes(0), "0 B")
  lu.assertEquals(text.bytes(1023), "1023 B")
  lu.assertEquals(text.bytes(89856), "87.8 KiB") -- 89856 / 1024 = 87.75
  lu.assertEquals(text.bytes(3 * 1024 ^ 3), "3.0 GiB")
end

function TestText:test_durations_from_milliseconds_to_hours()
  lu.assertEquals(text.duration(0.34), "340 ms")
  lu.assertEquals(text.duration(4.25), "4.2 s")
  lu.assertEquals(text.duration(59.96), "1 min 00 s")
  lu.assertEquals(text.duration(185), "3 min 05 s")
  lu.assertEquals(text.duration(7620), "2 h 07 min")
end

function TestText:test_counts_have_their_thousands_apart()
  lu.assertEquals(text.count(0), "0")
  lu.assertEquals(text.count(999), "999")
  lu.assertEquals(text.count(260032), "260,032")
  lu.assertEquals(text.count(1100048384), "1,100,048,384")
  lu.assertEquals(text.count(-1234), "-1,234")
end

function TestText:test_an_error_decides_how_many_decimals_are_shown()
  lu.assertEquals(text.with_error(1.59741, 0.0063), "1.5974 ± 0.0063")
  lu.assertEquals(text.with_error(0.0011321, 0.0000213), "0.001132 ± 0.000021")
  lu.assertEquals(text.with_error(1.5, nil), "1.5000")
  lu.assertEquals(text.with_error(nil, nil), "-")
  lu.assertEquals(text.with_error(0, 0), "0.0000 ± 0.0000")
  lu.assertEquals(text.percent(0.81024, 0.00213), "81.02 ± 0.21 %")
  lu.assertEquals(text.percent(0.99931, 0.00012), "99.931 ± 0.012 %")
  lu.assertEquals(text.percent(0.5, 0 / 0), "50.0 %")
end

function TestText:test_tables_align_by_characters_not_bytes()
  local columns = { { title = "name", align = "left" }, "x" }

  local got = text.table({ { "a", "1 ± 2" }, { "long", "3" } }, columns)

  lu.assertEquals(got, "name      x\n────  ─────\na     1 ± 2\nlong      3\n")
end

function TestText:test_long_text_is_wrapped_between_words()
  lu.assertEquals(text.wrap("one two three", 7, "  "), "one two\n  three")
end

function TestText:test_hostile_text_is_shown_escaped()
  lu.assertEquals(text.printable("a\27[2Jb"), "a\\x1b[2Jb")
  lu.assertEquals(text.printable("\255"), "\\xff")
  lu.assertEquals(text.printable("é"), "é")
end

function TestText:test_a_file_that_is_not_utf8_is_refused_by_its_byte()
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write("h\u{e9}\x89PNG")
  file:close()

  local content, message, code = text.read(path)
  os.remove(path)

  lu.assertNil(content)
  lu.assertEquals(message, path .. ": byte 3 is not UTF-8, expected a text")
  lu.assertEquals(code, "format")
end

os.exit(lu.LuaUnit.run())
