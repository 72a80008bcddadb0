-- SPDX-License-Identifier: Apache-2.0
--- vise bundle, vise run BUNDLE and vise reproduce: what was claimed comes out again, what is false
-- does not, and a bundle that somebody made up does no harm.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

TestReproduce = {}

local H = {}

H.folder = program.folder()
H.model = tiny_model.write(H.folder .. "/model")
H.text = H.folder .. "/text.txt"
assert(native.file.replace(H.text, ("a cat sat on a mat. "):rep(40)))

function H.write(name, content)
  local path = H.folder .. "/" .. name
  assert(native.file.replace(path, content))
  return path
end

--- A recipe that claims that kl is at most `bound`.
function H.recipe(bound)
  return H.write("mine.lua", ([[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model(), text = vise.param.text(),
    bits = vise.param.enum { 4, 2, 8 }, scale = vise.param.real(0.1) },
  claims = { kl = { "<=", %.17g } },
  run = function(p, job)
    local m = job:open(p.model)
    local small = job:compress(m, { { match = "*", method = "rtn", bits = p.bits, group = 16 } })
    job:measure(small, { name = "small", text = p.text, protocol = "nll-32", against = m })
    job:save(small)
  end,
}]]):format(bound))
end

function H.out(name)
  assert(native.file.remove_tree(H.folder .. "/" .. name))
  return H.folder .. "/" .. name
end

H.recipe(1)
program.json({ "run", H.folder .. "/mine.lua", "model=" .. H.model, "text=" .. H.text, "bits=2",
  "scale=0.3", "--seed", "7", "--out", H.out("run"), "--json" })
H.record = assert(native.json.decode(native.file.read(H.folder .. "/run/run.json")))
program.run({ "bundle", H.folder .. "/run", "--out", H.folder .. "/mine.bundle" })
H.bundle_text = assert(native.file.read(H.folder .. "/mine.bundle"))

--- A bundle that was changed: what `command` says of it, its exit code and its result.
function H.with(change, command, ...)
  local bundle = native.json.decode(H.bundle_text)
  local path = H.write("changed.bundle", change(bundle) or native.json.encode(bundle))
  local output, code, errors = program.run(
    { command, path, "--out", H.out("again"), "--json", ... })
  return errors, code, code < 2 and native.json.decode(output) or nil
end

local function inputs()
  return "model=" .. H.model, "text=" .. H.text
end

function TestReproduce:test_a_run_directory_gives_again_what_it_holds()
  local report = program.json(
    { "reproduce", H.folder .. "/run", "--out", H.out("again"), "--json" })

  lu.assertTrue(report.passed)
  lu.assertTrue(report.artifact.is_same)
  lu.assertEquals(report.artifact.obtained, H.record.artifact.hash)
  local seen = {}
  for _, number in ipairs(report.numbers) do
    lu.assertEquals(number.claimed, H.record.rows[1][number.name])
    lu.assertEquals(number.obtained, number.claimed)
    seen[number.name] = number.tolerance
  end
  lu.assertEquals(seen.tokens, 0)
  lu.assertAlmostEquals(seen.kl, 2 * H.record.rows[1].kl_se, 1e-15)
  lu.assertAlmostEquals(seen.bytes, H.record.artifact.bytes / 1000, 1e-9)
  lu.assertNil(seen.seconds)
  lu.assertEquals(report.claims[1].name, "kl")
end

function TestReproduce:test_a_bundle_says_nothing_of_the_machine_and_runs_where_its_inputs_are()
  lu.assertNil(H.bundle_text:find(H.folder, 1, true))
  local errors, code = H.with(function() end, "reproduce")
  lu.assertEquals(code, 2)
  lu.assertStrContains(errors,
    "missing model=... (model of sha256 " .. H.record.inputs.model.sha256)

  local _, again, report = H.with(function() end, "reproduce", inputs())
  lu.assertEquals(again, 0)
  lu.assertTrue(report.artifact.is_same)
  local record = native.json.decode(native.file.read(H.folder .. "/again/run.json"))
  lu.assertEquals(record.parameters.bits, 2)
  lu.assertEquals(record.parameters.scale, 0.3)
  lu.assertEquals(record.seed, 7)
end

function TestReproduce:test_an_artifact_carries_what_it_takes()
  local path = H.folder .. "/run/model.vise"
  local report = program.json({ "reproduce", path, "--out", H.out("again"), "--json", inputs() })
  lu.assertTrue(report.passed and report.artifact.is_same)
end

function TestReproduce:test_a_recipe_passes_by_its_claims()
  for bound, expected in pairs({ [10] = 0, [1e-9] = 1 }) do
    local output, code = program.run({ "reproduce", H.recipe(bound), "--out", H.out("again"),
      inputs() })
    lu.assertEquals(code, expected)
    lu.assertStrContains(output, expected == 0 and "again: pass" or "again: FAIL")
  end
end

function TestReproduce:test_a_claim_within_its_error_passes_and_one_beyond_does_not()
  local kl, se = H.record.rows[1].kl, H.record.rows[1].kl_se
  for factor, expected in pairs({ [1.9] = 0, [2.1] = 1 }) do
    local _, code, report = H.with(function(bundle)
      bundle.rows[1].kl = kl + factor * se
      bundle.rows[1].kl_se = 1000 * se -- what is claimed of the error widens nothing
    end, "reproduce", inputs())
    lu.assertEquals(code, expected)
    lu.assertEquals(report.passed, expected == 0)
  end
end

function TestReproduce:test_other_inputs_and_parameters_are_no_reproduction()
  local other = H.write("other.txt", ("a dog ran. "):rep(60))
  local errors, code = H.with(function() end, "reproduce", "model=" .. H.model, "text=" .. other)
  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, "text: " .. other .. " has sha256 ")
  errors, code = H.with(function() end, "reproduce", "bits=4", inputs())
  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "parameter 'bits' is 2, expected it to stay so")
  local _, run_code = H.with(function() end, "run", "bits=4", "model=" .. H.model, "text=" .. other)
  lu.assertEquals(run_code, 0)
end

function TestReproduce:test_a_bundle_is_always_untrusted()
  local errors, code = H.with(function() end, "run", "--no-sandbox", inputs())
  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "--no-sandbox is for a recipe that you trust")
  errors = H.with(function(bundle)
    bundle.recipe.text = bundle.recipe.text:gsub("run = function%(p, job%)", "%0 while true do end")
    bundle.recipe.sha256 = native.core.sha256(bundle.recipe.text)
  end, "run", "--max-time", "1", inputs())
  lu.assertStrContains(errors, "mine.lua: has not ended after 1 s (--max-time)")
end

function TestReproduce:test_a_path_in_a_bundle_is_not_followed_to_another_file()
  local secret = H.write("secret", "the key of the user")
  local errors, code = H.with(function(bundle)
    bundle.inputs.text.given = secret
  end, "run", "model=" .. H.model)
  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "missing text=... (text of sha256 ")
end

function TestReproduce:test_what_claims_nothing_does_not_pass()
  local path = H.write("silent.lua", 'return require("vise").recipe { run = function() end }')
  local output, code = program.run({ "reproduce", path, "--out", H.out("silent") })

  lu.assertEquals(code, 1)
  lu.assertStrContains(output, "nothing is claimed, expected claims, measured rows or an artifact")
end

function TestReproduce:test_a_bundle_holds_the_files_that_its_recipe_includes()
  assert(native.file.make_dirs(H.folder .. "/parts"))
  H.write("parts/rule.lua", 'return { match = "*", method = "rtn", bits = 4, group = 16 }')
  local path = H.write("with.lua", [[
local vise = require "vise"
local rule = vise.include "parts/rule.lua"
return vise.recipe { params = { model = vise.param.model() }, run = function(p, job)
  job:save(job:compress(job:open(p.model), { rule })) end }]])
  local bundle = H.folder .. "/with.bundle"
  program.json({ "bundle", path, "model=" .. H.model, "--out", bundle, "--json" })
  assert(native.file.remove_tree(H.folder .. "/parts"))
  local first = program.json(
    { "run", bundle, "model=" .. H.model, "--out", H.out("one"), "--json" })
  local again = program.json({ "reproduce", H.folder .. "/one", "--out", H.out("two"), "--json" })
  lu.assertEquals(again.artifact, { claimed = first.artifact.hash, obtained = first.artifact.hash,
    is_same = true })

  local content = assert(native.json.decode(native.file.read(bundle)))
  content.recipe.includes[1].text = "return os"
  local _, code, errors = program.run({ "run", H.write("bad.bundle", native.json.encode(content)),
    "model=" .. H.model, "--out", H.out("three") })
  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, "bad.bundle: recipe is not what it should be")
end

function TestReproduce:test_bundles_that_were_made_up_are_refused()
  local other = "0000000000000000000000000000000000000000000000000000000000000000"
  for name, case in pairs({
    ["cut off"] = { function() return H.bundle_text:sub(1, 1000) end, "is no bundle (" },
    ["another format"] = { function(b) b.format = "x" end, "is no bundle" },
    ["a later version"] = { function(b) b.version = 2 end, "is a bundle of version 2, expected 1" },
    ["a version of 1e308"] = { function(b) b.version = 1e308 end, "is a bundle of version 1e+308" },
    ["an altered recipe"] = { function(b) b.recipe.text = b.recipe.text .. " " end, "recipe" },
    ["a name that climbs"] = { function(b) b.recipe.name = "../../x" end, "recipe" },
    ["no name"] = { function(b) b.recipe.name = 7 end, "recipe" },
    ["no recipe"] = { function(b) b.recipe = nil end, "recipe" },
    ["a parameter that is a table"] = { function(b) b.parameters.bits = { 1 } end, "parameters" },
    ["a parameter with another name"] = { function(b) b.parameters["x=y z"] = 1 end, "parameters" },
    ["an input of another kind"] = { function(b) b.inputs.text.kind = "program" end, "inputs" },
    ["an input without hash"] = { function(b) b.inputs.text.sha256 = "00" end, "inputs" },
    ["a file that climbs"] = { function(b) b.inputs.model.files["../x"] = other end, "inputs" },
    ["a seed below 0"] = { function(b) b.seed = -1 end, "seed" },
    ["a seed that is no integer"] = { function(b) b.seed = 1e300 end, "seed" },
    ["a share of 0"] = { function(b) b.share = 0 end, "share" },
    ["a claim of nothing"] = { function(b) b.claims.kl = { "~", 1 } end, "claims" },
    ["a row of tables"] = { function(b) b.rows[1].kl = {} end, "rows" },
    ["a row of its own"] = { function(b) b.rows[1].score = 1 end, "rows" },
    ["rows without end"] = { function(b) b.rows = 1 end, "rows" },
    ["an artifact without hash"] = { function(b) b.artifact.hash = "no" end, "artifact" },
    ["an artifact of -1 bytes"] = { function(b) b.artifact.bytes = -1 end, "artifact" },
  }) do
    local errors, code = H.with(case[1], "reproduce", inputs())
    lu.assertEquals(code, 1, name)
    local expected = case[2]:find("bundle") and case[2] or case[2] .. " is not what it should be"
    lu.assertStrContains(errors, "changed.bundle: " .. expected)
    lu.assertNil((native.file.stat(H.folder .. "/again")))
  end
  local errors = H.with(function()
    return '{"format": "vise bundle", "x": "' .. ("x"):rep(17 << 20) .. '"}'
  end, "run")
  lu.assertStrContains(errors, "bytes, expected at most 16777216")
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
