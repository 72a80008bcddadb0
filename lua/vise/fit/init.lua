-- SPDX-License-Identifier: Apache-2.0
--- Which method for which place: the least loss within a budget of bytes, over all families at
-- once.
-- 1. Every candidate is run on every place, with statistics of the original model: its bytes as
--    they are coded in a file, and the relative error of the outputs.
-- 2. The divergence that an error at a place costs is measured: the model with that place alone
--    changed, by two candidates, one gentle and one rough; by every one where the place holds an
--    eighth of the model.
-- 3. Errors times what they cost are losses, which are taken to add up; the knapsack solver
--    chooses (vise.fit.knapsack).
-- 4. The model is compressed by that choice, its file measured, and the budget of the solver
--    corrected until the file fits and little is left over (vise.run.job). Its divergence is
--    measured too: the sum of losses is off by a factor, by which later sums are corrected.

local calibration = require("vise.calibration")
local check = require("vise.check")
local knapsack = require("vise.fit.knapsack")
local metric = require("vise.metric")
local native = require("vise.native")
local places_of = require("vise.model.places")
local refusal = require("vise.model.refusal")
local walk = require("vise.model.walk")

local must = refusal.must

local M = {}
local H = {}

---@class vise.FitOptions
---@field candidates table[] rules whose `match` may be absent, for all places:
--- { method = "gptq", bits = 3 }, { match = "embed", method = "watersic", rows = "softmax" }, ...
---@field stats vise.Calibration also the text that losses are measured on
---@field tokens? integer on which losses are measured, 4096 if absent
---@field folder string where every candidate's file is written, to be weighed and read again
---@field on_progress? fun(stage: string, done: integer, total: integer)

---@class vise.Fit
local Fit = {}
Fit.__index = Fit

--- Try and measure everything. Raises for options that are wrong.
---@param model vise.Model
---@param options vise.FitOptions
---@param context vise.CompressContext
---@return vise.Fit
function M.new(model, options, context)
  H.check(options)
  must(native.file.make_dirs(options.folder))
  local report = options.on_progress or function() end
  local fit = setmetatable({
    _options = options, _model = model, _rest = H.rest_bytes(model, options.folder),
    _excess = 1, -- the divergence of the last assembled model by the sum of its losses
  }, Fit)
  fit._places = H.try_all(model, options, context, report)
  fit._text = H.sample(options.stats, model, options.tokens or H.tokens)
  H.measure_losses(model, fit._places, fit._text, options, report)
  return fit
end

--- The rules of the best choice for a file of at most so many bytes.
--- Raises if even the smallest choice is larger.
---@param budget integer bytes
---@return vise.Rule[] rules for Model:compress, one a place
---@return table[] chosen {place, candidate, bytes, error, loss}: candidate is an index
---@return table expected {bytes, sum, loss}: of the file; the sum of the losses; the divergence
--- that the sum stands for, by what the last assembled model had
function Fit:choose(budget)
  local items = {}
  for i, place in ipairs(self._places) do
    items[i] = place.choices
  end
  local chosen, bytes = knapsack.solve(items, budget - self._rest)
  if chosen == nil then
    check.fail("fit: the budget is %d bytes, expected at least %d (the smallest candidates)",
      budget, bytes + self._rest)
  end
  local rules, rows = {}, {}
  for i, place in ipairs(self._places) do
    local choice = place.choices[chosen[i]]
    local rule = { match = place.name, stats = choice.has_stats and self._options.stats or nil }
    for key, value in check.sorted_pairs(self._options.candidates[choice.index]) do
      rule[key] = key == "match" and rule.match or value
    end
    rules[i] = rule
    rows[i] = { place = place.name, candidate = choice.index, bytes = choice.bytes,
      error = choice.error, loss = choice.loss }
  end
  local sum = knapsack.loss(items, chosen)
  return rules, rows, { bytes = bytes + self._rest, sum = sum, loss = sum * self._excess }
end

--- Nats a token between the model and an assembled one, on the text of the losses; remembered to
--- correct what `choose` expects.
---@param assembled vise.Model
---@param sum number of its losses
---@return number
function Fit:measure(assembled, sum)
  local kl = H.divergence(self._model, assembled, self._text, self._options)
  self._excess = sum > 0 and kl < math.huge and kl / sum or self._excess
  return kl
end

function H.check(options)
  if type(options.candidates) ~= "table" or #options.candidates == 0 then
    check.fail("fit: candidates are %s, expected a list of { method = ..., options }",
      check.quote(options.candidates))
  elseif not calibration.is(options.stats) then
    check.fail("fit: stats are %s, expected a calibration", check.quote(options.stats))
  elseif options.stats.data then
    check.fail("fit: stats are over images, expected them over a text (of a model of tokens)")
  end
  local method = require("vise.method")
  for i, candidate in ipairs(options.candidates) do
    if type(candidate) ~= "table" or type(candidate.method) ~= "string" then
      check.fail("fit: candidate %d is %s, expected { method = ..., options }", i,
        check.quote(candidate))
    end
    if candidate.match ~= nil and type(candidate.match) ~= "string" then
      check.fail("fit: candidate %d: match is %s, expected a pattern such as 'mlp.*'", i,
        check.quote(candidate.match))
    end
    local found = method.find(candidate.method)
    if found.scope ~= "weight" then
      check.fail("fit: candidate %d: method '%s' is of scope %s, expected weight", i, found.name,
        found.scope)
    end
    local resolved = method.resolve(candidate.method, H.options(candidate))
    if method.wants(candidate.method, "cross", resolved) then
      check.fail("fit: candidate %d: %s aims at the outputs before compression, expected a method "
        .. "that looks at one weight by itself", i, candidate.method)
    end
  end
end

function H.options(candidate)
  local options = {}
  for key, value in check.sorted_pairs(candidate) do
    options[key] = key ~= "method" and key ~= "match" and value or nil
  end
  return options
end

--- Every place with what each candidate makes of it: {name, shape, choices}.
function H.try_all(model, options, context, report)
  local places, by_name, done = {}, {}, 0
  for _, place in ipairs(model:places()) do
    if place.tied_to == nil then
      local entry = { name = place.name, shape = place.shape, choices = {} }
      places[#places + 1], by_name[place.name] = entry, entry
    end
  end
  local function original(name)
    return model:_own(model:_owner_of(name))
  end
  local function try(name, moments)
    local place = by_name[name]
    if #place.choices == 0 then
      local w <close> = original(name)
      H.try(place, w, moments, options, context)
      done = done + 1
      report("candidates", done, #places)
    end
  end
  local tokens = walk.new(model, options.stats, original)
  for _, sites in ipairs(walk.sites(model)) do
    local wanted = {}
    for _, site in ipairs(sites) do
      wanted[site.name] = true
    end
    tokens:pass(wanted, function(site, moments)
      for _, name in ipairs(site.places) do
        try(model:_owner_of(name), moments)
      end
    end)
  end
  tokens:close()
  for _, place in ipairs(places) do
    try(place.name) -- an embedding has no inputs
  end
  return places
end

--- Run all candidates that a place can take: {index, bytes, error, path, has_stats}.
function H.try(place, w, moments, o, context)
  local method = require("vise.method")
  local m, k = place.shape[1], place.shape[2]
  for index, candidate in ipairs(o.candidates) do
    local options = H.options(candidate)
    local matches = candidate.match == nil or places_of.matches(candidate.match, place.name)
    if matches and pcall(method.check, candidate.method, m, k, options, { moments = moments }) then
      local extra = moments and method.extra_for(candidate.method, moments, m, k, options) or {}
      local has_stats = next(extra) ~= nil
      extra.name, extra.seed = place.name, context.seed or 0
      local made <close> = must(method.run(candidate.method, w, options, extra))
      local path = ("%s/%s.%d.vise"):format(o.folder, place.name, index)
      place.choices[#place.choices + 1] = {
        index = index,
        bytes = H.write(made, path),
        error = must(made:error(w, moments)) ^ 2,
        path = path,
        has_stats = has_stats,
      }
    end
  end
  if #place.choices == 0 then
    check.fail("fit: %s [%d, %d]: no candidate fits, expected one that does", place.name, m, k)
  end
end

--- Bytes that a weight has in a file.
function H.write(weight, path)
  local writer = must(native.artifact.create(path, { sync = false }))
  must(writer:add_weight("it", weight))
  must(writer:commit("{}"))
  local reader <close> = must(native.artifact.open(path))
  return reader:ledger()[1].coded
end

--- Bytes of a file without weights: tensors, tokenizer, index and manifest.
function H.rest_bytes(model, folder)
  local path = folder .. "/rest.vise"
  local writer = must(native.artifact.create(path, { sync = false }))
  for _, name in ipairs(model:tensors()) do
    must(writer:add_tensor(name, must(model:tensor(name))))
  end
  local file = model._tokenizer_file
  if file then
    local bytes = must(file.bytes())
    must(writer:add_tensor(file.name, native.tensor.from_bytes("u8", { #bytes }, bytes)))
  end
  return must(writer:commit(native.json.encode({ config = model.config }))).bytes
end

--- Give every choice its loss: what its error costs there, by the divergence of the model with that
--- place alone changed. Two choices of each place are measured, all of one that holds much.
function H.measure_losses(model, places, text, options, report)
  local all = model:parameters()
  for i, place in ipairs(places) do
    local gentle, rough = H.probes(place.choices)
    local is_large = H.large * place.shape[1] * place.shape[2] >= all
    for _, choice in ipairs(is_large and place.choices or { gentle, rough }) do
      choice.loss = choice.loss or H.cost(model, place.name, choice, text, options)
    end
    for _, choice in ipairs(place.choices) do
      choice.loss = choice.loss or H.between(gentle, rough, choice.error)
    end
    report("losses", i, #places)
  end
end

--- Two choices, one third and two thirds up the errors.
function H.probes(choices)
  local order = table.move(choices, 1, #choices, 1, {})
  table.sort(order, function(a, b)
    if a.error ~= b.error then
      return a.error < b.error
    end
    return a.index < b.index
  end)
  return order[math.max(1, (#order + 2) // 3)], order[math.max(1, (2 * #order + 2) // 3)]
end

--- Loss per error changes slowly with the error: linear in its logarithm between the two measured.
function H.between(gentle, rough, error)
  if error <= 0 then
    return 0
  elseif gentle.error <= 0 or rough.error <= gentle.error then
    return rough.error > 0 and rough.loss / rough.error * error or 0
  end
  local share = math.log(error / gentle.error) / math.log(rough.error / gentle.error)
  share = math.max(0, math.min(1, share))
  return error * (gentle.loss / gentle.error) ^ (1 - share) * (rough.loss / rough.error) ^ share
end

--- Nats a token between the model and itself with one place changed.
function H.cost(model, name, choice, text, options)
  local reader <close> = must(native.artifact.open(choice.path))
  local changed = must(reader:weight("it"))
  return H.divergence(model, model:_derive({
    _make = function(place)
      if place == name then
        return changed
      end
      return model:_own(place)
    end,
    fallbacks = {},
    notes = {},
  }), text, options)
end

function H.divergence(model, other, text, options)
  local row = must(metric.evaluate(other, {
    text = text,
    protocol = options.stats.protocol,
    against = model,
    cache = options.folder .. "/reference",
  }))
  return row.kl == row.kl and math.max(row.kl, H.least_loss) or math.huge
end

--- The beginning of the calibration text, of about so many tokens, cut at the end of a line.
function H.sample(plan, model, tokens)
  local ids = must(model.tokenizer:encode(plan.text)):count()
  if ids <= tokens then
    return plan.text
  end
  local part = plan.text:sub(1, #plan.text * tokens // ids)
  return part:match("^(.*\n)") or part
end

H.tokens = 4096
H.large = 8 -- a place of one of so many parts of the weights has every choice measured
H.least_loss = 1e-9 -- so that ratios of losses are numbers

return M
