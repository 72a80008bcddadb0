-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- The engine slurm on a real Slurm of two nodes, one of which dies. Skipped where Slurm, root or
--- ../shared/slurm is not there.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local function shell(script, env)
  local process <close> = assert(native.process.spawn({ argv = { "/bin/sh", "-c", script },
    env = env, capture = true }))
  local lines = {}
  for line in function() return process:read_line() end do
    lines[#lines + 1] = line
  end
  return process:wait() == 0, table.concat(lines, "\n")
end

local START <const> = "../shared/slurm/start.sh"
local function missing()
  if not native.file.stat(START) then
    return START .. " is not there"
  elseif not shell('command -v slurmctld && command -v munged') then
    return "slurm-wlm or munge is not installed"
  elseif not shell('[ "$(id -u)" = 0 ]') then
    return "not root, who can start Slurm's daemons"
  end
end

local reason = missing()
if reason then
  print("skipped: " .. reason)
  os.exit(0)
end

local root = program.folder() .. "/slurm"
local started = shell(("PIDNS=1 %s %s > /dev/null"):format(START, root))
if not started then
  print("skipped: Slurm does not start here (is its port taken?)")
  shell(("../shared/slurm/stop.sh %s"):format(root))
  program.clean()
  os.exit(0)
end

local folder = program.folder() .. "/work"
local env = { VISE_TEST_FOLDER = folder, SLURM_CONF = root .. "/slurm.conf" }
assert(native.file.make_dirs(folder))
assert(native.file.replace(folder .. "/busy.lua", [[
local vise = require "vise"
return vise.recipe {
  params = { n = vise.param.int { 1, min = 1, max = 100 } },
  run = function(p)
    local x = 0
    for i = 1, 1e7 do x = x + i end
    if p.n == 33 then error("33 is bad") end
  end,
}]]))

--- Names in a folder that are not hidden.
local function names(path)
  local list = {}
  for _, name in ipairs(native.file.list(path) or {}) do
    list[#list + 1] = name:sub(1, 1) ~= "." and name or nil
  end
  return list
end

TestSlurm = {}

function TestSlurm:test_forty_trials_end_with_one_result_each_though_a_node_dies()
  local argv = { "/bin/sh", "-c", 'cd "$VISE_TEST_FOLDER" && exec "$@"', "sh", program.VISE,
    "sweep", "busy.lua", "n=1..40", "--engine", "slurm", "--out", "s", "--jobs", "4",
    "--chunk", "4", "--json" }
  local process <close> = assert(native.process.spawn({ argv = argv, env = env, capture = true }))
  for _ = 1, 600 do
    if #names(folder .. "/s/runs") >= 4 then
      break
    end
    native.core.sleep(0.1)
  end
  local node = assert(native.file.read(root .. "/run/node-n1.pid")):match("%d+")
  lu.assertTrue(shell("kill -9 " .. node))
  lu.assertTrue(#names(folder .. "/s/runs") < 39, "the node died too late to matter")
  local result = assert(native.json.decode(assert(process:read_line())))
  lu.assertEquals(process:wait(), 0)

  local expected = {}
  for i = 1, 40 do
    local trial = result.trials[i]
    lu.assertEquals({ trial.id, trial.params.n, trial.status },
      { i, i, i == 33 and "failed" or "done" })
    expected[#expected + 1] = i ~= 33 and ("%04d"):format(i) or nil
  end
  lu.assertEquals(#result.trials, 40)
  lu.assertEquals(names(folder .. "/s/runs"), expected)
  lu.assertEquals(names(folder .. "/s/failed"), { "0033.json" })
end

function TestSlurm:test_jobs_that_a_killed_sweep_left_are_cancelled_by_the_next()
  local argv = { "/bin/sh", "-c", 'cd "$VISE_TEST_FOLDER" && exec "$@" 2> /dev/null', "sh",
    program.VISE, "sweep", "busy.lua", "n=1..30", "--engine", "slurm", "--out", "t", "--quiet" }
  local process <close> = assert(native.process.spawn({ argv = argv, env = env, capture = true }))
  local function jobs()
    local _, text = shell("squeue -h -r -t PENDING,RUNNING -o %i", env)
    return select(2, text:gsub("[^\n]+", ""))
  end
  for _ = 1, 100 do
    if jobs() > 0 then
      break
    end
    native.core.sleep(0.1)
  end
  lu.assertTrue(jobs() > 0)
  process:kill(9)
  process:wait()

  local result = program.json({ "sweep", "busy.lua", "n=1..30", "--engine", "local", "--out", "t",
    "--json" }, env)
  lu.assertEquals(#result.trials, 30)
  local again = program.json({ "sweep", "busy.lua", "n=1..30", "--engine", "slurm", "--out", "t",
    "--json" }, env)
  lu.assertEquals(#again.trials, 30)
  lu.assertEquals(jobs(), 0)
end

local code = lu.LuaUnit.run()
shell(("../shared/slurm/stop.sh %s"):format(root))
program.clean()
os.exit(code)
