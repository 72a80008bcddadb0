-- SPDX-License-Identifier: Apache-2.0
--- A report as text: for a terminal, as CSV, JSON and Markdown.

local check = require("vise.check")
local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = {}

--- The rows that people read: number, mark, what differs, objectives with their standard errors.
---@param report vise.Report
---@return string[][] rows
---@return vise.TableColumn[] columns
function M.rows(report)
  local columns = { { title = "run" }, { title = "" } }
  for _, name in ipairs(report.parameters) do
    columns[#columns + 1] = { title = name }
  end
  for _, name in ipairs(report.objectives) do
    columns[#columns + 1] = { title = name }
  end
  columns[#columns + 1] = { title = "bits/weight" }
  columns[#columns + 1] = { title = "time" }
  columns[#columns + 1] = { title = "", align = "left" }
  local rows = {}
  for i, entry in ipairs(report.entries) do
    local row = { tostring(entry.id), entry.is_best and "*" or "" }
    for _, name in ipairs(report.parameters) do
      local value = entry.params[name]
      row[#row + 1] = value == nil and "-" or text.printable(check.plain(value))
    end
    for _, name in ipairs(report.objectives) do
      row[#row + 1] = H.number(name, entry.numbers)
    end
    row[#row + 1] = text.number(entry.numbers.bits_per_weight, 2)
    row[#row + 1] = entry.seconds and text.duration(entry.seconds) or "-"
    row[#row + 1] = H.remark(entry)
    rows[i] = row
  end
  return rows, columns
end

--- For a terminal.
---@param report vise.Report
---@return string
function M.table(report)
  local rows, columns = M.rows(report)
  return text.table(rows, columns) .. "\n" .. H.legend(report) .. "\n"
end

--- Every parameter and every number, exactly; RFC 4180.
---@param report vise.Report
---@return string
function M.csv(report)
  local parameters = {}
  for _, entry in ipairs(report.entries) do
    for name in pairs(entry.params) do
      parameters[name] = true
    end
  end
  parameters = check.sorted_keys(parameters)
  local head = { "id", "run", "recipe", "status", "front", "seconds" }
  local lines = { H.csv_line({ head, parameters, report.numbers }) }
  for _, entry in ipairs(report.entries) do
    local facts = { entry.id, entry.run or "", entry.recipe, entry.status, entry.is_best,
      entry.seconds or "" }
    local values, numbers = {}, {}
    for i, name in ipairs(parameters) do
      values[i] = entry.params[name] == nil and "" or entry.params[name]
    end
    for i, name in ipairs(report.numbers) do
      numbers[i] = entry.numbers[name] or ""
    end
    lines[#lines + 1] = H.csv_line({ facts, values, numbers })
  end
  return table.concat(lines)
end

--- All of it.
---@param report vise.Report
---@return string
function M.json(report)
  local copy = {}
  for key, value in pairs(report) do
    copy[key] = type(value) == "table" and native.json.array(value) or value
  end
  for _, entry in ipairs(report.entries) do
    native.json.array(entry.tensors)
  end
  return native.json.encode(copy) .. "\n"
end

--- A table, the recipe and where it all came from.
---@param report vise.Report
---@return string
function M.markdown(report)
  local rows, columns = M.rows(report)
  local titles, rules = {}, {}
  for c, column in ipairs(columns) do
    titles[c] = column.title
    rules[c] = column.align == "left" and ":--" or "--:"
  end
  local lines = { "# " .. H.markdown_text(report.title), "", H.markdown_line(titles),
    "|" .. table.concat(rules, "|") .. "|" }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = H.markdown_line(row)
  end
  lines[#lines + 1] = "\n" .. H.markdown_text(H.legend(report))
  for _, recipe in ipairs(report.recipes) do
    local fence = ("`"):rep(math.max(3, H.longest_fence(recipe.text) + 1))
    lines[#lines + 1] = ("\n## %s\nsha256 %s\n\n%slua\n%s\n%s"):format(
      H.markdown_text(recipe.path), recipe.sha256, fence, recipe.text:gsub("\n$", ""), fence)
  end
  lines[#lines + 1] = "\n## Provenance\n| | |\n|:--|:--|"
  for _, fact in ipairs(report.provenance) do
    lines[#lines + 1] = H.markdown_line({ fact.name, fact.value })
  end
  return table.concat(lines, "\n") .. "\n"
end

function H.number(name, numbers)
  local value, error_of = numbers[name], numbers[name .. "_se"]
  if value == nil then
    return "-"
  elseif name == "bytes" then
    return text.bytes(value)
  elseif error_of then
    return text.with_error(value, error_of)
  end
  return math.type(value) == "integer" and text.count(value) or ("%.6g"):format(value)
end

function H.remark(entry)
  if entry.status == "failed" then
    return "failed: " .. text.printable(entry.message or "")
  end
  return entry.status ~= "done" and entry.status or ""
end

function H.legend(report)
  local n = 0
  for _, entry in ipairs(report.entries) do
    n = n + (entry.is_best and 1 or 0)
  end
  return ("%s: %d of %d on the front of %s (*)"):format(report.title, n, #report.entries,
    table.concat(report.objectives, ", "))
end

function H.csv_line(lists)
  local cells = {}
  for _, list in ipairs(lists) do
    for _, value in ipairs(list) do
      local cell = math.type(value) == "float" and ("%.17g"):format(value) or tostring(value)
      if cell:find('[,"\r\n]') then
        cell = '"' .. cell:gsub('"', '""') .. '"'
      end
      cells[#cells + 1] = cell
    end
  end
  return table.concat(cells, ",") .. "\r\n"
end

function H.markdown_line(cells)
  local escaped = {}
  for c, cell in ipairs(cells) do
    escaped[c] = H.markdown_text(cell)
  end
  return "| " .. table.concat(escaped, " | ") .. " |"
end

--- Without anything that Markdown or HTML would take for more than text.
function H.markdown_text(s)
  return (text.printable(s):gsub("[\\`*_|<>&#%[%]]", function(c)
    return ("&#%d;"):format(c:byte())
  end))
end

function H.longest_fence(s)
  local longest = 0
  for ticks in s:gmatch("`+") do
    longest = math.max(longest, #ticks)
  end
  return longest
end

return M
