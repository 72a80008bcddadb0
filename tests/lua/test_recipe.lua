-- SPDX-License-Identifier: Apache-2.0
--- vise.recipe: loading under the reduced environment, frozen values, messages with the line.
local lu = require("luaunit")
local native = require("vise.native")
local recipe = require("vise.recipe")

local function load_text(text)
  return recipe.load(text, "r.lua")
end

--- A recipe whose run holds `body`; `run` is called with no job.
local function run_body(body)
  local text = 'local vise = require "vise"\nreturn vise.recipe { run = function(p, job)\n' .. body
    .. "\nend }"
  local made = assert(load_text(text))
  return xpcall(made.run, recipe.locate("r.lua"), {}, {})
end

TestRecipe = {}

function TestRecipe:test_a_recipe_is_what_it_declares()
  local made = assert(load_text([[
    local vise = require "vise"
    return vise.recipe {
      about = "a test",
      params = { bits = vise.param.int(4) },
      claims = { kl = { "<=", 0.02 } },
      run = function() return 1 end,
    }]]))

  lu.assertEquals(made.about, "a test")
  lu.assertEquals(made.claims.kl[2], 0.02)
  lu.assertEquals(made.run(), 1)
end

function TestRecipe:test_a_recipe_is_frozen()
  local made = assert(load_text('return require("vise").recipe { run = function() end }'))

  lu.assertErrorMsgContains("frozen", function() made.about = "x" end)
  lu.assertErrorMsgContains("frozen", function() made.params.x = 1 end)
end

function TestRecipe:test_lists_that_came_from_json_are_frozen_too()
  local frozen = recipe.freeze({ config = native.json.decode('{"names": ["a", "b"]}') })
  lu.assertEquals(#frozen.config.names, 2)
  lu.assertErrorMsgContains("the table is frozen", function()
    frozen.config.names[1] = "c"
  end)
end

function TestRecipe:test_what_is_wrong_is_said_with_its_line()
  local head = 'local vise = require "vise"\n'
  local cases = {
    { "return {}", "r.lua: the file returns no vise.recipe { ... }" },
    { "return", "r.lua: the file returns no vise.recipe { ... }" },
    { "x = = 1", "r.lua:1: unexpected symbol near '='" },
    { "\27Lua", "attempt to load a binary chunk (mode is 't')" },
    { head .. "return vise.recipe { abuot = 1 }",
      "r.lua: recipe: unknown field 'abuot' (did you mean 'about'? "
        .. "known: about, claims, params, recipe_api, run)" },
    { head .. "return vise.recipe { }", "r.lua: recipe: run is nil, expected a function" },
    { head .. "return vise.recipe { params = { bits = 4 }, run = print }",
      "r.lua: recipe: parameter 'bits' is 4, expected a value of vise.param" },
    { head .. "return vise.recipe { claims = { kl = 3 }, run = print }",
      'r.lua: recipe: claim \'kl\': expected NAME = { "<=", NUMBER }, the comparison one of '
        .. "< <= > >=" },
    { head .. "return vise.recpie {}",
      "r.lua:2: vise: unknown field 'recpie' (did you mean 'recipe'? "
        .. "known: include, linalg, method, param, recipe, tensor, version, weight)" },
    { head .. "local p = vise.param.enmu { 1 }",
      "r.lua:2: attempt to call a nil value (field 'enmu')" },
  }
  for _, case in ipairs(cases) do
    local made, message, code = load_text(case[1])
    lu.assertNil(made)
    lu.assertEquals(message, case[2])
    lu.assertEquals(code, "format")
  end
end

function TestRecipe:test_the_environment_has_nothing_of_the_world()
  for _, name in ipairs({ "io", "os", "package", "debug", "load", "dofile", "loadfile" }) do
    local ok, message = run_body("local x = " .. name)
    lu.assertFalse(ok)
    local expected = "r.lua:3: unknown global '%s' "
      .. "(a recipe reaches files only through its parameters)"
    lu.assertEquals(message, expected:format(name))
  end
  for _, body in ipairs({
    "math.random()",
    "string.dump(print)",
    "collectgarbage()",
    'require "io"',
    'require "vise.native"',
    "setmetatable({}, { __gc = print })",
    'getmetatable("").__index.rep = nil',
    "xpcall(print, print)",
    "coroutine.create(print)",
    'require("vise").native.file.read("/etc/passwd")',
    'require("vise").param.int = nil',
  }) do
    lu.assertFalse((run_body(body)), body)
  end
end

function TestRecipe:test_a_misspelt_global_is_suggested()
  local _, message = run_body("\nprnt(1)")

  lu.assertEquals(message, "r.lua:4: unknown global 'prnt' (did you mean 'print'?)")
end

function TestRecipe:test_errors_raised_below_the_recipe_name_its_line()
  local _, message = run_body('\nassert(pcall(error))\nlocal x = ("x"):rep(-1) .. {}')

  lu.assertStrMatches(message, "r%.lua:%d: .*")
end

function TestRecipe:test_pairs_and_next_go_in_the_order_of_the_keys()
  local ok, message = run_body([[
    local t, seen = { zeta = 1, alpha = 2, [3] = 3, [1] = 4 }, {}
    for k in pairs(t) do seen[#seen + 1] = tostring(k) end
    assert(table.concat(seen, " ") == "1 3 alpha zeta", table.concat(seen, " "))
    assert(next(t) == 1 and next(t, "alpha") == "zeta" and next(t, "zeta") == nil)
    assert(next({}) == nil)]])

  lu.assertTrue(ok, message)
end

function TestRecipe:test_addresses_do_not_show()
  local ok, message = run_body('assert(tostring({}) == "table" and tostring(print) == "function")')

  lu.assertTrue(ok, message)
end

TestInclude = {}

--- A recipe loaded with includes; its params.
local function load_with(text, ...)
  local sources = {}
  for i, source in ipairs({ ... }) do
    sources[i] = { key = source[1], path = source[3] or source[1], text = source[2] }
  end
  return recipe.load('local vise = require "vise"\n' .. text, "r.lua", nil, sources)
end

local USES <const> = 'return vise.recipe { about = vise.include "%s".about, run = function() end }'

function TestInclude:test_an_include_gives_what_it_returns_and_is_run_once()
  local made = assert(load_with('local a, b = vise.include "n.lua", vise.include "n.lua"\n'
    .. 'assert(rawequal(a, b))\nreturn vise.recipe { about = a.about, run = function() end }',
    { "n.lua", 'return { about = "inner" }' }))

  lu.assertEquals(made.about, "inner")
end

function TestInclude:test_paths_are_those_from_the_including_file()
  local made = assert(load_with(USES:format("parts/a.lua"),
    { "parts/a.lua", 'return require("vise").include "b.lua"' },
    { "parts/b.lua", 'return { about = "deep" }' }))

  lu.assertEquals(made.about, "deep")
end

function TestInclude:test_a_missing_include_is_wanted_even_if_the_recipe_hides_it()
  local _, message, _, wanted = load_with(
    'pcall(vise.include, "a/b.lua")\n' .. USES:format("c.lua"))

  lu.assertEquals(wanted, "c.lua")
  lu.assertEquals(message, "r.lua: include: 'c.lua' is not there")
  lu.assertEquals(select(4, load_with('pcall(vise.include, "a/b.lua")')), "a/b.lua")
end

function TestInclude:test_what_is_no_file_of_a_recipe_is_refused()
  for _, name in ipairs({ "../x.lua", "/etc/x.lua", "a/../../x.lua", "x.txt", ".x.lua",
    "sha256:12" }) do
    local made, message, _, wanted = load_with(USES:format(name))
    lu.assertNil(made)
    lu.assertNil(wanted)
    lu.assertStrContains(message, ("r.lua:2: include: '%s' is no file of a recipe"):format(name))
  end
end

function TestInclude:test_trouble_in_an_include_names_its_line()
  local _, message = load_with(USES:format("n.lua"), { "n.lua", "\nerror('no')" })
  lu.assertStrContains(message, "n.lua:2: no")
  _, message = load_with(USES:format("n.lua"),
    { "n.lua", 'return require("vise").include "n.lua"' })
  lu.assertStrContains(message, "include: 'n.lua' includes itself")
end

function TestInclude:test_the_version_of_recipes_is_checked()
  lu.assertNotNil(load_with("return vise.recipe { recipe_api = 1, run = function() end }"))
  local _, message = load_with("return vise.recipe { recipe_api = 2, run = function() end }")
  lu.assertEquals(message,
    "r.lua: recipe: recipe_api is 2, expected 1, which this version of vise has")
end

os.exit(lu.LuaUnit.run())
