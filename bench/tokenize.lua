-- SPDX-License-Identifier: Apache-2.0
--- How fast text becomes tokens: English prose, one thread, both kinds of tokenizer.
-- Needs the texts and tokenizers of ../shared; without them it fails.
local native = require("vise.native")

local H = {}

function H.read(path)
  local file <close> = io.open("../shared/" .. path, "rb")
  return file and file:read("a")
end

function H.sentencepiece()
  return assert(native.tokenizer.sentencepiece(H.read("data/prose15M/tokenizer.model")))
end

function H.bpe(name)
  return assert(native.tokenizer.bpe(H.read("golden/tokenizer/" .. name .. ".json")))
end

return function(bench)
  local text = H.read("data/text/darwin.txt")
  if text == nil then
    error("bench tokenize: ../shared is missing, expected its texts and tokenizers", 0)
  end
  local cases = {
    { "tokenize sentencepiece", H.sentencepiece() },
    { "tokenize bpe, GPT-2 splitting", H.bpe("bpe_gpt2") },
    { "tokenize bpe, Llama-3 splitting", H.bpe("bpe_llama3") },
  }
  local rows = {}
  for _, case in ipairs(cases) do
    local name, tokenizer = case[1], case[2]
    local rates = {}
    for round = 1, 9 do
      local seconds, ids = bench.time(function() return assert(tokenizer:encode(text)) end)
      rates[round] = #text / 1e6 / seconds
      ids:close()
    end
    rows[#rows + 1] = bench.absolute({ name = name, unit = "MB/s", values = rates, against = 5 })
  end
  return rows
end
