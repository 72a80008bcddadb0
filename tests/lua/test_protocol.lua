-- SPDX-License-Identifier: Apache-2.0
-- Expected windows are worked out by hand from ../shared/data/README.md with a tokenizer of one id
-- per byte; counts of the real texts are those of the baselines there.
local lu = require("luaunit")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")

local DATA <const> = "../shared/data/"

--- One id per byte, its code; BOS is 1.
local bytes = {}

function bytes.bos()
  return 1
end

function bytes.encode(_, text)
  return native.tensor.from("i32", { #text }, { text:byte(1, -1) })
end

function bytes.decode(_, ids)
  return string.char(table.unpack(ids))
end

local function windows_of(name, text)
  return assert(protocol.windows(protocol.parse(name), bytes, text))
end

local function shown(windows)
  local lines = {}
  for i, window in ipairs(windows) do
    local ids = {}
    for j, id in ipairs(window.ids) do
      ids[j] = (j == window.first and "|" or "") .. (id == 1 and "^" or string.char(id))
    end
    lines[i] = table.concat(ids)
  end
  return table.concat(lines, " ")
end

local function fails(message, f, ...)
  lu.assertErrorMsgEquals(message, f, ...)
end

TestNames = {}

function TestNames.test_a_name_gives_its_rule_and_window()
  for name, expected in pairs({
    ["stories-512"] = { "stories", 512 },
    ["nll-256"] = { "nll", 256 },
    ["gptq-2048"] = { "gptq", 2048 },
    ["llama.cpp-512"] = { "llama.cpp", 512 },
    ["nll-2"] = { "nll", 2 },
    ["llama.cpp-3"] = { "llama.cpp", 3 },
  }) do
    local parsed = protocol.parse(name)

    lu.assertEquals({ parsed.name, parsed.rule, parsed.window }, { name, table.unpack(expected) })
  end
end

function TestNames.test_every_rule_is_listed_and_parses()
  for _, row in ipairs(protocol.list()) do
    local name = row.name:gsub("N$", "64"):gsub("SPLIT", "test")

    lu.assertEquals(protocol.parse(name).summary, row.summary)
  end
end

function TestNames.test_an_unknown_name_is_answered_with_the_nearest()
  fails("unknown protocol 'gtpq-256' (did you mean 'gptq-256'?); "
    .. "known: gptq-N, llama.cpp-N, nll-N, stories-N, images-SPLIT", protocol.parse, "gtpq-256")
  fails("unknown protocol 'llamacpp-512' (did you mean 'llama.cpp-512'?); "
    .. "known: gptq-N, llama.cpp-N, nll-N, stories-N, images-SPLIT", protocol.parse, "llamacpp-512")
  fails("unknown protocol 'wikitext'; known: gptq-N, llama.cpp-N, nll-N, stories-N, images-SPLIT",
    protocol.parse, "wikitext")
  fails("unknown protocol ''; known: gptq-N, llama.cpp-N, nll-N, stories-N, images-SPLIT",
    protocol.parse, "")
end

function TestNames.test_a_name_without_a_window_says_where_it_goes()
  for _, name in ipairs({ "nll", "nll-", "nll256", "nll-99999999999999999999" }) do
    fails(("protocol '%s': no window, expected its tokens after a dash, as in 'nll-256'")
      :format(name), protocol.parse, name)
  end
end

function TestNames.test_a_window_that_scores_nothing_is_refused()
  fails("protocol 'nll-1': the window is 1, expected at least 2 tokens", protocol.parse, "nll-1")
  fails("protocol 'gptq-0': the window is 0, expected at least 2 tokens", protocol.parse, "gptq-0")
  fails("protocol 'llama.cpp-2': the window is 2, expected at least 3 tokens",
    protocol.parse, "llama.cpp-2")
end

function TestNames.test_what_is_no_text_is_no_name()
  fails("protocol: 256, expected a name such as 'nll-256'", protocol.parse, 256)
end

TestWindows = {}

function TestWindows.test_nll_scores_every_token_after_a_bos_of_its_own()
  lu.assertEquals(shown(windows_of("nll-4", "abcdefgh")), "^|abc ^|def ^|gh")
  lu.assertEquals(shown(windows_of("nll-2", "abc")), "^|a ^|b ^|c")
  lu.assertEquals(shown(windows_of("nll-100", "abc")), "^|abc")
end

function TestWindows.test_gptq_cuts_one_sequence_and_drops_an_incomplete_end()
  lu.assertEquals(shown(windows_of("gptq-4", "abcdefghij")), "^|abc d|efg")
  lu.assertEquals(shown(windows_of("gptq-4", "abcdefghijk")), "^|abc d|efg h|ijk")
  lu.assertEquals(shown(windows_of("gptq-2", "abc")), "^|a b|c")
end

function TestWindows.test_llama_cpp_puts_bos_first_and_scores_after_the_middle()
  lu.assertEquals(shown(windows_of("llama.cpp-6", "abcdefghijkl")), "^abc|de ^ghi|jk")
  -- N - 1 - N/2 tokens of a window: 2 of 6, 1 of 3, 3 of 7.
  lu.assertEquals(shown(windows_of("llama.cpp-3", "abcde")), "^a|b ^d|e")
  lu.assertEquals(shown(windows_of("llama.cpp-7", "abcdef")), "^abc|def")
end

function TestWindows.test_stories_stand_alone_without_their_last_newline()
  local text = "ab\nc\n<|endoftext|>\ndefgh\n<|endoftext|>\n\n<|endoftext|>\n"

  lu.assertEquals(shown(windows_of("stories-5", text)), "^|ab\nc ^|defg")
end

function TestWindows.test_a_story_without_its_end_is_a_story_too()
  lu.assertEquals(shown(windows_of("stories-9", "ab\n<|endoftext|>\ncd\n")), "^|ab ^|cd")
  lu.assertEquals(shown(windows_of("stories-9", "ab\n<|endoftext|>\ncd")), "^|ab ^|cd")
  lu.assertEquals(shown(windows_of("stories-9", "ab\n<|endoftext|>")), "^|ab")
end

function TestWindows.test_the_mark_inside_a_line_is_text()
  local text = "a<|endoftext|>\nb <|endoftext|> c\n<|endoftext|>\n"

  lu.assertEquals(shown(windows_of("stories-99", text)), "^|a<|endoftext|>\nb <|endoftext|> c")
end

function TestWindows.test_bytes_are_those_of_the_scored_tokens()
  lu.assertEquals(windows_of("nll-4", "abcdefgh")[3].bytes, 2)
  lu.assertEquals(windows_of("gptq-4", "abcdefghij")[2].bytes, 3)
  lu.assertEquals(windows_of("llama.cpp-6", "abcdefghijkl")[2].bytes, 2)
end

function TestWindows.test_a_text_too_short_is_refused_with_what_it_lacks()
  fails("protocol 'gptq-9': the text has 4 tokens with BOS, expected at least one window of 9",
    windows_of, "gptq-9", "abc")
  fails("protocol 'llama.cpp-9': the text has 4 tokens with BOS, expected at least one window of 9",
    windows_of, "llama.cpp-9", "abc")
  fails("protocol 'nll-9': the text has no tokens", windows_of, "nll-9", "")
  fails("protocol 'stories-9': the text has no line '<|endoftext|>', expected one after each story",
    windows_of, "stories-9", "abc")
  fails("protocol 'stories-9': the text has no story with a token in it",
    windows_of, "stories-9", "\n<|endoftext|>\n")
end

function TestWindows.test_a_tokenizer_without_bos_has_windows_of_the_text_alone()
  local none = setmetatable({ bos = function() end }, { __index = bytes })
  local ids = none:encode("abcdefgh"):table()

  for _, name in ipairs({ "gptq-4", "llama.cpp-4" }) do
    local windows = assert(protocol.windows(protocol.parse(name), none, "abcdefgh", 7))
    lu.assertEquals(#windows, 2)
    lu.assertEquals(windows[1].ids, table.move(ids, 1, 4, 1, {}))
    lu.assertEquals(windows[2].ids, table.move(ids, 5, 8, 1, {}))
  end
end

function TestWindows.test_pieces_without_bos_begin_with_the_token_of_the_configuration()
  local none = setmetatable({ bos = function() end }, { __index = bytes })

  local windows = assert(protocol.windows(protocol.parse("nll-9"), none, "abc", 7))
  lu.assertEquals(windows[1].ids[1], 7)
  fails("protocol 'nll-9': neither tokenizer nor model names a BOS token, expected one to start "
    .. "windows with (gptq-9 needs none)",
    protocol.windows, protocol.parse("nll-9"), none, "abc")
end

TestBatches = {}

function TestBatches.test_windows_fill_the_budget_in_order()
  local windows = windows_of("nll-4", "abcdefghijk") -- 4, 4, 4, 3 tokens

  lu.assertEquals(protocol.batches(windows, 8), { { from = 1, to = 2 }, { from = 3, to = 4 } })
  lu.assertEquals(protocol.batches(windows, 7),
    { { from = 1, to = 1 }, { from = 2, to = 2 }, { from = 3, to = 4 } })
  lu.assertEquals(protocol.batches(windows), { { from = 1, to = 4 } })
end

function TestBatches.test_a_window_over_the_budget_is_alone()
  local windows = windows_of("nll-4", "abcdefg") -- 4, 4, 2 tokens

  lu.assertEquals(protocol.batches(windows, 3),
    { { from = 1, to = 1 }, { from = 2, to = 2 }, { from = 3, to = 3 } })
end

TestRealTexts = {}

local function text_and_tokenizer(text, model)
  local file = io.open(DATA .. "text/" .. text, "rb")
  if not file then
    lu.skip("no " .. DATA .. "text/" .. text)
  end
  local content = file:read("a")
  file:close()
  file = assert(io.open(DATA .. model .. "/tokenizer.model", "rb"))
  local tokenizer = assert(native.tokenizer.sentencepiece(file:read("a")))
  file:close()
  return content, tokenizer
end

local function totals(name, content, tokenizer)
  local scored, bytes_scored = 0, 0
  local windows = assert(protocol.windows(protocol.parse(name), tokenizer, content))
  for _, window in ipairs(windows) do
    scored = scored + #window.ids - window.first + 1
    bytes_scored = bytes_scored + window.bytes
  end
  return scored, bytes_scored, #windows
end

function TestRealTexts.test_the_stories_have_the_tokens_of_their_baseline()
  local content, tokenizer = text_and_tokenizer("stories_test.txt", "stories260K")

  local scored, _, n = totals("stories-512", content, tokenizer)

  lu.assertEquals({ scored, n }, { 81655, 202 })
end

function TestRealTexts.test_uncut_stories_have_the_bytes_of_the_text()
  local content, tokenizer = text_and_tokenizer("stories_test.txt", "stories260K")

  local _, n_bytes, n = totals("stories-100000", content, tokenizer)

  lu.assertEquals(n_bytes, #content - n * #"\n<|endoftext|>\n")
end

function TestRealTexts.test_the_prose_has_the_tokens_of_its_baselines()
  local content, tokenizer = text_and_tokenizer("prose_valid.txt", "prose15M")

  local nll, n_bytes = totals("nll-256", content, tokenizer)

  lu.assertEquals({ nll, n_bytes }, { 135314, #content })
  lu.assertEquals((totals("gptq-256", content, tokenizer)), 134640)
  lu.assertEquals((totals("llama.cpp-256", content, tokenizer)), 67056)
end

TestSample = {}

function TestSample.test_the_sample_is_long_enough_for_error_bars_and_repeats_nothing()
  -- Large vocabularies have the fewest tokens: about 4.5 bytes of simple English each.
  local text, seen = assert(native.file.read("share/text/sample.txt")), {}

  lu.assertTrue(#text / 4.6 / 255 > 30, "30 windows of nll-256")
  for paragraph in text:gmatch("[^\n]+") do
    lu.assertNil(seen[paragraph], paragraph)
    seen[paragraph] = true
  end
end

os.exit(lu.LuaUnit.run())
