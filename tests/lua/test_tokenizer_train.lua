-- SPDX-License-Identifier: Apache-2.0
-- Training of tokenizers against a form that counts everything anew for every merge, and, with the
-- Python of VISE_PYTHON where it has the package, against `tokenizers`.
local lu = require("luaunit")
local native = require("vise.native")
local tokenizer = require("vise.tokenizer")

local H = {}

TestTokenizerTrain = {}

local SPECIAL <const> = "<|endoftext|>"

function H.train(text, size, special)
  local file = assert(tokenizer.train({ text = text, size = size, special = special }))
  return native.json.decode(file)
end

--- Merges of words (lists of one-letter texts) by the definition alone: count all neighbours, take
--- the most frequent, of those the one whose ids are smallest, and put it together everywhere.
function H.slow_merges(words, ids, n)
  local merges, next_id = {}, 0
  for _, id in pairs(ids) do
    next_id = math.max(next_id, id + 1)
  end
  for _ = 1, n do
    local counts, best = {}, nil
    for _, word in ipairs(words) do
      for i = 1, #word - 1 do
        local key = word[i] .. " " .. word[i + 1]
        counts[key] = counts[key] or { n = 0, a = word[i], b = word[i + 1], key = key }
        counts[key].n = counts[key].n + 1
      end
    end
    for _, c in pairs(counts) do
      if best == nil or c.n > best.n or c.n == best.n and (ids[c.a] < ids[best.a]
        or c.a == best.a and ids[c.b] < ids[best.b]) then
        best = c
      end
    end
    if best == nil or best.n < 2 then
      break
    end
    merges[#merges + 1] = best.key
    local token = best.a .. best.b
    if ids[token] == nil then
      ids[token], next_id = next_id, next_id + 1
    end
    for _, word in ipairs(words) do
      local i = 1
      while i < #word do
        if word[i] == best.a and word[i + 1] == best.b then
          word[i] = token
          table.remove(word, i + 1)
        end
        i = i + 1
      end
    end
  end
  return merges
end

--- Text of words of the letters a, b and c, each a line's only word, and the words as lists.
function H.random_text(seed, n)
  local lines, words = {}, {}
  for w = 1, n do
    local word = {}
    for i = 1, 1 + math.floor(native.core.uniform(seed, "length", w) * 9) do
      word[i] = ("abc"):sub(1 + math.floor(native.core.uniform(seed, "letter", 16 * w + i) * 3))
        :sub(1, 1)
    end
    words[w] = word
    lines[w] = table.concat(word)
  end
  return table.concat(lines, "\n"), words
end

function TestTokenizerTrain:test_merges_are_those_of_counting_anew()
  for seed = 1, 6 do
    local text, words = H.random_text(seed, 60)
    for _ = 1, 59 do
      words[#words + 1] = { "Ċ" } -- the line ends, each a word alone
    end

    local spec = H.train(text, 1000, { SPECIAL })

    local ids = { a = 65, b = 66, c = 67, ["Ċ"] = 199 } -- from '!', which is 1
    lu.assertEquals(spec.model.vocab.a, ids.a)
    lu.assertEquals(spec.model.merges, H.slow_merges(words, ids, 1000), seed)
    lu.assertTrue(#spec.model.merges >= 20, #spec.model.merges)
  end
end

function TestTokenizerTrain:test_neighbours_that_overlap_merge_from_left_to_right()
  local spec = H.train("aaaaa aaaaa aaaaa", 300)

  -- "aaaaa" once and "Ġaaaaa" twice: first a a, which leaves aa aa a; then aa a and aa aa are there
  -- three times each, and a (64) is a smaller id than aa (256).
  lu.assertEquals(table.move(spec.model.merges, 1, 3, 1, {}), { "a a", "aa a", "aa aaa" })
end

function TestTokenizerTrain:test_a_pair_that_is_there_once_is_not_merged()
  lu.assertEquals(#H.train("abcdefg", 1000).model.merges, 0)
end

function TestTokenizerTrain:test_the_trained_file_gives_back_any_text()
  local text = "One, two - and three!\nZwölf Boxkämpfer \xF0\x9F\x90\x9D it's\t42  end"
  local file = assert(tokenizer.train({ text = text:rep(3), size = 300, special = { SPECIAL } }))
  local t = assert(native.tokenizer.bpe(file))

  lu.assertEquals(t:decode(t:encode(text)), text)
  lu.assertTrue(t:encode(text):count() < #text)
  lu.assertEquals(t:bos(), 0)
  lu.assertEquals(t:encode("a" .. SPECIAL .. "b"):table(), { 65, 0, 66 })
end

function TestTokenizerTrain:test_special_tokens_end_words_and_are_not_counted()
  local spec = H.train(("xy" .. SPECIAL):rep(5), 300, { SPECIAL })

  lu.assertEquals(spec.model.merges[1], "x y")
  lu.assertEquals(#spec.model.merges, 1)
  lu.assertEquals(spec.model.vocab[SPECIAL], 0)
end

function TestTokenizerTrain:test_what_cannot_be_trained_on_is_said()
  local nothing, message, code = tokenizer.train({ text = "a\xFF" })
  lu.assertNil(nothing)
  lu.assertEquals(message, "text is not UTF-8 at byte 1")
  lu.assertEquals(code, "format")
  lu.assertErrorMsgContains("size is 100, expected", tokenizer.train, { text = "a", size = 100 })
end

function TestTokenizerTrain:test_vocabulary_merges_and_ids_are_those_of_tokenizers()
  local python = os.getenv("VISE_PYTHON")
  if python == nil or not os.execute(python .. " -c 'import tokenizers' 2> /dev/null") then
    print("skipped: VISE_PYTHON has no package 'tokenizers'")
    lu.skip("no Python with tokenizers")
  end
  local text = assert(native.file.read("share/text/tales.valid.txt"))
  local file = assert(tokenizer.train({ text = text, size = 1500, special = { SPECIAL } }))
  local process <close> = assert(native.process.spawn({
    argv = { python, "tests/support/train_bpe.py" },
    input = native.json.encode({ text = text, special = SPECIAL, size = 1500, file = file }),
    capture = true,
  }))
  local theirs = assert(native.json.decode(process:read_line()))

  local ours = native.json.decode(file).model
  lu.assertEquals(ours.merges, theirs.merges)
  lu.assertEquals(ours.vocab, theirs.vocab)
  lu.assertEquals(assert(native.tokenizer.bpe(file)):encode(text, true):table(), theirs.ids)
  lu.assertEquals(theirs.decoded, SPECIAL .. text)
end

os.exit(lu.LuaUnit.run())
