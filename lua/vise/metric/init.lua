-- SPDX-License-Identifier: Apache-2.0
--- What a model predicts of a text, and what it lost against another: numbers with error bars.
-- share/doc/metrics.md defines every number, its protocol and its standard error.

local check = require("vise.check")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")
local reference = require("vise.metric.reference")
local refusal = require("vise.model.refusal")
local statistics = require("vise.metric.statistics")
local watch = require("vise.watch")

local must = refusal.must

local M = {}
local H = {}

---@class vise.EvaluateOptions
---@field text? string the text itself
---@field data? string a folder of labelled images instead, for protocols of images
---@field protocol string "stories-512", "nll-N", "gptq-N", "llama.cpp-N", "images-test"
---@field against? vise.Model the reference: what the model was before it was compressed
---@field share? number of the windows, spread evenly, that are scored, or of images, the first; 1,
--- all of them, if absent
---@field cache? string folder that keeps the reference's hidden states; they are not kept if absent
---@field on_progress? fun(done: integer, total: integer) called after each batch, in scored tokens
---@field meter? table for a rehearsal: two batches are scored, and of the second `states_seconds`
--- (in the layers of models), `seconds` (in all) and `share` (of the windows) are put in

---@class vise.Measured
---@field protocol string
---@field images? integer of protocols of images, which have these four
---@field images_per_s? number
---@field accuracy? number share of images whose class has the greatest logit
---@field accuracy_low? number its interval at 95 %, to accuracy_high
---@field accuracy_high? number
---@field tokens integer scored; this to perplexity_se not of images, but seconds and nll
---@field clusters integer documents or windows that the standard errors are over
---@field text_bytes integer bytes of the text that the scored tokens stand for
---@field seconds number spent in the model measured
---@field tokens_per_s number
---@field nll number nats per token
---@field nll_se number NaN, as all standard errors, if there is but one cluster
---@field nll_byte number nats per byte of text
---@field nll_byte_se number
---@field perplexity number
---@field perplexity_se number
---@field bytes integer of the file or files, or packed in memory if the model was not saved
---@field bits_per_weight number 8 bytes / parameters
---@field kl? number nats per token from the reference; this and the rest only with `against`
---@field kl_se? number
---@field kl_median? number
---@field kl_median_se? number
---@field kl_p99? number
---@field kl_p99_se? number
---@field top1? number share of tokens where both put the same id first
---@field top1_se? number
---@field nll_delta? number nll less that of the reference, paired per token
---@field nll_delta_se? number

--- Raised when a number of a model and a text changes.
M.VERSION = 1

--- The protocol of a name, or an error that says what was meant: see vise.metric.protocol.
M.protocol = protocol.parse

--- The rules as they are written in help: { { name = "nll-N", summary = "..." }, ... }.
M.protocols = protocol.list

--- Measure a model on a text by a protocol.
--- Raises for wrong options, a text too short, models of different vocabularies and logits that are
--- not finite.
---@param model vise.Model
---@param options vise.EvaluateOptions
---@return vise.Measured|nil measured
---@return string? message
---@return string? code "cancelled", "io", "format"
function M.evaluate(model, options)
  H.check_options(options)
  return refusal.protect(H.evaluate, model, options)
end

function H.evaluate(model, options)
  local against, parsed = options.against, protocol.parse(options.protocol)
  H.check_data(model, options, parsed)
  if parsed.split then
    H.materialise(model)
    return require("vise.metric.images").evaluate(model, options, parsed)
  end
  local plan = H.plan(model, options)
  if against then
    H.check_vocabularies(model, against, plan, options.text)
  end
  H.materialise(model)
  local states = reference.open(against or model, plan, options.cache)
  local progress = watch.stage(options.on_progress, "measure " .. model.name, "tokens")
  local tally = { nll = {}, base = {}, kl = {}, agree = {}, seconds = 0.0 }
  for i, batch in ipairs(plan.batches) do
    local input = H.input(plan.windows, batch)
    local begin = native.core.clock()
    local p = against and (states:find(i) or H.hidden(against, input))
    local start = native.core.clock()
    local q = H.hidden(model, input)
    tally.seconds = tally.seconds + native.core.clock() - start
    local middle = native.core.clock()
    states:keep(i, p or q, plan.tokens)
    H.score(tally, model, q, against, p, input)
    if options.meter then
      options.meter.states_seconds, options.meter.share = middle - begin, plan.metered
      options.meter.seconds = native.core.clock() - begin
    end
    progress(#tally.nll, plan.tokens)
  end
  states:commit()
  return H.result(model, plan, tally, against)
end

--- What will be scored: name, windows, batches, tokens, bytes, and the counts and sizes (in bytes)
--- of the clusters.
function H.plan(model, options)
  local parsed = protocol.parse(options.protocol)
  local windows = must(protocol.windows(parsed, H.tokenizer(model), options.text,
    model.config.bos_token_id))
  local share = options.share or 1
  windows = H.spread(windows, share)
  local batches = protocol.batches(windows)
  local metered = options.meter and H.first(windows, batches)
  local plan = { name = parsed.name, share = share, windows = windows, metered = metered,
    batches = batches, counts = {}, sizes = {}, tokens = 0, bytes = 0 }
  for i, window in ipairs(windows) do
    if #window.ids > model.context then
      check.fail("protocol '%s': a window has %d tokens, expected at most %d (the context of '%s')",
        parsed.name, #window.ids, model.context, model.name)
    end
    plan.counts[i], plan.sizes[i] = #window.ids - window.first + 1, window.bytes
    plan.tokens = plan.tokens + plan.counts[i]
    plan.bytes = plan.bytes + window.bytes
  end
  return plan
end

--- Leave two batches, of which the second finds everything warm, and give the share of the windows
--- that it has.
function H.first(windows, batches)
  local last = batches[2] or batches[1]
  local share = (last.to - last.from + 1) / #windows
  for i = #windows, last.to + 1, -1 do
    windows[i] = nil
  end
  for i = #batches, 3, -1 do
    batches[i] = nil
  end
  return share
end

--- That share of the windows, at least one, spread evenly over the text.
function H.spread(windows, share)
  local n, chosen = math.max(1, math.ceil(share * #windows - 1e-9)), {}
  for i = 1, n do
    chosen[i] = windows[(2 * i - 1) * #windows // (2 * n) + 1]
  end
  return chosen
end

--- A batch as the model takes it, and what to score: rows of its hidden states and the ids that
--- come next.
function H.input(windows, batch)
  local ids, starts, rows, targets = {}, {}, {}, {}
  for w = batch.from, batch.to do
    local window = windows[w]
    local before = #ids
    starts[#starts + 1] = before + 1
    table.move(window.ids, 1, #window.ids, before + 1, ids)
    for i = window.first, #window.ids do
      rows[#rows + 1] = before + i - 2 -- row of the token before, from 0
      targets[#targets + 1] = window.ids[i]
    end
  end
  return { ids = H.int32(ids), starts = starts, rows = H.int32(rows), targets = H.int32(targets) }
end

function H.int32(values)
  return native.tensor.from("i32", { #values }, values)
end

--- Hidden states at the rows to score. Only these are kept and met by the head.
function H.hidden(model, input)
  local all <close> = must(model:hidden(input))
  local rows <close> = native.weight.dense(all)
  return must(rows:rows(input.rows))
end

--- Apply the heads and add the losses of a batch. p: the reference's states, or nil.
function H.score(tally, model, q, against, p, input)
  local n = q:shape()[1]
  for at, count in H.chunks(n, model.vocabulary) do
    local targets <close> = input.targets:narrow(1, at, count)
    local start = native.core.clock()
    local q_logits <close> = H.logits(model, q, at, count)
    H.append(tally.nll, H.nll(model, q_logits, targets))
    tally.seconds = tally.seconds + native.core.clock() - start
    if p then
      local p_logits <close> = H.logits(against, p, at, count)
      H.append(tally.base, H.nll(against, p_logits, targets))
      local kl, agree = must(native.metric.divergence(p_logits, q_logits))
      H.append(tally.kl, kl)
      H.append(tally.agree, agree)
    end
  end
  q:close()
  if p then
    p:close()
  end
end

--- The losses of a model's logits; if those are not finite, raise whose they are.
function H.nll(model, logits, targets)
  local ok, losses, message, code = pcall(native.metric.nll, logits, targets)
  if not ok then
    check.fail("evaluate: model '%s': %s", model.name, check.strip_position(losses))
  end
  return must(losses, message, code)
end

function H.logits(model, hidden, at, count)
  local rows <close> = hidden:narrow(1, at, count)
  return must(model:logits(rows))
end

--- Cut n rows into chunks of nearly equal size whose logits take at most 64 MiB: iterator of first
--- row and count. Equal, so that no chunk is a leftover of few rows.
function H.chunks(n, vocabulary)
  local most = math.max(8, math.min(512, (1 << 24) // vocabulary))
  local n_chunks = (n + most - 1) // most
  local chunk = 0
  return function()
    chunk = chunk + 1
    if chunk <= n_chunks then
      local from = (chunk - 1) * n // n_chunks
      return from + 1, chunk * n // n_chunks - from
    end
  end
end

function H.append(list, tensor)
  local values = tensor:table()
  table.move(values, 1, #values, #list + 1, list)
  tensor:close()
end

function H.result(model, plan, tally, against)
  local bytes = model:disk_bytes() or must(model:bytes())
  local nll, nll_se = statistics.mean(tally.nll, plan.counts)
  local nll_byte, nll_byte_se = statistics.ratio(tally.nll, plan.counts, plan.sizes)
  local measured = {
    protocol = plan.name,
    tokens = plan.tokens,
    clusters = #plan.counts,
    text_bytes = plan.bytes,
    seconds = tally.seconds,
    tokens_per_s = plan.tokens / tally.seconds,
    nll = nll,
    nll_se = nll_se,
    nll_byte = nll_byte,
    nll_byte_se = nll_byte_se,
    perplexity = math.exp(nll),
    perplexity_se = math.exp(nll) * nll_se,
    bytes = bytes,
    bits_per_weight = 8 * bytes / model:original_parameters(),
  }
  if against then
    measured.kl, measured.kl_se = statistics.mean(tally.kl, plan.counts)
    measured.kl_median, measured.kl_p99 = statistics.quantiles(tally.kl, { 0.5, 0.99 })
    measured.kl_median_se = statistics.quantile_error(tally.kl, plan.counts, 0.5)
    measured.kl_p99_se = statistics.quantile_error(tally.kl, plan.counts, 0.99)
    measured.top1, measured.top1_se = statistics.mean(tally.agree, plan.counts)
    measured.nll_delta, measured.nll_delta_se =
      statistics.difference(tally.nll, tally.base, plan.counts)
  end
  return measured
end

--- Compress what is compressed on demand before the clock starts.
function H.materialise(model)
  local list = model:places()
  local progress = watch.stage(nil, "weights of " .. model.name, "weights")
  for i, place in ipairs(list) do
    must(model:weight(place.name))
    progress(i, #list)
  end
end

function H.tokenizer(model)
  if not model.tokenizer then
    check.fail("evaluate: model '%s' has no tokenizer, expected one beside its weights", model.name)
  end
  return model.tokenizer
end

--- Two models can be compared token by token if the same ids mean the same pieces and the text
--- becomes the same ids.
function H.check_vocabularies(model, against, plan, text)
  local ours, theirs = H.tokenizer(model), H.tokenizer(against)
  if model.vocabulary ~= against.vocabulary or ours:size() ~= theirs:size() then
    check.fail("evaluate: model '%s' has a vocabulary of %d, the reference '%s' one of %d, "
      .. "expected the same", model.name, model.vocabulary, against.name, against.vocabulary)
  end
  if rawequal(ours, theirs) then
    return
  end
  for id = 0, ours:size() - 1 do
    if ours:piece(id) ~= theirs:piece(id) then
      check.fail("evaluate: id %d is %s in model '%s' and %s in the reference '%s', "
        .. "expected the same vocabulary", id, check.quote(ours:piece(id)), model.name,
        check.quote(theirs:piece(id)), against.name)
    end
  end
  local windows = H.spread(must(protocol.windows(protocol.parse(plan.name), theirs, text,
    model.config.bos_token_id)), plan.share)
  for i, window in ipairs(plan.windows) do
    if table.concat(window.ids, " ") ~= table.concat(windows[i] and windows[i].ids or {}, " ") then
      check.fail("evaluate: window %d of the text becomes other ids with the tokenizer of the "
        .. "reference '%s', expected the same", i, against.name)
    end
  end
end

--- Are the data and the model those of the protocol?
function H.check_data(model, options, parsed)
  local wanted = parsed.split and "data" or "text"
  if options[wanted] == nil then
    check.fail("evaluate: %s is absent, expected %s for protocol '%s'", wanted,
      parsed.split and "a folder of images" or "a string", parsed.name)
  elseif (model.image ~= nil) ~= (parsed.split ~= nil) then
    check.fail("evaluate: model '%s' is of %s, expected a protocol of them instead of '%s' (%s)",
      model.name, model.image and "images" or "tokens", parsed.name,
      model.image and "images-test" or "nll-256")
  end
end

H.option_types = {
  text = "string", data = "string", protocol = "string", against = "table", cache = "string",
  meter = "table", on_progress = "function", share = "number",
}

function H.check_options(options)
  if type(options) ~= "table" then
    check.fail("evaluate: options are %s, expected a table", check.quote(options))
  end
  for name, value in check.sorted_pairs(options) do
    local expected = H.option_types[name]
    if expected == nil then
      check.fail("evaluate: %s", check.unknown("option", name, check.sorted_keys(H.option_types)))
    elseif type(value) ~= expected then
      check.fail("evaluate: %s is %s, expected a %s", name, check.quote(value), expected)
    end
  end
  if options.protocol == nil then
    check.fail("evaluate: protocol is absent, expected a string")
  end
  local share = options.share or 1
  if not (share > 0 and share <= 1) then
    check.fail("evaluate: share is %s, expected a number above 0, at most 1", check.quote(share))
  end
end

return M
