-- SPDX-License-Identifier: Apache-2.0
--- The templates that tales are written in, read into trees.
--
--   [one|two|]            one of the alternatives, which may be templates themselves
--   {a} {a.his}           a role of the tale, in one of its forms (cast.lua)
--   {weather}             a rule of the book, told with the same roles
--   {thanks b a}          a rule told with its {x} as b and its {y} as a
--   {^a}                  the same, beginning with a capital letter
--
-- "a " becomes "an " where the next word asks for it, whatever slot that came from.

local M = {}
local H = {}

---@class vise.Slot
---@field name string a role or a rule
---@field field? string a form of the role
---@field args string[] roles given to the rule
---@field is_capital boolean

---@alias vise.Template (string|vise.Slot|{alternatives: vise.Template[]})[]

--- The tree of a template, read once. Raises for one that is malformed, showing it.
---@param text string
---@return vise.Template
function M.read(text)
  local tree = H.known[text]
  if tree == nil then
    local stop
    tree, stop = H.read_until(text, 1, "^$")
    assert(stop == #text + 1, "template: unbalanced: " .. text)
    H.known[text] = tree
  end
  return tree
end

H.known = setmetatable({}, { __mode = "k" })

--- The tree from `at` up to a character of the class `ends`, and where that is.
function H.read_until(text, at, ends)
  local tree = {}
  while at <= #text do
    local c = text:sub(at, at)
    if c:find(ends) then
      break
    elseif c == "[" then
      tree[#tree + 1], at = H.read_alternatives(text, at + 1)
    elseif c == "{" then
      local body, after = text:match("^{([^{}]*)}()", at)
      assert(body, "template: a slot does not end: " .. text)
      tree[#tree + 1], at = H.read_slot(body, text), after
    else
      assert(not c:find("[%]}]"), "template: unbalanced: " .. text)
      local plain, after = text:match("^([^%[%]{}|]+)()", at)
      if plain == nil then
        plain, after = c, at + 1
      end
      tree[#tree + 1], at = plain, after
    end
  end
  return tree, at
end

function H.read_alternatives(text, at)
  local alternatives = {}
  repeat
    local tree, stop = H.read_until(text, at, "[|%]]")
    assert(stop <= #text, "template: a choice does not end: " .. text)
    alternatives[#alternatives + 1] = tree
    at = stop + 1
  until text:sub(stop, stop) == "]"
  return { alternatives = alternatives }, at
end

function H.read_slot(body, text)
  local cap, name, rest = body:match("^(%^?)([%a_]+)(.*)$")
  assert(name, "template: not a slot: {" .. body .. "} in " .. text)
  local field, others = rest:match("^%.([%a_]+)(.*)$")
  local args = {}
  for arg in (others or rest):gmatch("%S+") do
    args[#args + 1] = arg
  end
  return { name = name, field = field, args = args, is_capital = cap == "^" }
end

return M
