--- Text from models.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

TestGenerate = {}

local H = { STORIES = "../shared/data/stories260K" }

function TestGenerate:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  tiny_model.write(self.folder)
  self.model = assert(model.open(self.folder))
end

function TestGenerate:tearDown()
  assert(native.file.remove_tree(self.folder))
end

function TestGenerate:test_a_real_story()
  if not native.file.stat(H.STORIES) then
    lu.skip(H.STORIES .. " is not here")
  end
  local m = assert(model.open(H.STORIES))

  local text, info = m:generate("Once upon a time", { tokens = 70 })

  -- The beginning of the story that llama2.c's own test expects of this model at temperature 0.
  lu.assertStrContains("Once upon a time" .. text, "Once upon a time, there was a little girl "
    .. "named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
    .. "She wanted to ")
  lu.assertEquals({ info.tokens, info.stopped }, { 70, "tokens" })
end

--- Greedy choice from whole passes: no cache anywhere.
function H.greedy_slowly(m, ids, n)
  for _ = 1, n do
    local batch = { ids = native.tensor.from("i32", { #ids }, ids), starts = { 1 } }
    local logits = assert(m:logits(assert(m:hidden(batch)):narrow(1, #ids, 1))):table()
    local best = 1
    for i, value in ipairs(logits) do
      best = value > logits[best] and i or best
    end
    ids[#ids + 1] = best - 1
  end
  return ids
end

function TestGenerate:test_the_cache_chooses_as_whole_passes_do()
  local prompt = self.model.tokenizer:encode("the hand of the", true):table()
  local n_prompt, chosen = #prompt, {}

  self.model:generate("the hand of the", { tokens = 30, on_token = function(_, id)
    chosen[#chosen + 1] = id
  end })

  local wanted = H.greedy_slowly(self.model, prompt, #chosen)
  lu.assertEquals(chosen, { table.unpack(wanted, n_prompt + 1) })
end

-- The cache sees products of one token, whose sums are ordered otherwise than those of many.
H.CACHE_TOLERANCE = 2e-5

function TestGenerate:test_cached_hidden_states_are_those_of_one_pass()
  local ids = {}
  for i = 1, 30 do
    ids[i] = i * 11 % tiny_model.VOCAB
  end
  local function batch(first, last)
    local part = { table.unpack(ids, first, last) }
    return { ids = native.tensor.from("i32", { #part }, part), starts = { 1 } }
  end
  local whole = assert(self.model:hidden(batch(1, 30)))
  local caches = assert(self.model:caches(30))

  for _, piece in ipairs({ { 1, 17 }, { 18, 18 }, { 19, 19 }, { 20, 30 } }) do
    local hidden = assert(self.model:hidden(batch(piece[1], piece[2]), caches)):table()
    for i, value in ipairs(whole:narrow(1, piece[1], piece[2] - piece[1] + 1):table()) do
      lu.assertAlmostEquals(hidden[i], value, H.CACHE_TOLERANCE)
    end
  end
end

function TestGenerate:test_pieces_join_to_the_text()
  for seed = 1, 5 do
    local pieces = {}
    local text = self.model:generate("in", { tokens = 60, seed = seed, temperature = 2.0,
      on_token = function(piece)
        pieces[#pieces + 1] = piece
      end })
    lu.assertEquals(table.concat(pieces), text)
  end
end

function TestGenerate:test_the_text_is_what_follows_the_prompt()
  local all = self.model.tokenizer:encode("the in", true):table()
  local n_prompt = #all
  local text = self.model:generate("the in", { tokens = 40, seed = 3, temperature = 1.5,
    on_token = function(_, id)
      all[#all + 1] = id
    end })

  lu.assertTrue(#all >= n_prompt)
  lu.assertEquals("the in" .. text, self.model.tokenizer:decode(all))
end

function TestGenerate:test_seeds_decide_and_repeat()
  local function text(seed)
    local options = { tokens = 20, seed = seed, temperature = 1.0, top_p = 0.9 }
    return (self.model:generate("the", options))
  end

  lu.assertEquals(text(1), text(1))
  lu.assertNotEquals(text(1), text(2))
end

function TestGenerate:test_top_k_of_one_is_greedy()
  lu.assertEquals(self.model:generate("the", { tokens = 20, temperature = 3.0, top_k = 1 }),
    (self.model:generate("the", { tokens = 20 })))
end

function TestGenerate:test_it_stops_at_the_end_of_the_context()
  local _, info = self.model:generate("the", { tokens = 1000, temperature = 1.0, seed = 1 })

  if info.stopped == "eos" then
    return -- a random model may say so; the next test is about it
  end
  lu.assertEquals(info.stopped, "context")
  lu.assertEquals(info.tokens + #self.model.tokenizer:encode("the", true):table(), 256)
end

function TestGenerate:test_it_stops_where_the_config_says_the_text_ends()
  local first
  self.model:generate("the", { tokens = 1, on_token = function(_, id)
    first = id
  end })
  local path = self.folder .. "/config.json"
  local config = native.json.decode(native.file.read(path))
  config.eos_token_id = { 2, first }
  native.file.replace(path, native.json.encode(config))

  local text, info = assert(model.open(self.folder)):generate("the", { tokens = 10 })

  lu.assertEquals({ text, info.tokens, info.stopped }, { "", 0, "eos" })
end

function TestGenerate:test_wrong_options_are_named()
  local m = self.model
  lu.assertErrorMsgContains("generate: unknown option 'temprature' (did you mean 'temperature'?",
    m.generate, m, "the", { temprature = 1 })
  lu.assertErrorMsgContains("generate: tokens is 0, expected an integer in [1,",
    m.generate, m, "the", { tokens = 0 })
  lu.assertErrorMsgContains("generate: prompt is nil, expected a text", m.generate, m)
  lu.assertErrorMsgContains("expected fewer than the context of 256", m.generate, m,
    ("the "):rep(400))
end

os.exit(lu.LuaUnit.run())
