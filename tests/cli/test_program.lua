-- SPDX-License-Identifier: Apache-2.0
--- The program around the commands: signals, and a loop that never calls us.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestProgram = {}

local LOOP = [[
local vise = require "vise"
return vise.recipe {
  about = "never ends",
  params = {},
  run = function()
    while true do end
  end,
}
]]

--- Start a run of a recipe that loops forever; returns once it is in the loop.
local function start()
  local recipe = program.folder() .. "/loop.lua"
  local out = program.folder() .. "/out"
  assert(native.file.remove_tree(out))
  assert(native.file.replace(recipe, LOOP))
  local p = assert(native.process.spawn({
    argv = { program.VISE, "run", recipe, "--out", out }, capture = true,
    env = { VISE_THREADS = "1" },
  }))
  os.execute("sleep 1")
  return p, out
end

function TestProgram:test_each_signal_ends_a_busy_loop_with_its_code_and_leaves_nothing()
  for signal, expected in pairs({ [2] = 130, [15] = 143 }) do
    local p <close>, out = start()
    local begun = native.core.clock()
    p:kill(signal)
    local code = p:wait()
    lu.assertEquals(code, expected)
    lu.assertTrue(native.core.clock() - begun < 5)
    lu.assertNil(native.file.stat(out))
  end
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
