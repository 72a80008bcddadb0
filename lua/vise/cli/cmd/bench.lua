-- SPDX-License-Identifier: Apache-2.0
--- vise bench: run bench/SUBJECT.lua and say whether each figure is met.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local place = require("vise.place")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(parsed)
  local folder = place.folder("bench")
  if folder == nil then
    exit.failure("the folder of benches is neither beside the Lua files nor installed")
  end
  local subjects = H.subjects(folder)
  local subject = parsed[1]
  if subject == nil then
    for _, name in ipairs(subjects) do
      term.write(text.entry(name, H.summary(folder, name)) .. "\n")
    end
    return
  elseif check.nearest(subject, subjects) ~= subject then
    exit.usage("%s", check.unknown("subject", subject, subjects))
  end
  local pinned = os.getenv("OPENBLAS_CORETYPE")
  if pinned then
    return H.again(pinned, subject, parsed.options)
  end
  return H.bench(folder, subject, parsed.options)
end

function H.bench(folder, subject, given)
  local bench = dofile(folder .. "/run.lua")
  function bench.say(line)
    if not given.quiet and (not given.json or term.is_terminal(2)) then
      term.say(line)
    end
  end
  local rows = dofile(("%s/%s.lua"):format(folder, subject))(bench)
  local missed = false
  for _, row in ipairs(rows) do
    local is_met = row.ratio >= row.at_least -- not of NaN
    missed = missed or not is_met
  end
  if given.json then
    term.write_json(native.json.array(rows))
  else
    H.print(rows)
  end
  return missed and 1 or 0
end

--- OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, so the rival is unpinned in a new process.
function H.again(pinned, subject, given)
  if not given.quiet then
    term.say(("OPENBLAS_CORETYPE=%s is set: running again without it"):format(pinned))
  end
  local argv = { assert(native.file.exe()), "bench", subject }
  for _, name in ipairs({ "json", "quiet" }) do
    if given[name] then
      argv[#argv + 1] = "--" .. name
    end
  end
  term.flush()
  local process <close> = exit.check(native.process.spawn({
    argv = argv,
    env = { OPENBLAS_CORETYPE = false },
  }))
  return (exit.check(process:wait()))
end

function H.subjects(folder)
  local names = {}
  for _, file in ipairs(exit.check(native.file.list(folder))) do
    local name = file:match("^([%w_]+)%.lua$")
    if name and name ~= "run" and H.is_subject(folder, file) then
      names[#names + 1] = name
    end
  end
  return names
end

--- Subjects return a function of the harness; helpers of several subjects say so in no line.
function H.is_subject(folder, file)
  local content = native.file.read(folder .. "/" .. file)
  return content ~= nil and content:find("\nreturn function%(bench%)") ~= nil
end

--- The first sentence of the file's comment.
function H.summary(folder, name)
  local content = "\n" .. exit.check(native.file.read(("%s/%s.lua"):format(folder, name)))
  local comment = content:match("\n%-%-%- (.-)\n[^-]") or ""
  comment = comment:gsub("\n%-%-%-? ?", " ") .. " "
  return comment:match("^(.-)%.%s") or comment
end

function H.print(rows)
  local cells = {}
  for i, row in ipairs(rows) do
    local is_good = row.ratio >= row.at_least
    cells[i] = {
      row.name,
      ("%.4g %s"):format(row.value, row.unit),
      ("%.4g"):format(row.against),
      ("%.3f ± %.3f"):format(row.ratio, row.spread),
      ("%.2f"):format(row.at_least),
      is_good and term.style(1, "green", "good") or term.style(1, "red", "missed"),
    }
  end
  local columns = {
    { title = "", align = "left" }, "value", "against", "ratio", "at least",
    { title = "", align = "left" },
  }
  term.write(text.table(cells, columns))
end

---@type vise.Command
return {
  summary = "measure this machine against the best there is",
  usage = { "vise bench [SUBJECT] [--json]" },
  positional = {
    { name = "SUBJECT", optional = true, doc = "what to measure; without it, a list of them" },
  },
  options = {
    options.json, options.quiet,
  },
  details = [[
Rivals run side by side in turns; `ratio` is the median over the rounds, ± the middle half of them,
and always such that ratio >= at least is good. Exit code 1 when a figure is missed.

  vise bench gemm --json]],
  run = H.run,
}
