-- SPDX-License-Identifier: Apache-2.0
--- vise runs: the list follows the directories; conditions, order and columns; show, diff, rm.
local fake_run = require("support.fake_run")
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local write_run = fake_run.write
local AT <const> = "2026-11-21T10:00:"
local folder

local function vise(...)
  local output, code, errors = program.run({ ... }, { VISE_TEST_FOLDER = folder })
  return output, code, errors
end

--- The directories that `vise runs ...` lists, in its order.
local function listed(...)
  local names = {}
  local argv = { "runs", "--json", ... }
  for i, run in ipairs(program.json(argv, { VISE_TEST_FOLDER = folder }).runs) do
    names[i] = run.run
  end
  return names
end

TestRuns = {}

function TestRuns:setUp()
  folder = program.folder() .. "/store"
  write_run(folder .. "/runs/a", { bits = 2, kl = 0.5, bytes = 1000, started = AT .. "01Z" })
  write_run(folder .. "/runs/b", { bits = 3, kl = 0.2, bytes = 2000, started = AT .. "02Z" })
  write_run(folder .. "/runs/c", { bits = 4, kl = 0.1, bytes = 3000, started = AT .. "03Z",
    recipe = "second", group = 64 })
end

function TestRuns:tearDown()
  native.file.remove_tree(folder)
end

function TestRuns:test_runs_are_listed_newest_first()
  lu.assertEquals(listed(), { "runs/c", "runs/b", "runs/a" })
end

function TestRuns:test_a_summary_has_parameters_inputs_and_the_last_number_of_each_name()
  local run = program.json({ "runs", "bits=3", "--json" }, { VISE_TEST_FOLDER = folder }).runs[1]

  lu.assertEquals(run.parameters, { bits = 3, group = 32 })
  lu.assertEquals(run.inputs, { model = "m", text = "t.txt" })
  lu.assertEquals(run.numbers, { nll = 1.75, bytes = 2000, kl = 0.2 })
  lu.assertEquals({ run.recipe, run.seconds, run.seed }, { "first", 2.5, 0 })
end

function TestRuns:test_conditions_hold_together()
  lu.assertEquals(listed("kl<=0.2"), { "runs/c", "runs/b" })
  lu.assertEquals(listed("kl<=0.2", "recipe=first"), { "runs/b" })
  lu.assertEquals(listed("recipe=f*"), { "runs/b", "runs/a" })
  lu.assertEquals(listed("bits!=3"), { "runs/c", "runs/a" })
  lu.assertEquals(listed("bits>2", "bytes>=3000"), { "runs/c" })
  lu.assertEquals(listed("started>2026-11-21T10:00:02"), { "runs/c", "runs/b" })
  lu.assertEquals(listed("model=[m]"), {})
end

function TestRuns:test_the_order_is_that_of_a_field()
  write_run(folder .. "/runs/d", { bits = 2, bytes = 500, started = "2026-11-21T09:00:00Z" })

  lu.assertEquals(listed("--sort", "kl"), { "runs/c", "runs/b", "runs/a", "runs/d" })
  lu.assertEquals(listed("--sort", "-kl"), { "runs/a", "runs/b", "runs/c", "runs/d" })
  lu.assertEquals(listed("--sort", "bytes", "--limit", "2"), { "runs/d", "runs/a" })
end

function TestRuns:test_what_happens_behind_the_index_is_seen()
  lu.assertEquals(#listed(), 3)

  native.file.remove_tree(folder .. "/runs/b")
  write_run(folder .. "/runs/later", { bits = 8, kl = 0.01, bytes = 5000 })
  assert(native.file.make_dirs(folder .. "/runs/no-run"))
  lu.assertEquals(listed("--sort", "bits"), { "runs/a", "runs/c", "runs/later" })

  native.file.remove_tree(folder .. "/runs")
  lu.assertEquals(listed(), {})
end

function TestRuns:test_an_index_that_is_gone_or_broken_is_made_anew()
  lu.assertEquals(#listed(), 3)
  assert(native.file.replace(folder .. "/.vise/runs.db", ("no database at all. "):rep(500)))
  lu.assertEquals(listed(), { "runs/c", "runs/b", "runs/a" })

  native.file.remove_tree(folder .. "/.vise")
  lu.assertEquals(listed(), { "runs/c", "runs/b", "runs/a" })
end

function TestRuns:test_reindex_finds_runs_of_sweeps_and_of_folders_that_are_named()
  write_run(folder .. "/sweeps/s/runs/0001", { bits = 5 })
  write_run(folder .. "/elsewhere/deep/x", { bits = 6 })

  lu.assertEquals(vise("runs", "reindex", "elsewhere/deep"), "5 runs indexed\n")
  lu.assertEquals(listed("bits>4", "--sort", "bits"), { "sweeps/s/runs/0001", "elsewhere/deep/x" })
end

function TestRuns:test_the_table_shows_what_differs_and_the_columns_asked_for()
  lu.assertEquals(vise("runs", "recipe=first"), [[
run     bits   kl   nll    bytes  seconds
──────  ────  ───  ────  ───────  ───────
runs/b     3  0.2  1.75  2.0 KiB    2.5 s
runs/a     2  0.5  1.75   1000 B    2.5 s
]])
  lu.assertEquals(vise("runs", "bits=4", "--columns", "group,run"), [[
group  run
─────  ──────
   64  runs/c
]])
end

function TestRuns:test_mistakes_name_what_was_meant()
  write_run(folder .. "/runs/small", {})
  local cases = {
    { { "runs", "bist=3" }, "unknown field 'bist' (did you mean 'bits'?" },
    { { "runs", "kl<low" }, "kl<low: 'low' is no number" },
    { { "runs", "--sort", "klo" }, "unknown field 'klo' (did you mean 'kl'?" },
    { { "runs", "shwo", "a" }, "unknown action 'shwo' (did you mean 'show'?" },
    { { "runs", "show", "smal" }, "smal: no such run (did you mean 'small'?)" },
    { { "runs", "diff", "a" }, "missing RUN: diff needs two runs" },
    { { "runs", "rm" }, "missing RUN: rm needs a run" },
  }
  for _, case in ipairs(cases) do
    local _, code, errors = vise(table.unpack(case[1]))
    lu.assertNotEquals(code, 0)
    lu.assertStrContains(errors, case[2])
  end
end

--- Folders from somebody else: passed over in lists, named where they are asked for.
function TestRuns:test_a_record_of_another_form_is_named_and_hides_no_other()
  local text = native.file.read(folder .. "/runs/a/run.json")
  local cases = {
    { '"rows":%[.-%]', '"rows":[1]', "run.json: rows[1] is 1, expected a measured row" },
    { '"rows":%[.-%]', '"rows":{"a":1}', "run.json: rows: has 'a', expected a list" },
    { '"kl":0.5', '"kl":"0.5"', "run.json: rows[2] is a table, expected a measured row" },
    { '"bits":2', '"bits":{"a":1}', "run.json: parameters[bits] is a table, expected a text" },
    { '"bits":2', '"\\u001b[2J":2,"losses":1', "" },
    { '"seed":0', '"seed":0,"losses":"x"', "run.json: losses is 'x', expected a table" },
    { '"seed":0', '"seed":0,"share":"1"', "run.json: share is '1', expected a number" },
    { '"seed":0', '"seed":0,"machine":{}', "run.json: machine.cpu_level is nil, expected" },
    { '"path":"first.lua"', '"path":7', "run.json: recipe.path is 7, expected a text" },
  }
  for i, case in ipairs(cases) do
    local name = ("x%d"):format(i)
    local changed, n = text:gsub(case[1], case[2], 1)
    lu.assertEquals(n, 1, case[1])
    assert(native.file.make_dirs(folder .. "/runs/" .. name))
    assert(native.file.replace(folder .. "/runs/" .. name .. "/run.json", changed))
    local output, code, errors = vise("runs", "show", "runs/" .. name)
    lu.assertEquals(code, case[3] == "" and 0 or 1, case[2])
    lu.assertStrContains(errors, case[3])
    lu.assertNil(output:find("\27", 1, true))
  end
  local output = vise("runs")
  lu.assertStrContains(output, "runs/a")
  lu.assertNil(output:find("\27", 1, true))
end

function TestRuns:test_rm_removes_directories_and_nothing_that_is_no_run()
  assert(native.file.make_dirs(folder .. "/precious"))

  local _, code = vise("runs", "rm", "a", "precious")
  lu.assertEquals(code, 1)
  lu.assertNotNil(native.file.stat(folder .. "/runs/a"))

  vise("runs", "rm", "a", "runs/b/")
  lu.assertNil(native.file.stat(folder .. "/runs/a"))
  lu.assertEquals(listed(), { "runs/c" })
end

function TestRuns:test_diff_has_parameters_numbers_and_tensors()
  local function ledger(bytes, description)
    return { { name = "head", description = description, coded = bytes },
      { name = "norm", description = "f32", coded = 64 } }
  end
  write_run(folder .. "/runs/a", { bits = 2, kl = 0.5, bytes = 1000, errors = { head = 0.25 },
    ledger = ledger(400, "int2/g32") })
  write_run(folder .. "/runs/b", { bits = 3, kl = 0.2, bytes = 2000, errors = { head = 0.125 },
    ledger = ledger(600, "int3/g32") })

  local diff = program.json({ "runs", "diff", "a", "b", "--json" }, { VISE_TEST_FOLDER = folder })

  lu.assertEquals(diff.runs, { "runs/a", "runs/b" })
  lu.assertEquals(diff.parameters, { { name = "bits", values = { 2, 3 } } })
  local by_name = {}
  for _, number in ipairs(diff.numbers) do
    by_name[number.name] = number
  end
  lu.assertEquals(by_name.bytes, { name = "bytes", values = { 1000, 2000 }, change = 1000 })
  lu.assertAlmostEquals(by_name.kl.change, -0.3, 1e-12)
  lu.assertEquals(diff.tensors, { { name = "head", bytes = { 400, 600 }, errors = { 0.25, 0.125 },
    descriptions = { "int2/g32", "int3/g32" } } })
  lu.assertEquals(diff.same_tensors, 1)
  local output = vise("runs", "diff", "a", "b")
  lu.assertStrContains(output, "400 B  600 B  +50.0 %  0.2500  0.1250  int2/g32 -> int3/g32\n")
  lu.assertStrContains(output, "1 tensor is the same in bytes, format and error\n")

  write_run(folder .. "/runs/d", { bits = 3, kl = 0.2, bytes = 2000, data = ("d"):rep(64) })
  for _, number in ipairs(program.json({ "runs", "diff", "a", "d", "--json" },
    { VISE_TEST_FOLDER = folder }).numbers) do -- on another text: sizes alone compare
    lu.assertEquals(number.change ~= nil, number.name == "bytes", number.name)
  end
  lu.assertStrContains(vise("runs", "diff", "a", "d"), "no change is given for what the runs")
  lu.assertNotStrContains(output, "no change is given")
end

TestRecorded = {}

function TestRecorded:test_a_run_is_listed_shown_and_has_the_errors_of_its_weights()
  local subject = program.subject()
  folder = program.folder() .. "/recorded"
  assert(native.file.make_dirs(folder))
  local model = native.file.realpath(subject.model)
  local recipe = native.file.realpath("recipes/first.lua")
  local made = program.json({ "run", recipe, "model=" .. model, "text=" .. subject.text, "bits=3",
    "protocol=" .. subject.protocol, "--json", "--out", "out/it" }, { VISE_TEST_FOLDER = folder })

  lu.assertEquals(listed("bits=3"), { "out/it" })
  local record = program.json({ "runs", "show", "it", "--json" }, { VISE_TEST_FOLDER = folder })
  lu.assertEquals(record.artifact, made.artifact)
  -- the same from the two models, by the weights' own comparison
  require("vise.weight")
  local saved = assert(native.artifact.open(folder .. "/out/it/model.vise"))
  local original = assert(require("vise.model").open(model))
  local place = "layers.1.mlp.up"
  local expected = saved:weight(place):error(original:weight(place))
  lu.assertAlmostEquals(record.errors[place], expected, 1e-12)
  lu.assertStrContains(vise("runs", "show", "it"), "bits      3\n")
  saved:close()
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
