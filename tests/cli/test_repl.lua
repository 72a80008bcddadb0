-- SPDX-License-Identifier: Apache-2.0
--- The REPL: help, quit, near names, completion, and every line of share/doc/repl.md.
local lu = require("luaunit")
local complete = require("vise.repl.complete")
local model = require("vise.model")
local native = require("vise.native")
local program = require("support.program")
local reference = require("vise.repl.reference")

TestRepl = {}

--- What a session prints: results and messages in their order, as on a terminal.
local function session(lines, model_path)
  local input, mixed = program.folder() .. "/input", program.folder() .. "/mixed"
  assert(native.file.replace(input, table.concat(lines, "\n") .. "\n"))
  os.execute(("'%s' repl %s <'%s' >'%s' 2>&1"):format(program.VISE, model_path or "", input, mixed))
  return assert(native.file.read(mixed))
end

function TestRepl:test_quit_and_exit_end_it_with_and_without_parentheses()
  for _, word in ipairs({ "quit", "exit", "quit()", "exit()" }) do
    lu.assertEquals(session({ "1", word, "2" }), "1\n", word)
  end
end

function TestRepl:test_help_is_for_values_functions_and_names()
  local general = session({ "help" })
  lu.assertEquals(session({ "help()" }), general)
  lu.assertStrContains(general, "vise.model.open(")

  local path = program.subject().model
  lu.assertStrContains(session({ "help(m)" }, path), "m:compress(rules)")
  lu.assertStrContains(session({ "help(m:weight 'embed')" }, path), "w:error(original, importance)")
  lu.assertStrContains(session({ "help(m:tensor 'norm')" }, path), "t:narrow(")
  lu.assertStrContains(session({ "help(m.compress)" }, path), "m:compress(rules)")
  lu.assertStrContains(session({ "help 'rtn'" }), "round to nearest")
  lu.assertStrContains(session({ "help 'quantise'" }), "did you mean 'quantize'?")
end

function TestRepl:test_unknown_names_are_answered_with_near_ones()
  local path = program.subject().model
  for line, answer in pairs({
    ["hlep"] = "unknown global 'hlep' (did you mean 'help'?)",
    ["m:wieght 'embed'"] = "unknown method 'wieght' (did you mean 'weight'?",
    ["m:weight 'embde'"] = "no place 'embde' (did you mean 'embed'?)",
    ["m:tensor 'nrom'"] = "no tensor 'nrom' (did you mean 'norm'?)",
    ["m:weight('embed'):quantise()"] = "unknown method 'quantise' (did you mean 'quantize'?",
    ["m:tensor('norm'):tabel()"] = "unknown method 'tabel' (did you mean 'table'?",
    ["m:weight('embed'):error()"] = "expected the weight to compare with: q:error(w)",
  }) do
    lu.assertStrContains(session({ line }, path), answer)
  end
end

function TestRepl:test_a_saved_model_is_one_line()
  local out = program.folder() .. "/saved.vise"
  local line = session({ ("m:save %q"):format(out) }, program.subject().model)

  lu.assertStrMatches(line, "vise%.saved [^\n]*/saved%.vise [%d.]+ KiB hash %x+\n")
end

function TestRepl:test_tab_completes_globals_fields_methods_and_places()
  local m = assert(model.open(program.subject().model))
  local env = { m = m, vise = require("vise"), quit = true, t = { alpha = { beta = 1 } } }
  for _, case in ipairs({
    { "", "qui", { "quit" } },
    { "", "tos", { "tostring" } },
    { "x = ", "m:we", { "m:weight" } },
    { "", "m.conf", { "m.config" } },
    { "", "vise.mod", { "vise.model" } },
    { "", "vise.model.op", { "vise.model.open" } },
    { "", "t.alpha.b", { "t.alpha.beta" } },
    { 'm:weight("', "layers.0.mlp.", { "layers.0.mlp.down", "layers.0.mlp.gate",
      "layers.0.mlp.up" } },
    { 'm:weight("embed"):quantize { method = "', "rt", { "rtn" } },
    { "", "nosuch.x", {} },
    { "", "(1).x", {} },
    { "", "vise.nosuch.x", {} },
  }) do
    lu.assertEquals(complete.run(env, case[1], case[2]), case[3], case[2])
  end
end

function TestRepl:test_the_reference_has_every_method_and_the_page_has_the_reference()
  local page = native.file.read("share/doc/repl.md")
  local methods = {
    ["vise.model"] = model.methods,
    ["vise.weight"] = native.weight.methods,
    ["vise.tensor"] = native.tensor.methods,
  }
  for _, class in ipairs(reference.classes) do
    local known = {}
    for _, row in ipairs(class.methods) do
      known[row.name] = true
      lu.assertNotNil(class.find(row.name), row.call)
    end
    for name in next, methods[class.name] do
      lu.assertTrue(known[name], class.name .. ": repl/reference.lua lacks " .. name)
    end
    for _, rows in ipairs({ class.fields, class.methods }) do
      for _, row in ipairs(rows) do
        lu.assertStrContains(page, ("| `%s` | %s |"):format(row.call, (row.doc:gsub("|", "\\|"))))
      end
    end
  end
end

--- Type the session of a page and compare what comes out.
local function assert_session(text, least)
  local subject = program.subject()
  if not subject.is_real then
    return
  end
  local typed, expected = {}, {}
  for line in text:gmatch("\n    ([^\n]*)") do
    local input = line:match("^> (.*)")
    if input then
      typed[#typed + 1] = input:gsub('save "', 'save "' .. program.folder() .. "/")
    elseif not line:match("^%$") then
      expected[#expected + 1] = line
    end
  end
  local output = session(typed, subject.model):gsub(program.folder() .. "/", "")

  lu.assertTrue(#typed > least)
  lu.assertEquals(output, table.concat(expected, "\n") .. "\n")
end

function TestRepl:test_the_session_of_the_page_is_what_comes_out()
  assert_session(native.file.read("share/doc/repl.md"), 15)
end

function TestRepl:test_the_session_of_the_readme_is_what_comes_out()
  assert_session(native.file.read("README.md"):match("## At the REPL\n(.-)\n## "), 8)
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
