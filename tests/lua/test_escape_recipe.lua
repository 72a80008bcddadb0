-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- What a hostile recipe cannot do: each is stopped with a line that says why, within its limits,
--- and the parent is none the worse.
local hostile = require("support.hostile")
local lu = require("luaunit")
local native = require("vise.native")

TestEscapeRecipe = {}

local HEAD = 'local vise = require "vise"\n'
local LIMITS = { seconds = 60, ram_bytes = 192 << 20, output_bytes = 4 << 20, open_files = 64 }
local SHORT = { seconds = 0.3, ram_bytes = 192 << 20, output_bytes = 4 << 20, open_files = 64 }

--- A whole file that is stopped, and a part of the line that is said.
local function file(name, text, line, limits, more)
  TestEscapeRecipe["test_" .. name:gsub(" ", "_")] = function()
    local begin = native.core.clock()
    local message = hostile.run(text, limits or LIMITS, more)
    lu.assertStrContains(message or "it went on", line)
    lu.assertStrContains(message, "r.lua:")
    lu.assertTrue(#message < 3000)
    lu.assertTrue(native.core.clock() - begin < 90)
    lu.assertTrue(hostile.is_unharmed())
  end
end

--- The same for the body of a run.
local function body(name, code, line, limits)
  file(name, hostile.recipe(code), line, limits)
end

local LATE = "r.lua: has not ended after 0.3 s (--max-time)"

-- endless
body("an endless loop", "while true do end", LATE, SHORT)
body("an endless loop that catches all errors", "while true do pcall(error) end", LATE, SHORT)
body("an endless loop in an index", [[
local t = setmetatable({}, { __index = function() while true do end end }) local _ = t.x]], LATE,
  SHORT)
body("an endless loop on the way out", [[
local _ <close> = setmetatable({}, { __close = function() while true do end end }) error("x")]],
  LATE, SHORT)
body("an endless loop in a comparison", [[
table.sort({ 1, 2, 3 }, function() while true do end end)]], LATE, SHORT)
body("an endless loop in the text of an error", [[
error(setmetatable({}, { __tostring = function() while true do end end }))]], LATE, SHORT)
body("an endless loop in what is printed", [[
print(setmetatable({}, { __tostring = function() while true do end end }))]], LATE, SHORT)
body("an endless match", [[local _ = ("a"):rep(40):find(("a-"):rep(40) .. "b")]], LATE, SHORT)
body("endless options of a measurement", [[
local opts = setmetatable({}, { __pairs = function() return function() return "name", 1 end end,
  __index = function() while true do end end })
job:measure(job:open(p.model), opts)]], LATE, SHORT)
body("rules without end", [[
job:compress(job:open(p.model), setmetatable({}, { __index = function()
  return { match = "*", method = "rtn" } end, __len = function() return 1 << 50 end }))]],
  "r.lua:3: compress: rules: more than 10000 items")
file("an endless loop while loading", "while true do end",
  "r.lua: not loaded after 2 s, expected a file that only declares")

-- what is not there
body("a finalizer", "setmetatable({}, { __gc = function() while true do end end })",
  "setmetatable: __gc is not for recipes")
body("a finalizer that comes late", [[
local mt = {} setmetatable({}, mt) mt.__gc = function() while true do end end
setmetatable({}, mt)]], "setmetatable: __gc is not for recipes")
body("a message handler", "xpcall(error, function() while true do end end)",
  "unknown global 'xpcall'")
body("a coroutine", "coroutine.wrap(function() while true do end end)()",
  "unknown global 'coroutine'")
body("a hook", "debug.sethook(function() while true do end end, '', 1)", "unknown global 'debug'")
body("the file library", "io.open('FOLDER/home/secret')", "unknown global 'io'")
body("a program", "os.execute('touch FOLDER/home/new')", "unknown global 'os'")
body("the environment", "os.getenv('HOME')", "unknown global 'os'")
body("a module", "require('io')", "module 'io' is not there: a recipe has only 'vise'")
body("a native module", "package.loadlib('libc.so.6', 'system')", "unknown global 'package'")
body("code from a text", "load('while true do end')()", "unknown global 'load'")
body("code from a file", "dofile('FOLDER/home/secret')", "unknown global 'dofile'")
body("the collector", "collectgarbage('stop')", "unknown global 'collectgarbage'")
body("the global table", "_G.os.exit(0)", "unknown global '_G'")
body("bytecode of a function", "string.dump(job.open)", "attempt to call a nil value")
body("a module of vise that opens files", "local _ = require('vise').model",
  "unknown field 'model'")
body("the native module", "local _ = require('vise').native", "unknown field 'native'")
body("a network", "require('socket')", "module 'socket' is not there")

-- tricks
body("the metatable of texts", "getmetatable('').__index.rep = nil", "attempt to index a nil value")
body("the metatable of a model", "getmetatable(job:open(p.model)).__index = nil",
  "attempt to index a nil value")
body("the metatable of a parameter", "setmetatable(p, {})", "cannot change a protected metatable")
body("a field of vise", "require('vise').recipe = nil", "the table vise is frozen")
body("a method that is replaced", "require('vise').method.run = function() end", "frozen")
body("a verb that is replaced", "job.save = function() end", "the table is frozen")
body("a handle that is made up", "job:open(setmetatable({}, { __name = 'vise.input' }))",
  "expected a parameter of the type model, got a table")
body("a path for a handle", "job:open('FOLDER/home/secret')", "expected a parameter")
body("a text for a model", "job:open(p.text)", "one of the type text")
body("a model that writes where it likes", "job:open(p.model):save('FOLDER/home/new')",
  "a recipe writes by job:save")
body("a name with a path", "job:save(job:open(p.model), 'FOLDER/home/new') error('done')", "done")
body("an error that is a table", "error({ code = 0 })", "r.lua:3: table")
body("an error that is nothing", "error(nil)", "r.lua:3: nil")
body("a sort by chance", [[
local t, n = {}, 0 for i = 1, 1000 do t[i] = i end
table.sort(t, function() n = n + 1 return n % 2 == 0 end) error("sorted")]],
  "invalid order function")
file("bytecode for a recipe", string.dump(load("return 1")),
  "r.lua: loading it: attempt to load a binary chunk")
file("nothing for a recipe", "", "r.lua: the file returns no vise.recipe")
file("a nest of tables in the source", "return " .. ("{"):rep(300),
  "r.lua: loading it: C stack overflow")
file("a nest of calls in the source", "return " .. ("f("):rep(100000),
  "r.lua: loading it: C stack overflow")
file("a nest of tables for claims", HEAD .. [[
local t = {} for _ = 1, 1000 do t = { t } end
return vise.recipe { claims = { kl = t }, run = function() end }]], "r.lua: recipe: claim 'kl'")
file("a default of the user's own", HEAD .. [[
return vise.recipe { params = { key = vise.param.file ".ssh/id_rsa" }, run = function() end }]],
  "missing key=... (a file)", LIMITS, { is_untrusted = true, given = {} })
file("a default that is absolute", HEAD .. [[
return vise.recipe { params = { key = vise.param.file "/etc/passwd" }, run = function() end }]],
  "expected a relative path without '..'")
file("a default that climbs", HEAD .. [[
return vise.recipe { params = { key = vise.param.file "x/../../y" }, run = function() end }]],
  "expected a relative path without '..'")

-- too much
body("a table that grows", "local t = {} while true do t[#t + 1] = {} end",
  "not enough memory (it may have 192.0 MiB, --max-ram)")
body("a text that doubles", "local s = 'x' while true do s = s .. s end", "not enough memory")
body("a text of a gigabyte", "local _ = ('x'):rep(1 << 30)", "not enough memory")
body("a text without end", "local _ = ('x'):rep(1 << 62)", "resulting string too large")
body("a text of many texts", [[
local s, t = ("z"):rep(1 << 16), {} for i = 1, 1 << 14 do t[i] = s end table.concat(t)]],
  "not enough memory")
body("a recursion", "local function f() return 1 + f() end f()", "stack overflow")
body("a recursion in C", [[
local function f(s) return (s:gsub(".", f)) end f("x")]], "r.lua:3: C stack overflow")
body("a recursion of metatables", [[
local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return s[k .. k] end
local _ = t.x]], "not enough memory")
body("a deep pattern", [[local _ = ("x"):rep(1 << 20):match(("(x*)"):rep(40) .. "y")]],
  "too many captures")
body("a log without end", "while true do job:log(('x'):rep(1000)) end",
  "more than 4.0 MiB (--max-output)")
body("a line without end", "job:log(('x'):rep(2 << 20))", "a line of more than 1048576 bytes")
body("an error without end", "error(('x'):rep(2 << 20))", "a line of more than 1048576 bytes")
body("a row with a name without end", [[
job:measure(job:open(p.model), { text = p.text, protocol = "nll-32", name = ("x"):rep(2 << 20) })]],
  "name is a text of 2097152 bytes, expected at most 200 bytes")
file("a description without end", HEAD .. [[
return vise.recipe { about = ("x"):rep(2 << 20), run = function() end }]],
  "a line of more than 1048576 bytes")
file("parameters without end", HEAD .. [[
local params = {}
for i = 1, 1000000 do params["p" .. i] = vise.param.int(1) end
return vise.recipe { params = params, run = function() end }]],
  "r.lua: not loaded after 2 s")

function TestEscapeRecipe:test_a_folder_of_data_with_a_link_to_a_secret()
  local data = hostile.folder .. "/data"
  assert(native.file.make_dirs(data))
  assert(os.execute(("ln -s ../home/secret '%s/x' && touch '%s/y'"):format(data, data)))
  local message = hostile.run(HEAD .. [[
return vise.recipe { params = { d = vise.param.data() }, run = function() end }]], LIMITS,
    { given = { { "d", data } } })
  assert(native.file.remove_tree(data))
  lu.assertStrContains(message, "data/x: leads out of the folder, expected a file in it")
end

function TestEscapeRecipe:test_the_parent_runs_an_innocent_recipe_after_all_that()
  local message, lines = hostile.run(hostile.recipe([[
local m = job:open(p.model)
job:measure(m, { text = p.text, protocol = "nll-32" })
job:save(job:compress(m, { { match = "*", method = "rtn", bits = 4, group = 16 } }))
job:log("done")]]), LIMITS)
  lu.assertEquals({ message, lines[#lines] }, { nil, "done" })
end

local code = lu.LuaUnit.run()
hostile.clean()
os.exit(code)
