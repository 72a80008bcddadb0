--- native.process: programs that print, read, fail, hang and die.
local native = require("vise.native")
local process = native.process
local lu = require("luaunit")

TestProcess = {}

local function lines_of(options)
  options.capture = true
  local p <close> = assert(process.spawn(options))
  local lines = {}
  for line in function() return p:read_line() end do
    lines[#lines + 1] = line
  end
  return lines, p:wait()
end

function TestProcess:test_lines_come_one_by_one_and_the_last_needs_no_end()
  local lines, code = lines_of({ argv = { "printf", "one\\n\\nthree\\nfour" } })
  lu.assertEquals(lines, { "one", "", "three", "four" })
  lu.assertEquals(code, 0)
end

function TestProcess:test_large_input_and_output_do_not_block_each_other()
  local input = ("x"):rep(1 << 20) .. "\n"
  local lines = lines_of({ argv = { "cat" }, input = input })
  lu.assertEquals(#lines, 1)
  lu.assertEquals(#lines[1], 1 << 20)
end

function TestProcess:test_without_input_there_is_nothing_to_read()
  lu.assertEquals(lines_of({ argv = { "cat" } }), {})
end

function TestProcess:test_the_environment_is_ours_with_changes()
  local lines = lines_of({
    argv = { "sh", "-c", 'echo "$ADDED|${HOME-none}|$PATH"' },
    env = { ADDED = "a=b", HOME = false },
  })
  lu.assertEquals(lines, { "a=b|none|" .. os.getenv("PATH") })
end

function TestProcess:test_the_exit_code_and_the_signal_are_told_apart()
  local p <close> = process.spawn({ argv = { "sh", "-c", "exit 3" } })
  lu.assertEquals({ p:wait() }, { 3 })
  lu.assertEquals({ p:wait() }, { 3 })
  p:kill()
  local q <close> = process.spawn({ argv = { "sleep", "60" } })
  q:kill(9)
  lu.assertEquals({ q:wait() }, { 137, 9 })
end

function TestProcess:test_signals_we_ignore_end_the_child()
  -- A test runner may ignore SIGPIPE; `yes` must still end when nobody reads.
  local p = assert(process.spawn({ argv = { "yes" }, capture = true }))
  lu.assertEquals(p:read_line(), "y")
  local start = native.core.clock()
  p:close()
  lu.assertTrue(native.core.clock() - start < 1.5)
end

function TestProcess:test_close_ends_even_a_program_that_will_not()
  local p = assert(process.spawn({
    argv = { "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done" },
    capture = true,
  }))
  lu.assertEquals(p:read_line(), "ready")
  local start = native.core.clock()
  p:close()
  p:close()
  lu.assertTrue(native.core.clock() - start < 5)
  lu.assertErrorMsgContains("process is closed", p.read_line, p)
end

function TestProcess:test_cancel_interrupts_reading_and_waiting()
  local p <close> = process.spawn({ argv = { "sleep", "60" }, capture = true })
  native.core.cancel()
  local line = { p:read_line() }
  local wait = { p:wait() }
  native.core.cancel_clear()
  lu.assertEquals(line, { nil, "interrupted", "cancelled" })
  lu.assertEquals(wait, { nil, "interrupted", "cancelled" })
end

function TestProcess:test_waiting_for_a_line_and_for_the_end_may_be_given_up()
  local argv = { "sh", "-c", "echo one; printf tw; read x; echo o; exec sleep 60" }
  local p <close> = assert(process.spawn({ argv = argv, capture = true, input = "\n" }))

  lu.assertEquals(p:read_line(), "one")
  lu.assertEquals(p:read_line(30), "two")
  lu.assertEquals({ p:read_line(0.1) }, { false })
  lu.assertEquals({ p:wait(0.1) }, { false })
  p:kill(9)
  lu.assertEquals({ p:wait(30) }, { 137, 9 })
end

function TestProcess:test_half_a_line_is_no_line_yet()
  local argv = { "sh", "-c", "printf half; exec sleep 60" }
  local p <close> = assert(process.spawn({ argv = argv, capture = true }))

  lu.assertEquals({ p:read_line(0.3) }, { false })
  p:kill(9)
  lu.assertEquals(p:read_line(30), "half")
end

function TestProcess:test_a_line_that_is_too_long_is_refused()
  local p <close> = assert(process.spawn({ argv = { "cat", "/dev/zero" }, capture = true,
    line_bytes = 1000 }))

  lu.assertEquals({ p:read_line() },
    { nil, "a program printed a line of more than 1000 bytes", "format" })
end

function TestProcess:test_standard_error_is_kept_up_to_a_size()
  local p <close> = assert(process.spawn({ keep_errors = true,
    argv = { "sh", "-c", "echo oops >&2; seq 100000 >&2; echo $? > /dev/null; exit 4" } }))
  local q <close> = assert(process.spawn({ argv = { "true" } }))

  lu.assertEquals({ p:wait() }, { 4 })
  q:wait()
  lu.assertEquals(p:errors():sub(1, 9), "oops\n1\n2\n")
  lu.assertTrue(#p:errors() <= 65536)
  lu.assertEquals(q:errors(), "")
end

function TestProcess:test_a_program_that_is_not_there_is_named()
  lu.assertEquals({ process.spawn({ argv = { "/no/such/program" } }) },
    { nil, "/no/such/program: cannot start: No such file or directory", "io" })
end

function TestProcess:test_wrong_options_are_raised()
  local cases = {
    { { argv = "ls" }, "process: argv is a string, expected a list of strings" },
    { { argv = {} }, "process: argv is empty, expected a program and its arguments" },
    { { argv = { "a", 2 } }, "process: argv[2] is a number, expected a string" },
    { { argv = { "a\0b" } }, "process: argv[1] holds a NUL byte" },
    { { argv = { "a" }, envv = {} }, "process: unknown option 'envv'" },
    { { argv = { "a" }, env = { A = true } }, "process: env holds A = true" },
    { { argv = { "a" }, env = { ["A=B"] = "" } }, "process: env holds A=B = " },
    { { argv = { "a" }, line_bytes = 0 }, "process: line_bytes is 0, expected at least 1" },
    { { argv = { "a" }, input = 3 }, "process: input is a number, expected a string" },
  }
  for _, case in ipairs(cases) do
    lu.assertErrorMsgContains(case[2], process.spawn, case[1])
  end
end

os.exit(lu.LuaUnit.run())
