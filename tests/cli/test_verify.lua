--- What `vise verify` and `vise inspect` say of files that somebody altered. Where the hashes would
--- give it away at once, the file is sealed again.
local lu = require("luaunit")
local forge = require("support.forge")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

TestVerify = {}

local H = {}

local RECIPE = [[
local vise = require "vise"
return vise.recipe {
  params = {
    model = vise.param.model(), text = vise.param.text(), bits = vise.param.int(4),
  },
  claims = { nll = { "<", 100 } },
  run = function(p, job)
    local small = job:compress(job:open(p.model), {
      { match = "*", method = "rtn", bits = p.bits, group = 32 },
    })
    job:measure(small, { text = p.text, protocol = "nll-16" })
    job:save(small)
  end,
}
]]

--- A sound run directory; the same for all tests.
function H.run()
  if H.made == nil then
    local folder = program.folder()
    local model = tiny_model.write(folder .. "/tiny")
    assert(native.file.replace(folder .. "/small.lua", RECIPE))
    assert(native.file.replace(folder .. "/cats.txt", ("the cat sat and the cat ran "):rep(10)))
    H.made = program.json({ "run", folder .. "/small.lua", "model=" .. model,
      "text=" .. folder .. "/cats.txt", "--json", "--out", folder .. "/sound" }).run
  end
  return H.made
end

--- A copy of it.
function H.copy()
  local copy = program.folder() .. "/altered"
  native.file.remove_tree(copy)
  assert(native.file.make_dirs(copy))
  for _, name in ipairs(native.file.list(H.run())) do
    assert(native.file.replace(copy .. "/" .. name, native.file.read(H.run() .. "/" .. name)))
  end
  return copy
end

--- What verify says of a run directory in which `from` in the file `name` became `to`.
function H.verify_with(name, from, to)
  local folder = H.copy()
  local path = folder .. "/" .. name
  assert(native.file.replace(path, forge.replace(from, to)(native.file.read(path))))
  return H.refusal(folder)
end

function H.refusal(path)
  local output, code, errors = program.run({ "verify", path })
  lu.assertEquals({ output, code }, { "", 1 })
  return errors
end

--- "KEY": VALUE as it is in the record, and the value.
function H.field(name, key)
  local text = native.file.read(H.run() .. "/" .. name)
  return text:match(('("%s": ?([^,\n}]+))'):format(key))
end

function TestVerify:test_a_sound_run_directory()
  local report = program.json({ "verify", H.run(), "--json" })

  lu.assertEquals(report.bytes, native.file.stat(H.run() .. "/model.vise").bytes)
  lu.assertEquals(report.hash, native.json.decode(native.file.read(H.run() .. "/run.json"))
    .artifact.hash)
  local holds = {}
  for i, file in ipairs(report.files) do
    holds[i] = file.name .. ": " .. file.holds
  end
  lu.assertEquals(holds, { "run.json: recipe, 3 parameters, 2 hashes of inputs, as sealed",
    "metrics.jsonl: 1 measured row, as in run.json", "ledger.json: 22 tensors, as in model.vise",
    "log.txt: the bytes whose digest is in run.json" })
end

function TestVerify:test_a_number_altered_in_any_file_is_named_with_what_was_expected()
  for _, row in ipairs({
    { "metrics.jsonl", "nll", "rows[1].nll" },
    { "metrics.jsonl", "tokens", "rows[1].tokens" },
    { "ledger.json", "packed", "[1].packed" },
    { "ledger.json", "coded", "[1].coded" },
    { "ledger.json", "entropy", "[1].entropy" },
    { "run.json", "bits", "parameters.bits" },
    { "run.json", "packed_bytes", "artifact.packed_bytes" },
    { "run.json", "bits_per_weight", "artifact.bits_per_weight" },
    { "run.json", "nll_byte", "rows[1].nll_byte" },
    { "run.json", "seed", "seed" },
    { "run.json", "value", "claims[1].value" },
    { "run.json", "format", "format" },
  }) do
    local name, key, at = table.unpack(row)
    local field, value = H.field(name, key)
    local errors = H.verify_with(name, field, ('"%s": 77'):format(key))
    lu.assertStrContains(errors, ("/altered/%s: %s is 77, expected %s\n"):format(name, at, value))
  end
end

function TestVerify:test_a_hash_altered_in_the_record()
  local record = native.json.decode(native.file.read(H.run() .. "/run.json"))
  local other = ("0"):rep(64)
  for at, hash in pairs({
    ["artifact.hash"] = record.artifact.hash,
    ["inputs.text.sha256"] = record.inputs.text.sha256,
    ["inputs.model.files.config.json"] = record.inputs.model.files["config.json"],
    ["files.log.txt"] = record.files["log.txt"],
  }) do
    lu.assertStrContains(H.verify_with("run.json", hash, other),
      ("run.json: %s is '%s', expected '%s'"):format(at, other, hash))
  end
end

function TestVerify:test_what_nothing_else_tells_is_in_the_seal()
  for _, key in ipairs({ "peak_memory_bytes", "started", "threads", "cpu_level", "given" }) do
    local field, value = H.field("run.json", key)
    local other = value:sub(1, 1) == '"' and '"x"' or "3000000"
    local errors = H.verify_with("run.json", field, ('"%s": %s'):format(key, other))
    lu.assertStrContains(errors, "/altered/run.json: ")
  end
end

function TestVerify:test_an_altered_recipe_and_an_altered_log()
  lu.assertStrContains(H.verify_with("run.json", "nll-16", "nll-17"),
    "run.json: recipe.text has sha256")
  lu.assertStrContains(H.verify_with("log.txt", "saved", "shaved"), "/altered/log.txt: ")
end

function TestVerify:test_a_file_that_is_missing_or_is_no_json()
  for _, name in ipairs({ "run.json", "metrics.jsonl", "ledger.json", "log.txt", "model.vise" }) do
    local folder = H.copy()
    assert(os.remove(folder .. "/" .. name))
    lu.assertStrContains(H.refusal(folder), "/altered/" .. name)
  end
  for _, name in ipairs({ "run.json", "metrics.jsonl", "ledger.json" }) do
    local folder = H.copy()
    assert(native.file.replace(folder .. "/" .. name, "{"))
    lu.assertStrContains(H.refusal(folder), "/altered/" .. name)
  end
end

function TestVerify:test_another_artifact_in_its_place()
  local folder = H.copy()
  forge.change(folder .. "/model.vise", { manifest = forge.replace('"seed":0', '"seed":1') })

  lu.assertStrContains(H.refusal(folder), "/altered/model.vise: artifact.hash is ")
end

function TestVerify:test_a_run_that_saved_nothing()
  local folder = program.folder()
  local model = tiny_model.write(folder .. "/tiny")
  assert(native.file.replace(folder .. "/none.lua", (RECIPE:gsub("job:save%(small%)", ""))))
  assert(native.file.replace(folder .. "/cats.txt", ("the cat sat and the cat ran "):rep(10)))
  local run = program.json({ "run", folder .. "/none.lua", "model=" .. model,
    "text=" .. folder .. "/cats.txt", "--json", "--out", folder .. "/none" }).run

  lu.assertStrContains(program.run({ "verify", run }), "sound, no artifact")
  assert(native.file.replace(run .. "/model.vise", native.file.read(H.run() .. "/model.vise")))
  lu.assertStrContains(H.refusal(run), "/none/model.vise: is there, but run.json records no")
end

--- A sealed file with a section changed.
function H.forged(changes)
  local path = H.copy() .. "/model.vise"
  forge.change(path, changes)
  return path
end

function TestVerify:test_a_manifest_that_is_no_object()
  for text, problem in pairs({ ["[1]"] = "is no JSON object", ["{"] = "json: line 1, column 1",
    [""] = "json: line 1" }) do
    local path = H.forged({ manifest = function() return text end })
    lu.assertStrContains(H.refusal(path), path .. ": manifest: " .. problem)
    local _, code, errors = program.run({ "inspect", path })
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, path .. ": manifest")
  end
end

function TestVerify:test_a_weight_that_its_kind_refuses()
  local bits = "\4bits\0" -- attribute of type 0
  local path = H.forged({ contents = forge.replace(bits .. "\4", bits .. "\9") })

  lu.assertStrContains(H.refusal(path), path .. ": weight 'embed': quant: ")
end

function TestVerify:test_a_sealed_recipe_that_is_not_the_one_of_its_sha256()
  local path = H.forged({ manifest = forge.replace("nll-16", "nll-17") })

  lu.assertStrContains(H.refusal(path), path .. ": manifest: sha256 of recipe.text is ")
end

TestInspect = {}

--- "1,234" as a number.
function H.number(word)
  return tonumber((word:gsub(",", "")))
end

function TestInspect:test_the_column_coded_adds_up_to_the_file()
  local bytes = native.file.stat(H.run() .. "/model.vise").bytes
  for _, option in ipairs({ "--json=false", "--all" }) do
    local table_of_bytes = program.run({ "inspect", H.run(), option }):match("─\n(.*)")
    local sum, total = 0, nil
    for line in table_of_bytes:gmatch("[^\n]+") do
      local coded = not line:find("tied to") and H.number(line:match("([%d,]+)$"))
      if line:find("^ *total ") then
        total = coded
      else
        sum = sum + (coded or 0)
      end
    end
    lu.assertEquals({ sum, total }, { bytes, bytes }, option)
  end

  local report = program.json({ "inspect", H.run(), "--json" })
  local sum = report.manifest_bytes + report.index_bytes
  for _, list in ipairs({ report.places, report.tensors, report.files }) do
    for _, row in ipairs(list) do
      sum = sum + row.coded_bytes
    end
  end
  lu.assertEquals(sum, bytes)
end

function TestInspect:test_an_altered_description_is_not_shown()
  local path = H.forged({ layout = forge.replace("int4/g32", "int2/g32") })
  local report = program.json({ "inspect", path, "--json" })

  lu.assertEquals(report.hash, program.json({ "inspect", H.run(), "--json" }).hash)
  lu.assertEquals(report.places[1].format, "int4/g32")
end

function TestInspect:test_a_weight_that_its_kind_refuses_is_shown_by_its_kind()
  local bits = "\4bits\0"
  local path = H.forged({ contents = forge.replace(bits .. "\4", bits .. "\9") })

  lu.assertEquals(program.json({ "inspect", path, "--json" }).places[1].format, "quant")
end

function TestInspect:test_a_sealed_recipe_that_is_not_the_one_of_its_sha256()
  local path = H.forged({ manifest = forge.replace("nll-16", "nll-17") })
  local recipe = program.json({ "inspect", path, "--json" }).recipe
  local text = native.file.read(program.folder() .. "/small.lua"):gsub("nll%-16", "nll-17")

  lu.assertEquals(recipe.sha256, native.core.sha256(text))
  lu.assertFalse(recipe.is_sound)
  lu.assertStrContains(program.run({ "inspect", path }), " (NOT the one whose sha256")
  lu.assertTrue(program.json({ "inspect", H.run(), "--json" }).recipe.is_sound)
end

function TestInspect:test_texts_of_a_file_forge_neither_lines_nor_words()
  local path = H.forged({ manifest = forge.replace('"bits":4',
    [["a b=1\u001b[2J\nhash 00":"x\u009b y=2"]]) })
  local output = program.run({ "inspect", path })

  lu.assertStrContains(output, [['a b=1\x1b[2J\x0ahash 00'='x\xc2\x9b y=2']])
  local _, hashes = output:gsub("\nhash ", "")
  lu.assertEquals(hashes, 1)
end

function TestInspect:test_entropy_is_measured_when_asked_for()
  local report = program.json({ "inspect", H.run(), "--json", "--entropy" })
  local ledger = native.json.decode(native.file.read(H.run() .. "/ledger.json"))

  lu.assertEquals(report.places[1].entropy_bytes, ledger[1].entropy)
  lu.assertNil(program.json({ "inspect", H.run(), "--json" }).places[1].entropy_bytes)
  lu.assertStrContains(program.run({ "inspect", H.run(), "--entropy" }), "entropy")
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
