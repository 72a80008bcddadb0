-- SPDX-License-Identifier: Apache-2.0
--- Rules that say which method compresses which place.
-- Rules are tried in order, the first that matches a place decides, places that none matches stay
-- as they are. What can be checked without values is checked at once; the work is done for each
-- weight when it is asked for. Tied places hold one weight: a rule that matches either decides for
-- both.

local check = require("vise.check")
local places = require("vise.model.places")

local M = {}
local H = {}

---@class vise.Rule
---@field match string a pattern (see vise.model.places)
---@field method string
---@field otherwise? table {method, options...}: used where the method cannot take a place's shape
--- and the options of the method beside them

--- A new model. Raises for rules that cannot be followed.
---@param model vise.Model
---@param rules vise.Rule[]
---@return vise.Model
function M.run(model, rules)
  local steps, fallbacks = H.plan(model, rules)
  return model:_derive(function(place)
    local weight, message, code = model:materialise(place)
    if weight == nil or steps[place] == nil then
      return weight, message, code
    end
    local result
    result, message, code = H.apply(place, steps[place], weight)
    if not model:_is_kept(place) then
      weight:close()
    end
    return result, message, code
  end, fallbacks)
end

--- The step of each place that has one, and where `otherwise` was needed.
function H.plan(model, rules)
  if type(rules) == "table" and rules[1] == nil and next(rules) ~= nil then
    check.fail("compress: rules are one rule, expected a list: { { match = ..., method = ... } }")
  elseif type(rules) ~= "table" or #rules == 0 then
    check.fail("compress: rules are %s, expected a list of one rule or more",
      type(rules) == "table" and "an empty list" or check.quote(rules))
  end
  local steps, fallbacks, decided = {}, {}, {}
  local all = H.owners(model)
  for i, rule in ipairs(rules) do
    local who = "compress: rule " .. i
    local step, otherwise = H.step(who, rule)
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
  return steps, fallbacks
end

--- Places that own a weight, each with the names it has: {name, shape, names}.
function H.owners(model)
  local list, by_name = {}, {}
  for _, place in ipairs(model:places()) do
    local owner = by_name[place.tied_to]
    if owner then
      owner.names[#owner.names + 1] = place.name
    else
      list[#list + 1] = { name = place.name, shape = place.shape, names = { place.name } }
      by_name[place.name] = list[#list]
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
  local options = {}
  for key, value in check.sorted_pairs(rule) do
    if not H.words[key] then
      options[key] = value
    end
  end
  local step = { method = rule.method }
  H.named(who, function()
    local scope = method.find(rule.method).scope
    if scope ~= "weight" then
      check.fail("method '%s' is of scope %s, expected weight", rule.method, scope)
    end
    step.options = method.resolve(rule.method, options)
  end)
  return step
end

H.words = { match = true, method = true, otherwise = true }

--- The step for a place: the rule's, or its `otherwise` and why.
function H.choose(who, place, step, otherwise)
  local ok, message = pcall(H.check_shape, place, step)
  if ok then
    return step
  elseif otherwise == nil then
    check.fail("%s: %s: %s", who, place.name, check.strip_position(message))
  end
  H.named(("%s: otherwise: %s"):format(who, place.name), H.check_shape, place, otherwise)
  return otherwise, check.strip_position(message)
end

function H.check_shape(place, step)
  require("vise.method").check(step.method, place.shape[1], place.shape[2], step.options)
end

function H.apply(place, step, weight)
  return H.named(place, require("vise.method").run, step.method, weight, step.options)
end

--- fn(...), with `who` before the message if it raises.
function H.named(who, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if not result[1] then
    check.fail("%s: %s", who, check.strip_position(result[2]))
  end
  return table.unpack(result, 2, result.n)
end

--- Names of places, layers written once.
function H.list(all)
  local names = {}
  for _, place in ipairs(all) do
    table.move(place.names, 1, #place.names, #names + 1, names)
  end
  return places.summary(names)
end

return M
