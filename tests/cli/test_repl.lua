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
  lu.assertStrContains(general, "vise.model.open ")

  local path = program.subject().model
  lu.assertStrContains(session({ "help(m)" }, path), "m:compress(rules)")
  lu.assertStrContains(session({ "help(m:weight 'embed')" }, path), "w:error(original, stats)")
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

function TestRepl:test_tab_completes_options_choices_tensors_and_files()
  local m = assert(model.open(program.subject().model))
  local env = { m = m, w = m:weight("embed"), vise = require("vise") }
  for _, case in ipairs({
    { "m:compress{ { ", "bi", { "bits" } },
    { "m:compress {\n  { match = 'mlp.*', method = 'svd', ", "ra", { "rank" } },
    { "w:quantize { method = 'gptq', ", "da", { "damping" } },
    { "w:quantize { ", "da", {} },
    { 'w:quantize { format = "', "nv", { "nvfp4" } },
    { 'm:weight("embed"):quantize { method = "', "gp", { "gptq" } },
    { 'm:tensor "', "layers.0.mlp", { "layers.0.mlp.norm" } },
    { 'm:compress { { match = "', "attn.", { "attn.*" } },
    { 'vise.metric.evaluate(m, { protocol = "nll-', "2", { "256" } },
    { "vise.metric.evaluate(m, { ", "ag", { "against" } },
    { "vise.train.run { ", "sched", { "schedule" } },
    { 'vise.train.run { schedule = "', "", { "constant", "cosine", "linear" } },
    { "m:generate('x', { ", "top_", { "top_k", "top_p" } },
    { 'read "share/text/', "samp", { "sample.txt" } },
    { "x = 1 -- ", "m", {} },
  }) do
    lu.assertEquals(complete.run(env, case[1], case[2]), case[3], case[1] .. case[2])
  end
end

function TestRepl:test_question_mark_tells_what_explain_and_the_source_do()
  local path = program.subject().model
  local explained = program.run({ "explain", "gptq" })
  lu.assertEquals(session({ "?gptq" }), explained)
  for line, part in pairs({
    ["?m:compress"] = "otherwise?       table",
    ["m:generate?"] = "temperature?     number",
    ["?vise.metric.evaluate"] = "against?         vise.Model",
    ["?vise.calibration.new"] = "statistics of inputs that passed the compressed blocks",
    ["?vise.linalg.svd"] = "gives vise.SVD|nil factors",
    ["?vise.native.stats.moments"] = "columns of the weights that read the inputs",
    ["?measure"] = "in a recipe: job:measure(m, opts)",
    ["?quantize"] = "methods: awq, gptq,",
    ["?stats"] = "m:statistics(",
    ["?calibrate"] = "vise.calibration.new {",
    ["?m"] = "m:compress(rules)",
    ["?calibraet"] = "did you mean 'calibrate'?",
  }) do
    lu.assertStrContains(session({ line }, path), part)
  end
end

function TestRepl:test_the_last_result_is_an_underscore()
  lu.assertEquals(session({ "6 * 7", "_ + 1", "x = 5", "_" }), "42\n43\n43\n")
end

function TestRepl:test_statistics_of_one_weight_and_a_plan_in_their_place()
  local subject = program.subject()
  local shown = session({
    ("plan = vise.calibration.new { text = read %q, protocol = 'nll-64', tokens = 64 }"):format(
      subject.text),
    "w = m:weight 'layers.0.mlp.down'",
    "s = m:statistics('layers.0.mlp.down', plan)",
    "s:count(), s:columns() == w:shape()[2]",
    "g, r = w:quantize { method = 'gptq', bits = 3, stats = s }, w:quantize { bits = 3 }",
    "g:error(w, s) < r:error(w, s), g:error(w) > r:error(w)",
    "w:quantize { method = 'gptq', stats = plan }",
  }, subject.model)
  lu.assertEquals(shown, "64\ttrue\ntrue\ttrue\nquantize: stats is a plan, expected the statistics "
    .. "of one weight: m:statistics(PLACE, plan); in rules of m:compress a plan is enough\n")
end

function TestRepl:test_plots_are_of_lists_tensors_and_weights()
  local shown = session({ "plot({ 0, 1, 4, 9 })", "plot({ 1, 2 }, { 3, 4 })",
    "hist { 1, 1, 2 }", "spectrum(m:weight 'embed')" }, program.subject().model)
  lu.assertStrContains(shown, "9 ┤")
  lu.assertStrContains(shown, "0 ┤⣀")
  lu.assertStrContains(shown, "●")
  lu.assertStrContains(shown, "3 numbers from 1 to 2, mean 1.333")
  lu.assertStrContains(shown, "singular values from")
end

function TestRepl:test_a_saved_session_is_a_recipe_that_gives_the_same_numbers()
  local subject = program.subject()
  local saved, run = program.folder() .. "/tried.lua", program.folder() .. "/typed-run"
  local shown = session({
    "w = m:weight 'layers.0.mlp.down'",
    "w:quantize { bits = 3 }:error(w) -- relative",
    "nosuch",
    "?gptq",
    ("text = read %q"):format(subject.text),
    "plan = vise.calibration.new { text = text, protocol = 'nll-64', tokens = 64 }",
    "small = m:compress {",
    "  { match = '*.*', method = 'gptq', bits = 3, group = 32, stats = plan },",
    "}",
    "for i = 1, 2 do local twice = 2 * i end",
    "row = vise.metric.evaluate(small, { text = text, protocol = 'nll-64', against = m })",
    "('%.6f'):format(row.kl)",
    "hist(w)",
    "text:sub(1, 3)",
    "first = io.type(io.stdout)",
    "first",
    ("small:save %q"):format(program.folder() .. "/typed.vise"),
    "save session " .. saved,
  }, subject.model)
  local kl = shown:match("\n(%d%.%d+)\n")

  lu.assertStrContains(shown, "tried.lua: 10 of 13 chunks; 3 left as comments")
  lu.assertEquals(select(2, program.run({ "recipe", "check", saved })), 0)
  local result = program.json({ "run", saved, "model=" .. subject.model, "text=" .. subject.text,
    "--out", run, "--json" })
  lu.assertEquals(("%.6f"):format(result.rows[1].kl), kl)
  lu.assertStrContains(native.file.read(run .. "/log.txt"), kl)
  lu.assertStrContains(session({ "1", "save session " .. saved }), "is there already")
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

--- Type the session of a page, with the shipped model it names or the tests' own, and compare what
--- comes out.
local function assert_session(text, least)
  local subject, shipped = program.subject(), text:match("build/vise repl (share/%S+)")
  if not shipped and not subject.is_real then
    return
  end
  local typed, expected = {}, {}
  for line in text:gmatch("\n    ([^\n]*)") do
    local input = line:match("^> (.*)")
    if input then
      typed[#typed + 1] = input:gsub('save "', 'save "' .. program.folder() .. "/")
        :gsub("save session ", "save session " .. program.folder() .. "/")
    elseif not line:match("^%$") then
      expected[#expected + 1] = line
    end
  end
  local output = session(typed, shipped or subject.model):gsub(program.folder() .. "/", "")

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
