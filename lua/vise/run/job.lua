-- SPDX-License-Identifier: Apache-2.0
--- The job that a recipe's `run` gets: open, compress, measure, save, log. Every verb raises.
-- A verb loads the modules that only it needs, so that a run pays for what its recipe does.

local cache = require("vise.cache")
local calibration = require("vise.calibration")
local check = require("vise.check")
local claims = require("vise.run.claims")
local native = require("vise.native")
local recipe = require("vise.recipe")
local record = require("vise.run.record")
local runtime = require("vise.model.runtime")
local why = require("vise.run.why")

local M = {}
local H = {}
H.__index = H

---@class vise.JobFitOptions
---@field candidates table[]
---@field stats table
---@field bytes? integer
---@field bits_per_weight? number
---@field tokens? integer

---@class vise.JobMeasureOptions
---@field text any for protocols of a text
---@field data any for protocols of images
---@field protocol string
---@field against? vise.Model
---@field name? string
---@field method? string
---@field options? table
---@field kv? string and `kv_recent`, `activations`: see vise.RuntimeOptions

---@class vise.Job what a recipe sees
---@field seed integer of `--seed`
---@field open fun(self, input: any): vise.Model
---@field calibrate fun(self, m: vise.Model, opts: table): table for `stats` in rules
---@field train fun(self, opts: vise.JobTrainOptions): vise.Model
---@field compress fun(self, m: vise.Model, rules: table[]): vise.Model
---@field measure fun(self, m: vise.Model, opts: table): table
---@field save fun(self, m: vise.Model): table
---@field log fun(self, format: string, ...)

--- The job of one request, its log open.
---@param request table as vise.run sends it
---@param emit fun(event: table)
---@return table job
function M.new(request, emit)
  local job = setmetatable({
    _request = request,
    _emit = emit,
    _begin = native.core.clock(),
    _inputs = setmetatable({}, { __mode = "k" }), -- handle -> input
    _texts = {}, -- path -> content
    _rows = {},
    _opened = setmetatable({}, { __mode = "k" }), -- handle -> model
    _models = {}, -- the model of each row
    _plans = setmetatable({}, { __mode = "k" }), -- handle -> calibration
    _kept = cache.open(request.cache),
    _n_compressed = 0,
    _cache = request.directory .. "/reference", -- gone when the run is complete
  }, H)
  job._why = why.new(job._kept, request.path)
  local log, message = io.open(request.directory .. "/log.txt", "w")
  if log == nil then
    check.fail("%s", message)
  end
  log:setvbuf("line")
  job._log = log
  return job
end

--- The parameters as the recipe sees them: files as handles, the rest as values.
---@return table<string, any> frozen
function H:values()
  local values = {}
  for name, value in pairs(self._request.values) do
    local input = self._request.inputs[name]
    values[name] = input and self:_input(name, input) or value
  end
  return recipe.freeze(values, "parameter")
end

--- The recipe's view of the job: its verbs and nothing else.
---@return vise.Job
function H:handle()
  local verbs = { seed = self._request.seed }
  for _, name in ipairs(M.verbs) do
    verbs[name] = function(_, ...)
      return self[name](self, ...)
    end
  end
  return recipe.freeze(verbs, "verb of the job")
end

--- Open the model that a parameter names.
function H:open(input)
  local found = self:_find(input, "model", "open")
  self:note("open " .. found.given)
  local opened = assert(require("vise.model").open(found.path))
  opened:_identify(found.sha256)
  return self:_model_handle(opened)
end

--- A model, or one of a config with random weights, trained on a text or on images.
---@param opts vise.JobTrainOptions texts, data and models by their handles; `tokenizer` may be a
--- model
function H:train(opts)
  local training = require("vise.run.training")
  local given = H.plain("train", opts, training.NAMES)
  given.model = opts.model and self:_model(opts.model, "train: model")
  given.distill = opts.distill and self:_distill(opts.distill)
  given.compressed = opts.compressed and self:_compressed(opts.compressed)
  if self._opened[opts.tokenizer] then
    given.tokenizer, given.tokenizer_of = nil, self:_model(opts.tokenizer, "train: tokenizer")
  end
  local progress = self:_progress("train", "steps")
  local source = opts.data and self:_images(opts.data, "train", "train")
    or self:_text(opts.text, "train")
  local m, key, result = training.run(self._kept, source, given, self._request.seed, function(p)
    progress(p.step, p.steps)
    if p.step % H.steps_between_notes == 0 or p.step == p.steps then
      self:note(("train: step %d of %d: loss %.4f, rate %.6f, norm of the gradients %.3f"):format(
        p.step, p.steps, p.loss, p.rate, p.norm))
    end
  end)
  if result.resumed > 0 then
    self:log("train: went on from step %d", result.resumed)
  end
  self._emit({ event = "losses", name = m.name, points = H.thin(result.losses) })
  if key then
    m:_identify(key)
  end
  return self:_model_handle(m)
end

function H:_compressed(opts)
  if type(opts) ~= "table" then
    check.fail("train: compressed is %s, expected a table", check.quote(opts))
  end
  local given = {}
  for key, value in pairs(opts) do
    given[key] = key == "original" and self:_model(value, "train: compressed: original") or value
  end
  return given
end

function H:_distill(opts)
  if type(opts) ~= "table" then
    check.fail("train: distill is %s, expected a table", check.quote(opts))
  end
  local given = { cache = self._kept.path }
  for key, value in pairs(opts) do
    given[key] = key == "teacher" and self:_model(value, "train: distill: teacher") or value
  end
  return given
end

--- Losses by step as at most H.most_points points {step, loss}, each the mean of equally many.
function H.thin(losses)
  local points, size = {}, (#losses + H.most_points - 1) // H.most_points
  for from = 1, #losses, size do
    local to, sum = math.min(from + size - 1, #losses), 0
    for step = from, to do
      sum = sum + losses[step]
    end
    points[#points + 1] = { to, sum / (to - from + 1) }
  end
  return native.json.array(points)
end

H.most_points = 500

--- A plan: over which tokens the statistics for a model are taken.
---@param m vise.Model
---@param opts {text: any, tokens?: integer, protocol?: string, sequential?: boolean, data: any,
--- split?: string, images?: integer} a text, or data
function H:calibrate(m, opts)
  m = self:_model(m, "calibrate")
  local given = H.plain("calibrate", opts, H.calibrate_names)
  if opts.data then
    given.data = self:_find(opts.data, "data", "calibrate: data").path
  else
    given.text = self:_text(opts.text, "calibrate")
  end
  local plan = calibration.new(given)
  local batches, count = calibration.batches(plan, m)
  for _, batch in ipairs(batches) do
    (batch.ids or batch.images):close()
  end
  self:note(("calibrate %s, %d %s, %s"):format(plan.data and plan.split or plan.protocol, count,
    plan.data and "images" or "tokens",
    plan.sequential and "sequential" or "of the original model"))
  local handle = recipe.freeze(plan.data and { images = count }
    or { tokens = count, protocol = plan.protocol })
  self._plans[handle] = plan
  return handle
end

--- A new model, places changed by the first rule that matches them.
function H:compress(m, rules)
  m = self:_model(m, "compress")
  if type(rules) ~= "table" then
    check.fail("compress: rules are %s, expected a table of rules", check.quote(rules))
  end
  self._n_compressed = self._n_compressed + 1
  local step = ("compress %d: "):format(self._n_compressed)
  local compressed = m:compress(self:_rules(rules), {
    on_result = function(place, is_cached, parts, seconds)
      self._why:step(step .. place, is_cached, parts or {})
      self:_made(place, seconds)
    end,
    seed = self._request.seed,
    cache = self._kept,
    recipe = self._request.sha256,
    on_note = function(place, text)
      self:log("%s: %s", place, text)
    end,
  })
  for _, fallback in ipairs(compressed.fallbacks) do
    self:log("%s: %s; compressed as `otherwise` says", fallback.place, fallback.reason)
  end
  return self:_model_handle(compressed)
end

--- A new model: `m`, with what `tuned` has learned since as products of few factors.
---@param m vise.Model
---@param tuned vise.Model
---@param opts? vise.ExtractOptions
function H:extract(m, tuned, opts)
  m, tuned = self:_model(m, "extract"), self:_model(tuned, "extract")
  local given = H.plain("extract", opts or {}, H.extract_names)
  return self:_model_handle(m:extract(tuned, given))
end

--- The best choice of candidates for each place within a size: a new model whose file is no larger.
---@param m vise.Model
---@param opts vise.JobFitOptions a budget: bytes or bits_per_weight
function H:fit(m, opts)
  local original = self:_model(m, "fit")
  local given = check.options("fit", H.fit_rows, H.plain("fit", opts, H.fit_names))
  if (given.bytes == nil) == (given.bits_per_weight == nil) then
    check.fail("fit: expected a budget, as bytes or as bits_per_weight")
  end
  local budget = given.bytes or given.bits_per_weight * original:parameters() // 8
  local candidates, plan = H.copies("fit: candidates", opts.candidates), self._plans[opts.stats]
  local key = plan and cache.key({ candidates, calibration.key(plan), given.tokens or 0 })
  self._fits = self._fits or {}
  local fitted = key and self._fits[key]
  if not fitted or fitted.model ~= original then
    local progress
    self._n_fits = (self._n_fits or 0) + 1
    fitted = { model = original, fit = require("vise.fit").new(original, {
      candidates = candidates,
      stats = plan,
      tokens = given.tokens,
      folder = ("%s/fit-%d"):format(self._cache, self._n_fits),
      on_progress = function(stage, done, total)
        progress = done > 1 and progress or self:_progress("fit: " .. stage, "weights")
        progress(done, total)
      end,
    }, { seed = self._request.seed }) }
    self._fits[key] = fitted
  end
  return self:_fitted(m, fitted.fit, budget // 1 | 0)
end

--- Compress by a fit: with less room where the file is larger than expected, with more where bytes
--- are left over. Of the files that fit, the one with the least losses.
function H:_fitted(m, fitted, budget)
  local room, best = budget, nil
  for _ = 1, H.fit_rounds do
    local rules, rows, expected = fitted:choose(room)
    if best and expected.sum >= best.expected.sum then
      break
    end
    local handle = self:compress(m, rules)
    local bytes = self:_weigh(self:_model(handle, "fit"))
    self:note(("fit: %d bytes of %d, expected %d"):format(bytes, budget, expected.bytes))
    if bytes <= budget then
      best = { handle = handle, rows = rows, expected = expected }
    elseif best then
      break
    end
    room = room + budget - bytes - (bytes > budget and budget >> 12 or 0)
  end
  if best == nil then
    check.fail("fit: no choice found whose file has at most %d bytes", budget)
  end
  for _, row in ipairs(best.rows) do
    self:note(("fit: %s: candidate %d, %d bytes, error %.5f, loss %.6f"):format(row.place,
      row.candidate, row.bytes, row.error, row.loss))
  end
  local measured = fitted:measure(self:_model(best.handle, "fit"), best.expected.sum)
  self:log("fit: losses add up to %.5f, expected %.5f, measured %.5f on the calibration text",
    best.expected.sum, best.expected.loss, measured)
  return best.handle
end

--- Measure a model on a text or on images; the row is recorded and returned.
---@param m vise.Model
---@param opts vise.JobMeasureOptions
--- `method` and `options` stand in the row as they are given, for whoever reads many
---@return table row frozen
function H:measure(m, opts)
  m = self:_model(m, "measure")
  local given = check.options("measure", H.measure_rows, H.plain("measure", opts, H.measure_names))
  if given.protocol == nil then
    check.fail("measure: protocol is missing, expected the name of one")
  end
  for _, row in ipairs(H.measure_rows) do
    local value = given[row.name]
    if type(value) == "string" and not H.is_short(value) then
      check.fail("measure: %s is %s, expected at most %d bytes", row.name, H.quoted(value),
        H.longest_label)
    end
  end
  local against = opts.against and self:_model(opts.against, "measure: against")
  local name = given.name or ("model %d"):format(#self._rows + 1)
  local input = opts.data and self:_find(opts.data, "data", "measure: data")
    or self:_find(opts.text, "text", "measure: text")
  m = runtime.apply(m, given, { seed = self._request.seed, cache = self._kept,
    recipe = self._request.sha256 })
  local parts = H.measure_parts(m, against, input.sha256, given.protocol, self._request.share)
  local key = parts and cache.key(parts)
  local row = key and self._kept:table(key)
  local is_kept = row ~= nil
  self._why:step("measure " .. name, is_kept, parts or {})
  self:note(("measure %s by %s%s"):format(name, given.protocol, row and ", from the cache" or ""))
  if row then
    record.with_nan(row)
  else
    row = self:_evaluate(m, against, opts, given.protocol, name)
    if key then
      self._kept:put_table(key, row)
    end
  end
  row.name, row.method, row.options = name, given.method, H.labels(opts.options)
  row.data, row.against = input.sha256, against and against:_identity()
  self._rows[#self._rows + 1] = row
  self._models[#self._rows] = m
  self:_write_rows()
  self._emit({ event = "row", row = row, is_kept = is_kept })
  return recipe.freeze(row, "key of the row", claims.is_number)
end

function H:_evaluate(m, against, opts, protocol, name)
  self:_make_weights(m, "compress " .. name)
  local row = assert(require("vise.metric").evaluate(m, {
    text = not opts.data and self:_text(opts.text, "measure") or nil,
    data = opts.data and self:_find(opts.data, "data", "measure: data").path,
    protocol = protocol,
    against = against,
    share = self._request.share,
    meter = self._meter,
    cache = self._kept.path,
    on_progress = self:_progress("measure " .. name, opts.data and "images" or "tokens"),
  }))
  if not m:disk_bytes() then
    row.bytes = self:_weigh(m)
    row.bits_per_weight = 8 * row.bytes / m:original_parameters()
  end
  return row
end

--- Bytes of the file that a model would be saved to.
function H:_weigh(m)
  local path = self._cache .. "/weighed.vise"
  assert(native.file.make_dirs(self._cache))
  local bytes = assert(m:save(path, { sync = false })).bytes
  assert(native.file.remove_tree(path))
  return bytes
end

--- What decides the numbers of a row, or nil if a model's content has no name.
function H.measure_parts(m, against, text, protocol, share)
  local model_key, against_key = m:_identity(), against and against:_identity() or ""
  return model_key and against_key and {
    metric = require("vise.metric").VERSION, model = model_key,
    ["model to compare with"] = against_key, text = text, protocol = protocol, share = share or 1,
  } or nil
end

--- Write the model as the run's artifact; once in a run.
---@param m vise.Model
---@return {bytes: integer, hash: string} frozen
function H:save(m)
  m = self:_model(m, "save")
  if self._artifact then
    check.fail("save: a run has one artifact, and it is written already")
  end
  self:note("save")
  local path = self._request.directory .. "/model.vise"
  local saved = assert(m:save(path, {
    manifest = self:_manifest(),
    on_progress = self:_progress("save", "weights"),
  }))
  local reader <close> = assert(native.artifact.open(path))
  assert(reader:measure_entropy())
  local bits_per_weight = 8 * saved.bytes / m:original_parameters()
  self._artifact = {
    file = "model.vise",
    bytes = saved.bytes,
    packed_bytes = require("vise.artifact").totals(reader).packed,
    bits_per_weight = bits_per_weight,
    hash = saved.hash,
  }
  self:_write("ledger.json", native.json.encode(reader:ledger(), { indent = 1 }) .. "\n")
  local indices = {}
  for i, row in ipairs(self._rows) do
    if self._models[i] == m then
      row.bytes, row.bits_per_weight = saved.bytes, bits_per_weight
      indices[#indices + 1] = i
    end
  end
  self:_write_rows()
  self:note(("saved model.vise, %d bytes, %s"):format(saved.bytes, saved.hash))
  self._emit({ event = "saved", artifact = self._artifact, rows = native.json.array(indices),
    errors = require("vise.run.errors").measure(m, reader) })
  return recipe.freeze({ bytes = saved.bytes, hash = saved.hash })
end

--- A line for the log and the person watching.
---@param format string
function H:log(format, ...)
  local line = select("#", ...) > 0 and string.format(format, ...) or tostring(format)
  self:note(line)
  self._emit({ event = "log", text = line })
end

--- A line for the log alone; control characters but the tab are escaped, so it stays one line.
---@param line string
function H:note(line)
  line = line:gsub("[\0-\8\10-\31\127]", function(c)
    return ("\\x%02x"):format(c:byte())
  end)
  self._log:write(("%9.3f  %s\n"):format(native.core.clock() - self._begin, line))
end

--- The recipe has returned: what every run directory has is there.
function H:finish()
  for _, line in ipairs(self._why:finish()) do
    if self._request.why then
      self:note(line)
      self._emit({ event = "why", text = line })
    end
  end
  self:_write_rows()
  assert(native.file.remove_tree(self._cache))
  if not self._artifact then
    self:_write("ledger.json", "[]\n")
  end
  self:note("end")
end

function H:__close()
  self._log:close()
end

--- What a recipe may call.
M.verbs = { "open", "train", "calibrate", "compress", "extract", "fit", "measure", "save", "log" }
H.extract_names = { "match", "rank", "values" }
H.forwarded = { "places", "weight", "tensors", "tensor", "parameters", "bytes", "generate",
  "cache_bytes" }
H.measure_rows = {
  { name = "method", kind = "string", doc = "what the row says it is of" },
  { name = "protocol", kind = "string", doc = "how to measure" },
  { name = "name", kind = "string", doc = "of the row" },
  table.unpack(runtime.options),
}

H.fit_rows = {
  { name = "bytes", kind = "int", min = 1, doc = "of the file" },
  { name = "bits_per_weight", kind = "real", min = 0, doc = "8 x bytes of the file / parameters" },
  { name = "tokens", kind = "int", min = 1, doc = "on which losses are measured" },
}
H.fit_rounds = 4

H.fit_names = { "bits_per_weight", "bytes", "candidates", "stats", "tokens" }
H.measure_names = { "activations", "against", "data", "kv", "kv_recent", "method", "name",
  "options", "protocol", "text" }
H.steps_between_notes = 10
H.most_items = 10000
H.handles = { against = true, candidates = true, compressed = true, data = true, distill = true,
  model = true, options = true, stats = true, text = true }
H.calibrate_names = { "data", "images", "protocol", "sequential", "split", "text", "tokens" }

--- The options that are plain values: without texts and models. Raises for names that are not
--- known.
function H.plain(who, opts, names)
  if opts ~= nil and H.made[opts] then
    check.fail("%s: options are the %s, expected a table", who, tostring(opts))
  end
  check.names(who, opts, names)
  local plain = {}
  for key, value in pairs(opts) do
    if not H.handles[key] then
      plain[key] = value
    end
  end
  return plain
end

--- The options of a row: few names, each with a short text, a number, true or false.
function H.labels(options)
  if options == nil then
    return nil
  end
  local labels, n = {}, 0
  for name, value in pairs(options) do
    n = n + 1
    local is_fit = type(value) == "boolean" or type(value) == "number" and value - value == 0
      or H.is_short(value)
    if not H.is_short(name) or not is_fit or n > H.most_labels then
      check.fail("measure: options: %s is %s, expected a text of at most %d bytes, a number, true "
        .. "or false, and at most %d of them", H.quoted(name), H.quoted(value), H.longest_label,
        H.most_labels)
    end
    labels[name] = value
  end
  return labels
end

H.longest_label = 200
H.most_labels = 64

function H.is_short(value)
  return type(value) == "string" and #value <= H.longest_label
end

--- For a message, which a long text would not make clearer.
function H.quoted(value)
  return type(value) == "string" and not H.is_short(value) and ("a text of %d bytes"):format(#value)
    or check.quote(value)
end

--- A recipe's list of tables as plain ones.
function H.copies(who, list)
  local copies = {}
  for i, item in ipairs(list) do
    if i > H.most_items then
      check.fail("%s: more than %d items, expected fewer", who, H.most_items)
    end
    copies[i] = item
    if type(item) == "table" then
      copies[i] = {}
      for key, value in pairs(item) do
        copies[i][key] = value
      end
    end
  end
  return copies
end

--- The rules with calibrations in the place of their handles.
function H:_rules(rules)
  local list = H.copies("compress: rules", rules)
  for _, rule in ipairs(list) do
    if type(rule) == "table" and rule.stats then
      rule.stats = self._plans[rule.stats] or rule.stats
    end
  end
  return list[1] and list or rules
end

function H.refuse_save()
  check.fail("save: a recipe writes by job:save, into the directory of its run")
end

--- The model behind a handle.
function H:_model(handle, who)
  local m = type(handle) == "table" and self._opened[handle]
  if not m then
    local text = "%s: expected a model (from job:open or job:compress), got %s"
    check.fail(text, who, check.quote(handle))
  end
  return m
end

--- What a recipe holds of a model. The model itself writes files and is what is measured, so it
-- stays out of reach.
function H:_model_handle(m)
  local view = {
    name = m.name,
    config = m.config,
    save = H.refuse_save,
    compress = function(handle, rules)
      return self:compress(handle, rules)
    end,
  }
  for _, name in ipairs(H.forwarded) do
    view[name] = function(handle, ...)
      local of = self:_model(handle, name)
      local result = assert(of[name](of, ...))
      return recipe.freeze(name == "weight" and result:handle() or result)
    end
  end
  local handle = recipe.freeze(view, "field of a model")
  self._opened[handle] = m
  return handle
end

H.made = setmetatable({}, { __mode = "k" }) -- the handles of inputs, which look like empty tables

function H:_input(name, input)
  local handle = setmetatable({}, {
    __metatable = false,
    __name = "vise.input",
    __tostring = function()
      return ("input '%s'"):format(name)
    end,
  })
  self._inputs[handle], H.made[handle] = input, true
  return handle
end

function H:_find(handle, kind, who)
  local input = type(handle) == "table" and self._inputs[handle]
  if not input or input.kind ~= kind then
    local text = "%s: expected a parameter of the type %s, got %s"
    check.fail(text, who, kind, input and "one of the type " .. input.kind or check.quote(handle))
  end
  return input
end

--- A split of the images that a parameter names.
function H:_images(handle, split, who)
  local path = self:_find(handle, "data", who .. ": data").path
  return assert(require("vise.images").open(path, split))
end

function H:_text(handle, who)
  local path = self:_find(handle, "text", who .. ": text").path
  self._texts[path] = self._texts[path] or assert(require("vise.text").read(path))
  return self._texts[path]
end

--- Compress what is compressed on demand, which evaluation would do without a word.
function H:_make_weights(m, stage)
  if m:disk_bytes() then
    return
  end
  local places = m:places()
  local progress = self:_progress(stage, "weights")
  for i, place in ipairs(places) do
    assert(m:weight(place.name))
    progress(i, #places)
  end
end

--- A weight was made in so many seconds, for a rehearsal to know.
function H:_made() end

--- Begin a stage: a callback (done, total) that sends ten events a second at most.
function H:_progress(stage, unit)
  local last, begin = 0, native.core.clock()
  self._emit({ event = "stage", stage = stage })
  return function(done, total)
    local now = native.core.clock()
    self:_expect(now - begin, done, total)
    if now - last >= 0.1 or done >= total then
      last = now
      self._emit({ event = "progress", done = done, total = total, unit = unit })
    end
  end
end

--- Is the stage going to be long, and nobody has rehearsed it? Then this is the end, to begin again
--- after a rehearsal: what is done by now is in the cache.
function H:_expect(seconds, done, total)
  local long = self._request.long_seconds
  if long and done > 0 and native.core.clock() - self._begin > H.unwatched_seconds
      and seconds * (total - done) / done > long then
    self._emit({ event = "long" })
    os.exit(0, true)
  end
end

H.unwatched_seconds = 0.5

--- What of this run is sealed into the artifact: nothing of time, host or path.
function H:_manifest()
  local request = self._request
  local inputs, parameters = {}, {}
  for name, value in pairs(request.values) do
    local input = request.inputs[name]
    if input then
      inputs[name] = { kind = input.kind, sha256 = input.sha256, files = input.files }
    else
      parameters[name] = value
    end
  end
  return {
    recipe = { text = request.text, sha256 = request.sha256,
      includes = #request.includes > 0 and request.includes or nil },
    parameters = parameters,
    inputs = inputs,
    seed = request.seed,
  }
end

function H:_write_rows()
  local lines = {}
  for i, row in ipairs(self._rows) do
    lines[i] = native.json.encode(row) .. "\n"
  end
  self:_write("metrics.jsonl", table.concat(lines))
end

function H:_write(name, content)
  assert(native.file.replace(self._request.directory .. "/" .. name, content))
end

return M
