-- SPDX-License-Identifier: Apache-2.0
--- Why the steps of a run were done, or not: what each depends on now, against the last run of the
--- recipe that used the same cache.

local cache = require("vise.cache")
local check = require("vise.check")
local native = require("vise.native")
local places = require("vise.model.places")

local M = {}
local Why = {}
Why.__index = Why
local H = {}

---@class vise.Why

--- Begin a run of the recipe with that path.
---@param kept vise.Cache
---@param path string
---@return vise.Why
function M.new(kept, path)
  local key = cache.key({ "why 2", path })
  return setmetatable({ _kept = kept, _key = key, _before = kept:table(key) or {}, _steps = {},
    _now = {} }, Why)
end

--- A step was done, or its result was there.
---@param name string "compress 1: layers.0.attn.q"
---@param is_cached boolean
---@param parts table<string, any> what decides it, by the word for it
function Why:step(name, is_cached, parts)
  if self._now[name] then
    return
  end
  local facts = H.facts(parts)
  self._now[name] = facts
  self._steps[#self._steps + 1] = { name = name, text = is_cached and "cached"
    or H.reason(self._before[name], facts) }
end

--- One line for steps of which the same is to say, in their order; and remember this run for the
--- next.
---@return string[]
function Why:finish()
  if #self._steps == 0 then
    return {}
  end
  for name, facts in pairs(self._now) do
    self._before[name] = facts
  end
  self._kept:put_table(self._key, self._before)
  local groups, by_line = {}, {}
  for _, step in ipairs(self._steps) do
    local verb, place = step.name:match("^(compress %d+: )(.+)$")
    local line = verb and verb .. "%s: " .. step.text or step.name .. step.text
    local group = by_line[line]
    if group == nil then
      group = { verb = verb or "", text = step.text }
      groups[#groups + 1], by_line[line] = group, group
    end
    group[#group + 1] = place or step.name
  end
  for i, group in ipairs(groups) do
    local names = #group == 1 and group[1]
      or ("%s (%d weights)"):format(places.summary(group), #group)
    groups[i] = ("%s%s: %s"):format(group.verb, names, group.text)
  end
  return groups
end

--- What decides a step, by the words for it: what a person would recognize as it is, the rest as a
--- list of its digest.
function H.facts(parts)
  local facts = {}
  for word, part in check.sorted_pairs(parts) do
    if type(part) == "table" and part[1] == nil then -- options
      for name, fact in pairs(H.facts(part)) do
        facts[name] = fact
      end
    elseif H.is_plain(part) then
      facts[word] = part
    else
      facts[word] = { native.core.sha256(native.json.encode({ part })):sub(1, 16) }
    end
  end
  return facts
end

function H.is_plain(part)
  return type(part) == "number" or type(part) == "boolean"
    or type(part) == "string" and #part <= 32 and part ~= ""
end

function H.reason(before, now)
  if before == nil then
    return "done, for the first time"
  end
  local all, changed = {}, {}
  for _, facts in ipairs({ before, now }) do
    for word in pairs(facts) do
      all[word] = true
    end
  end
  for word in check.sorted_pairs(all) do
    changed[#changed + 1] = H.change(word, before[word], now[word])
  end
  if #changed == 0 then
    return "done, the cache did not have it any more"
  end
  return "done, because of " .. table.concat(changed, ", ")
end

--- "bits 4 -> 3", or "another text"; nil if nothing changed.
function H.change(word, was, is)
  if type(was) == "table" and type(is) == "table" then
    return was[1] ~= is[1] and "another " .. word or nil
  elseif was ~= is and type(was) ~= "table" and type(is) ~= "table" then
    return ("%s %s -> %s"):format(word, was == nil and "none" or check.plain(was),
      is == nil and "none" or check.plain(is))
  end
  return was ~= is and "another " .. word or nil
end

return M
