-- SPDX-License-Identifier: Apache-2.0
--- A recipe's `job:train`: a model, or one of a config with random weights, trained on a text or on
-- images.
-- The checkpoint lies in the cache under the name of all that decides the result, so a run that was
-- killed goes on where it was, and one that was finished is not trained again.

local cache = require("vise.cache")
local check = require("vise.check")
local images = require("vise.images")
local model = require("vise.model")
local native = require("vise.native")
local tokenizer = require("vise.tokenizer")
local train = require("vise.train")

local M = {}
local H = {}

---@class vise.JobTrainOptions options of vise.train.run that are plain values, and:
---@field model? vise.Model whose weights training begins with; else:
---@field config? table as in config.json, without vocab_size
---@field tokenizer? { size?: integer, special?: string[] } trained on the same text: vise.tokenizer
---@field tokenizer_of? vise.Model instead, that of a model
---@field train? string[] patterns of what is trained, all if absent
---@field distill? vise.DistillOptions a teacher to learn from
---@field compressed? vise.PackedOptions how a compressed `model` learns, which stays compressed
---@field prune? table a mask to train under: vise.train.prune.rows
---@field length? integer tokens of a window, 256 if absent
---@field batch? integer windows of a step, 8 if absent, or images, 64
---@field shift? integer pixels by which images are moved, 0 if absent
---@field name? string that of `model`, or "model", if absent

--- The names of its options.
M.NAMES = { "batch", "compressed", "config", "data", "distill", "length", "model", "name",
  "prune", "shift", "text", "tokenizer", "train" }
for _, row in ipairs(train.rows) do
  M.NAMES[#M.NAMES + 1] = row.name
end

--- A trained model, and what it is known by.
---@param kept vise.Cache
---@param source string|vise.ImageSet a text or images
---@param options vise.JobTrainOptions
---@param seed integer of random weights and of the order
---@param on_progress fun(p: vise.TrainProgress)
---@return vise.Model
---@return string|nil key nil if nobody knows what `model` or the teacher is
---@return { losses: number[], resumed: integer }
function M.run(kept, source, options, seed, on_progress)
  local is_images = images.is(source)
  local m, origin = (is_images and H.begin_images or H.begin)(options, source, seed)
  local masks = options.prune
    and train.prune(m, H.plain("prune", options.prune), options.steps or 0)
  local network, groups = H.network(m, options, masks)
  local goal = options.distill and train.distill(network, options.distill) or H.of_text(network)
  local given = { parameters = goal.parameters, loss = goal.loss, on_progress = on_progress,
    groups = groups }
  if masks then
    H.mask(given, masks)
  end
  local facts = {}
  for key, value in pairs(options) do
    if not H.own[key] then
      given[key], facts[key] = value, value
    end
  end
  given.data = is_images
    and train.images({ set = source, batch = options.batch, shift = options.shift, seed = seed })
    or train.windows({ text = source, tokenizer = m.tokenizer, length = options.length,
      batch = options.batch, seed = seed })
  local packed = H.identity(options.compressed)
  local key = origin and goal.key and packed and cache.key({ "train", M.VERSION, origin, goal.key,
    masks and masks.key or "", options.train or {}, packed, given.data.key, seed, facts })
  given.path = key and kept:file(key, "checkpoint")
  local result = assert(train.run(given))
  if is_images then
    network:settle(source:batches(H.settling_images))
  end
  return network:model(options.name or m.name), key, result
end

--- Raised when training gives other bits.
M.VERSION = 2

H.settling_images = 2048 -- over which the moments of batch norms are taken in the end

--- The model of images that training begins with, and what it is known by.
function H.begin_images(options, set, seed)
  for _, name in ipairs({ "length", "tokenizer", "tokenizer_of" }) do
    if options[name] then
      check.fail("train: %s is for texts, expected none for images",
        name == "length" and name or "tokenizer")
    end
  end
  local m, config = options.model, nil
  if m and options.config then
    check.fail("train: a model has its own config, expected no other beside it")
  elseif not m then
    config = H.plain("config", options.config)
    m = assert(model.new(config, { name = options.name or "model", seed = seed }))
  end
  set:check(m)
  return m, config and { config, seed } or m:_identity()
end

--- The model that training begins with, and what it is known by.
function H.begin(options, text, seed)
  if options.model then
    if options.config or options.tokenizer or options.tokenizer_of then
      check.fail("train: a model has its own config and tokenizer, expected no other beside it")
    end
    return options.model, options.model:_identity()
  end
  local config, other = H.plain("config", options.config), options.tokenizer_of
  local file = other and other._tokenizer_file
  if file then
    config.vocab_size = other.vocabulary
  elseif other then
    check.fail("train: tokenizer: %s has none", other.name)
  else
    local words = H.plain("tokenizer", options.tokenizer)
    check.names("train: tokenizer", words, { "size", "special" })
    local json = assert(tokenizer.train({ text = text, size = words.size,
      special = words.special }))
    config.vocab_size = native.tokenizer.bpe(json):size()
    file = { name = "tokenizer.json", bytes = function()
      return json
    end }
  end
  local m = assert(model.new(config, { name = options.name or "model", seed = seed,
    tokenizer = file }))
  return m, { config, native.core.sha256(assert(file.bytes())), seed }
end

--- What is trained, and groups of its parameters.
function H.network(m, options, masks)
  if options.compressed and masks then
    check.fail("train: prune and compressed do not go together, expected one of both")
  elseif options.compressed then
    return train.packed(m, options.compressed, options.train)
  end
  return train.network(m, { train = options.train, through = masks and masks.through })
end

--- What the options of a compressed model are known by; nil if nobody knows the original.
function H.identity(packed)
  local parts = {}
  for key, value in pairs(packed or {}) do
    parts[key] = value
    if key == "original" then
      parts[key] = value:_identity()
      if parts[key] == nil then
        return nil
      end
    end
  end
  return parts
end

--- What a network learns that has no teacher.
function H.of_text(network)
  return { parameters = network.parameters, key = "text", loss = function(batch)
    return network:loss(batch)
  end }
end

--- Train under masks, which follow the steps.
function H.mask(given, masks)
  local loss = given.loss
  given.groups = masks.groups
  table.move(masks.parameters, 1, #masks.parameters, #given.parameters + 1, given.parameters)
  function given.loss(batch, step)
    masks.step = step
    return loss(batch)
  end
end

--- Options that are this module's, not those of vise.train.run.
H.own = { batch = true, compressed = true, config = true, distill = true, length = true,
  model = true, name = true, prune = true, shift = true, tokenizer = true, tokenizer_of = true,
  train = true }

--- A copy without the recipe's wrapping.
function H.plain(what, value)
  if type(value) ~= "table" then
    check.fail("train: %s is %s, expected a table", what, check.quote(value))
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = type(item) == "table" and H.plain(what, item) or item
  end
  return copy
end

return M
