-- SPDX-License-Identifier: Apache-2.0
--- Training of byte-level BPE tokenizers.
--
-- The text is cut into words by GPT-2's rule. The vocabulary begins with the special tokens and the
-- 256 bytes; then, again and again, the two neighbouring tokens that stand side by side most often
-- in the words become one. Ties go to the pair of smaller ids: the text decides the result.
-- Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units",
-- ACL 2016. Ids and ties are those of the Python package `tokenizers`.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

local json = native.json

---@class vise.TokenizerOptions
---@field text string to train on, UTF-8; special tokens in it separate words and are not counted
---@field size? integer tokens in all, 2048 if absent; fewer where no pair is there twice
---@field special? string[] tokens that text is not made of; the first is put before every text

--- Train a tokenizer.
---@param options vise.TokenizerOptions
---@return string|nil text of a tokenizer.json
---@return string? message
---@return string? code "format" (the text is not UTF-8) or "cancelled"
function M.train(options)
  check.names("tokenizer.train", options, { "size", "special", "text" })
  local special = options.special or {}
  local o = check.options("tokenizer.train", H.rows, { text = options.text, size = options.size,
    special = #special })
  local words, counts, code = H.words(options.text, special)
  if words == nil then
    return nil, counts, code
  end
  local state = H.start(words, counts, special)
  while #state.tokens < o.size do
    local pair = H.most_frequent(state)
    if pair == nil then
      break
    elseif native.core.cancelled() then
      return nil, "interrupted", "cancelled"
    end
    H.merge(state, pair)
  end
  return H.encode(state, special)
end

H.rows = {
  { name = "text", kind = "string", doc = "to train on" },
  { name = "size", kind = "int", default = 2048, min = 257, max = 1000000, doc = "tokens in all" },
  { name = "special", kind = "int", min = 0, doc = "how many special tokens" },
}

H.pre_tokenizer = { type = "ByteLevel", add_prefix_space = false, trim_offsets = true,
  use_regex = true }

--- The words of a text between its special tokens, in the order of their first appearance, and
--- their counts.
function H.words(text, special)
  local rule = json.encode(H.pre_tokenizer)
  local words, counts, index = {}, {}, {}
  for _, part in ipairs(H.parts(text, special)) do
    local part_words, part_counts, code = native.tokenizer.words(part, rule)
    if part_words == nil then
      return nil, part_counts, code
    end
    for i, word in ipairs(part_words) do
      local k = index[word] or #words + 1
      index[word], words[k] = k, word
      counts[k] = (counts[k] or 0) + part_counts[i]
    end
  end
  return words, counts
end

--- What lies between special tokens.
function H.parts(text, special)
  local parts = { text }
  for _, token in ipairs(special) do
    local finer = {}
    for _, part in ipairs(parts) do
      local at = 1
      while true do
        local first, last = part:find(token, at, true)
        finer[#finer + 1] = part:sub(at, (first or 0) - 1)
        if first == nil then
          break
        end
        at = last + 1
      end
    end
    parts = finer
  end
  return parts
end

--- How a tokenizer.json writes a byte: as a character of its own that can be seen.
function H.byte_characters()
  local characters, next_code = {}, 256
  for byte = 0, 255 do
    local is_itself = byte >= 33 and byte <= 126 or byte >= 161 and byte <= 172 or byte >= 174
    characters[byte] = is_itself and byte or next_code
    next_code = next_code + (is_itself and 0 or 1)
  end
  return characters
end

--- Words as lists of ids; pairs with their counts and the words they may be in; a heap of pairs.
function H.start(words, counts, special)
  local characters, order = H.byte_characters(), {}
  for byte = 0, 255 do
    order[byte + 1] = byte
  end
  table.sort(order, function(a, b)
    return characters[a] < characters[b]
  end)
  local state = { tokens = {}, ids = {}, merges = {}, words = {}, counts = counts, pairs = {},
    heap = {} }
  for _, token in ipairs(special) do
    H.add_token(state, token)
  end
  local id_of = {}
  for _, byte in ipairs(order) do
    id_of[byte] = H.add_token(state, utf8.char(characters[byte]))
  end
  for w, word in ipairs(words) do
    local ids = {}
    for i = 1, #word do
      ids[i] = id_of[word:byte(i)]
    end
    state.words[w] = ids
    for i = 1, #ids - 1 do
      H.count(state, ids[i], ids[i + 1], counts[w], w)
    end
  end
  for _, pair in next, state.pairs do
    H.push(state.heap, pair)
  end
  return state
end

--- The id of a token, which is added unless it is there: two ways may lead to the same token.
function H.add_token(state, token)
  if state.ids[token] == nil then
    state.ids[token] = #state.tokens
    state.tokens[#state.tokens + 1] = token
  end
  return state.ids[token]
end

--- Add to a pair's count; the pair.
function H.count(state, a, b, n, w)
  local key = a << 32 | b
  local pair = state.pairs[key]
  if pair == nil then
    pair = { a = a, b = b, key = key, count = 0, words = {} }
    state.pairs[key] = pair
  end
  pair.count = pair.count + n
  if n > 0 and pair.words[#pair.words] ~= w then
    pair.words[#pair.words + 1] = w
  end
  return pair
end

--- The pair that is merged next. Counts in the heap may be too great by now, never too small.
function H.most_frequent(state)
  while #state.heap > 0 do
    local top = H.pop(state.heap)
    if top.pair.count == top.count then
      return top.count > 1 and top.pair or nil
    end
    H.push(state.heap, top.pair)
  end
end

function H.merge(state, pair)
  state.merges[#state.merges + 1] = state.tokens[pair.a + 1] .. " " .. state.tokens[pair.b + 1]
  local id = H.add_token(state, state.tokens[pair.a + 1] .. state.tokens[pair.b + 1])
  local changed = {}
  state.pairs[pair.key] = nil
  for _, w in ipairs(pair.words) do
    H.merge_word(state, w, pair, id, changed)
  end
  for key in next, changed do -- in any order: what the heap gives back does not depend on it
    H.push(state.heap, state.pairs[key])
  end
end

--- Merge the pair in one word, from left to right. The pairs that this makes go into `changed`.
function H.merge_word(state, w, pair, id, changed)
  local old, new, n = state.words[w], {}, state.counts[w]
  local function move(a, b, c, d) -- neighbours a and b are now c and d
    if a ~= pair.a or b ~= pair.b then
      H.count(state, a, b, -n, w)
    end
    changed[H.count(state, c, d, n, w).key] = true
  end
  local i = 1
  while i <= #old do
    if old[i] == pair.a and old[i + 1] == pair.b then
      local before, after = new[#new], old[i + 2]
      if before then
        move(before, pair.a, before, id)
      end
      if after then
        move(pair.b, after, id, after)
      end
      new[#new + 1], i = id, i + 2
    else
      new[#new + 1], i = old[i], i + 1
    end
  end
  state.words[w] = new
end

function H.is_before(x, y)
  if x.count ~= y.count then
    return x.count > y.count
  end
  return x.pair.key < y.pair.key
end

function H.push(heap, pair)
  local entry = { pair = pair, count = pair.count }
  local i = #heap + 1
  while i > 1 and H.is_before(entry, heap[i // 2]) do
    heap[i] = heap[i // 2]
    i = i // 2
  end
  heap[i] = entry
end

function H.pop(heap)
  local top, last, n = heap[1], table.remove(heap), #heap
  if n == 0 then
    return top
  end
  local i = 1
  while 2 * i <= n do
    local child = 2 * i
    if child < n and H.is_before(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not H.is_before(heap[child], last) then
      break
    end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = last
  return top
end

function H.encode(state, special)
  local vocab, added = {}, json.array({})
  for i, token in ipairs(state.tokens) do
    vocab[token] = i - 1
  end
  for i, token in ipairs(special) do
    added[i] = { id = i - 1, content = token, special = true, normalized = false,
      single_word = false, lstrip = false, rstrip = false }
  end
  return json.encode({
    version = "1.0",
    truncation = json.null,
    padding = json.null,
    added_tokens = added,
    normalizer = json.null,
    pre_tokenizer = H.pre_tokenizer,
    post_processor = special[1] and H.template(special[1]) or json.null,
    decoder = { type = "ByteLevel", add_prefix_space = true, trim_offsets = true,
      use_regex = true },
    model = { type = "BPE", dropout = json.null, unk_token = json.null,
      continuing_subword_prefix = json.null, end_of_word_suffix = json.null, fuse_unk = false,
      byte_fallback = false, ignore_merges = false, vocab = vocab,
      merges = json.array(state.merges) },
  }, { indent = 2 })
end

--- The first special token, of id 0, goes before every text.
function H.template(token)
  local before = { SpecialToken = { id = token, type_id = 0 } }
  return {
    type = "TemplateProcessing",
    single = json.array({ before, { Sequence = { id = "A", type_id = 0 } } }),
    pair = json.array({ before, { Sequence = { id = "A", type_id = 0 } },
      { Sequence = { id = "B", type_id = 0 } } }),
    special_tokens = { [token] = { id = token, ids = json.array({ 0 }),
      tokens = json.array({ token }) } },
  }
end

return M
