-- SPDX-License-Identifier: Apache-2.0
--- Values as the REPL prints them: tables opened a few levels deep, cut where they get long.

local check = require("vise.check")

local M = {}
local H = { depth = 3, items = 40, rows = 6, columns = 7 }

--- A value as text, on one line when it is short.
---@param value any
---@return string
function M.value(value)
  if type(value) ~= "table" then
    local line = tostring(value)
    local is_tensor = type(value) == "userdata" and line:match("^vise%.tensor %[")
    return is_tensor and line .. H.corner(value) or line
  end
  return H.render(value, "", {}, H.depth)
end

--- The first numbers of a vector or matrix, on lines below.
function H.corner(tensor)
  local shape = tensor:shape()
  local rows, columns = #shape == 2 and shape[1] or 1, shape[#shape] or 0
  if #shape < 1 or #shape > 2 then
    return ""
  end
  local lines = {}
  for i = 1, math.min(rows, H.rows) do
    local cells = {}
    for j = 1, math.min(columns, H.columns) do
      local x = #shape == 2 and tensor:get(i, j) or tensor:get(j)
      cells[j] = ("%10s"):format(math.type(x) == "integer" and x or ("%.4g"):format(x))
    end
    lines[i] = "\n" .. table.concat(cells, " ") .. (columns > H.columns and "  ..." or "")
  end
  return table.concat(lines) .. (rows > H.rows and "\n       ..." or "")
end

function H.render(value, indent, seen, depth)
  if type(value) == "string" then
    return ("%q"):format(value):gsub("\\\n", "\\n")
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local mt = getmetatable(value)
  if type(mt) == "table" and (mt.__tostring or mt.__name) or mt == false then
    return tostring(value)
  elseif next(value) == nil then
    return "{}"
  elseif seen[value] or depth == 0 then
    return "{...}"
  end
  seen[value] = true
  local items, inner = H.items_of(value, indent .. "  ", seen, depth)
  seen[value] = nil
  local short = "{ " .. table.concat(items, ", ") .. " }"
  if #short + #indent <= 78 and not short:find("\n") then
    return short
  end
  return "{\n" .. inner .. table.concat(items, ",\n" .. inner) .. "\n" .. indent .. "}"
end

function H.items_of(value, inner, seen, depth)
  local items, n = {}, #value
  for key, item in check.sorted_pairs(value) do
    if #items == H.items then
      items[#items + 1] = "..."
      break
    end
    local text = H.render(item, inner, seen, depth - 1)
    if math.type(key) == "integer" and key >= 1 and key <= n then
      items[#items + 1] = text
    elseif type(key) == "string" and key:match("^[%a_][%w_]*$") then
      items[#items + 1] = key .. " = " .. text
    else
      items[#items + 1] = ("[%s] = %s"):format(H.render(key, inner, seen, 1), text)
    end
  end
  return items, inner
end

return M
