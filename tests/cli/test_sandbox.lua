-- SPDX-License-Identifier: Apache-2.0
--- The sandbox as a user meets it: as anybody, with its limits on the command line, and where the
--- kernel has none.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

TestSandbox = {}

local H = {}

H.folder = program.folder()
H.model = tiny_model.write(H.folder .. "/model")
assert(native.file.replace(H.folder .. "/text.txt", ("a cat sat on a mat. "):rep(15)))

--- Write a recipe whose run is `body`; its path.
function H.recipe(name, body)
  local path = ("%s/%s.lua"):format(H.folder, name)
  assert(native.file.replace(path, 'local vise = require "vise"\nreturn vise.recipe { params = { '
    .. "model = vise.param.model(), text = vise.param.text() }, run = function(p, job)\n" .. body
    .. "\nend }"))
  return path
end

H.good = H.recipe("good", [[
local m = job:open(p.model)
local small = job:compress(m, { { match = "*", method = "rtn", bits = 4, group = 16 } })
job:measure(small, { text = p.text, protocol = "nll-32", against = m })
job:save(small)]])

--- What vise says to running a recipe.
function H.run(path, options, env)
  local argv = { "run", path, "model=" .. H.model, "text=" .. H.folder .. "/text.txt", "--out",
    H.folder .. "/out" }
  table.move(options or {}, 1, #(options or {}), #argv + 1, argv)
  assert(native.file.remove_tree(H.folder .. "/out"))
  return program.run(argv, env)
end

--- The hash of the artifact that a run left.
function H.hash()
  local path = H.folder .. "/out/run.json"
  return native.json.decode(assert(native.file.read(path))).artifact.hash
end

--- Run a program as nobody, or as who we are where that is not root.
function H.as_nobody(words)
  if not os.execute("test $(id -u) -eq 0 && setpriv --reuid=65534 true 2>/dev/null") then
    return words
  end
  local argv = { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups" }
  return table.move(words, 1, #words, #argv + 1, argv)
end

function TestSandbox:test_the_sandbox_changes_no_bit()
  local hashes = {}
  for _, options in ipairs({ {}, { "--no-sandbox" }, { "--untrusted" },
    { "--max-time", "600", "--max-ram", "1.5GiB", "--max-output", "64M" } }) do
    local _, code, errors = H.run(H.good, options)
    lu.assertEquals(code, 0, errors)
    hashes[H.hash()] = true
  end
  local n = 0
  for _ in pairs(hashes) do
    n = n + 1
  end
  lu.assertEquals(n, 1)
end

function TestSandbox:test_an_ordinary_user_has_the_same_walls()
  local home = H.folder .. "/nobody"
  assert(native.file.make_dirs(home))
  assert(os.execute(("chmod -R a+rX '%s' && chmod 777 '%s'"):format(H.folder, home)))
  local bad = H.recipe("bad", "local _ = require('vise').model.open('/etc/passwd')")
  assert(os.execute(("chmod a+r '%s'"):format(bad)))
  for path, expected in pairs({ [H.good] = 0, [bad] = 1 }) do
    local argv = H.as_nobody({ program.VISE, "run", path, "model=" .. H.model,
      "text=" .. H.folder .. "/text.txt", "--out", home .. "/out" .. expected, "--untrusted" })
    local p <close> = assert(native.process.spawn({ argv = argv, capture = true,
      keep_errors = true, env = { HOME = home } }))
    lu.assertEquals({ p:wait(120) }, { expected }, p:errors())
  end
end

function TestSandbox:test_limits_are_on_the_command_line()
  for _, case in ipairs({
    { "while true do end", { "--max-time", "1" }, "has not ended after 1 s (--max-time)" },
    { "local s = ('x'):rep(1 << 28)", { "--max-ram", "64M" }, "(it may have 64.0 MiB, --max-ram)" },
    { "while true do job:log(('x'):rep(999)) end", { "--max-output", "1M" },
      "more than 1.0 MiB (--max-output)" },
  }) do
    local _, code, errors = H.run(H.recipe("greedy", case[1]), case[2])
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, case[3])
    lu.assertNil((native.file.stat(H.folder .. "/out")))
  end
end

function TestSandbox:test_limits_that_are_none_are_refused()
  for options, expected in pairs({
    [{ "--max-ram", "much" }] = "--max-ram is 'much', expected a size such as 512M or 4G",
    [{ "--max-time", "0" }] = "--max-time is '0', expected an integer in [1, 10000000]",
    [{ "--untrusted", "--no-sandbox" }] = "--no-sandbox is for a recipe that you trust",
  }) do
    local _, code, errors = H.run(H.good, options)
    lu.assertEquals(code, 2)
    lu.assertStrContains(errors, expected)
  end
end

function TestSandbox:test_without_the_sandbox_nothing_is_confined()
  local _, code, errors = H.run(H.recipe("plain", "job:log('here')"), { "--no-sandbox" })
  lu.assertEquals(code, 0)
  lu.assertStrContains(errors, "here")
end

--- A kernel without them is one where the calls do not exist, which a filter around vise can show.
function TestSandbox:test_where_the_kernel_offers_no_sandbox_recipes_do_not_run()
  local without = ("package.cpath = '%s/tests/lua/?.so;' .. package.cpath "
    .. "require('attack').take_away(%%s) require('attack').exec(...)")
    :format(os.getenv("VISE_BUILD"))
  for calls, lacks in pairs({
    ["'landlock_create_ruleset'"] = "Landlock",
    ["'seccomp'"] = "seccomp",
    ["'seccomp', 'landlock_create_ruleset'"] = "Landlock and no seccomp",
  }) do
    local script = H.folder .. "/without.lua"
    assert(native.file.replace(script, without:format(calls)))
    local function run(...)
      local argv = { "lua5.4", script, program.VISE, "run", H.good,
        "model=" .. H.model, "text=" .. H.folder .. "/text.txt", ... }
      local p <close> = assert(native.process.spawn({ argv = argv, keep_errors = true,
        capture = true, env = { LUA_INIT = false } }))
      return p:wait(120), p:errors()
    end
    local code, errors = run("--out", H.folder .. "/never")
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, ("vise: sandbox: this kernel offers no %s, without which recipes "
      .. "do not run; --no-sandbox runs one you trust"):format(lacks))
    lu.assertNil((native.file.stat(H.folder .. "/never")))
    lu.assertEquals(run("--no-sandbox", "--out", H.folder .. "/open"), 0)
    assert(native.file.remove_tree(H.folder .. "/open"))
  end
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
