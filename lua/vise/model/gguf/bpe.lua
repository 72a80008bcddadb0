-- SPDX-License-Identifier: Apache-2.0
--- A byte-level BPE tokenizer between GGUF's metadata and the text of a tokenizer.json.
-- GGUF names the rule that cuts a text instead of saying it; the rules known here are in H.rules.

local check = require("vise.check")
local json = require("vise.native").json
local refusal = require("vise.model.refusal")

local M = {}
local H = {}

--- The text of a tokenizer.json.
---@param get fun(key: string): any the value of "tokenizer.ggml." .. key, or nil
---@return string
function M.encode(get)
  local tokens, merges, types = get("tokens"), get("merges"), get("token_type") or {}
  if tokens == nil or merges == nil then
    refusal.refuse("tokenizer.ggml: tokens and merges are not two arrays")
  end
  local name = get("pre")
  local rule = H.rules[H.aliases[name] or name]
  if rule == nil then
    refusal.refuse(("tokenizer.ggml.pre is '%s', expected one of: %s"):format(tostring(name),
      table.concat(check.sorted_keys(H.rules), ", ")), "unsupported")
  end
  local vocab, added = {}, json.array({})
  for i, token in ipairs(tokens) do
    if vocab[token] then
      refusal.refuse_format("tokenizer.ggml.tokens: %d and %d are the same", vocab[token], i - 1)
    elseif types[i] ~= H.unused then
      vocab[token] = i - 1
    end
    if types[i] == H.control or types[i] == H.user_defined then
      added[#added + 1] = { id = i - 1, content = token, special = types[i] == H.control,
        normalized = false, single_word = false, lstrip = false, rstrip = false }
    end
  end
  local bos = math.tointeger(get("bos_token_id"))
  local adds_bos = get("add_bos_token")
  if adds_bos == nil then
    adds_bos = rule.adds_bos
  end
  return json.encode({
    version = "1.0",
    added_tokens = added,
    normalizer = rule.normalizer or json.null,
    pre_tokenizer = rule.pre_tokenizer,
    post_processor = adds_bos and bos and tokens[bos + 1] and H.template(tokens[bos + 1], bos)
      or json.null,
    decoder = { type = "ByteLevel" },
    model = { type = "BPE", vocab = vocab, merges = json.array(merges),
      ignore_merges = rule.ignore_merges or false },
  })
end

--- The metadata of a tokenizer.json that vise has opened, so that it is sound.
---@param text string
---@param size integer number of ids the model has
---@return table[] keys {name, type, value} each
function M.decode(text, size)
  local spec = assert(json.decode(text))
  local tokens, types, merges = {}, {}, {}
  for i = 1, size do
    tokens[i], types[i] = ("[PAD%d]"):format(i - 1), H.unused
  end
  for token, id in next, spec.model.vocab do
    tokens[id + 1], types[id + 1] = token, H.normal
  end
  for _, added in ipairs(spec.added_tokens or {}) do
    tokens[added.id + 1] = added.content
    types[added.id + 1] = added.special and H.control or H.user_defined
  end
  for i, merge in ipairs(spec.model.merges) do
    merges[i] = type(merge) == "table" and merge[1] .. " " .. merge[2] or merge
  end
  return {
    { "tokenizer.ggml.model", "string", "gpt2" },
    { "tokenizer.ggml.pre", "string", H.rule_of(spec) },
    { "tokenizer.ggml.tokens", "[string]", tokens },
    { "tokenizer.ggml.token_type", "[i32]", types },
    { "tokenizer.ggml.merges", "[string]", merges },
  }
end

--- The name of the rule that a tokenizer.json spells out.
function H.rule_of(spec)
  local is = json.encode(H.essence(spec))
  for name, rule in check.sorted_pairs(H.rules) do
    if json.encode(H.essence({ normalizer = rule.normalizer, pre_tokenizer = rule.pre_tokenizer,
      model = { ignore_merges = rule.ignore_merges } })) == is then
      return name
    end
  end
  refusal.refuse("tokenizer.json: GGUF has no name here for its pre_tokenizer, known: "
    .. table.concat(check.sorted_keys(H.rules), ", "), "unsupported")
end

--- What decides how a text is cut, without options that change nothing.
function H.essence(spec)
  local steps = spec.pre_tokenizer
  if type(steps) ~= "table" then
    return {}
  end
  local list = {}
  for i, step in ipairs(steps.type == "Sequence" and steps.pretokenizers or { steps }) do
    list[i] = { type = step.type or "?", pattern = step.pattern, behavior = step.behavior,
      digits = step.individual_digits }
    if step.type == "ByteLevel" then
      list[i].use_regex = step.use_regex ~= false
    end
  end
  local normalizer = type(spec.normalizer) == "table" and spec.normalizer.type or "none"
  return { steps = list, normalizer = normalizer,
    ignore_merges = spec.model.ignore_merges == true }
end

function H.template(token, id)
  local special = { SpecialToken = { id = token, type_id = 0 } }
  local single = json.array({ special, { Sequence = { id = "A", type_id = 0 } } })
  return {
    type = "TemplateProcessing",
    single = single,
    pair = json.array({ special, { Sequence = { id = "A", type_id = 0 } }, special,
      { Sequence = { id = "B", type_id = 1 } } }),
    special_tokens = { [token] = { id = token, ids = json.array({ id }),
      tokens = json.array({ token }) } },
  }
end

--- A cut by a regular expression, then the bytes.
function H.split(pattern)
  return { type = "Sequence", pretokenizers = json.array({
    { type = "Split", pattern = { Regex = pattern }, behavior = "Isolated", invert = false },
    { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false },
  }) }
end

H.normal, H.control, H.user_defined, H.unused = 1, 3, 4, 5
H.gpt2 = { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = true }

--- A word with one character before it, numbers of `digits`, signs, line ends, spaces.
function H.words(digits)
  return "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" .. digits
    .. "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
end

H.rules = {
  ["gpt-2"] = { pre_tokenizer = H.gpt2 },
  ["llama-bpe"] = { pre_tokenizer = H.split(H.words("\\p{N}{1,3}")), ignore_merges = true,
    adds_bos = true },
  qwen2 = { pre_tokenizer = H.split(H.words("\\p{N}")), normalizer = { type = "NFC" } },
  smollm = { pre_tokenizer = { type = "Sequence", pretokenizers = json.array({
    { type = "Digits", individual_digits = true }, H.gpt2 }) } },
}

H.aliases = { llama3 = "llama-bpe", ["llama-v3"] = "llama-bpe", gpt2 = "gpt-2" }

return M
