-- SPDX-License-Identifier: Apache-2.0
--- Numbers, sizes, times and tables as people read them.

local native = require("vise.native")

local M = {}
local H = {}

--- The content of a text file, which must be UTF-8.
---@param path string
---@return string|nil content
---@return string? message
---@return string? code "io", "format"
function M.read(path)
  local content, message, code = native.file.read(path)
  if content == nil then
    return nil, message, code
  end
  local length, byte = utf8.len(content)
  if length == nil then
    return nil, ("%s: byte %d is not UTF-8, expected a text"):format(path, byte - 1), "format"
  end
  return content
end

--- "87.8 KiB", "512 B".
---@param n integer bytes
---@return string
function M.bytes(n)
  local units, i = { "B", "KiB", "MiB", "GiB", "TiB" }, 1
  while n >= 1024 and i < #units do
    n, i = n / 1024, i + 1
  end
  return i == 1 and ("%d B"):format(n) or ("%.1f %s"):format(n, units[i])
end

--- The bytes that a text such as "512M", "1.5 GiB" or "4096" stands for; units are powers of 1024.
---@param text string
---@return integer|nil bytes at least 1
function M.parse_bytes(text)
  local digits, unit = text:match("^(%d+%.?%d*)%s*([KMGT]?)i?B?$")
  local bytes = digits and tonumber(digits)
    * 1024 ^ (unit == "" and 0 or ("KMGT"):find(unit, 1, true))
  return bytes and bytes >= 1 and bytes < 2 ^ 60 and bytes // 1 | 0 or nil
end

--- "340 ms", "4.2 s", "3 min 05 s", "2 h 07 min".
---@param seconds number
---@return string
function M.duration(seconds)
  if seconds < 0.9995 then
    return ("%.0f ms"):format(seconds * 1000)
  elseif seconds < 59.95 then
    return ("%.1f s"):format(seconds)
  end
  local whole = math.floor(seconds + 0.5)
  if whole < 3600 then
    return ("%d min %02d s"):format(whole // 60, whole % 60)
  end
  return ("%d h %02d min"):format(whole // 3600, whole % 3600 // 60)
end

--- An integer with its thousands apart: "1,100,048,384".
---@param n number
---@return string
function M.count(n)
  local text = ("%.0f"):format(n)
  local head, tail = text:match("^(%-?%d%d?%d?)(%d*)$")
  while head and #tail % 3 ~= 0 do
    head, tail = head:sub(1, -2), head:sub(-1) .. tail
  end
  return head and head .. tail:gsub("%d%d%d", ",%0") or text
end

--- A number with a fixed count of decimals; "-" for nil, NaN by name.
---@param x number|nil
---@param digits? integer decimals, 4
---@return string
function M.number(x, digits)
  if x == nil then
    return "-"
  elseif x ~= x then
    return "nan"
  end
  return ("%." .. (digits or 4) .. "f"):format(x)
end

--- A number with its standard error, both with the decimals that the error deserves:
--- "1.5974 ± 0.0063", "0.001132 ± 0.000021".
---@param x number|nil
---@param error number|nil standard error
---@param digits? integer least decimals, 4
---@return string
function M.with_error(x, error, digits)
  digits = digits or 4
  if x == nil or error == nil or error ~= error then
    return M.number(x, digits)
  end
  if error > 0 then
    digits = math.min(8, math.max(digits, 1 - math.floor(math.log(error, 10))))
  end
  return M.number(x, digits) .. " ± " .. M.number(error, digits)
end

--- 0.8102 with the standard error 0.0021 as "81.02 ± 0.21 %".
---@param share number in [0, 1]
---@param error number|nil standard error
---@return string
function M.percent(share, error)
  return M.with_error(100 * share, error and 100 * error, 1) .. " %"
end

---@class vise.TableColumn
---@field title string
---@field align? "left"|"right" right

--- Rows of texts under their titles, each column as wide as its widest cell.
---@param rows string[][]
---@param columns (string|vise.TableColumn)[] a bare text is the title of a column set right
---@param options? {indent?: string, rule?: boolean} rule: a line under the titles, true
---@return string text every line ended by a newline
function M.table(rows, columns, options)
  options = options or {}
  local widths, titles, aligns = {}, {}, {}
  for c, column in ipairs(columns) do
    titles[c] = M.printable(type(column) == "table" and column.title or column)
    aligns[c] = type(column) == "table" and column.align or "right"
    widths[c] = M.width(titles[c])
    for _, row in ipairs(rows) do
      widths[c] = math.max(widths[c], M.width(row[c] or ""))
    end
  end
  local lines, rules = {}, {}
  for c, width in ipairs(widths) do
    rules[c] = ("─"):rep(width)
  end
  lines[1] = H.line(titles, widths, aligns)
  if options.rule ~= false then
    lines[2] = (table.concat(rules, "  "):gsub("%s+$", ""))
  end
  for _, row in ipairs(rows) do
    lines[#lines + 1] = H.line(row, widths, aligns)
  end
  local indent = options.indent or ""
  return indent .. table.concat(lines, "\n" .. indent) .. "\n"
end

--- Text put into lines of at most `width` characters.
---@param text string
---@param width integer
---@param indent? string before every line after the first
---@return string
function M.wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and M.width(line) + 1 + M.width(word) > width then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (indent or ""))
end

--- A name and what it means, as two columns.
---@param name string
---@param doc string
---@return string
function M.entry(name, doc)
  local indent = (" "):rep(24)
  local gap = #name < 21 and (" "):rep(22 - #name) or "\n" .. indent
  return "  " .. name .. gap .. M.wrap(doc, 72, indent)
end

--- Characters of a text (bytes, where it is not UTF-8).
---@param text string
---@return integer
function M.width(text)
  return utf8.len(text) or #text
end

--- A text from a file, safe to print: control characters (those beyond ASCII too) and broken UTF-8
--- as \xNN.
---@param text string
---@return string
function M.printable(text)
  if not utf8.len(text) then
    text = text:gsub("[\128-\255]", H.escape)
  end
  text = text:gsub("\xC2[\x80-\x9F]", function(c)
    return (c:gsub(".", H.escape))
  end)
  return (text:gsub("[\0-\31\127]", H.escape))
end

function H.line(cells, widths, aligns)
  local parts = {}
  for c, width in ipairs(widths) do
    local cell = cells[c] or ""
    local space = (" "):rep(width - M.width(cell))
    parts[c] = aligns[c] == "left" and cell .. space or space .. cell
  end
  return (table.concat(parts, "  "):gsub("%s+$", ""))
end

function H.escape(char)
  return ("\\x%02x"):format(char:byte())
end

return M
