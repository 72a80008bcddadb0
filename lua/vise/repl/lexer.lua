-- SPDX-License-Identifier: Apache-2.0
--- Lua's text as tokens, also text that is not whole yet: for completion and for saved sessions.

local M = {}
local H = {}

---@class vise.Token
---@field kind "name"|"number"|"string"|"comment"|"symbol"|"open" open: a string that does not end
---@field text string as written; of an open string what is inside so far
---@field from integer where it begins
---@field to integer where it ends

--- The tokens of a text, in order.
---@param text string
---@return vise.Token[]
function M.run(text)
  local tokens, at = {}, 1
  while true do
    at = text:find("%S", at)
    if at == nil then
      return tokens
    end
    local kind, to = H.token(text, at)
    local inside = kind == "open" and at + 1 or at
    tokens[#tokens + 1] = { kind = kind, text = text:sub(inside, to), from = at, to = to }
    at = to + 1
  end
end

--- What a string token stands for.
---@param token vise.Token
---@return string
function M.value(token)
  return load("return " .. token.text, "=string", "t", {})()
end

--- Kind and end of the token at a place.
function H.token(text, at)
  local comment = text:match("^%-%-()", at)
  local begin, level = text:match("^()%[(=*)%[", comment or at)
  if begin then
    local _, to = text:find("]" .. level .. "]", begin, true)
    return comment and "comment" or to and "string" or "open", to or #text
  elseif comment then
    return "comment", (text:find("\n", at, true) or #text + 1) - 1
  end
  local c = text:sub(at, at)
  if c == '"' or c == "'" then
    return H.quoted(text, at, c)
  end
  for _, row in ipairs(H.patterns) do
    local _, to = text:find(row[2], at)
    if to then
      return row[1], to
    end
  end
  return "symbol", at
end

function H.quoted(text, at, quote)
  local i = at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then
      return "string", i
    elseif c == "\n" then
      break
    end
    i = i + (c == "\\" and 2 or 1)
  end
  return "open", math.min(i, #text)
end

H.patterns = {
  { "name", "^[%a_][%w_]*" },
  { "number", "^0[xX][%x.]+" },
  { "number", "^%d+%.?%d*[eE]?[+-]?%d*" },
  { "number", "^%.%d+" },
  { "symbol", "^%.%.%.?" },
  { "symbol", "^[=~<>]=" },
  { "symbol", "^//" },
  { "symbol", "^::" },
}

return M
