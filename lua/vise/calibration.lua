-- SPDX-License-Identifier: Apache-2.0
--- Calibration: which tokens, or images, the statistics of a model's inputs are taken over.
-- A calibration is a plan; nothing is computed before a method asks for statistics, and then only
-- those it needs (vise.model.walk).

local check = require("vise.check")
local images = require("vise.images")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- Tokens of one forward pass: the strips of native/stats/moments.h.
M.BATCH_TOKENS = 1024

---@class vise.Calibration
---@field text string
---@field protocol string how the text is cut into windows; every token of a window counts
---@field tokens? integer about so many, in whole windows spread evenly over the text, one at least;
--- up to 32768 if absent
---@field sequential boolean statistics of a block are of inputs that passed the compressed blocks
--- before it; false: of those of the original model

--- A plan. Raises for what is missing, unknown or out of range.
---@param options table text, protocol ("nll-256"), tokens, sequential (true)
---@return vise.Calibration
function M.new(options)
  local plan = check.options("calibrate", M.rows, options or {})
  if plan.data == nil and (plan.text == nil or plan.text == "") then
    check.fail("calibrate: text is %s, expected one to take statistics over",
      plan.text and "empty" or "absent")
  elseif plan.data and plan.text then
    check.fail("calibrate: a text and data are there, expected one of them")
  end
  plan.protocol = protocol.parse(plan.protocol).name
  return setmetatable(plan, H.metatable)
end

M.rows = {
  { name = "text", kind = "string", doc = "the text itself" },
  { name = "protocol", kind = "string", default = "nll-256",
    doc = "how it is cut into windows (see metrics.md)" },
  { name = "tokens", kind = "int", min = 1,
    doc = "about so many, in whole windows; up to 32768 if absent" },
  { name = "data", kind = "string", doc = "a folder of images instead" },
  { name = "split", kind = "choice", choices = images.SPLITS, default = "train",
    doc = "which of them" },
  { name = "images", kind = "int", default = 256, min = 1, doc = "the first so many" },
  { name = "sequential", kind = "bool", default = true,
    doc = "statistics of inputs that passed the compressed blocks before" },
}

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == H.metatable
end

--- What decides the statistics of a given model.
---@param plan vise.Calibration
---@return string
function M.key(plan)
  plan._key = plan._key or native.core.sha256(native.json.encode({
    version = H.VERSION,
    text = native.core.sha256(plan.text or ""),
    protocol = plan.protocol,
    tokens = plan.tokens,
    data = plan.data and must(H.set(plan)):digest(),
    images = plan.data and plan.images,
    sequential = plan.sequential,
  }))
  return plan._key
end

--- The tokens of the plan for a model, as Model:hidden takes them.
--- Raises if the text has fewer tokens than the plan asks for.
---@param plan vise.Calibration
---@param model vise.Model
---@return table[] batches {ids = i32 tensor [t], starts = {1, ...}}, or {images}
---@return integer tokens or images
function M.batches(plan, model)
  if plan.data then
    local set = must(H.set(plan))
    set:check(model)
    return set:batches(plan.images), math.min(plan.images, set.count)
  elseif model.image then
    check.fail("calibrate: model '%s' reads images, expected data, a folder of them", model.name)
  end
  if model.tokenizer == nil then
    check.fail("calibrate: model '%s' has no tokenizer, expected one beside its weights",
      model.name)
  end
  local all = must(protocol.windows(protocol.parse(plan.protocol), model.tokenizer, plan.text,
    model.config.bos_token_id))
  local windows, total = H.spread(plan, all)
  if #windows[1].ids > model.context then
    check.fail("calibrate: a window of '%s' has %d tokens, expected at most %d (the context of "
      .. "'%s')", plan.protocol, #windows[1].ids, model.context, model.name)
  end
  local batches = {}
  for i, range in ipairs(protocol.batches(windows, M.BATCH_TOKENS)) do
    local ids, starts = {}, {}
    for w = range.from, range.to do
      starts[#starts + 1] = #ids + 1
      table.move(windows[w].ids, 1, #windows[w].ids, #ids + 1, ids)
    end
    batches[i] = { ids = native.tensor.from("i32", { #ids }, ids), starts = starts }
  end
  return batches, total
end

--- The images of a plan, opened once.
function H.set(plan)
  if plan._set == nil then
    local message, code
    plan._set, message, code = images.open(plan.data, plan.split)
    return plan._set, message, code
  end
  return plan._set
end

--- As many windows as the plan has room for, at least one, evenly over the text; and their tokens.
function H.spread(plan, all)
  local total = 0
  for _, window in ipairs(all) do
    total = total + #window.ids
  end
  if plan.tokens and total < plan.tokens then
    check.fail("calibrate: the text has %d tokens in windows of '%s', expected the %d asked for",
      total, plan.protocol, plan.tokens)
  elseif plan.tokens and plan.tokens < #all[1].ids then
    check.fail("calibrate: tokens is %d, expected at least the %d of one window of '%s'",
      plan.tokens, #all[1].ids, plan.protocol)
  end
  local share = math.min(1, (plan.tokens or H.most_tokens) / total)
  local wanted = math.max(1, math.floor(#all * share))
  local windows, tokens = {}, 0
  for i, window in ipairs(all) do
    if (i - 1) * wanted % #all < wanted then
      windows[#windows + 1] = window
      tokens = tokens + #window.ids
    end
  end
  return windows, tokens
end

H.VERSION = 1
H.most_tokens = 32768
H.metatable = { __name = "vise.calibration" }

function H.metatable.__tostring(plan)
  if plan.data then
    return ("vise.calibration %d images, %s"):format(plan.images,
      plan.sequential and "sequential" or "of the original model")
  end
  return ("vise.calibration %s, %s tokens, %s"):format(plan.protocol, plan.tokens or "up to 32768",
    plan.sequential and "sequential" or "of the original model")
end

return M
