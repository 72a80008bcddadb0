local lu = require("luaunit")
local golden = require("support.golden")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

local tokenizer = native.tokenizer

TestSentencePiece = {}

local H = {}

--- A file's bytes; the test is skipped where ../shared is missing.
function H.shared(path)
  local text = golden.read(path)
  if text == nil then
    print("skipped: ../shared/" .. path .. " is not here")
    lu.skip("its data is not here")
  end
  return text
end

function H.stories()
  return assert(tokenizer.sentencepiece(H.shared("data/stories260K/tokenizer.model")))
end

--- Compare every entry of a golden file with what `t` gives for its string.
function H.compare_encodings(t, strings, entries)
  lu.assertEquals(#strings, #entries)
  for i, entry in ipairs(entries) do
    local text = golden.bytes(entry.hex and entry or strings[i])
    local what = ("string %d %q"):format(i, text)
    lu.assertEquals(t:encode(text):table(), entry.ids, what)
    if entry.ids_bos then
      lu.assertEquals(t:encode(text, true):table(), entry.ids_bos, what)
    end
    lu.assertEquals(t:decode(entry.ids), golden.bytes(entry.decoded), what)
  end
end

function H.compare_decodings(t, entries)
  for i, entry in ipairs(entries) do
    lu.assertEquals(t:decode(entry.ids), golden.bytes(entry.decoded), "entry " .. i)
  end
end

function TestSentencePiece:test_encodes_and_decodes_as_sentencepiece_does()
  H.compare_encodings(H.stories(), golden.json("tokenizer/strings.json"),
    golden.json("tokenizer/sentencepiece.json"))
end

function TestSentencePiece:test_decodes_any_ids_as_sentencepiece_does()
  H.compare_decodings(H.stories(), golden.json("tokenizer/sentencepiece_decode.json"))
end

function TestSentencePiece:test_bytes_that_are_not_utf8_become_replacement_characters()
  local entries = golden.json("tokenizer/sentencepiece_invalid_utf8.json")
  H.compare_encodings(H.stories(), entries, entries)
end

TestBpe = {}

function H.bpe(name)
  return assert(tokenizer.bpe(H.shared("golden/tokenizer/" .. name .. ".json")))
end

function TestBpe:test_encodes_with_gpt2_splitting_as_tokenizers_does()
  H.compare_encodings(H.bpe("bpe_gpt2"), golden.json("tokenizer/strings.json"),
    golden.json("tokenizer/bpe_gpt2.enc.json"))
end

function TestBpe:test_encodes_with_llama3_splitting_as_tokenizers_does()
  H.compare_encodings(H.bpe("bpe_llama3"), golden.json("tokenizer/strings.json"),
    golden.json("tokenizer/bpe_llama3.enc.json"))
end

function TestBpe:test_decodes_any_ids_as_tokenizers_does()
  for _, name in ipairs({ "bpe_gpt2", "bpe_llama3" }) do
    H.compare_decodings(H.bpe(name), golden.json("tokenizer/" .. name .. ".decode.json"))
  end
end

TestTokenizer = {}

function TestTokenizer:setUp()
  self.t = assert(tokenizer.sentencepiece(tiny_model.tokenizer()))
end

function TestTokenizer:test_files_that_are_no_tokenizer_are_refused()
  for _, case in ipairs({
    { tokenizer.sentencepiece, "\255", "format", "protocol buffer: bad key of a field" },
    { tokenizer.bpe, "{}", "format", "has no model" },
    { tokenizer.bpe, '{"normalizer": {"type": "BertNormalizer"}}', "unsupported",
      "normalizer 'BertNormalizer' is unsupported" },
  }) do
    local t, message, code = case[1](case[2])
    lu.assertNil(t)
    lu.assertEquals(code, case[3])
    lu.assertEquals(message, case[4])
  end
end

function TestTokenizer:test_the_museum_of_corrupt_files_is_refused()
  for name, expected in pairs(dofile("tests/corrupt/tokenizer/expected.lua")) do
    local data = assert(native.file.read("tests/corrupt/tokenizer/" .. name))
    local open = name:find("%.json$") and tokenizer.bpe or tokenizer.sentencepiece

    local t, message, code = open(data)

    lu.assertNil(t, name)
    lu.assertEquals(message, expected)
    lu.assertEquals(code, "format")
  end
end

function TestTokenizer:test_ids_are_a_tensor_or_a_list()
  local ids = self.t:encode("the hat")

  lu.assertEquals({ ids:dtype(), ids:shape() }, { "i32", { ids:count() } })
  lu.assertEquals(self.t:decode(ids), "the hat")
  lu.assertEquals(self.t:decode(ids:table()), "the hat")
  lu.assertEquals(self.t:encode(""):shape(), { 0 })
  lu.assertEquals(self.t:decode({}), "")
end

function TestTokenizer:test_what_is_no_token_is_raised()
  lu.assertErrorMsgContains("id 320 is no token, the vocabulary has 320", self.t.decode, self.t,
    { 320 })
  lu.assertErrorMsgContains("ids are integers", self.t.decode, self.t, { "a" })
  lu.assertErrorMsgContains("ids are integers", self.t.decode, self.t, { 2 ^ 40 | 0 })
  lu.assertNil(self.t:piece(320))
  lu.assertNil(self.t:piece(-1))
  lu.assertEquals(self.t:piece(1), "<s>")
end

function TestTokenizer:test_a_closed_tokenizer_says_so()
  lu.assertEquals(tostring(self.t), "vise.tokenizer sentencepiece, 320 pieces")
  self.t:close()
  self.t:close()
  lu.assertErrorMsgContains("tokenizer is closed", self.t.encode, self.t, "a")
  lu.assertEquals(tostring(self.t), "vise.tokenizer (closed)")
end

function TestTokenizer:test_cancel_stops_a_long_text()
  native.core.cancel()
  local ids, message, code = self.t:encode(("a b "):rep(10000))
  native.core.cancel_clear()
  lu.assertNil(ids)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
end

os.exit(lu.LuaUnit.run())
