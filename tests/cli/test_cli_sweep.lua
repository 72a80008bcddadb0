-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- vise sweep, end to end: results, refusals, failures, Ctrl-C, kill -9, halving.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local verify = require("vise.run.verify")

local folder

local function env()
  return { VISE_TEST_FOLDER = folder }
end

--- A recipe that measures nothing and fails for some values.
local PLAIN <const> = [[
local vise = require "vise"
return vise.recipe {
  params = { n = vise.param.int { 1, min = 1, max = 1000 }, bad = vise.param.int { 0 } },
  run = function(p)
    if p.n == p.bad then error("n is bad") end
  end,
}]]

local function sweep(...)
  return program.json({ "sweep", "plain.lua", "--json", ... }, env())
end

local function statuses(result)
  local list = {}
  for i, trial in ipairs(result.trials) do
    list[i] = trial.status
  end
  return table.concat(list, " ")
end

TestSweep = {}

function TestSweep:setUp()
  folder = program.folder() .. "/sweeps"
  assert(native.file.make_dirs(folder))
  assert(native.file.replace(folder .. "/plain.lua", PLAIN))
end

function TestSweep:tearDown()
  native.file.remove_tree(folder)
end

function TestSweep:test_every_trial_has_a_run_and_the_second_time_all_are_there()
  local result = sweep("n=1..3", "--out", "s")

  lu.assertEquals(result.sweep, "s")
  for i, trial in ipairs(result.trials) do
    lu.assertEquals(trial,
      { id = i, params = { n = i }, status = "done", cached = false, objectives = {} })
    local path = ("%s/s/runs/%04d/run.json"):format(folder, i)
    lu.assertEquals(native.json.decode(native.file.read(path)).parameters, { n = i, bad = 0 })
  end
  lu.assertEquals(#result.trials, 3)
  lu.assertEquals(result.front, {})
  for _, trial in ipairs(sweep("n=1..3", "--out", "s").trials) do
    lu.assertTrue(trial.cached)
  end
  lu.assertEquals(#program.json({ "runs", "--json" }, env()).runs, 3)
end

--- A directory from somebody else: each is refused before anything runs or is shown.
function TestSweep:test_an_altered_sweep_is_refused()
  sweep("n=1..2", "--out", "s")
  local function with(name, from, to)
    local path = folder .. "/s/" .. name
    local before = assert(native.file.read(path))
    local changed, n = before:gsub(from, to, 1)
    lu.assertEquals(n, 1, from)
    assert(native.file.replace(path, changed))
    local _, code, errors =
      program.run({ "sweep", "plain.lua", "n=1..2", "--out", "s", "--quiet" }, env())
    assert(native.file.replace(path, before))
    return code, errors
  end
  for _, case in ipairs({
    { "tasks.json", '"0002"', '"../../0002"', "s/tasks.json: task 2 was altered" },
    { "tasks.json", '"trial":2', '"trial":999999999', "s/tasks.json: task 2 was altered" },
    { "tasks.json", '{"n":2}', '{"n":7}', "s/tasks.json: task 2 was altered" },
    { "tasks.json", '"share":1', '"share":1e-300', "s/tasks.json: task 1 was altered" },
    { "sweep.json", "n is bad", "n is good", "s/sweep.json: was altered" },
    { "sweep.json", '"max":%s*1000', '"max":60', "s/sweep.json: params is not that of the recipe" },
    { "sweep.json", '"grid"', '"../x"', "s/sweep.json: was altered" },
  }) do
    local code, errors = with(case[1], case[2], case[3])
    lu.assertEquals(code, 1, case[2])
    lu.assertStrContains(errors, case[4])
  end
  local record = folder .. "/s/runs/0002/run.json"
  assert(native.file.replace(record, assert(native.file.read(folder .. "/s/runs/0001/run.json"))))
  lu.assertEquals(statuses(sweep("n=1..2", "--out", "s")), "done failed")
end

function TestSweep:test_a_trial_that_fails_is_recorded_and_the_sweep_goes_on()
  local result = sweep("n=1..3", "bad=2", "--out", "s")

  lu.assertEquals(statuses(result), "done failed done")
  local failure = native.json.decode(native.file.read(folder .. "/s/failed/0002.json"))
  lu.assertStrContains(failure.message, "plain.lua:5: n is bad")
  local table_text = program.run({ "sweep", "plain.lua", "n=1..3", "bad=2", "--out", "s" }, env())
  lu.assertStrContains(table_text, "failed: plain.lua:5: n is bad")
  lu.assertStrContains(table_text, "s: 3 trials, 0 on the front (*)\n")
end

function TestSweep:test_nothing_is_run_when_one_trial_is_wrong()
  local cases = {
    { { "n=1,2000" }, "n is '2000', expected an integer in [1, 1000]" },
    { { "m=1" }, "unknown parameter 'm'" },
    { { "n=1..3", "--trials", "2" }, "the space has 3 points, expected at most 2" },
    { { "n=1..3", "--objective", "klo" }, "unknown number 'klo' (did you mean 'kl'?" },
    { { "n=1..3", "--search", "gird" }, "--search is 'gird', expected one of grid, random" },
    { { "n" }, "'n' is no parameter, expected NAME=VALUES" },
  }
  for _, case in ipairs(cases) do
    local _, code, errors = program.run({ "sweep", "plain.lua", "--out", "s",
      table.unpack(case[1]) }, env())
    lu.assertEquals(code, 2)
    lu.assertStrContains(errors, case[2])
    lu.assertNil(native.file.stat(folder .. "/s"))
  end
end

function TestSweep:test_another_sweep_does_not_go_on_with_this_one()
  sweep("n=1,2", "--out", "s")
  local _, code, errors = program.run({ "sweep", "plain.lua", "n=1,3", "--out", "s" }, env())

  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "s/sweep.json: is another sweep: parameter n is '1,3', was '1,2'")
end

--- The runs that have their names; a worker that outlives its sweep by a moment has others.
local function published()
  local names = {}
  for _, name in ipairs(assert(native.file.list(folder .. "/s/runs"))) do
    names[#names + 1] = name:sub(1, 1) ~= "." and name or nil
  end
  return names
end

--- Start the sweep that the tests below kill.
local function start()
  local argv = { "/bin/sh", "-c", 'cd "$0" && exec "$@" > /dev/null 2>&1', folder, program.VISE,
    "sweep", "plain.lua", "n=1..40", "bad=17", "--out", "s", "--jobs", "3" }
  return assert(native.process.spawn({ argv = argv }))
end

function TestSweep:test_no_trial_is_lost_or_counted_twice_by_fifty_kills()
  for i = 1, 50 do
    local process <close> = start()
    native.core.sleep(0.02 + 0.2 * native.core.uniform(1, "kill", i))
    process:kill(9)
    process:wait()
  end
  for _, name in ipairs(published()) do -- what has its name is whole
    lu.assertNotNil(verify.directory(folder .. "/s/runs/" .. name), name)
  end
  local result = sweep("n=1..40", "bad=17", "--out", "s")

  local names = {}
  for i = 1, 40 do
    lu.assertEquals(result.trials[i].id, i)
    lu.assertEquals(result.trials[i].params.n, i)
    lu.assertEquals(result.trials[i].status, i == 17 and "failed" or "done")
    names[#names + 1] = i ~= 17 and ("%04d"):format(i) or nil
  end
  lu.assertEquals(#result.trials, 40)
  lu.assertEquals(published(), names)
  lu.assertEquals(native.file.list(folder .. "/s/failed"), { "0017.json" })
  lu.assertEquals(#program.json({ "runs", "--json" }, env()).runs, 39)
  local runs = program.json({ "runs", "--json", "--sort", "n" }, env()).runs
  for i, run in ipairs(runs) do
    lu.assertEquals(run.run, "s/runs/" .. names[i])
  end
end

function TestSweep:test_an_interrupted_sweep_says_how_to_go_on()
  local process <close> = start()
  native.core.sleep(0.5)
  process:kill(2)
  lu.assertEquals(process:wait(), 130)

  local result = sweep("n=1..40", "bad=17", "--out", "s")
  lu.assertEquals(#result.trials, 40)
end

TestMeasured = {}

function TestMeasured:test_objectives_front_and_halving_of_a_real_recipe()
  local subject = program.subject()
  folder = program.folder() .. "/measured"
  assert(native.file.make_dirs(folder))
  local argv = { "sweep", native.file.realpath("recipes/first.lua"), "--json",
    "model=" .. native.file.realpath(subject.model), "text=" .. subject.text,
    "protocol=nll-32", "bits=2,4,8" }
  local function run(...)
    return program.json(table.move({ ... }, 1, select("#", ...), #argv + 1,
      table.move(argv, 1, #argv, 1, {})), env())
  end
  local grid = run("group=32", "--out", "grid")

  -- fewer bits are fewer bytes and more divergence, so nothing is beaten
  lu.assertEquals(grid.front, { 1, 2, 3 })
  local a, b = grid.trials[1].objectives, grid.trials[3].objectives
  lu.assertTrue(a.bytes < b.bytes and a.kl > b.kl)
  local record = native.json.decode(native.file.read(folder .. "/grid/runs/0001/run.json"))
  lu.assertEquals(a, { kl = record.rows[2].kl, bytes = record.artifact.bytes })
  lu.assertNil(record.share)

  local halved = run("group=16,32,64", "--search", "halving", "--objective", "kl",
    "--out", "halved")
  local shares = {}
  for _, trial in ipairs(halved.trials) do
    shares[trial.status] = (shares[trial.status] or 0) + 1
  end
  lu.assertEquals(shares, { done = 1, stopped = 8 })
  local winner = halved.trials[halved.front[1]]
  lu.assertEquals(winner.params.bits, 8)
  local whole = record.rows[1].clusters
  for name, share in pairs({ ["0001-1of9"] = 9, ["0001-1of3"] = 3 }) do
    local path = ("%s/halved/runs/%s/run.json"):format(folder, name)
    local part = native.file.read(path)
    if part then
      lu.assertEquals(native.json.decode(part).rows[1].clusters, math.ceil(whole / share))
    end
  end
  local report = program.json({ "report", "halved", "--json" }, env())
  lu.assertEquals(report.groups[1].front, halved.front)
  program.json({ "verify", report.entries[1].run, "--json" }, env())
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
