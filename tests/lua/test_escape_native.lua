-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- What a recipe cannot do that broke out of Lua: machine code in its process, in the real sandbox.
-- The calls are made by tests/support/attack.c, which is loaded before the sandbox is entered.
local hostile = require("support.hostile")
local lu = require("luaunit")
local native = require("vise.native")

hostile.arm()

TestEscapeNative = {}

local FORBIDDEN = "r.lua: made a system call that is not for recipes"
local DENIED = { EACCES = true, EPERM = true, EXDEV = true, ENOSYS = true }

--- One that ends the process, and the line that says so.
local function ended(name, body)
  TestEscapeNative["test_" .. name:gsub(" ", "_") .. "_ends_the_process"] = function()
    local message = hostile.run(hostile.recipe(body))
    lu.assertStrContains(message or "it went on", FORBIDDEN)
    lu.assertTrue(hostile.is_unharmed())
  end
end

--- One that fails; the recipe goes on and tells why.
local function denied(name, body)
  TestEscapeNative["test_" .. name:gsub(" ", "_") .. "_is_denied"] = function()
    local message, lines = hostile.run(hostile.recipe(
      "local ok, why = " .. body .. "\njob:log('%s %s', ok, why)"))
    lu.assertNil(message)
    local ok, why = lines[1]:match("^(%S+) (%S+)$")
    lu.assertEquals(ok, "nil")
    lu.assertTrue(DENIED[why], why)
    lu.assertTrue(hostile.is_unharmed())
  end
end

--- Another one: what it does, its limits, and the line that is said.
local function stopped(name, body, limits, line)
  TestEscapeNative["test_" .. name:gsub(" ", "_")] = function()
    local begin = native.core.clock()
    local message = hostile.run(hostile.recipe(body), limits)
    lu.assertStrContains(message or "it went on", line)
    lu.assertStrMatches(message, "r.lua:.*")
    lu.assertTrue(native.core.clock() - begin < 90)
    lu.assertTrue(hostile.is_unharmed())
  end
end

ended("fork", "ATTACK.call('fork')")
ended("a clone that is a process", "ATTACK.call('clone', 17, 0, 0, 0, 0)")
ended("vfork", "ATTACK.call('vfork')")
ended("exec", "ATTACK.call('execve', '/bin/true', 0, 0)")
ended("exec by descriptor", "ATTACK.call('execveat', -100, '/bin/true', 0, 0, 0)")
ended("an internet socket", "ATTACK.call('socket', 2, 1, 0)")
ended("a datagram socket", "ATTACK.call('socket', 2, 2, 0)")
ended("a unix socket", "ATTACK.call('socket', 1, 1, 0)")
ended("a pair of sockets", "ATTACK.call('socketpair', 1, 1, 0, ('\\0'):rep(8))")
ended("tracing", "ATTACK.call('ptrace', 16, 1, 0, 0)")
ended("killing another process", "ATTACK.call('kill', 1, 0)")
ended("killing every process", "ATTACK.call('kill', -1, 9)")
ended("reading the memory of another process", "ATTACK.call('process_vm_readv', 1, 0, 0, 0, 0, 0)")
ended("a handle of another process", "ATTACK.call('pidfd_open', 1, 0)")
ended("a ring of calls", "ATTACK.call('io_uring_setup', 8, ('\\0'):rep(120))")
ended("a program for the kernel", "ATTACK.call('bpf', 0, 0, 0)")
ended("a namespace", "ATTACK.call('unshare', 0x10000000)")
ended("a mount", "ATTACK.call('mount', 'x', '/mnt', 'tmpfs', 0, 0)")
ended("the keys of the user", "ATTACK.call('keyctl', 0, -3, 0)")
ended("a symbolic link", "ATTACK.call('symlink', 'FOLDER/home/secret', 'FOLDER/out/log.txt')")
ended("a hard link", "ATTACK.call('link', 'FOLDER/home/secret', 'FOLDER/mine')")
ended("a fifo", "ATTACK.call('mknod', 'FOLDER/fifo', 0x11b6, 0)")
ended("the mode of an input", "ATTACK.call('chmod', 'FOLDER/text.txt', 0)")
ended("cutting a file by its path", "ATTACK.call('truncate', 'FOLDER/home/treasure', 0)")
ended("a file in memory", "ATTACK.call('memfd_create', 'x', 0)")
ended("another folder to stand in", "ATTACK.call('chdir', '/')")
ended("another user", "ATTACK.call('setuid', 0)")

denied("reading the secret of the user", "ATTACK.read('FOLDER/home/secret')")
denied("reading a file of the system", "ATTACK.read('/etc/passwd')")
denied("reading its environment by proc", "ATTACK.read('/proc/self/environ')")
denied("reading the memory of all by proc", "ATTACK.read('/proc/1/mem')")
denied("listing home", "ATTACK.call('openat', -100, 'FOLDER/home', 0x10000)")
denied("climbing out of the run directory", "ATTACK.read('FOLDER/model/../home/secret')")
denied("a file beside those of a model", "ATTACK.read('FOLDER/model/README.md')")
denied("writing elsewhere", "ATTACK.call('openat', -100, 'FOLDER/home/new', 0x41, 384)")
denied("writing to an input", "ATTACK.call('openat', -100, 'FOLDER/text.txt', 1)")
denied("cutting a file while reading it",
  "ATTACK.call('openat', -100, 'FOLDER/text.txt', 0x200)")
denied("removing a file elsewhere", "ATTACK.call('unlink', 'FOLDER/home/treasure')")
denied("moving a file here", "ATTACK.call('rename', 'FOLDER/home/treasure', 'FOLDER/gold')")
denied("making a folder elsewhere", "ATTACK.call('mkdir', 'FOLDER/home/new', 448)")
denied("a folder that nobody can clear", "ATTACK.call('mkdir', ATTACK.directory .. '/x', 0)")
denied("the time of a file elsewhere",
  "ATTACK.call('utimensat', -100, 'FOLDER/home/treasure', 0, 0)")
denied("raising a limit", "ATTACK.call('prlimit64', 0, 7, ('\\xff'):rep(16), 0)")
denied("memory shared with nobody", "ATTACK.call('mmap', 0, 4096, 3, 0x21, -1, 0)")
denied("memory for code", "ATTACK.call('mmap', 0, 4096, 7, 0x22, -1, 0)")
denied("memory by its standard input", "ATTACK.call('pwrite64', 0, 'x', 1, 1 << 20)")
denied("memory by its standard error", "ATTACK.call('pwrite64', 2, 'x', 1, 1 << 20)")
denied("typing on the terminal", "ATTACK.call('ioctl', 0, 0x5412, 'x')")
denied("signals by an open file", "ATTACK.call('fcntl', 1, 8, 1)")
denied("a thread without memory of its own", "ATTACK.call('clone3', ('\\0'):rep(88), 88)")

stopped("an endless loop in machine code is ended", "ATTACK.spin()", { seconds = 0.3 },
  "has not ended after 0.3 s (--max-time)")
stopped("a crash is told", "ATTACK.crash()", { seconds = 60 }, "its process crashed (signal 11)")
stopped("a silent end is no success", "ATTACK.call('exit_group', 0)", { seconds = 60 },
  "its process ended with code 0 and no result")
stopped("an end with a word on standard error", "ATTACK.call('write', 2, 'oh\\27[2J\\n', 7) "
  .. "ATTACK.call('exit_group', 3)", { seconds = 60 }, "its process ended with code 3 (oh")
stopped("a process that closes its output and goes on is ended",
  "ATTACK.call('close', 1) ATTACK.spin()", { seconds = 60 }, "its process did not end")
stopped("a file that is too large is refused", "ATTACK.ignore(25) "
  .. "local fd = ATTACK.call('openat', -100, ATTACK.directory .. '/big', 0x41, 384) "
  .. "assert(ATTACK.call('ftruncate', fd, 1 << 40))", { output_bytes = 1 << 20 }, "EFBIG")
stopped("a file of another name is no part of a run", "ATTACK.call('openat', -100, "
  .. "ATTACK.directory .. '/config.json', 0x41, 384)", { seconds = 60 },
  "r.lua: left 'config.json' in its run directory, expected ledger.json, log.txt, metrics.jsonl")
stopped("a disk that fills is seen", "for i = 1, 1000000 do "
  .. "local fd = ATTACK.call('openat', -100, ATTACK.directory .. '/' .. i, 0x41, 384) "
  .. "ATTACK.call('close', fd) end", { seconds = 60, output_bytes = 1 << 20 },
  "wrote more than 1.0 MiB (--max-output)")
stopped("files that stay open are counted", "for _ = 1, 100 do "
  .. "local fd, why = ATTACK.call('openat', -100, 'FOLDER/text.txt', 0) if not fd then error(why) "
  .. "end end", { seconds = 60, open_files = 64 }, "EMFILE")

--- Events that a process makes up, and what is said of each.
for name, forged in pairs({
  ["no JSON"] = { "hello", "what is no event" },
  ["an event that is unknown"] = { '{"event": "shell", "command": "id"}', "what is no event" },
  ["a row of tables"] = { '{"event": "row", "is_kept": false, '
    .. '"row": {"name": {}, "protocol": "p"}}', "row: row" },
  ["a row of unknown numbers"] = { '{"event": "row", "is_kept": false, '
    .. '"row": {"name": "n", "protocol": "p", "score": 1}}', "row: row" },
  ["an artifact elsewhere"] = { '{"event": "saved", "errors": {}, "rows": [], "artifact": {'
    .. '"file": "../../x", "hash": "00", "bytes": 1, "packed_bytes": 1, '
    .. '"bits_per_weight": 1}}', "saved: artifact" },
  ["an artifact that is not there"] = { '{"event": "saved", "errors": {}, "rows": [], "artifact": {'
    .. '"file": "model.vise", "hash": "' .. ("0"):rep(64) .. '", "bytes": 1, "packed_bytes": 1, '
    .. '"bits_per_weight": 1}}', "model.vise" },
  ["rows of an artifact that are not there"] = { '{"event": "saved", "errors": {}, "rows": [7], '
    .. '"artifact": {"file": "model.vise", "hash": "' .. ("0"):rep(64) .. '", "bytes": 1, '
    .. '"packed_bytes": 1, "bits_per_weight": 1}}', "row 7" },
  ["an end without a number"] = { '{"event": "end"}', "end: peak_memory_bytes" },
  ["a nest of lists"] = { ("["):rep(100000), "what is no event" },
  ["a line without end"] = { ("x"):rep(3 << 20), "a line of more than 1048576 bytes" },
}) do
  TestEscapeNative["test_of_events_" .. name:gsub(" ", "_") .. "_is_refused"] = function()
    local text = hostile.recipe("local s = [==[" .. forged[1] .. "]==] .. '\\n' "
      .. "while #s > 0 do s = s:sub(1 + ATTACK.call('write', 1, s, #s)) end")
    local message = hostile.run(text)
    lu.assertStrContains(message or "it went on", forged[2])
    lu.assertTrue(hostile.is_unharmed())
  end
end

function TestEscapeNative:test_a_flood_of_events_is_ended()
  local message = hostile.run(hostile.recipe([[
local s = '{"event": "log", "text": "' .. ("x"):rep(1 << 19) .. '"}\n'
while true do ATTACK.call("write", 1, s, #s) end]]), { seconds = 60, output_bytes = 1 << 30 })
  lu.assertEquals(message, "r.lua: sent more than 64.0 MiB of events")
end

function TestEscapeNative:test_a_forged_description_does_not_open_other_files()
  local text = hostile.recipe("")
  text = text:gsub("^", '(function() local s = [==[{"event": "description", "about": "", '
    .. '"claims": {}, "params": [{"name": "x", "kind": "file", "doc": "", '
    .. '"default": "/etc/passwd"}]}'
    .. ']==] .. "\\n" string.attack.call("write", 1, s, #s) end)()\n')
  lu.assertStrContains(hostile.run(text) or "it went on",
    "r.lua: loading it: its process printed what is no event: description: params")
end

function TestEscapeNative:test_what_is_said_on_standard_error_while_loading_is_told()
  local text = "string.attack.call('write', 2, 'a broken library\\n', 17) "
    .. "string.attack.call('exit_group', 5)"
  lu.assertEquals(hostile.run(text),
    "r.lua: loading it: its process ended with code 5 (a broken library)")
end

function TestEscapeNative:test_a_description_has_no_file_at_all()
  local text = "error(select(2, string.attack.read('" .. hostile.folder .. "/text.txt')))"
  lu.assertStrContains(hostile.run(text), "EACCES")
end

function TestEscapeNative:test_threads_are_those_of_the_pool()
  local message, lines = hostile.run(hostile.recipe("job:log(tostring(ATTACK.threads(10)))"))
  lu.assertEquals({ message, lines[1] }, { nil, "0" })
end

function TestEscapeNative:test_memory_ends_where_its_limit_says()
  local message, lines = hostile.run(
    hostile.recipe("job:log(tostring(ATTACK.eat(1 << 32, 1 << 20)))"),
    { seconds = 60, ram_bytes = 64 << 20 })
  lu.assertNil(message)
  lu.assertTrue(tonumber(lines[1]) <= 64 << 20)
end

function TestEscapeNative:test_the_environment_is_wiped_and_its_strings_too()
  local message, lines = hostile.run(hostile.recipe(
    "job:log('env ' .. ATTACK.environment()) "
    .. "job:log('was ' .. ATTACK.remembered():gsub('%z', ''))"))
  lu.assertNil(message)
  lu.assertEquals(#lines, 2)
  lu.assertNil(table.concat(lines):find(hostile.SECRET, 1, true))
  lu.assertNil(table.concat(lines):find("PATH=/", 1, true))
end

function TestEscapeNative:test_files_open_in_the_parent_are_not_in_the_child()
  local secret <close> = assert(io.open("/etc/passwd")) -- Lua does not close it on exec
  local message, lines = hostile.run(hostile.recipe([[
local open = {}
for fd = 3, 100 do
  open[#open + 1] = ATTACK.call("fcntl", fd, 1) and ATTACK.call("pread64", fd, ("\0"):rep(9), 9, 0)
    and fd or nil
end
job:log("%d", #open)]]))
  lu.assertEquals(message, nil)
  lu.assertTrue(tonumber(lines[1]) <= 2) -- the log, which is not for reading, and its own status
  lu.assertNotNil(secret)
end

function TestEscapeNative:test_the_cache_of_the_user_is_not_a_strangers()
  local look = hostile.recipe([[
job:save(job:compress(job:open(p.model), { { match = "*", method = "rtn", bits = 4, group = 16 } }))
local fd, why = ATTACK.call("openat", -100, "FOLDER/cache", 0x10000)
job:log("%s", fd and "open" or why)]])
  for answer, is_untrusted in pairs({ open = false, EACCES = true }) do
    local message, lines = hostile.run(look, nil, { is_untrusted = is_untrusted })
    lu.assertEquals({ message, lines[1] }, { nil, answer })
    lu.assertEquals(native.file.list(hostile.folder .. "/out"),
      { "ledger.json", "log.txt", "metrics.jsonl", "model.vise", "run.json" })
  end
end

function TestEscapeNative:test_an_innocent_recipe_runs_after_all_that()
  local message = hostile.run(hostile.recipe([[
job:measure(job:open(p.model), { text = p.text, protocol = "nll-32" })]]))
  lu.assertNil(message)
end

local code = lu.LuaUnit.run()
hostile.clean()
os.exit(code)
