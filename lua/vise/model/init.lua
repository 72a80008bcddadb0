-- SPDX-License-Identifier: Apache-2.0
--- Models: a named tree of weights and tensors, an architecture and a tokenizer.
-- A model is a value: nothing changes it, and what is made from it shares every untouched part. Its
-- weights are made when asked for: mapped from a file, read from an artifact, or compressed.

local check = require("vise.check")
local config_reader = require("vise.model.config")
local native = require("vise.native")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")
local sources = require("vise.model.sources")
local text = require("vise.text")
require("vise.weight")

local must = refusal.must

local M = {}
local H = {}

---@class vise.Model
---@field name string of the folder or file it came from
---@field path string
---@field arch string "llama"
---@field config table as in config.json
---@field context? integer tokens of the longest sequence; of models of tokens
---@field image? { size: integer, channels: integer } what models of images read
---@field vocabulary integer number of token ids, or of classes
---@field tokenizer vise.Tokenizer|nil nil where the files have none
---@field fallbacks table[] {place, rule, reason}: where compress used a rule's `otherwise`
---@field notes table[] {place, text}: numerical trouble that methods got over, so far
local Model = {}

--- Open a Hugging Face folder, a `.vise` or `.gguf` file, or a run directory (which holds
--- model.vise).
--- Nothing is copied: weights stay in their mapped files until they are used.
---@param path string
---@return vise.Model|nil model
---@return string? message names the file and what is wrong with it
---@return string? code "io", "format" or "unsupported"
function M.open(path)
  return refusal.protect(function()
    return M.of(sources.open(path))
  end)
end

--- A model of a config, with random weights or given ones: see vise.model.fresh.
---@param config table as in config.json; its model_type names the architecture
---@param options? vise.FreshOptions
---@return vise.Model|nil model
---@return string? message
---@return string? code "format" or "unsupported"
function M.new(config, options)
  return refusal.protect(function()
    return M.of(require("vise.model.fresh").source(config, options or {}))
  end)
end

--- The model over a source (see vise.model.sources). Refuses what does not fit together.
---@param source table
---@return vise.Model
function M.of(source)
  local arch, net = H.network(source)
  source.bind(net)
  local model = {
    name = source.name,
    path = source.path,
    arch = arch,
    config = source.config,
    context = net.context,
    image = net.image,
    vocabulary = net.vocabulary,
    fallbacks = {},
    notes = {},
    _net = net,
    _make = source.weight,
    _read = source.tensor,
    _tokenizer = source.tokenizer,
    _tokenizer_file = source.tokenizer_file,
    _disk_bytes = source.disk_bytes,
    _weights = {},
    _vectors = {},
    _owners = {},
    _is_tensor = {},
  }
  for _, place in ipairs(net.places) do
    model._owners[place.name] = place.tied_to or place.name
  end
  for _, tensor in ipairs(net.tensors) do
    model._is_tensor[tensor.name] = true
  end
  return setmetatable(model, H.metatable)
end

--- Names of the architectures, from the files of the folder arch/.
---@return string[]
function M.architectures()
  local names = {}
  local here = assert(package.searchpath("vise.model", package.path))
  for _, file in ipairs(assert(native.file.list(here:match("^(.*)/[^/]*$") .. "/arch"))) do
    names[#names + 1] = file:match("^([%w_]+)%.lua$")
  end
  return names
end

--- The weights' places in order: {name, shape = {m, k}, parameters, tied_to}.
---@return table[]
function Model:places()
  local list = {}
  for i, place in ipairs(self._net.places) do
    local m, k = place.shape[1], place.shape[2]
    list[i] = { name = place.name, shape = { m, k }, parameters = m * k, tied_to = place.tied_to }
  end
  return list
end

--- The weight at a place. It is kept: the next call gives the same one.
---@param place string
---@return vise.Weight|nil weight
---@return string? message
---@return string? code
function Model:weight(place)
  local owner = self:_owner(place)
  local weight = self._weights[owner]
  if weight == nil then
    local message, code
    weight, message, code = self:materialise(owner)
    if weight == nil then
      return nil, message, code
    end
    self._weights[owner] = weight
  end
  return weight
end

--- The weight at a place, not kept: a large model passes through little memory.
--- Raises what a method says about the weight ("layers.0.mlp.down: rtn: w has a NaN at ...").
---@param place string
---@return vise.Weight|nil weight
---@return string? message
---@return string? code
function Model:materialise(place)
  local owner = self:_owner(place)
  local kept = self._weights[owner]
  if kept then
    return kept
  end
  return self._make(owner)
end

--- Names of everything that is not a weight: norm gains and biases, in order.
---@return string[]
function Model:tensors()
  local names = {}
  for i, tensor in ipairs(self._net.tensors) do
    names[i] = tensor.name
  end
  return names
end

--- A tensor as stored.
---@param name string
---@return vise.Tensor|nil tensor
---@return string? message
---@return string? code
function Model:tensor(name)
  if self._is_tensor[name] == nil then
    local hint = check.suggest(name, self:tensors())
      or "tensors: " .. places.summary(self:tensors())
    error(("%s: no tensor '%s' (%s)"):format(self.name, tostring(name), hint), 2)
  end
  return self._read(name)
end

--- A tensor as f32, kept; nil where the architecture has none of that name.
---@param name string
---@return vise.Tensor|nil
function Model:vector(name)
  if self._is_tensor[name] and self._vectors[name] == nil then
    self._vectors[name] = must(must(self._read(name)):convert("f32"))
  end
  return self._vectors[name]
end

--- Numbers in all weights and tensors; tied places count once.
---@return integer
function Model:parameters()
  local sum = 0
  for _, place in ipairs(self._net.places) do
    sum = sum + (place.tied_to and 0 or place.shape[1] * place.shape[2])
  end
  for _, tensor in ipairs(self._net.tensors) do
    sum = sum + tensor.shape[1]
  end
  return sum
end

--- Numbers of the model that this one was made from: what bits per weight are counted by.
---@return integer
function Model:original_parameters()
  return (self._original or self):parameters()
end

--- Packed bytes of all weights and tensors; tied places count once.
---@return integer|nil bytes
---@return string? message
---@return string? code
function Model:bytes()
  return refusal.protect(function()
    local sum = 0
    for _, place in ipairs(self._net.places) do
      sum = sum + (place.tied_to and 0 or must(self:materialise(place.name)):bytes())
    end
    for _, name in ipairs(self:tensors()) do
      sum = sum + must(self:tensor(name)):bytes()
    end
    return sum
  end)
end

--- Bytes of the file or files it lies in; nil for a model that was not saved.
---@return integer|nil
function Model:disk_bytes()
  return self._disk_bytes
end

--- What the head reads: hidden states after the last norm, of sequences packed one after the
--- other; or of each image its features.
---@param batch table {ids = i32 tensor [t], starts = {1, ...}}: 1-based starts of the sequences; or
--- {images = u8 tensor [n, h, w, c]}
---@param caches? userdata[] from Model:caches; the batch goes on with the one sequence they hold
---@return vise.Tensor|nil hidden [t, d] f32
---@return string? message
---@return string? code "cancelled", or what reading a weight gave
function Model:hidden(batch, caches)
  return refusal.protect(self._net.hidden, self._net, self, batch, caches)
end

--- Empty caches of keys and values, one per layer, for a sequence of up to `capacity` tokens; the
--- caller closes each.
---@param capacity integer
---@return userdata[]|nil caches
---@return string? message
---@return string? code
function Model:caches(capacity)
  return refusal.protect(self._net.caches, self._net, capacity)
end

--- Bytes of the keys and values of a sequence of so many tokens.
---@param tokens integer
---@return integer|nil bytes
---@return string? message
---@return string? code
function Model:cache_bytes(tokens)
  local caches, message, code = self:caches(tokens)
  if caches == nil then
    return nil, message, code
  end
  local sum = 0
  for _, cache in ipairs(caches) do
    sum = sum + cache:bytes()
    cache:close()
  end
  return sum
end

--- Logits of hidden states.
---@param hidden vise.Tensor [n, d] f32
---@return vise.Tensor|nil logits [n, vocabulary] f32
---@return string? message
---@return string? code
function Model:logits(hidden)
  local head, message, code = self:weight("head")
  if head == nil then
    return nil, message, code
  end
  local bias = self:vector("head.bias")
  if bias == nil then
    return head:matmul(hidden)
  end
  local product <close> = must(head:matmul(hidden))
  return native.nn.bias(product, bias)
end

--- Places that read the same input: {name, places}.
function Model:sites()
  return self._net.sites
end

--- The units of streaming, in order: {name, places}.
function Model:blocks()
  return self._net.blocks
end

--- Dimensions that go together (heads, neurons): see vise.Network.
function Model:coupled()
  return self._net.coupled
end

--- Continue a prompt: see vise.model.generate.
---@param prompt string
---@param options? vise.GenerateOptions
---@return string|nil text
---@return table|string info {tokens, seconds, stopped}, or the message
---@return string? code
function Model:generate(prompt, options)
  return require("vise.model.generate").run(self, prompt, options)
end

--- A new model with some weights compressed: see vise.model.compress.
---@param rules vise.Rule[]
---@param context? vise.CompressContext
---@return vise.Model
function Model:compress(rules, context)
  return require("vise.model.compress").run(self, rules, context)
end

--- Statistics of what the weight at a place multiplies, over the tokens of a plan as they pass this
--- model: `stats` of weight:quantize and its like, and what weight:error weighs by.
---@param place string
---@param plan vise.Calibration
---@return vise.Moments|nil moments
---@return string? message
---@return string? code "cancelled"
function Model:statistics(place, plan)
  return require("vise.model.observe").run(self, place, plan)
end

--- A new model: this one, with what `tuned` has learned since as products of few factors: see
--- vise.model.extract.
---@param tuned vise.Model of the same shapes
---@param options? vise.ExtractOptions
---@return vise.Model
function Model:extract(tuned, options)
  return require("vise.model.extract").run(self, tuned, options)
end

--- Write a `.vise` file: see vise.model.save.
---@param path string
---@param options? vise.SaveOptions
---@return table|nil result {bytes, hash, ledger}
---@return string? message
---@return string? code
function Model:save(path, options)
  return require("vise.model.save").run(self, path, options)
end

--- For compress and extract: the same model with other fields: `_make`, which is given owners of
--- places, `_key`, `fallbacks`, `notes`.
function Model:_derive(fields)
  local derived = {}
  for key, value in next, self do
    derived[key] = value
  end
  derived._original = self._original or self
  derived._weights, derived._disk_bytes, derived._key = {}, nil, nil
  for key, value in next, fields do
    derived[key] = value
  end
  return setmetatable(derived, H.metatable)
end

--- The place whose weight a place has: itself, unless it is tied to another.
function Model:_owner_of(place)
  return self._owners[place]
end

--- What the content of a place or tensor is known by in a cache; nil if nobody said what the model
--- is (see _identify).
function Model:_key_of(name)
  return self._key and self._key(self._owners[name] or name)
end

--- What all of its content is known by; nil as `_key_of`.
function Model:_identity()
  local keys = { self.arch, native.json.encode(self.config) }
  for _, list in ipairs({ self._net.places, self._net.tensors }) do
    for _, part in ipairs(list) do
      local key = self:_key_of(part.name)
      if key == nil then
        return nil
      end
      keys[#keys + 1] = key
    end
  end
  return native.core.sha256(table.concat(keys, "\n"))
end

--- What the content of all parts is known by, together with `parts`; nil if that of one is not.
function Model:_key_of_all(parts)
  local all = { table.unpack(parts) }
  for _, list in ipairs({ self._net.places, self._net.tensors }) do
    for _, part in ipairs(list) do
      all[#all + 1] = self:_key_of(part.name)
      if all[#all] == nil then
        return nil
      end
    end
  end
  return require("vise.cache").key(all)
end

--- Say what the model is: the digest of its files.
function Model:_identify(digest)
  self._key = function(name)
    return digest .. " " .. name
  end
end

--- A handle of the caller's own on the weight at a place, to be closed; raises refusals.
function Model:_own(place)
  local kept = self._weights[self:_owner(place)]
  return kept and kept:handle() or must(self:materialise(place))
end

--- The place that a place's weight belongs to: itself, unless it is tied to another.
function Model:_owner(place)
  local owner = self._owners[place]
  if owner == nil then
    local names = {}
    for i, known in ipairs(self._net.places) do
      names[i] = known.name
    end
    local hint = check.suggest(place, names) or "places: " .. places.summary(names)
    error(("%s: no place '%s' (%s)"):format(self.name, tostring(place), hint), 3)
  end
  return owner
end

--- The methods of every model, by name.
M.methods = {}
for name, method in next, Model do
  M.methods[name] = not name:find("^_") and method or nil
end

H.metatable = { __name = "vise.Model" }

function H.metatable.__index(model, key)
  if key == "tokenizer" then
    local tokenizer = model._tokenizer()
    rawset(model, key, tokenizer)
    return tokenizer
  end
  if Model[key] == nil and not H.optional[key] then
    error("vise.model: " .. check.unknown("method", key, check.sorted_keys(M.methods)), 2)
  end
  return Model[key]
end

--- Fields that a model may lack.
H.optional = {
  _disk_bytes = true, _key = true, _original = true, _scale = true, _tokenizer_file = true,
  _whole = true, context = true, image = true, moments = true, path = true, reach = true,
}

function H.metatable.__tostring(model)
  local bytes = model:disk_bytes()
  return ("vise.model %s %s %.1f M parameters%s"):format(model.arch, model.name,
    model:parameters() / 1e6, bytes and ", " .. text.bytes(bytes) or "")
end

--- The architecture's name and network for the source's config.
function H.network(source)
  local wanted = source.config.model_type
  local known = {}
  for _, name in ipairs(M.architectures()) do
    local arch = require("vise.model.arch." .. name)
    for _, model_type in ipairs(arch.model_types) do
      known[#known + 1] = model_type
      if model_type == wanted then
        return name, refusal.within(source.config_path, arch.new,
          config_reader.reader(source.config))
      end
    end
  end
  table.sort(known)
  refusal.refuse(("%s: unknown architecture '%s' (known: %s)"):format(source.config_path,
    tostring(wanted), table.concat(known, ", ")), "unsupported")
end

return M
