-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- vise.run: what a recipe says of itself, arguments resolved in order, inputs found and hashed.
local input = require("vise.run.input")
local lu = require("luaunit")
local native = require("vise.native")
local run = require("vise.run")
local tiny_model = require("support.tiny_model")

local folder = os.tmpname()
os.remove(folder)
tiny_model.write(folder .. "/model")
assert(native.file.replace(folder .. "/text.txt", ("a cat sat on a mat. "):rep(15)))

local function recipe(text)
  return { name = "r", path = "r.lua", text = text }
end

local HEAD = 'local vise = require "vise"\n'
local EMPTY = HEAD .. "return vise.recipe { run = function() end }"

TestDescribe = {}

function TestDescribe:test_a_recipe_is_described_by_a_process_without_its_files()
  local description = assert(run.describe(recipe(HEAD .. [[
return vise.recipe {
  about = "a test",
  params = { n = vise.param.int { 3, min = 1, doc = "how many" }, m = vise.param.model() },
  claims = { kl = { "<", 0.1 } },
  run = function() end,
}]])))

  lu.assertEquals(description.about, "a test")
  lu.assertEquals(description.claims, { kl = { "<", 0.1 } })
  lu.assertEquals(description.params, {
    { name = "m", kind = "model", doc = "" },
    { name = "n", kind = "int", default = 3, min = 1, doc = "how many" },
  })
end

function TestDescribe:test_a_recipe_without_parameters_is_one_too()
  lu.assertEquals(assert(run.describe(recipe(EMPTY))).params, {})
end

function TestDescribe:test_what_a_recipe_prints_does_not_disturb()
  lu.assertNotNil(run.describe(recipe('print("{}")\n' .. EMPTY)))
end

function TestDescribe:test_a_recipe_that_does_not_load_is_refused()
  local description, message, code = run.describe(recipe("return 1 +"))

  lu.assertNil(description)
  lu.assertEquals(message, "r.lua:1: unexpected symbol near <eof>")
  lu.assertEquals(code, "format")
end

--- 2 s of its own time, which on a busy machine are more than the 30 s of ours that it has.
local function assert_ended(message)
  if message ~= "r.lua: loading it: has not ended after 30 s" then
    lu.assertEquals(message, "r.lua: not loaded after 2 s, expected a file that only declares")
  end
end

function TestDescribe:test_a_recipe_that_never_ends_loading_is_ended()
  local begin = native.core.clock()
  local description, message = run.describe(recipe("while true do pcall(error) end"))

  lu.assertNil(description)
  assert_ended(message)
  lu.assertTrue(native.core.clock() - begin < 60)
end

function TestDescribe:test_a_recipe_that_never_ends_being_read_is_ended()
  local _, message = run.describe(recipe(HEAD .. [[
local claim = setmetatable({ "<", 1 }, { __pairs = function() while true do end end })
return vise.recipe { claims = { kl = claim }, run = function() end }]]))

  assert_ended(message)
end

function TestDescribe:test_a_recipe_within_one_endless_call_is_ended()
  local description, message = run.describe(recipe(
    'local n = 40\nlocal _ = ("a"):rep(n):find(("a-"):rep(n) .. "b")\n' .. EMPTY))

  lu.assertNil(description)
  lu.assertStrMatches(message, "r.lua: loading it: .*") -- 3 s of its own time, or 30 of ours
end

function TestDescribe:test_a_recipe_that_wants_all_memory_is_ended()
  for _, bomb in ipairs({ 'local s = ("x"):rep(1 << 30)',
    'local s = "y" while true do s = s .. s end',
    'local s, t = ("z"):rep(1 << 16), {} while true do t[#t + 1] = s .. #t end' }) do
    local _, message = run.describe(recipe(bomb .. "\n" .. EMPTY))

    if (os.getenv("LD_PRELOAD") or ""):find("asan") then -- whose own memory runs out first
      lu.assertStrContains(message, "r.lua: ")
    else
      lu.assertEquals(message, "r.lua: loading it: not enough memory (it may have 512.0 MiB)")
    end
  end
end

TestIncludes = {}

function TestIncludes:setUp()
  self.folder = folder .. "/includes"
  assert(native.file.make_dirs(self.folder .. "/parts"))
  assert(native.file.replace(self.folder .. "/parts/a.lua",
    'return require("vise").include "b.lua"'))
  assert(native.file.replace(self.folder .. "/parts/b.lua", 'return { about = "found" }'))
  assert(native.file.replace(folder .. "/secret.lua", "return { about = 'secret' }"))
end

function TestIncludes:describe(name)
  local text = HEAD
    .. 'return vise.recipe { about = vise.include "%s".about, run = function() end }'
  return run.describe({ path = self.folder .. "/r.lua", text = text:format(name) })
end

function TestIncludes:test_files_are_found_from_the_recipes_folder()
  local description = assert(self:describe("parts/a.lua"))

  lu.assertEquals(description.about, "found")
  lu.assertEquals({ description.includes[1].path, description.includes[2].path },
    { "parts/a.lua", "parts/b.lua" })
end

function TestIncludes:test_a_file_is_found_by_its_hash()
  local hash = native.core.sha256('return { about = "found" }')
  local description = assert(self:describe("sha256:" .. hash))

  lu.assertEquals(description.about, "found")
  lu.assertEquals(description.includes[1].path, "parts/b.lua")
  local _, message = self:describe("sha256:" .. ("0"):rep(64))
  lu.assertStrContains(message, "r.lua: include: no file of the SHA-256 0000000000000000... in")
end

function TestIncludes:test_links_out_of_the_folder_and_missing_files_are_refused()
  local link = ("ln -s ../../secret.lua '%s/parts/link.lua'"):format(self.folder)
  assert(os.execute(link))

  local _, message = self:describe("parts/link.lua")
  lu.assertStrContains(message, "parts/link.lua is a link to outside of the recipe's folder")
  _, message = self:describe("gone.lua")
  lu.assertStrContains(message, "includes/gone.lua: no such file")
end

function TestIncludes:test_a_request_with_includes_has_no_others()
  local text = HEAD .. 'return vise.recipe { about = vise.include "parts/b.lua".about, '
    .. "run = function() end }"
  local request = { path = self.folder .. "/r.lua", text = text, includes = {} }

  lu.assertNil(run.describe(request))
  request.includes[1] = { key = "parts/b.lua", path = "parts/b.lua",
    text = "return { about = '2' }" }
  lu.assertEquals(assert(run.describe(request)).about, "2")
end

TestResolve = {}

TestResolve.rows = {
  { name = "bits", kind = "choice", default = 4, choices = { 4, 2 }, doc = "" },
  { name = "model", kind = "model", doc = "" },
  { name = "protocol", kind = "protocol", default = "nll-64", doc = "" },
}

function TestResolve:test_values_take_their_types_and_defaults()
  local values, inputs = run.resolve(recipe(""), self.rows,
    { { "bits", "2" }, { "model", folder .. "/model" } })

  lu.assertEquals(values, { bits = 2, model = folder .. "/model", protocol = "nll-64" })
  lu.assertEquals(inputs.model.kind, "model")
  lu.assertEquals(inputs.model.path, native.file.realpath(folder .. "/model"))
end

function TestResolve:test_trouble_is_reported_names_first_then_values_files_and_what_is_missing()
  local given = { { "model", "nowhere" }, { "bits", "3" }, { "bots", "1" } }
  local function message()
    local _, text = run.resolve(recipe(""), self.rows, given)
    return text
  end
  lu.assertStrContains(message(), "unknown parameter 'bots' (did you mean 'bits'?")
  given[3] = nil
  lu.assertStrContains(message(), "r.lua: bits is '3', expected one of 4, 2")
  given[2] = nil
  lu.assertStrContains(message(), "r.lua: model: nowhere: no such file or folder")
  given[1] = nil
  lu.assertStrContains(message(), "r.lua: missing model=... (a model folder,")
end

TestInput = {}

function TestInput:test_a_run_directory_stands_for_its_artifact()
  local directory = folder .. "/run"
  assert(native.file.make_dirs(directory))
  assert(native.file.replace(directory .. "/run.json", "{}"))
  assert(native.file.replace(directory .. "/model.vise", "x"))

  lu.assertEquals(input.find_model(directory), native.file.realpath(directory) .. "/model.vise")
end

function TestInput:test_the_hash_of_a_model_is_that_of_the_files_it_is_made_of()
  local one = input.hash(input.find("model", folder .. "/model"))
  assert(native.file.replace(folder .. "/model/README.md", "not of the model"))
  local two = input.hash(input.find("model", folder .. "/model"))

  lu.assertEquals(two.sha256, one.sha256)
  lu.assertEquals(one.files["config.json"], native.file.digest(folder .. "/model/config.json"))
  lu.assertNil(one.files["README.md"])
end

function TestInput:test_text_must_be_a_file()
  local found, message = input.find("text", folder .. "/model")

  lu.assertNil(found)
  lu.assertStrContains(message, "is a folder, expected a file")
end

TestExecute = {}

local function execute(text, out)
  return run.execute({
    name = "r", path = "r.lua", text = text, out = folder .. "/" .. out,
    given = { { "model", folder .. "/model" }, { "text", folder .. "/text.txt" } },
  })
end

--- A recipe with the two inputs and a body.
local function with_body(body)
  return HEAD .. "return vise.recipe { params = { model = vise.param.model(), "
    .. "text = vise.param.text() }, run = function(p, job)\n" .. body .. "\nend }"
end

function TestExecute:test_a_run_returns_its_rows_and_its_record()
  local result = assert(execute(with_body([[
    local m = job:open(p.model)
    local row = job:measure(m, { text = p.text, protocol = "nll-32" })
    assert(row.nll > 0 and row.name == "model 1")
    assert(not pcall(function() row.nll = 0 end))
    job:log("%d places", #m:places())]]), "whole"))

  lu.assertEquals(#result.rows, 1)
  lu.assertEquals(result.rows[1].protocol, "nll-32")
  lu.assertStrContains(native.file.read(result.directory .. "/log.txt"), "16 places")
  lu.assertEquals(native.file.list(result.directory),
    { "ledger.json", "log.txt", "metrics.jsonl", "run.json" })
end

function TestExecute:test_a_key_that_rows_do_not_have_is_an_error()
  local _, message = execute(with_body([[
    local row = job:measure(job:open(p.model), { text = p.text, protocol = "nll-32" })
    assert(row.kl == nil and row.top1_se == nil) -- known, but not without a reference
    return row.perplexty]]), "row")

  lu.assertStrContains(message,
    "r.lua:5: unknown key of the row 'perplexty' (did you mean 'perplexity'?")
end

local OWN = [[
    local kept
    vise.method.register({
      name = "mine", family = "quant", summary = "a rtn that closes all it gets", source = "here",
      version = 1, scope = "weight", needs = {}, is_exact = true, params = {
        { name = "width", kind = "int", default = 4, min = 2, max = 8, doc = "bits" } },
      run = function(w, options)
        kept = vise.method.run("rtn", w, { bits = options.width, group = 16 })
        w:close()
        return kept
      end,
    })
    local m = job:open(p.model)
    local how = { text = p.text, protocol = "nll-32" }
    local a = job:compress(m, { { match = "*", method = "rtn", bits = 3, group = 16 } })
    local b = job:compress(m, { { match = "*", method = "mine", width = 3 } })
]]

function TestExecute:test_a_method_of_the_recipe_compresses_a_model()
  local result = assert(execute(with_body(OWN .. [[
    job:measure(a, how) job:measure(b, how) job:save(b)]]), "own"))

  lu.assertEquals(result.rows[2].nll, result.rows[1].nll)
  lu.assertNotNil(native.file.stat(result.directory .. "/model.vise"))
end

function TestExecute:test_handles_that_a_recipe_closes_leave_the_model_whole()
  local result = assert(execute(with_body(OWN .. [[
    for _, of in ipairs({ m, b }) do
      local before = job:measure(of, how).nll
      for _, place in ipairs(of:places()) do
        of:weight(place.name):close()
      end
      for _, name in ipairs(of:tensors()) do
        of:tensor(name):close()
      end
      if kept then
        kept:close()
      end
      assert(job:measure(of, how).nll == before)
    end
    job:measure(job:compress(m, { { match = "*", method = "mine" } }), how)]]), "closed"))

  lu.assertEquals(#result.rows, 5)
end

function TestExecute:test_a_method_of_the_house_cannot_be_replaced()
  local _, message = execute(with_body([[
    local own = {}
    for key, value in pairs(vise.method.find("rtn")) do own[key] = value end
    vise.method.register(own)]]), "replace")

  lu.assertStrContains(message, "method 'rtn': is there already")
end

function TestExecute:test_a_line_of_the_log_stays_one_line()
  local result = assert(execute(with_body('print("a\\tb\\n\\27[2Jc")'), "line"))

  lu.assertStrContains(native.file.read(result.directory .. "/log.txt"), "  a\tb\\x0a\\x1b[2Jc\n")
end

function TestExecute:test_an_error_bar_over_one_cluster_is_nan_here_and_null_in_the_file()
  local result = assert(execute(with_body([[
    job:measure(job:open(p.model), { text = p.text, protocol = "nll-256", name = "one" })]]),
    "one"))
  local nll_se = result.rows[1].nll_se

  lu.assertTrue(nll_se ~= nll_se)
  lu.assertStrContains(native.file.read(result.directory .. "/metrics.jsonl"), '"nll_se":null')
end

function TestExecute:test_verbs_raise_with_the_line_of_the_recipe()
  local cases = {
    { "job:open(p.text)",
      "open: expected a parameter of the type model, got one of the type text" },
    { "job:open('/etc')", "open: expected a parameter of the type model, got '/etc'" },
    { "job:measure(3, {})", "measure: expected a model (from job:open or job:compress), got 3" },
    { "job:measure(job:open(p.model), { text = p.text })", "measure: protocol is missing" },
    { "job:calibrate(job:open(p.model), p.text)",
      "calibrate: options are the input 'text', expected a table" },
    { "job:measure(job:open(p.model), { text = p.text, protocol = 'nll-32', nmae = 'x' })",
      "measure: unknown option 'nmae' (did you mean 'name'?" },
    { "local m = job:open(p.model) job:save(m) job:save(m)", "save: a run has one artifact" },
    { "job:open(p.model):compress({ { match = '*', method = 'rtn' } }):save('/tmp/x')",
      "save: a recipe writes by job:save" },
    { "job.seed = 1", "frozen" },
    { "job:compres()", "unknown verb of the job 'compres' (did you mean 'compress'?" },
    { "return p.modle", "unknown parameter 'modle' (did you mean 'model'?" },
    { "job:open(p.model).save = nil", "the table is frozen" },
    { "return job:open(p.model).materialise", "unknown field of a model 'materialise'" },
    { "job:save({ compress = print })", "save: expected a model (from job:open or job:compress)" },
    { "job:measure(job:open(p.model), { text = p.text, protocl = 'x' })",
      "unknown option 'protocl' (did you mean 'protocol'?" },
    { "assert(not getmetatable(job:open(p.model))) vise.method.find('rtn').name = 'x'",
      "the table is frozen" },
  }
  for _, case in ipairs(cases) do
    local result, message = execute(with_body(case[1]), "refused")
    lu.assertNil(result)
    lu.assertStrContains(message, "r.lua:3: ")
    lu.assertStrContains(message, case[2])
    lu.assertNil((native.file.stat(folder .. "/refused")))
  end
end

function TestExecute:test_nothing_is_left_beside_a_run_that_failed()
  execute(with_body("error('no')"), "failed/run")

  lu.assertEquals(native.file.list(folder .. "/failed"), {})
end

local code = lu.LuaUnit.run()
native.file.remove_tree(folder)
os.exit(code)
