-- SPDX-License-Identifier: Apache-2.0
--- A recipe's `job:train`: a model of a config, trained on a text from random weights.
-- The checkpoint lies in the cache under the name of all that decides the result, so a run that was
-- killed goes on where it was, and one that was finished is not trained again.

local cache = require("vise.cache")
local check = require("vise.check")
local model = require("vise.model")
local native = require("vise.native")
local tokenizer = require("vise.tokenizer")
local train = require("vise.train")

local M = {}
local H = {}

---@class vise.JobTrainOptions options of vise.train.run that are plain values, and:
---@field config table as in config.json, without vocab_size
---@field tokenizer { size?: integer, special?: string[] } trained on the same text: vise.tokenizer
---@field length? integer tokens of a window, 256 if absent
---@field batch? integer windows of a step, 8 if absent
---@field name? string "model" if absent

--- A trained model, and what it is known by.
---@param kept vise.Cache
---@param text string
---@param digest string of the text
---@param options vise.JobTrainOptions
---@param seed integer of the weights and of the order
---@param on_progress fun(p: vise.TrainProgress)
---@return vise.Model
---@return string key
---@return { losses: number[], resumed: integer }
function M.run(kept, text, digest, options, seed, on_progress)
  local config, words = H.plain("config", options.config), H.plain("tokenizer", options.tokenizer)
  local file = assert(tokenizer.train({ text = text, size = words.size, special = words.special }))
  config.vocab_size = native.tokenizer.bpe(file):size()
  local m = assert(model.new(config, { name = options.name or "model", seed = seed,
    tokenizer = { name = "tokenizer.json", bytes = function()
      return file
    end } }))
  local network = train.network(m)
  local given = { parameters = network.parameters, on_progress = on_progress }
  local facts = {}
  for key, value in pairs(options) do
    if not H.own[key] then
      given[key], facts[key] = value, value
    end
  end
  given.data = train.windows({ text = text, tokenizer = m.tokenizer, length = options.length,
    batch = options.batch, seed = seed })
  given.loss = function(batch)
    return network:loss(batch)
  end
  local key = cache.key({ "train", M.VERSION, config, words, digest, given.data.key, seed, facts })
  given.path = kept:file(key, "checkpoint")
  local result = assert(train.run(given))
  return network:model(), key, result
end

--- Raised when training gives other bits.
M.VERSION = 1

--- Options that are this module's, not those of vise.train.run.
H.own = { batch = true, config = true, length = true, name = true, text = true, tokenizer = true }

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
