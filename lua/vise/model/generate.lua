-- SPDX-License-Identifier: Apache-2.0
--- Continue a prompt, one token after the other, with a cache of keys and values.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local runtime = require("vise.model.runtime")

local must = refusal.must

local M = {}
local H = {}

---@class vise.GenerateOptions
---@field tokens? integer at most so many new tokens; 128 if absent
---@field seed? integer 0 if absent
---@field temperature? number 0 (the default) takes the likeliest token each time
---@field top_k? integer choose among so many; 0 (the default): all
---@field top_p? number choose among the likeliest that together have this probability; 1: all
---@field kv? string and `kv_recent`, `activations`: see vise.RuntimeOptions
---@field on_token? fun(piece: string, id?: integer) for each token; `piece` may be empty until a
--- character is whole, and one that never was comes at the end, without an id

--- The options but `on_token`; `vise generate` takes them too, with `-` for `_`.
---@type vise.OptionRow[]
M.options = {
  { name = "tokens", kind = "int", default = 128, min = 1, max = 1 << 20,
    doc = "tokens to generate at most" },
  { name = "seed", kind = "int", default = 0, min = 0, doc = "seed of the random choice" },
  { name = "temperature", kind = "real", default = 0.0, min = 0, max = 100,
    doc = "0 always takes the likeliest token" },
  { name = "top_k", kind = "int", default = 0, min = 0,
    doc = "choose among the N likeliest; 0: among all" },
  { name = "top_p", kind = "real", default = 1.0, min = 0, max = 1,
    doc = "choose among the likeliest that together have this probability" },
  table.unpack(runtime.options),
}

--- See vise.Model:generate. The same seed and options give the same text.
---@param model vise.Model
---@param prompt string
---@param options? vise.GenerateOptions
---@return string|nil text what follows the prompt
---@return table|string info {tokens, seconds, stopped = "tokens"|"eos"|"context", cache_bytes: of
--- the keys and values}, or the message
---@return string? code
function M.run(model, prompt, options)
  local plain = {}
  for key, value in next, options or {} do
    if key ~= "on_token" then
      plain[key] = value
    end
  end
  local o = check.options("generate", M.options, plain)
  o.on_token = options and options.on_token or function() end
  if type(prompt) ~= "string" then
    check.fail("generate: prompt is %s, expected a text", check.quote(prompt))
  elseif model.tokenizer == nil then
    check.fail("generate: %s has no tokenizer", model.path)
  end
  return refusal.protect(H.generate, runtime.apply(model, o), prompt, o)
end

function H.generate(model, prompt, options)
  local begin = native.core.clock()
  local ids = must(model.tokenizer:encode(prompt, true)):table()
  if #ids == 0 then
    check.fail("generate: prompt is empty and the tokenizer has no token to begin with")
  elseif #ids >= model.context then
    check.fail("generate: prompt has %d tokens, expected fewer than the context of %d", #ids,
      model.context)
  end
  local n_prompt, ends = #ids, H.ends(model)
  local caches = must(model:caches(math.min(model.context, n_prompt + options.tokens)))
  local text = H.text(model.tokenizer, ids)
  local stopped = "tokens"
  local fresh = ids
  for _ = 1, options.tokens do
    if #ids == model.context then
      stopped = "context"
      break
    end
    local id = H.next(model, fresh, caches, options, #ids)
    if ends[id] then
      stopped = "eos"
      break
    end
    ids[#ids + 1] = id
    fresh = { id }
    options.on_token(text:add(ids), id)
  end
  local rest = text:finish(ids)
  if rest ~= "" then
    options.on_token(rest)
  end
  local cache_bytes = 0
  for _, cache in ipairs(caches) do
    cache_bytes = cache_bytes + cache:bytes()
    cache:close()
  end
  return text:all(), {
    tokens = #ids - n_prompt, seconds = native.core.clock() - begin, stopped = stopped,
    cache_bytes = cache_bytes,
  }
end

--- The token after the ones in the caches and `fresh`; `position` is its place in the sequence.
function H.next(model, fresh, caches, options, position)
  local batch <close> = H.batch(fresh)
  local hidden <close> = must(model:hidden(batch, caches))
  local last = hidden:narrow(1, #fresh, 1)
  local logits <close> = must(model:logits(last))
  return must(native.nn.sample(logits:reshape({ model.vocabulary }), {
    temperature = options.temperature,
    top_k = options.top_k,
    top_p = options.top_p,
    seed = options.seed,
    position = position,
  }))
end

function H.batch(ids)
  return setmetatable({ ids = native.tensor.from("i32", { #ids }, ids), starts = { 1 } }, {
    __close = function(batch)
      batch.ids:close()
    end,
  })
end

--- Ids that end a text: those of the config and the tokenizer's own.
function H.ends(model)
  local ends = {}
  local listed = model.config.eos_token_id
  for _, id in ipairs(type(listed) == "table" and listed or { listed }) do
    ends[id] = true
  end
  if model.tokenizer:eos() then
    ends[model.tokenizer:eos()] = true
  end
  return ends
end

--- New text as tokens come. Pieces depend on their neighbours (a leading space, the bytes of one
--- character), so a window of the last tokens is decoded and what is new in it given. A character
--- that is not whole shows as up to three U+FFFD at the end: they wait.
function H.text(tokenizer, ids)
  local text = setmetatable({ _tokenizer = tokenizer, _pieces = {} }, H.Text)
  text:_begin_at(math.max(1, #ids - 3), ids)
  return text
end

H.Text = {}
H.Text.__index = H.Text
H.WINDOW = 24 -- tokens

function H.Text:add(ids)
  local all = self:_decode(ids)
  local whole = all
  for _ = 1, 3 do
    whole = whole:gsub("\u{FFFD}$", "")
  end
  local piece = self:_give(whole)
  if #ids - self._from > H.WINDOW and #whole == #all then
    self:_begin_at(#ids - 2, ids)
  end
  return piece
end

function H.Text:finish(ids)
  return self:_give(self:_decode(ids))
end

function H.Text:all()
  return table.concat(self._pieces)
end

--- Decode from token `first` on from now; everything up to here has been given.
function H.Text:_begin_at(first, ids)
  self._from = first
  self._given = #self:_decode(ids)
end

function H.Text:_decode(ids)
  return self._tokenizer:decode({ table.unpack(ids, self._from) })
end

function H.Text:_give(text)
  local piece = text:sub(self._given + 1)
  self._given = math.max(self._given, #text)
  self._pieces[#self._pieces + 1] = piece
  return piece
end

return M
