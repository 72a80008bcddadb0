-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- The REPL at a terminal: tests/support/pty.c types, reads what is shown, and presses Ctrl-C.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local PTY = assert(os.getenv("VISE_BUILD")) .. "/pty"

TestReplTerminal = {}

--- What the terminal shows while a script is typed.
local function at_terminal(script, model)
  local folder = program.folder()
  assert(native.file.replace(folder .. "/script", table.concat(script, "\n") .. "\n"))
  local command = "TERM=xterm NO_COLOR=1 VISE_THREADS=1 XDG_STATE_HOME='%s' '%s' '%s/script' '%s' "
    .. "repl '%s' > '%s/shown' 2>&1"
  local _, _, code = os.execute(command:format(folder, PTY, folder, program.VISE, model, folder))
  local shown = assert(native.file.read(folder .. "/shown"))
  lu.assertEquals(code, 0, shown)
  return shown
end

local function needs_readline()
  if not native.repl.has_readline() then
    lu.skip("libreadline.so.8 is not here")
  end
end

function TestReplTerminal:test_tab_completes_methods_places_options_and_tensors()
  needs_readline()
  at_terminal({
    "wait > ",
    [[send m:wei\t "layers.0.mlp.d\t"\n]],
    'wait m:weight "layers.0.mlp.down"',
    "wait vise.weight f32",
    [[send m:compress { { match = "mlp.*", method = "rtn", bi\t]],
    "wait bits",
    [[send  = 4, gro\t = 32 } }\n]],
    "wait group = 32 } }",
    "wait vise.model llama",
    [[send m:ten\t "nor\t"\n]],
    'wait "norm"', -- m:tensors is there, too: readline has rung the bell
    "wait vise.tensor",
    [[send m:compress {\n]],
    "wait >> ",
    [[send { match = "*", met\t = "rtn" } }\n]], -- the call stands on the line before
    "wait method = ",
    "wait vise.model llama",
    [[send vise.mod\t.op\t\n]],
    "wait vise.model.open",
    [[send quit\n]],
  }, program.subject().model)
end

function TestReplTerminal:test_help_lines_that_go_on_and_plots()
  needs_readline()
  local shown = at_terminal({
    "wait > ",
    [[send ?rtn\n]],
    "wait round to nearest",
    "wait > ",
    [[send for i = 1, 2 do\n]],
    "wait >> ",
    [[send   print(i + 40)\n]],
    "wait >> ",
    [[send end\n]],
    "wait 41",
    "wait 42",
    [[send plot({ 1, 3, 2 })\n]],
    "wait └──",
    [[send _ ~= nil\n]],
    "wait true",
    [[send x = (1 +\x03]],
    "wait ^C",
    "wait > ",
    [[send quit\n]],
  }, program.subject().model)
  lu.assertStrContains(shown, "3 ┤")
end

function TestReplTerminal:test_ctrl_c_stops_a_kernel_at_once_and_the_session_goes_on()
  local shown = at_terminal({
    "wait > ",
    [[send x = vise.native.tensor.zeros("f32", { 4000, 4000 })\n]],
    "wait > ",
    [[send w = vise.weight.dense(x) print(20 + 22) w:matmul(x)\n]],
    "wait 42",
    "busy 100",
    [[send \x03]],
    "wait interrupted",
    "cpu",
    "wait > ",
    [[send for i = 1, math.huge do end\n]],
    "busy 100",
    [[send \x03]],
    "wait interrupted",
    "wait > ",
    [[send 6 * 7, m.arch\n]],
    "wait 42\\tllama",
    [[send quit\n]],
  }, program.subject().model)
  local ms = tonumber(shown:match("%[cpu (%d+) ms%]"))
  lu.assertTrue(ms <= 500, ("%d ms from Ctrl-C to the prompt"):format(ms)) -- 100 on a free machine
end

function TestReplTerminal:test_history_is_kept_with_its_lines_together()
  needs_readline()
  local model = program.subject().model
  at_terminal({ "wait > ", [[send t = {\n]], "wait >> ", [[send 4711 }\n]], "wait > ",
    [[send quit\n]] }, model)
  at_terminal({ "wait > ", [[send \x10\x10\n]], "wait 4711 }", "wait > ", [[send t[1] + 1\n]],
    "wait 4712", [[send quit\n]] }, model)
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
