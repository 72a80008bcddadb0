-- SPDX-License-Identifier: Apache-2.0
--- Protocols: which tokens of a text are scored, and what the model sees before each.
-- A protocol's name says everything that decides a number: 'nll-256' is the rule 'nll' with windows
-- of 256 tokens. A window is a sequence that the model sees from its first token on; its tokens
-- from `first` on are scored. share/doc/metrics.md defines each rule.

local check = require("vise.check")
local images = require("vise.images")

local M = {}
local H = {}

--- Tokens of one forward pass: enough to keep the matrix products busy, few enough for the caches
--- and for blocks that the allocator keeps (2,048 took 20 % longer on a model 512 wide).
M.BATCH_TOKENS = 512

---@class vise.Protocol
---@field name string "nll-256"
---@field rule string "nll"
---@field window? integer tokens, BOS included
---@field split? string of labelled images: "test"; such a protocol has no window
---@field summary string

---@class vise.Window
---@field ids integer[] token ids, the first is what the model starts from
---@field first integer index of the first scored token, at least 2; the rest of `ids` is scored too
---@field bytes integer bytes of the text that the scored tokens stand for

--- The rules as they are written in help: { { name = "nll-N", summary = "..." }, ... }.
---@return { name: string, summary: string }[]
function M.list()
  local rows = {}
  for i, rule in ipairs(H.rules) do
    rows[i] = { name = rule.name .. "-N", summary = rule.summary }
  end
  rows[#rows + 1] = { name = "images-SPLIT", summary = H.images_summary }
  return rows
end

--- The protocol of a name. Raises for a name that is none, with what was meant.
---@param name string "stories-512", "nll-N", "gptq-N", "llama.cpp-N"
---@return vise.Protocol
function M.parse(name)
  if type(name) ~= "string" then
    check.fail("protocol: %s, expected a name such as 'nll-256'", check.quote(name))
  end
  local split = name:match("^images%-(%l+)$")
  if split and check.nearest(split, images.SPLITS) == split then
    return { name = name, rule = "images", split = split, summary = H.images_summary }
  end
  local word, digits = name:match("^(.-)%-?(%d*)$")
  local rule = H.find_rule(word)
  if rule == nil then
    local names = {}
    for i, row in ipairs(M.list()) do
      names[i] = row.name
    end
    local nearest = H.nearest_rule(word)
    local hint = nearest
      and (" (did you mean '%s-%s'?)"):format(nearest, digits == "" and "N" or digits)
      or ""
    check.fail("unknown protocol '%s'%s; known: %s", name, hint, table.concat(names, ", "))
  end
  local window = name == word .. "-" .. digits and math.tointeger(tonumber(digits))
  if not window then
    check.fail("protocol '%s': no window, expected its tokens after a dash, as in '%s-256'",
      name, word)
  end
  if window < rule.smallest then
    check.fail("protocol '%s': the window is %d, expected at least %d tokens",
      name, window, rule.smallest)
  end
  return { name = ("%s-%d"):format(word, window), rule = word, window = window,
    summary = rule.summary }
end

--- The windows of a text, in its order.
--- A tokenizer that puts no BOS before a text (Qwen2) gets none in gptq-N and llama.cpp-N, as in
--- their sources; pieces and stories, whose first token needs one before it, then begin with
--- `begin`. Raises when the text is too short for one window, or such a token is neither there nor
--- given.
---@param protocol vise.Protocol
---@param tokenizer table encode, decode, bos
---@param text string
---@param begin? integer the `bos_token_id` of the model's configuration
---@return vise.Window[]|nil windows
---@return string? message
---@return string? code
function M.windows(protocol, tokenizer, text, begin)
  local rule = H.find_rule(protocol.rule)
  if rule == nil then
    check.fail("protocol '%s': is of images, expected one of a text such as nll-256", protocol.name)
  end
  local bos = tokenizer:bos() or (rule.needs_bos and begin or nil)
  if bos == nil and rule.needs_bos then
    check.fail("protocol '%s': neither tokenizer nor model names a BOS token, expected one to "
      .. "start windows with (gptq-%d needs none)", protocol.name, protocol.window)
  end
  return rule.cut(protocol, tokenizer, text, bos)
end

--- Consecutive windows whose tokens fit into one forward pass; a longer window is one alone.
---@param windows vise.Window[]
---@param budget? integer tokens; BATCH_TOKENS if absent
---@return { from: integer, to: integer }[] batches indices of their first and last windows
function M.batches(windows, budget)
  budget = budget or M.BATCH_TOKENS
  local batches, tokens = {}, math.huge
  for i, window in ipairs(windows) do
    if tokens + #window.ids > budget then
      batches[#batches + 1], tokens = { from = i }, 0
    end
    tokens = tokens + #window.ids
    batches[#batches].to = i
  end
  return batches
end

function H.find_rule(word)
  for _, rule in ipairs(H.rules) do
    if rule.name == word then
      return rule
    end
  end
end

function H.nearest_rule(word)
  local names = {}
  for i, rule in ipairs(H.rules) do
    names[i] = rule.name
  end
  return check.nearest(word, names)
end

--- Each story by itself: BOS and its tokens, cut at `window` in all.
function H.cut_stories(protocol, tokenizer, text, bos)
  local windows = {}
  for _, story in ipairs(H.stories(protocol, text)) do
    local ids, message, code = H.encode(tokenizer, story)
    if not ids then
      return nil, message, code
    end
    if #ids > 0 then
      local n = math.min(#ids, protocol.window - 1)
      windows[#windows + 1] = H.window(tokenizer, bos, ids, 1, n, 2)
    end
  end
  if #windows == 0 then
    check.fail("protocol '%s': the text has no story with a token in it", protocol.name)
  end
  return windows
end

--- The stories of a text: what stands before each line `<|endoftext|>`, without the newline there.
function H.stories(protocol, text)
  local mark <const> = "<|endoftext|>"
  local stories, at = {}, 1
  while true do
    local from, to = text:find(mark, at, true)
    while from and not ((from == 1 or text:byte(from - 1) == 10)
        and (to == #text or text:byte(to + 1) == 10)) do
      from, to = text:find(mark, to + 1, true)
    end
    if not from then
      break
    end
    stories[#stories + 1] = text:sub(at, from - 2)
    at = to + 2
  end
  if #stories == 0 then
    check.fail("protocol '%s': the text has no line '%s', expected one after each story",
      protocol.name, mark)
  end
  if at <= #text then
    stories[#stories + 1] = (text:sub(at):gsub("\n$", ""))
  end
  return stories
end

--- Pieces of window - 1 tokens, the last may be short, BOS before each.
function H.cut_nll(protocol, tokenizer, text, bos)
  local ids, message, code = H.encode(tokenizer, text)
  if not ids then
    return nil, message, code
  end
  if #ids == 0 then
    check.fail("protocol '%s': the text has no tokens", protocol.name)
  end
  local windows, step = {}, protocol.window - 1
  for from = 1, #ids, step do
    windows[#windows + 1] = H.window(tokenizer, bos, ids, from, math.min(from + step - 1, #ids), 2)
  end
  return windows
end

--- BOS, if there is one, and all tokens as one sequence, cut into windows; an incomplete last one
--- is dropped. The first window begins with BOS, the others with a token of the text, or with BOS
--- in its place.
function H.cut_sequence(protocol, tokenizer, text, bos, replaced, first)
  local ids, message, code = H.encode(tokenizer, text)
  if not ids then
    return nil, message, code
  end
  local n, start = protocol.window, bos and 0 or 1 -- ids[0] stands for BOS
  if #ids + 1 - start < n then
    check.fail("protocol '%s': the text has %d tokens%s, expected at least one window of %d",
      protocol.name, #ids + 1 - start, bos and " with BOS" or "", n)
  end
  local windows = {}
  for from = start, #ids + 1 - n, n do
    local head = bos and (replaced or from == 0) and bos or ids[from]
    windows[#windows + 1] = H.window(tokenizer, head, ids, from + 1, from + n - 1, first)
  end
  return windows
end

function H.cut_gptq(protocol, tokenizer, text, bos)
  return H.cut_sequence(protocol, tokenizer, text, bos, false, 2)
end

function H.cut_llama_cpp(protocol, tokenizer, text, bos)
  return H.cut_sequence(protocol, tokenizer, text, bos, true, protocol.window // 2 + 2)
end

function H.encode(tokenizer, text)
  local ids, message, code = tokenizer:encode(text)
  if not ids then
    return nil, message, code
  end
  return ids:table()
end

--- The window of `head` and ids[from .. to]. Its bytes are those that its scored tokens add to what
--- the token before them decodes to: alone, a first token would lose a leading space.
function H.window(tokenizer, head, ids, from, to, first)
  local window = { ids = table.move(ids, from, to, 2, { head }), first = first }
  local scored = from + first - 2 -- index into ids
  local before = scored > 1 and { ids[scored - 1] } or {}
  local with = table.move(ids, scored, to, #before + 1, table.move(before, 1, #before, 1, {}))
  window.bytes = #tokenizer:decode(with) - #tokenizer:decode(before)
  return window
end

H.images_summary = "each image of the split (train, valid, test): the class it is labelled as"

H.rules = {
  { name = "gptq", smallest = 2, cut = H.cut_gptq,
    summary = "BOS and the text in whole windows of N tokens, all but the first token scored" },
  { name = "llama.cpp", smallest = 3, cut = H.cut_llama_cpp,
    summary = "the windows of gptq, each begun with BOS, tokens after position N/2 scored" },
  { name = "nll", smallest = 2, cut = H.cut_nll, needs_bos = true,
    summary = "pieces of N-1 tokens, BOS before each, every token of the text scored" },
  { name = "stories", smallest = 2, cut = H.cut_stories, needs_bos = true,
    summary = "each story alone, BOS before it, cut at N tokens, every token after BOS scored" },
}

return M
