-- SPDX-License-Identifier: Apache-2.0
--- Why the steps of a run were done, or not: what each depends on now, against the last run of the
--- recipe that used the same cache.

local cache = require("vise.cache")
local check = require("vise.check")
local native = require("vise.native")

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
  local key = cache.key({ "why", path })
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
  local digests = {}
  for word, part in check.sorted_pairs(parts) do
    digests[word] = native.core.sha256(native.json.encode({ part })):sub(1, 16)
  end
  self._now[name] = digests
  self._steps[#self._steps + 1] = { name = name, text = is_cached and "cached"
    or H.reason(self._before[name], digests) }
end

--- One line a step, in their order; and remember this run for the next.
---@return string[]
function Why:finish()
  if #self._steps == 0 then
    return {}
  end
  for name, digests in pairs(self._now) do
    self._before[name] = digests
  end
  self._kept:put_table(self._key, self._before)
  local lines = {}
  for i, step in ipairs(self._steps) do
    lines[i] = ("%s: %s"):format(step.name, step.text)
  end
  return lines
end

function H.reason(before, now)
  if before == nil then
    return "done, for the first time"
  end
  local changed = {}
  for word, digest in check.sorted_pairs(now) do
    if before[word] ~= digest then
      changed[#changed + 1] = word
    end
  end
  if #changed == 0 then
    return "done, the cache did not have it any more"
  end
  return "done, because of another " .. table.concat(changed, ", another ")
end

return M
