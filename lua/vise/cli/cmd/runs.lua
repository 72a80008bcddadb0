-- SPDX-License-Identifier: Apache-2.0
--- vise runs: the recorded runs, listed, filtered, shown, compared, removed.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local query = require("vise.run.query")
local run_text = require("vise.cli.run_text")
local store = require("vise.run.store")
local summary = require("vise.run.summary")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

--- How many runs a table shows; JSON has all.
local SHOWN <const> = 50

function H.run(args)
  local action = H.actions[args[1]]
  if action then
    return action(table.move(args, 2, #args, 1, {}), args.options)
  elseif args[1] and not args[1]:find("[=<>]") then
    exit.usage("%s", check.unknown("action", args[1], check.sorted_keys(H.actions)))
  end
  local index <close> = H.open()
  local where, values = query.where(index, args)
  local selection = {
    where = where,
    values = values,
    order = args.options.sort and query.order(index, args.options.sort),
    limit = args.options.limit,
  }
  if args.options.json then
    H.write_json(index, selection)
  else
    H.write_table(index, selection, args.options.columns)
  end
end

H.actions = {}

--- One run: its record.
function H.actions.show(names, given)
  H.count("show", names, 1, 1)
  local index <close> = H.open()
  local directory = exit.check(index:find(names[1]))
  local record = exit.check(summary.read(directory))
  if given.json then
    record.run = directory
    term.write_json(record)
  else
    run_text.show(directory, record)
  end
end

--- Two runs side by side.
function H.actions.diff(names, given)
  H.count("diff", names, 2, 2)
  local index <close> = H.open()
  local a, b = exit.check(index:find(names[1])), exit.check(index:find(names[2]))
  local difference = exit.check(require("vise.run.compare").runs(a, b))
  if given.json then
    term.write_json(run_text.difference_json(difference))
  else
    run_text.difference(difference)
  end
end

--- Run directories and all that is in them.
function H.actions.rm(names, given)
  H.count("rm", names, 1, math.huge)
  local index <close> = H.open()
  local directories = {}
  for i, name in ipairs(names) do
    directories[i] = exit.check(index:find(name))
    exit.check(summary.read(directories[i])) -- a folder that is no run is left alone
  end
  for _, directory in ipairs(directories) do
    exit.check(native.file.remove_tree(directory))
    exit.check(index:note(directory))
  end
  if given.json then
    term.write_json({ removed = native.json.array(directories) })
  else
    term.write(("removed %s\n"):format(table.concat(directories, "\n        ")))
  end
end

--- The index, made anew.
function H.actions.reindex(folders, given)
  for _, folder in ipairs(folders) do
    if exit.check(native.file.stat(folder)).kind ~= "folder" then
      exit.argument(folder .. ": is no folder, expected one that holds runs")
    end
  end
  local index <close> = exit.check(store.rebuild(folders))
  exit.check(index:sync())
  local n = exit.check(index:select({ columns = { "count(*) AS n" } }))[1].n
  if given.json then
    term.write_json({ runs = n })
  else
    term.write(("%s runs indexed\n"):format(text.count(n)))
  end
end

--- The index, up to date.
function H.open()
  local index = exit.check(store.open())
  exit.check(index:sync())
  return index
end

function H.count(action, names, least, most)
  if #names < least then
    exit.usage("missing RUN: %s needs %s", action, least == 1 and "a run" or "two runs")
  elseif #names > most then
    exit.usage("unexpected argument '%s'", names[most + 1])
  end
end

--- The summaries lie in the index as JSON.
function H.write_json(index, selection)
  local texts = exit.check(index:summaries(selection))
  term.write('{"runs":[' .. table.concat(texts, ",") .. "]}\n")
end

function H.write_table(index, selection, asked)
  local fields = query.columns(index, asked, selection.where, selection.values)
  local columns, expressions = {}, {}
  for i, field in ipairs(fields) do
    local is_text = field.role == "fact" and H.is_text[field.name]
    columns[i] = { title = field.name, align = is_text and "left" or "right" }
    expressions[i] = field.column
  end
  selection.columns = expressions
  selection.limit = selection.limit or SHOWN
  local rows = exit.check(index:select(selection))
  selection.columns, selection.limit = { "count(*) AS n" }, nil
  local n = exit.check(index:select(selection))[1].n
  if n == 0 then
    term.say("no runs" .. (selection.where == "1" and " are recorded" or " fit the conditions"))
    return
  end
  local cells = {}
  for i, row in ipairs(rows) do
    local cell = {}
    for c, field in ipairs(fields) do
      cell[c] = run_text.cell(field, row[field.column])
    end
    cells[i] = cell
  end
  term.write_table(cells, columns)
  if n > #rows then
    term.say(("%s of %s runs; --limit N shows more"):format(text.count(#rows), text.count(n)))
  end
end

H.is_text = { run = true, recipe = true, started = true, hash = true }

---@type vise.Command
return {
  summary = "list, filter, show, compare and remove recorded runs",
  usage = {
    "vise runs [CONDITION ...] [--sort NAME] [--columns NAMES] [--limit N] [--json]",
    "vise runs show RUN [--json]",
    "vise runs diff RUN RUN [--json]",
    "vise runs rm RUN ... [--json]",
    "vise runs reindex [DIR ...] [--json]",
  },
  positional = {
    { name = "CONDITION", optional = true, many = true,
      doc = "NAME=VALUE, !=, <, <=, >, >= on a fact, parameter or number; all must hold" },
  },
  options = {
    { name = "sort", kind = "string", value = "NAME",
      doc = "the field to sort by, -NAME for falling order; newest first if absent" },
    { name = "columns", kind = "string", value = "NAMES", doc = "the fields to show: run,bits,kl" },
    { name = "limit", kind = "int", min = 1,
      doc = ("show that many; %d in a table and all in JSON if absent"):format(SHOWN) },
    options.json,
  },
  details = [[
Run directories are what counts; the index in .vise/runs.db follows them and can be deleted. RUN is
a run directory or the last part of its path. share/doc/runs.md tells more.

  vise runs bits=3 'kl<0.1' --sort kl --columns run,bits,group,kl,bytes]],
  run = H.run,
}
