-- SPDX-License-Identifier: Apache-2.0
--- vise sweep: a recipe over its parameters.

local display_of = require("vise.cli.sweep_display")
local drive = require("vise.sweep.drive")
local exit = require("vise.cli.exit")
local front = require("vise.sweep.front")
local job = require("vise.cli.job")
local native = require("vise.native")
local options = require("vise.cli.options")
local run = require("vise.run")
local store = require("vise.run.store")
local sweep_of = require("vise.sweep")
local sweep_text = require("vise.cli.sweep_text")
local term = require("vise.cli.term")

local H = {}

H.engines = { "local", "slurm" }

function H.run(args)
  local given = args.options
  local objectives = front.parse(given.objective)
  job.check_there(args[1])
  local request = {
    recipe = exit.check(run.read(args[1])),
    words = H.words(args),
    search = given.search,
    trials = given.trials,
    objectives = objectives,
    seed = given.seed,
    out = given.out,
  }
  local sweep, message, code = sweep_of.open(request)
  if sweep == nil and code == "argument" then
    exit.argument(message)
  end
  exit.check(sweep, message, code)
  H.note(sweep)
  local engine_options = { directory = sweep.directory, jobs = given.jobs }
  for _, row in ipairs(H.engine(given.engine).options) do
    engine_options[row.name] = given[row.name]
  end
  local engine = exit.check(H.engine(given.engine).new(engine_options))
  H.drive(sweep, engine, given)
  if given.json then
    term.write_json(sweep_text.json(sweep))
  else
    sweep_text.write(sweep)
  end
end

function H.drive(sweep, engine, given)
  local display = display_of.new(sweep, given)
  local ok, message, code = drive.run(sweep, engine, function(event)
    display:take(event)
  end)
  display:clear()
  if code == "cancelled" then
    message = ("interrupted; the same command goes on with %s"):format(sweep.directory)
  end
  exit.check(ok, message, code)
end

--- Names and what they may be.
function H.words(args)
  local words = {}
  for i = 2, #args do
    local name, values = args[i]:match("^([%a_][%w_]*)=(.*)$")
    if name == nil then
      exit.usage("'%s' is no parameter, expected NAME=VALUES", args[i])
    end
    words[#words + 1] = native.json.array({ name, values })
  end
  return words
end

--- Tell the index where the runs will be.
function H.note(sweep)
  local index <close>, message = store.open()
  local ok = index
  if index then
    ok, message = index:watch(sweep.directory .. "/runs")
  end
  if not ok then
    term.say(("the sweep is not indexed: %s"):format(message))
  end
end

function H.engine(name)
  return require("vise.sweep.engine." .. name)
end

--- The options of all engines; each says which it is of.
function H.engine_options()
  local rows = {}
  for _, name in ipairs(H.engines) do
    for _, row in ipairs(H.engine(name).options) do
      rows[#rows + 1] = row
    end
  end
  return rows
end

function H.check_objective(value)
  front.parse(value)
end

---@type vise.Command
return {
  summary = "run a recipe over its parameters",
  usage = {
    "vise sweep RECIPE [NAME=VALUES ...] [--search NAME] [--trials N] [--jobs N] [--out DIR] "
      .. "[--json]",
  },
  positional = {
    { name = "RECIPE", doc = "a Lua file; `vise run RECIPE --help` shows its parameters" },
    { name = "NAME=VALUES", optional = true, many = true,
      doc = "a parameter: a value, a list 2,3,4, a range 32..128 of what it allows, or both" },
  },
  options = {
    { name = "search", kind = "choice", default = "grid", choices = sweep_of.SEARCHES,
      doc = "which points to try" },
    { name = "trials", kind = "int", min = 1, doc = "how many points; all if absent" },
    { name = "objective", kind = "string", value = "NAMES", default = "kl,bytes",
      check = H.check_objective, doc = "numbers of a measured row to make best, commas between" },
    { name = "jobs", kind = "int", min = 1, max = 10000,
      doc = "trials at the same time; as many as the engine has room for if absent" },
    { name = "engine", kind = "choice", default = "local", choices = H.engines,
      doc = "where trials run" },
    { name = "seed", kind = "int", default = 0, min = 0, doc = "of the search and of every run" },
    { name = "out", kind = "string", value = "DIR",
      doc = "the directory; sweeps/ with the recipe's name and a hash of the request if absent" },
    options.json,
    options.quiet,
    table.unpack(H.engine_options()),
  },
  details = [[
Every trial is checked before the first is run. A trial that fails is recorded and the sweep goes
on. After Ctrl-C the same command goes on where it was. share/doc/sweeps.md tells more.

  vise sweep recipes/first.lua model=MODEL bits=2..4 group=32,64 --jobs 2]],
  run = H.run,
}
