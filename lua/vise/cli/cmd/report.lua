-- SPDX-License-Identifier: Apache-2.0
--- vise report: runs or a sweep as a table, a file of numbers, a plot or a page.

local exit = require("vise.cli.exit")
local front = require("vise.sweep.front")
local native = require("vise.native")
local options = require("vise.cli.options")
local query = require("vise.run.query")
local report_of = require("vise.report")
local store = require("vise.run.store")
local term = require("vise.cli.term")
local write = require("vise.report.write")

local H = {}

local FORMATS <const> = { "table", "csv", "json", "markdown", "svg", "png", "html" }

function H.run(args)
  local given = args.options
  local format = given.format or H.format_of(given.out) or given.json and "json" or "table"
  if given.out == nil and H.needs_file[format] then
    exit.usage("missing option --out FILE: %s is no text for a terminal", format)
  end
  local paths = H.paths(args)
  local objectives = given.objective and front.parse(given.objective)
  local report = exit.check(report_of.collect(paths, objectives))
  if format == "svg" or format == "png" then
    exit.check(require("vise.report.plot").write(report, given.out, format))
    return
  end
  local content
  if format == "html" then
    content = exit.check(require("vise.report.html").page(report))
  else
    content = write[format](report)
  end
  if given.out then
    exit.check(native.file.replace(given.out, content))
  else
    term.write(content)
  end
end

H.needs_file = { svg = true, png = true, html = true }
H.endings = { csv = "csv", json = "json", md = "markdown", svg = "svg", png = "png", html = "html",
  txt = "table" }

--- The format that the ending of a file asks for.
function H.format_of(path)
  local ending = path and path:match("%.(%w+)$")
  if path and not H.endings[ending] then
    exit.argument(("--out: %s ends in none of .csv .html .json .md .png .svg .txt, expected one, "
      .. "or --format"):format(path))
  end
  return H.endings[ending]
end

--- The directories that are named, and those of the runs that fit the conditions.
function H.paths(args)
  local paths, conditions = {}, {}
  for _, word in ipairs(args) do
    table.insert(word:find("[=<>]") and conditions or paths, word)
  end
  local index <close> = exit.check(store.open())
  exit.check(index:sync())
  for i, path in ipairs(paths) do
    if not native.file.stat(path .. "/sweep.json") then
      paths[i] = exit.check(index:find(path))
    elseif #paths > 1 then
      exit.argument(path .. ": is a sweep, expected it alone, or runs")
    end
  end
  if #conditions > 0 then
    local where, values = query.where(index, conditions)
    local column = index:field("run").column
    local rows = exit.check(index:select({ where = where, values = values, columns = { column } }))
    for _, row in ipairs(rows) do
      paths[#paths + 1] = row[column]
    end
    if #rows == 0 then
      exit.failure("no runs fit the conditions")
    end
  end
  return paths
end

---@type vise.Command
return {
  summary = "runs or a sweep as a table, numbers, a plot or a page",
  usage = { "vise report DIR|CONDITION ... [--out FILE] [--format NAME] [--objective NAMES]" },
  positional = {
    { name = "DIR|CONDITION", many = true,
      doc = "a sweep; or runs, by directory, name or conditions as for `vise runs`" },
  },
  options = {
    { name = "out", kind = "string", value = "FILE",
      doc = "the file; its ending (csv, html, json, md, png, svg, txt) is the format" },
    { name = "format", kind = "choice", choices = FORMATS,
      doc = "what to write, where no ending says it" },
    { name = "objective", kind = "string", value = "NAMES", check = front.parse,
      doc = "the numbers to be good in; those of the sweep, or kl,bytes, if absent" },
    options.json,
  },
  details = [[
The page (.html) needs no network and no other file: a scatter with the Pareto front, a sortable
table, the error and bytes of every layer, recipe and provenance. share/doc/sweeps.md tells more.

  vise report sweeps/first-8751d85a --out first.html
  vise report recipe=first 'kl<0.5' --format markdown]],
  run = H.run,
}
