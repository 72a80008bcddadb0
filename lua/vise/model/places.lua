-- SPDX-License-Identifier: Apache-2.0
--- Names of places and the patterns that choose among them.
-- A pattern is a glob over whole components, anchored at the end: `attn.*` is every attention
-- weight, `layers.0.mlp.*` those of one layer, `head` the head. `*` stands for any characters of
-- one component, `?` for one.

local M = {}
local H = {}

--- Does `pattern` choose the place `name`?
---@param pattern string
---@param name string
---@return boolean
function M.matches(pattern, name)
  local wanted, parts = H.components(pattern), H.components(name)
  local skipped = #parts - #wanted
  if skipped < 0 then
    return false
  end
  for i, glob in ipairs(wanted) do
    if not parts[skipped + i]:find(H.lua_pattern(glob)) then
      return false
    end
  end
  return true
end

--- Names of places in one line, layers written once: "embed, layers.*.attn.q, ...".
---@param names string[]
---@return string
function M.summary(names)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    local general = name:gsub("%.%d+%.", ".*.")
    if not seen[general] then
      seen[general] = true
      list[#list + 1] = general
    end
  end
  return table.concat(list, ", ")
end

function H.components(text)
  local list = {}
  for part in (text .. "."):gmatch("(.-)%.") do
    list[#list + 1] = part
  end
  return list
end

function H.lua_pattern(glob)
  local escaped = glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0")
  return "^" .. escaped:gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

return M
