-- SPDX-License-Identifier: Apache-2.0
--- Rules that say which method compresses which place.
-- Rules are tried in order, the first that matches a place decides, places that none matches stay
-- as they are. What can be checked without values is checked at once; the work is done for each
-- weight when it is asked for (vise.model.remake). Tied places hold one weight: a rule that matches
-- either decides for both. Rules of methods of scope model go first, in their order: each makes the
-- model that what follows starts from. Before the others batch norms go into what they follow.

local calibration = require("vise.calibration")
local check = require("vise.check")
local fold = require("vise.model.fold")
local places = require("vise.model.places")
local remake = require("vise.model.remake")

local M = {}
local H = {}

---@class vise.Rule
---@field match string a pattern (see vise.model.places); not for methods of scope model
---@field method string
---@field stats? vise.Calibration for methods that need or use statistics
---@field otherwise? table {method, options...}: used where the method cannot take a place's shape
--- and the options of the method beside them

---@class vise.CompressContext
---@field seed? integer of random numbers, 0 if absent
---@field cache? vise.Cache keeps results, for models that were identified
---@field recipe? string digest of the recipe in which methods of its own are written
---@field on_note? fun(place: string, text: string) trouble that a method got over
---@field on_result? fun(place: string, is_cached: boolean, parts: table|nil, seconds: number) a
--- weight has been made, or found; what decides it, by the words for it

--- A new model. Raises for rules that cannot be followed.
---@param model vise.Model
---@param rules vise.Rule[]
---@param context? vise.CompressContext
---@return vise.Model
function M.run(model, rules, context)
  H.check_list(rules)
  context = context or {}
  local n_whole = H.count_whole(rules)
  for i = 1, n_whole do
    model = H.whole("compress: rule " .. i, model, rules[i], context)
  end
  if n_whole == #rules then
    return model
  end
  model = fold.run(model)
  local steps, fallbacks, plan = H.plan(model, rules, n_whole + 1)
  return remake.run(model, steps, plan, context, fallbacks)
end

function H.check_list(rules)
  if type(rules) == "table" and rules[1] == nil and next(rules) ~= nil then
    check.fail("compress: rules are one rule, expected a list: { { match = ..., method = ... } }")
  elseif type(rules) ~= "table" or #rules == 0 then
    check.fail("compress: rules are %s, expected a list of one rule or more",
      type(rules) == "table" and "an empty list" or check.quote(rules))
  end
end

--- How many rules of scope model there are; they go before the others.
function H.count_whole(rules)
  local method = require("vise.method")
  local n = 0
  for i, rule in ipairs(rules) do
    local name = type(rule) == "table" and type(rule.method) == "string" and rule.method
    local found = name and method.get(name)
    if found and found.scope == "model" then
      n = n + 1
      if n < i then
        check.fail("compress: rule %d: %s changes the whole model, expected it before rules for "
          .. "places", i, name)
      end
    end
  end
  return n
end

--- The model that a method of scope model makes.
function H.whole(who, model, rule, context)
  local method = require("vise.method")
  return H.named(who, function()
    local options = H.options(rule)
    local extra = { seed = context.seed or 0, calibration = H.stats(rule), context = context }
    return method.run_model(rule.method, model, options, extra)
  end)
end

--- The step of each place that has one, where `otherwise` was needed, and the calibration.
function H.plan(model, rules, first)
  local steps, fallbacks, decided, plan = {}, {}, {}, nil
  local all = H.owners(model)
  for i = first, #rules do
    local who, rule = "compress: rule " .. i, rules[i]
    local step, otherwise = H.step(who, rule)
    if plan and step.stats and plan ~= step.stats then
      check.fail("%s: its calibration is another than that of an earlier rule, expected one "
        .. "(compress twice for two)", who)
    end
    plan = plan or step.stats
    local is_matched, taken_by, is_used = false, nil, false
    for _, place in ipairs(all) do
      if H.matches(rule.match, place) then
        is_matched, taken_by = true, taken_by or decided[place.name]
        if not decided[place.name] then
          decided[place.name], is_used = i, true
          local chosen, reason = H.choose(who, place, step, otherwise)
          steps[place.name] = chosen
          if reason then
            fallbacks[#fallbacks + 1] = { place = place.name, rule = i, reason = reason }
          end
        end
      end
    end
    if not is_matched then
      check.fail("%s: no place matches '%s' (places: %s)", who, rule.match, H.list(all))
    elseif not is_used then
      check.fail("%s: every place that '%s' matches is taken by an earlier rule, expected one left "
        .. "(rule %d is '%s'; narrower rules go first)", who, rule.match, taken_by,
        rules[taken_by].match)
    end
  end
  return steps, fallbacks, plan
end

--- Places that own a weight, each with the names it has, whether its inputs have statistics, and
--- whether it stands within a block, between first and last: {name, shape, names, has_site,
--- is_within}.
function H.owners(model)
  model = model._whole or model -- rules for a rehearsal are those for the whole model
  local list, by_name, has_site = {}, {}, {}
  for _, site in ipairs(model:sites()) do
    for _, name in ipairs(site.places) do
      has_site[name] = true
    end
  end
  local within, blocks = {}, model:blocks()
  for i = 2, #blocks - 1 do
    for _, name in ipairs(blocks[i].places) do
      within[name] = true
    end
  end
  for _, place in ipairs(model:places()) do
    local owner = by_name[place.tied_to]
    if owner then
      owner.names[#owner.names + 1] = place.name
      owner.has_site = owner.has_site or has_site[place.name]
    else
      local entry = { name = place.name, shape = place.shape, names = { place.name } }
      entry.has_site, entry.is_within = has_site[place.name], within[place.name]
      list[#list + 1], by_name[place.name] = entry, entry
    end
  end
  return list
end

function H.matches(pattern, place)
  for _, name in ipairs(place.names) do
    if places.matches(pattern, name) then
      return true
    end
  end
  return false
end

--- The step of a rule and that of its `otherwise`, their options checked.
function H.step(who, rule)
  if type(rule) ~= "table" then
    check.fail("%s: is %s, expected a table", who, check.quote(rule))
  elseif type(rule.match) ~= "string" or rule.match == "" then
    check.fail("%s: match is %s, expected a pattern such as 'mlp.*'", who, check.quote(rule.match))
  end
  local otherwise = rule.otherwise
  if otherwise ~= nil and type(otherwise) ~= "table" then
    check.fail("%s: otherwise is %s, expected a table", who, check.quote(otherwise))
  end
  return H.method_step(who, rule), otherwise and H.method_step(who .. ": otherwise", otherwise)
end

function H.method_step(who, rule)
  local method = require("vise.method")
  if type(rule.method) ~= "string" then
    check.fail("%s: method is %s, expected a name", who, check.quote(rule.method))
  end
  local step = { method = rule.method }
  H.named(who, function()
    local scope = method.find(rule.method).scope
    if scope == "model" then
      check.fail("method '%s' is of scope model, expected weight or block", rule.method)
    end
    step.stats, step.is_block = H.stats(rule), scope == "block"
    if step.is_block and step.stats and not step.stats.sequential then
      check.fail("%s: its calibration is of the original model, expected sequential = true",
        rule.method)
    end
    step.options = method.resolve(rule.method, H.options(rule))
  end)
  return step
end

--- The options of a rule: what is not the rule's own.
function H.options(rule)
  local options = {}
  for key, value in check.sorted_pairs(rule) do
    if not H.words[key] then
      options[key] = value
    end
  end
  return options
end

H.words = { match = true, method = true, otherwise = true, stats = true }

function H.stats(rule)
  if rule.stats ~= nil and not calibration.is(rule.stats) then
    check.fail("stats are %s, expected a calibration (vise.calibration.new, job:calibrate)",
      check.quote(rule.stats))
  end
  return rule.stats
end

--- The step for a place: the rule's, or its `otherwise` and why.
function H.choose(who, place, step, otherwise)
  local ok, message = pcall(H.check_place, place, step)
  if ok then
    return step
  elseif otherwise == nil then
    local is_shape = tostring(message):find("do not divide", 1, true)
    check.fail("%s: %s: %s%s", who, place.name, check.strip_position(message),
      is_shape and " (the rule may say otherwise = { method = ... } for such places)" or "")
  end
  H.named(("%s: otherwise: %s"):format(who, place.name), H.check_place, place, otherwise)
  return otherwise, check.strip_position(message)
end

--- Does the method take the place's shape, and has it what it needs there?
function H.check_place(place, step)
  local method = require("vise.method")
  if step.is_block and not place.is_within then
    check.fail("%s: learns by what a block gives, and '%s' stands in none (match '*.*')",
      step.method, place.name)
  end
  if step.stats and not place.has_site and #method.needs(step.method, step.options) > 0 then
    check.fail("%s: needs %s, and an embedding looks rows up instead of reading inputs "
      .. "(match 'attn.*' and 'mlp.*', or say otherwise = { method = ... })", step.method,
      method.needs_text(step.method, step.options))
  end
  local extra = step.stats and { moments = true, data = true } or nil
  method.check(step.method, place.shape[1], place.shape[2], step.options, extra)
end

--- fn(...), with `who` before the message if it raises.
H.named = remake.named

--- Names of places, layers written once.
function H.list(all)
  local names = {}
  for _, place in ipairs(all) do
    table.move(place.names, 1, #place.names, #names + 1, names)
  end
  return places.summary(names)
end

return M
