-- SPDX-License-Identifier: Apache-2.0
--- The job of a rehearsal: every step of a recipe on the first layers of its models, a window of
-- calibration, two batches of the text, a few steps of training; and what the whole would take.
-- Time is scaled part by part: what is done for each weight and in each layer by the number of
-- layers, what is done for each token by the tokens left out, steps of training by their number;
-- all else counts as it is. Memory and disk likewise.

local calibration = require("vise.calibration")
local job = require("vise.run.job")
local layers = require("vise.model.layers")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")

local M = {}
local H = {}

--- The job of one request, which also has `layers`: how many each model has.
---@param request table
---@param emit fun(event: table)
---@return table job
function M.new(request, emit)
  local this = job.new(request, emit)
  local base = getmetatable(this)
  this._base = base
  this._spent, this._expected = 0.0, 0.0 -- seconds that were scaled, and what they became
  this._tokens_of = setmetatable({}, { __mode = "k" }) -- calibration, model -> tokens wanted / used
  this._most_tokens, this._token_bytes = 0, 0 -- of a walk
  this._mapped_bytes, this._packed_bytes = 0, 0 -- that the whole has beside its first layers
  this._file_bytes, this._states_scale = 0, 1
  return setmetatable(this, H.extend(base))
end

--- A class over that of jobs.
function H.extend(base)
  local class = setmetatable({ __close = base.__close }, { __index = base })
  for name, method in pairs(H.Rehearsal) do
    class[name] = method
  end
  class.__index = class
  return class
end

H.Rehearsal = {}
local Rehearsal = H.Rehearsal

--- So many seconds were spent on what takes `scale` times as many in the run.
function Rehearsal:_scaled(seconds, scale)
  self._spent, self._expected = self._spent + seconds, self._expected + seconds * scale
end

--- fn(), whose time counts `scale` times, but for what it scaled itself.
function Rehearsal:_timed(scale, fn, ...)
  local begin, spent = native.core.clock(), self._spent
  local result = table.pack(fn(...))
  self:_scaled(native.core.clock() - begin - (self._spent - spent), scale)
  return table.unpack(result, 1, result.n)
end

function Rehearsal:open(input)
  local handle = self._base.open(self, input)
  local whole = self._opened[handle]
  local part = layers.first(whole, self._request.layers)
  self._opened[handle] = part
  local left_out = 1 - part:parameters() / whole:parameters()
  self._mapped_bytes = self._mapped_bytes + left_out * (whole:disk_bytes() or 0)
  return handle
end

--- The plan as it is given, checked against the text, and one of a single window to work with. That
--- of images stays as it is.
function Rehearsal:calibrate(m, opts)
  local handle = self._base.calibrate(self, m, opts)
  local plan, of = self._plans[handle], self:_model(m, "calibrate")
  if plan.data then
    return handle
  end
  local small = calibration.new({ text = plan.text, protocol = plan.protocol,
    tokens = math.min(handle.tokens, protocol.parse(plan.protocol).window),
    sequential = plan.sequential })
  local batches, tokens = calibration.batches(small, of)
  for _, batch in ipairs(batches) do
    batch.ids:close()
  end
  self._tokens_of[small] = handle.tokens / tokens
  self._most_tokens = math.max(self._most_tokens, handle.tokens)
  for _, place in ipairs(of:places()) do
    local bytes = 4 * (place.shape[2] + of:places()[1].shape[2])
    self._token_bytes = math.max(self._token_bytes, place.tied_to and 0 or bytes)
  end
  self._plans[handle] = small
  return handle
end

--- Methods of models work at once, those of weights when these are asked for.
function Rehearsal:compress(m, rules)
  local of, tokens, is_whole = self:_model(m, "compress"), 1, false
  for _, rule in ipairs(type(rules) == "table" and rules or {}) do
    local is_table = type(rule) == "table"
    local plan = is_table and rule.stats and self._plans[rule.stats]
    tokens = math.max(tokens, plan and self._tokens_of[plan] or 1)
    local method = is_table and type(rule.method) == "string"
      and require("vise.method").get(rule.method)
    is_whole = is_whole or method and method.scope == "model"
  end
  local scale = is_whole and (of._scale or 1) * tokens or 1
  local handle = self:_timed(scale, self._base.compress, self, m, rules)
  self._tokens_of[self._opened[handle]] = tokens
  return handle
end

function Rehearsal:_made(place, seconds)
  self:_scaled(seconds, H.is_layer(place) and self._scale_now or 1)
end

--- What is not for a weight is for tokens on their way through the layers.
function Rehearsal:_make_weights(m, stage)
  self._scale_now = m._scale or 1
  self:_timed(self._scale_now * (self._tokens_of[m] or 1), self._base._make_weights, self, m, stage)
end

function Rehearsal:_evaluate(m, ...)
  self._meter = {}
  local row = self._base._evaluate(self, m, ...)
  local meter, scale = self._meter, m._scale or 1
  if meter.share then -- images are all scored
    self:_scaled(meter.states_seconds, scale / meter.share)
    self:_scaled(meter.seconds - meter.states_seconds, 1 / meter.share)
    self._states_scale = math.max(self._states_scale, 0.5 / meter.share) -- of two batches
  end
  return row
end

function Rehearsal:train(opts)
  local few, steps = opts, type(opts) == "table" and opts.steps
  if math.type(steps) == "integer" and steps > H.steps then
    few = {}
    for key, value in pairs(opts) do
      few[key] = value
    end
    few.steps = H.steps
  end
  self._steps = few ~= opts and steps or nil
  local handle = self._base.train(self, few)
  local of = type(opts) == "table" and self._opened[opts.model]
  local trained = self._opened[handle]
  trained._scale = of and of._scale
  return handle
end

--- Trying candidates is work for each layer; their losses are measured on all layers for each.
function Rehearsal:fit(m, opts)
  local few, wanted = {}, type(opts) == "table" and opts.tokens or H.fit_tokens
  for key, value in pairs(type(opts) == "table" and opts or {}) do
    few[key] = value
  end
  local is_number = type(wanted) == "number" and wanted > H.few_tokens
  few.tokens = is_number and H.few_tokens or few.tokens
  local scale = self:_model(m, "fit")._scale or 1
  self._fit_scale = { ["fit: candidates"] = scale,
    ["fit: losses"] = scale ^ 2 * (is_number and wanted / H.few_tokens or 1) }
  return self._base.fit(self, m, few)
end

--- Steps of training but the first are alike, and so are the pieces of a stage of a fit.
function Rehearsal:_progress(stage, unit)
  local progress, first = self._base._progress(self, stage, unit), nil
  local begin = native.core.clock()
  return function(done, total)
    progress(done, total)
    local now = native.core.clock()
    if stage == "train" and done == 1 then
      first = now
    elseif stage == "train" and done == total and self._steps and first then
      local seconds = now - first
      self:_scaled(seconds, (self._steps - 1) / (total - 1))
    elseif done == total and self._fit_scale and self._fit_scale[stage] then
      self:_scaled(now - begin, self._fit_scale[stage])
    end
  end
end

function Rehearsal:_weigh(m)
  return self:_timed(m._scale or 1, self._base._weigh, self, m)
end

function Rehearsal:save(m)
  local of = self:_model(m, "save")
  local saved = self:_timed(of._scale or 1, self._base.save, self, m)
  local reader <close> = assert(native.artifact.open(self._request.directory .. "/model.vise"))
  self._file_bytes = saved.bytes
  for _, row in ipairs(reader:ledger()) do
    local more = H.is_layer(row.name) and (of._scale or 1) - 1 or 0
    self._file_bytes = self._file_bytes + more * row.coded
    self._packed_bytes = self._packed_bytes + more * row.packed
  end
  return saved
end

--- Say what the run would take.
function Rehearsal:finish()
  local elapsed = native.core.clock() - self._begin
  self._base.finish(self)
  local writable = math.max(0, self._most_tokens - H.few_tokens) * self._token_bytes
    + self._packed_bytes
  local resident, own = native.core.peak_rss(), native.core.memory().peak_bytes
  self._emit({ event = "estimate",
    seconds = elapsed - self._spent + self._expected,
    memory_bytes = (resident + writable + self._mapped_bytes) // 1 | 0,
    writable_bytes = (own + writable) // 1 | 0,
    file_bytes = self._file_bytes // 1 | 0,
    cache_bytes = self:_cached_bytes() // 1 | 0,
  })
end

--- What the cache would hold: states for each token, the rest for each layer.
function Rehearsal:_cached_bytes()
  local scale, bytes = 1, 0
  for _, m in pairs(self._opened) do
    scale = math.max(scale, m._scale or 1)
  end
  for _, entry in ipairs(self._kept:entries()) do
    local is_states = entry.name:match("%.states$")
    bytes = bytes + entry.bytes * (is_states and self._states_scale or scale)
  end
  return bytes
end

function H.is_layer(place)
  return place:match("^layers%.") ~= nil
end

H.steps = 3
H.few_tokens = 256
H.fit_tokens = 4096 -- as vise.fit does where nothing is said

return M
