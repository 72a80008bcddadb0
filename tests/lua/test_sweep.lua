-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- Spaces, fronts and searches of sweeps, without running anything.
local drive = require("vise.sweep.drive")
local front = require("vise.sweep.front")
local lu = require("luaunit")
local native = require("vise.native")
local space = require("vise.sweep.space")
local sweep = require("vise.sweep")

local ROWS <const> = {
  { name = "bits", kind = "choice", default = 4, choices = { 4, 2, 3, 5, 6, 8 }, doc = "" },
  { name = "scale", kind = "choice", default = "a", choices = { "a", "b" }, doc = "" },
  { name = "n", kind = "int", default = 1, min = 1, max = 50, doc = "" },
  { name = "x", kind = "real", default = 0.5, min = 0, max = 1, doc = "" },
  { name = "flag", kind = "bool", default = true, doc = "" },
  { name = "text", kind = "text", doc = "" },
}

local function parse(...)
  return space.parse("r.lua", ROWS, { ... })
end

TestSpace = {}

function TestSpace:test_lists_and_ranges_become_what_the_parameter_allows()
  local axes = parse({ "bits", "3..6,2" }, { "n", "7..9,8,1" }, { "scale", "b,a" },
    { "flag", "true,false" }, { "text", "a/../b.txt,c..d" })

  lu.assertEquals(axes[1].values, { 3, 4, 5, 6, 2 })
  lu.assertEquals(axes[2].values, { 7, 8, 9, 1 })
  lu.assertEquals(axes[3].values, { "b", "a" })
  lu.assertEquals(axes[4].values, { true, false })
  lu.assertEquals(axes[5].values, { "a/../b.txt", "c..d" })
  lu.assertEquals(space.size(axes), 5 * 4 * 2 * 2 * 2)
  lu.assertEquals(parse({ "x", "0.25..0.5" })[1], { name = "x", low = 0.25, high = 0.5 })
  lu.assertEquals(parse({ "x", "1e-3,.5" })[1].values, { 0.001, 0.5 })
end

function TestSpace:test_what_the_parameter_refuses_is_refused()
  local cases = {
    { { "bist", "2" }, "r.lua: unknown parameter 'bist' (did you mean 'bits'?" },
    { { "bits", "2,7" }, "r.lua: bits is '7', expected one of 4, 2, 3, 5, 6, 8" },
    { { "bits", "" }, "r.lua: bits is '', expected one of" },
    { { "bits", "9..12" }, "r.lua: bits is '9..12', which holds nothing, expected one of" },
    { { "n", "40..60" }, "r.lua: n is '60', expected an integer in [1, 50]" },
    { { "n", "9..1" }, "r.lua: n is '9..1', expected the smaller number first" },
    { { "x", "0.1..0.2,0.5" }, "expected one range or a list" },
  }
  for _, case in ipairs(cases) do
    lu.assertErrorMsgContains(case[2], parse, case[1])
  end
  lu.assertErrorMsgContains("parameter 'n' is given twice", parse, { "n", "1" }, { "n", "2" })
end

function TestSpace:test_values_are_written_so_that_they_come_back()
  for _, x in ipairs({ 0.1 + 0.2, 1 / 3, 5e-324, 12, "a b", true }) do
    local text = space.value_text(x)
    lu.assertEquals(type(x) == "number" and tonumber(text) or text,
      type(x) == "number" and x or tostring(x))
  end
end

TestFront = {}

function TestFront:test_the_front_is_what_nothing_dominates()
  -- by hand: 3 is beaten by 1 (1 <= 2, 4 < 5); 5 by 2; equal points do not beat each other
  local vectors = { { 1, 4 }, { 3, 2 }, { 2, 5 }, false, { 3, 3 }, { 3, 2 } }

  lu.assertEquals(front.front(vectors), { 1, 2, 6 })
end

--- By hand: 2 would beat 1 and 4 would beat 3, were they of one group.
function TestFront:test_vectors_of_different_groups_do_not_compare()
  local function vector(group, x, y)
    return { x, y, group = group }
  end
  local vectors = { vector("a", 5, 5), vector("b", 4, 4), vector("b", 9, 1), vector("a", 6, 6) }

  lu.assertEquals(front.front(vectors), { 1, 2, 3 })
  lu.assertEquals(front.order(vectors), { 1, 2, 3, 4 })
  lu.assertEquals(front.vector({ kl = 1 }, { "kl" }, "a"), { 1, group = "a" })
end

function TestFront:test_the_front_of_many_is_that_of_the_definition()
  local vectors = {}
  for i = 1, 300 do
    vectors[i] = i % 7 ~= 0 and { native.core.uniform(1, "x", i) * 20 // 1,
      native.core.uniform(1, "y", i) * 20 // 1, native.core.uniform(1, "z", i) * 20 // 1 }
  end
  local expected = {}
  for i, vector in ipairs(vectors) do
    local is_beaten = not vector
    for _, other in ipairs(vectors) do
      is_beaten = is_beaten or other and front.dominates(other, vector)
    end
    expected[#expected + 1] = not is_beaten and i or nil
  end

  lu.assertEquals(front.front(vectors), expected)
end

function TestFront:test_the_order_goes_by_layers_and_then_by_room()
  -- 1 and 4 are the ends of the first layer; 3 has more room (8 + 6 ninths) than 2 (5 + 8)
  local vectors = { { 0, 9 }, { 1, 6 }, { 5, 1 }, { 9, 0 }, { 9, 9 } }

  lu.assertEquals(front.order(vectors), { 1, 4, 3, 2, 5 })
  lu.assertEquals(front.order({ false, { 2 }, { 1 } }), { 3, 2, 1 })
end

function TestFront:test_objectives_that_are_good_when_great_are_turned()
  lu.assertEquals(front.vector({ top1 = 0.5, bytes = 7 }, { "top1", "bytes" }), { -0.5, 7 })
  lu.assertNil(front.vector({ top1 = 0.5 }, { "top1", "bytes" }))
  lu.assertErrorMsgContains("unknown number 'klo' (did you mean 'kl'?", front.parse, "kl,klo")
  lu.assertErrorMsgContains("'kl' is named twice", front.parse, "kl,bytes,kl")
end

TestSearch = {}

--- Let a search run to its end; `numbers(params, share)` is what a trial measures.
local function run(name, axes, trials, seed, objectives, numbers)
  local search = { name = name, axes = axes, trials = trials, seed = seed, objectives = objectives,
    tasks = {} }
  local module, n = sweep.search(name), 0
  while true do
    local proposals = module.next(search)
    if proposals == nil then
      return search.tasks
    end
    for _, proposal in ipairs(proposals) do
      n = n + (proposal.trial and 0 or 1)
      local share = proposal.share or 1
      table.insert(search.tasks, { trial = proposal.trial or n, params = proposal.params,
        share = share, numbers = numbers(proposal.params, share) })
    end
  end
end

local function texts(tasks)
  local list = {}
  for i, task in ipairs(tasks) do
    list[i] = space.text(task.params)
  end
  return list
end

local function nothing()
  return {}
end

function TestSearch:test_grid_is_every_point_the_last_fastest()
  local tasks = run("grid", parse({ "bits", "2,3" }, { "scale", "a,b" }), nil, 0, {}, nothing)

  lu.assertEquals(texts(tasks), { "bits=2 scale=a", "bits=2 scale=b", "bits=3 scale=a",
    "bits=3 scale=b" })
  lu.assertErrorMsgContains("the space has 4 points, expected at most 3 (--trials)", function()
    run("grid", parse({ "bits", "2,3" }, { "scale", "a,b" }), 3, 0, {}, nothing)
  end)
  lu.assertErrorMsgContains("a range of real numbers has no end", function()
    run("grid", parse({ "x", "0..1" }), nil, 0, {}, nothing)
  end)
end

function TestSearch:test_random_draws_no_point_twice_and_depends_on_the_seed_alone()
  local axes = parse({ "n", "1..50" }, { "scale", "a,b" })
  local tasks = texts(run("random", axes, 60, 1, {}, nothing))
  local seen = {}
  for _, text in ipairs(tasks) do
    lu.assertNil(seen[text])
    seen[text] = true
  end
  lu.assertEquals(#tasks, 60)
  lu.assertEquals(texts(run("random", axes, 60, 1, {}, nothing)), tasks)
  lu.assertNotEquals(texts(run("random", axes, 60, 2, {}, nothing)), tasks)
  lu.assertEquals(#run("random", axes, 500, 1, {}, nothing), 100)
end

--- A smooth valley at x = 0.7 and n = 20 with a ridge on one side of `scale`.
local function valley(params)
  local kl = (params.x - 0.7) ^ 2 + ((params.n - 20) / 50) ^ 2 + (params.scale == "b" and 0.5 or 0)
  return { kl = kl }
end

local function best(tasks)
  local least = math.huge
  for _, task in ipairs(tasks) do
    least = math.min(least, task.numbers.kl)
  end
  return least
end

function TestSearch:test_tpe_comes_closer_than_random_points_do()
  local axes = parse({ "x", "0..1" }, { "n", "1..50" }, { "scale", "a,b" })
  local wins, logs = 0, 0
  for seed = 1, 20 do
    local tpe = best(run("tpe", axes, 64, seed, { "kl" }, valley))
    local random = best(run("random", axes, 64, seed, { "kl" }, valley))
    wins = wins + (tpe < random and 1 or 0)
    logs = logs + math.log(random / tpe)
  end
  lu.assertTrue(wins >= 15, wins)
  -- the geometric mean: a third and less
  lu.assertTrue(logs / 20 > math.log(3), math.exp(logs / 20))
end

function TestSearch:test_tpe_tries_every_point_of_a_small_space_once_and_outlives_failures()
  local axes = parse({ "bits", "2..8" }, { "scale", "a,b" })
  local tasks = run("tpe", axes, 100, 3, { "kl" }, function(params)
    return params.bits ~= 3 and { kl = 1 / params.bits } or nil
  end)
  local seen = {}
  for _, text in ipairs(texts(tasks)) do
    lu.assertNil(seen[text])
    seen[text] = true
  end
  lu.assertEquals(#tasks, 12)
end

function TestSearch:test_halving_keeps_the_best_third_of_each_rung()
  local axes = parse({ "n", "1..27" })
  local tasks = run("halving", axes, nil, 0, { "kl" }, function(params, share)
    return { kl = params.n + (share < 1 and 0.1 or 0) }
  end)
  local rungs = {}
  for _, task in ipairs(tasks) do
    local rung = rungs[#rungs]
    if rung == nil or rung.share ~= task.share then
      rung = { share = task.share, n = {} }
      rungs[#rungs + 1] = rung
    end
    table.insert(rung.n, task.params.n)
  end
  lu.assertEquals(#rungs, 4)
  for i, n in ipairs({ 27, 9, 3, 1 }) do
    lu.assertEquals(#rungs[i].n, n)
    lu.assertAlmostEquals(rungs[i].share, 3.0 ^ (i - 4), 1e-12)
  end
  table.sort(rungs[2].n)
  lu.assertEquals(rungs[2].n, { 1, 2, 3, 4, 5, 6, 7, 8, 9 })
  lu.assertEquals(rungs[3].n, { 1, 2, 3 })
  lu.assertEquals(rungs[4].n, { 1 })
  lu.assertIs(rungs[4].share, 1)
  lu.assertEquals(sweep.search("halving").tasks({ axes = axes, trials = nil }), 40)
end

function TestSearch:test_halving_ends_where_all_failed()
  local tasks = run("halving", parse({ "n", "1..9" }), nil, 0, { "kl" }, function() end)
  lu.assertEquals(#tasks, 9)
end

TestDrive = {}

--- A sweep of three trials, and an engine that nothing comes out of but what `work` does.
function TestDrive:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  local text = 'return require("vise").recipe { params = { n = require("vise").param.int(1) }, '
    .. "run = function() end }"
  self.sweep = assert(sweep.open({ recipe = { name = "r", path = "r.lua", text = text },
    words = { { "n", "1..3" } }, search = "grid", objectives = { "kl" }, out = self.folder }))
end

function TestDrive:tearDown()
  native.file.remove_tree(self.folder)
end

--- All that was submitted ends at once, after `work(name, how often it was submitted)`.
function TestDrive:engine(work)
  local queue, times, cancelled = {}, {}, 0
  return {
    wait_seconds = 0,
    submit = function(_, names)
      table.move(names, 1, #names, #queue + 1, queue)
      return true
    end,
    poll = function()
      local ended = {}
      for i, name in ipairs(queue) do
        times[name] = (times[name] or 0) + 1
        work(name, times[name])
        ended[i] = { name = name, problem = "its node burned down" }
      end
      queue = {}
      return ended, 0
    end,
    cancel = function()
      cancelled = cancelled + 1
    end,
    times = times,
  }
end

function TestDrive:test_a_task_without_a_result_is_tried_again_and_then_given_up()
  local engine = self:engine(function(name, times)
    for _, task in ipairs(self.sweep.tasks) do
      if task.name == name and (name == "0001" or name == "0002" and times == 2) then
        assert(sweep.fail(self.sweep, task, "by itself"))
      end
    end
  end)
  lu.assertTrue(drive.run(self.sweep, engine, function() end))

  lu.assertEquals(engine.times, { ["0001"] = 1, ["0002"] = 2, ["0003"] = 3 })
  local trials = sweep.trials(assert(sweep.load(self.folder)))
  lu.assertEquals({ trials[1].message, trials[2].message, trials[3].message },
    { "by itself", "by itself", "its node burned down" })
end

function TestDrive:test_the_engine_of_this_machine_runs_tasks_at_once()
  local engine = require("vise.sweep.engine.local").new({ directory = self.folder, jobs = 3 })
  local running = 0
  lu.assertTrue(drive.run(self.sweep, engine, function(event)
    running = math.max(running, event.running or 0)
  end))

  lu.assertEquals(native.file.list(self.folder .. "/runs"), { "0001", "0002", "0003" })
  lu.assertEquals(running, 3)
  for _, trial in ipairs((sweep.trials(assert(sweep.load(self.folder))))) do
    lu.assertEquals(trial.status, "done")
  end
end

function TestDrive:test_what_killed_processes_left_is_gone_at_the_end()
  assert(native.file.make_dirs(self.folder .. "/runs/.0001.5f.partial"))
  assert(native.file.make_dirs(self.folder .. "/runs/kept"))
  lu.assertTrue(drive.run(self.sweep, self:engine(function() end), function() end))

  lu.assertEquals(native.file.list(self.folder .. "/runs"), { "kept" })
end

os.exit(lu.LuaUnit.run())
