-- SPDX-License-Identifier: Apache-2.0
--- A report as text: for a terminal, as CSV, JSON and Markdown.

local check = require("vise.check")
local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = {}

--- The tables that people read, one for each group and one for what is in none: number, mark, what
--- differs, objectives with their standard errors.
---@param report vise.Report
---@return {title: string, rows: string[][]}[] tables
---@return vise.TableColumn[] columns
function M.tables(report)
  local columns, has_names, has_remarks = { { title = "run" }, { title = "" } }, false, false
  for _, entry in ipairs(report.entries) do
    has_names = has_names or entry.name ~= nil
    has_remarks = has_remarks or H.remark(entry) ~= ""
  end
  columns[#columns + 1] = has_names and { title = "name", align = "left" } or nil
  for _, names in ipairs({ report.parameters, report.objectives }) do
    for _, name in ipairs(names) do
      columns[#columns + 1] = { title = name }
    end
  end
  columns[#columns + 1] = { title = "bits/weight" }
  columns[#columns + 1] = { title = "time" }
  columns[#columns + 1] = has_remarks and { title = "", align = "left" } or nil
  local tables = {}
  for g = 1, #report.groups + 1 do
    local group, rows = report.groups[g], {}
    for _, entry in ipairs(report.entries) do
      if entry.group == (group and g) then
        rows[#rows + 1] = H.row(report, entry, has_names)
      end
    end
    if #rows > 0 then
      tables[#tables + 1] = { rows = rows, title = group
        and H.compared:format(text.printable(group.text), #group.front, #rows)
        or H.apart:format(table.concat(report.objectives, ", ")) }
    end
  end
  return tables, columns
end

H.compared = "%s: %d of %d on the front (*)"
H.apart = "not compared, without all of %s on all of the data"

function H.row(report, entry, has_names)
  local row = { tostring(entry.id), entry.is_best and "*" or "" }
  row[#row + 1] = has_names and text.printable(entry.name or "-") or nil
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
  return row
end

--- For a terminal.
---@param report vise.Report
---@return string
function M.table(report)
  local tables, columns = M.tables(report)
  local parts = { H.legend(report) .. "\n" }
  for _, one in ipairs(tables) do
    parts[#parts + 1] = one.title .. "\n\n" .. text.table(one.rows, columns)
  end
  return table.concat(parts, "\n")
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
  local head = { "id", "run", "name", "recipe", "status", "share", "measured", "front",
    "seconds" }
  local lines = { H.csv_line({ head, parameters, report.numbers }) }
  for _, entry in ipairs(report.entries) do
    local measured = entry.group and report.groups[entry.group].text or ""
    local facts = { entry.id, entry.run or "", entry.name or "", entry.recipe, entry.status,
      entry.share or 1, measured, entry.is_best, entry.seconds or "" }
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
  for _, group in ipairs(report.groups) do
    native.json.array(group.front)
  end
  return native.json.encode(copy) .. "\n"
end

--- A table, the recipe and where it all came from.
---@param report vise.Report
---@return string
function M.markdown(report)
  local tables, columns = M.tables(report)
  local titles, rules = {}, {}
  for c, column in ipairs(columns) do
    titles[c] = column.title
    rules[c] = column.align == "left" and ":--" or "--:"
  end
  local lines = { "# " .. H.markdown_text(report.title), "", H.markdown_text(H.legend(report)) }
  for _, one in ipairs(tables) do
    lines[#lines + 1] = "\n" .. H.markdown_text(one.title) .. "\n"
    lines[#lines + 1] = H.markdown_line(titles)
    lines[#lines + 1] = "|" .. table.concat(rules, "|") .. "|"
    for _, row in ipairs(one.rows) do
      lines[#lines + 1] = H.markdown_line(row)
    end
  end
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
  elseif entry.share and entry.status ~= "done" then
    return ("%s: %.3g %% of the data"):format(entry.status, 100 * entry.share)
  end
  return entry.status ~= "done" and entry.status or ""
end

function H.legend(report)
  return ("%s, by %s"):format(text.printable(report.title), table.concat(report.objectives, ", "))
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
