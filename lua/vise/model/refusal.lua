-- SPDX-License-Identifier: Apache-2.0
--- Refusals of the world (files, formats, cancel) on their way through many calls.
-- Inside the model's code they travel as raised values, so that a forward pass reads as a formula;
-- at its public functions `protect` turns them back into nil, message, code. Other errors pass.

local M = {}
local H = {}

--- `value, ...`, or raise the refusal (nil, message, code) that stands in its place.
function M.must(value, ...)
  if value == nil then
    M.refuse(..., select(2, ...))
  end
  return value, ...
end

--- Raise a refusal.
---@param message string
---@param code? string "io", "format", ...; "format" if absent
function M.refuse(message, code)
  error(setmetatable({ message = message, code = code or "format" }, H.Refusal), 0)
end

--- Is a raised value a refusal?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == H.Refusal
end

--- Raise a refusal with a message made by string.format.
---@param format string
function M.refuse_format(format, ...)
  M.refuse(format:format(...), "format")
end

--- fn(...), or nil, message, code if it refused.
---@param fn function
function M.protect(fn, ...)
  return H.unpack(pcall(fn, ...))
end

--- The same, with `prefix` and a colon before the message of a refusal.
---@param prefix string
---@param fn function
function M.within(prefix, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if result[1] then
    return table.unpack(result, 2, result.n)
  elseif getmetatable(result[2]) == H.Refusal then
    M.refuse(prefix .. ": " .. result[2].message, result[2].code)
  end
  error(result[2], 0)
end

H.Refusal = {
  __tostring = function(refusal)
    return refusal.message
  end,
}

function H.unpack(ok, first, ...)
  if ok then
    return first, ...
  elseif getmetatable(first) == H.Refusal then
    return nil, first.message, first.code
  end
  error(first, 0)
end

return M
