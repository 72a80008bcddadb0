-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- Runs, end to end: what they leave, that they repeat to the byte, that they end cleanly.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

local function first(out, more, env)
  local subject = program.subject()
  local argv = { "run", "recipes/first.lua", "model=" .. subject.model, "text=" .. subject.text,
    "protocol=" .. subject.protocol, "--json", "--out", program.folder() .. "/" .. out }
  table.move(more or {}, 1, #(more or {}), #argv + 1, argv)
  return program.json(argv, env)
end

--- The numbers of a row that do not depend on time.
local function numbers(row)
  local copy = {}
  for _, key in ipairs({ "protocol", "tokens", "clusters", "nll", "nll_se", "nll_byte",
    "nll_byte_se", "perplexity", "perplexity_se", "bytes", "bits_per_weight", "kl", "kl_se",
    "kl_median", "kl_median_se", "kl_p99", "kl_p99_se", "top1", "top1_se", "nll_delta",
    "nll_delta_se" }) do
    copy[key] = row[key]
  end
  return copy
end

TestRuns = {}

function TestRuns:test_a_run_leaves_its_five_files_and_its_record()
  local subject = program.subject()
  local result = first("five")

  lu.assertEquals(result.run, program.folder() .. "/five")
  lu.assertEquals(native.file.list(result.run),
    { "ledger.json", "log.txt", "metrics.jsonl", "model.vise", "run.json" })
  local record = native.json.decode(native.file.read(result.run .. "/run.json"))
  lu.assertEquals(record.parameters.bits, 4)
  lu.assertEquals(record.recipe.text, native.file.read("recipes/first.lua"))
  lu.assertEquals(record.recipe.sha256, native.core.sha256(record.recipe.text))
  lu.assertEquals(record.inputs.text.sha256, native.file.digest(subject.text))
  lu.assertEquals(record.artifact.bytes, native.file.stat(result.run .. "/model.vise").bytes)
  lu.assertEquals(record.seed, 0)
  for _, key in ipairs({ "vise", "machine", "seconds", "peak_memory_bytes", "started" }) do
    lu.assertNotNil(record[key], key)
  end
  for _, key in ipairs({ "cpu_model", "cpu_level", "threads", "libraries" }) do
    lu.assertNotNil(record.machine[key], key)
  end
end

function TestRuns:test_rows_have_the_promised_keys_and_the_bytes_on_disk()
  local result = first("rows")

  lu.assertEquals(#result.rows, 2)
  for _, row in ipairs(result.rows) do
    for _, key in ipairs({ "name", "protocol", "tokens", "clusters", "nll", "nll_se", "nll_byte",
      "nll_byte_se", "perplexity", "perplexity_se", "bytes", "bits_per_weight" }) do
      lu.assertNotNil(row[key], key)
    end
  end
  lu.assertEquals(result.rows[1].name, "original")
  lu.assertNil(result.rows[1].kl)
  for _, key in ipairs({ "kl_se", "kl_median_se", "kl_p99_se", "top1", "top1_se",
    "nll_delta_se" }) do
    lu.assertIsNumber(result.rows[2][key], key)
  end
  lu.assertEquals(result.rows[2].bits_per_weight, result.artifact.bits_per_weight)
  lu.assertEquals(result.rows[2].bytes, native.file.stat(result.run .. "/model.vise").bytes)
end

function TestRuns:test_eval_of_the_artifact_gives_the_numbers_measured_before_saving()
  local subject = program.subject()
  local result = first("saved", { "bits=3" })
  local again = program.json({ "eval", result.run, "--text", subject.text, "--protocol",
    subject.protocol, "--against", subject.model, "--json" })

  lu.assertEquals(numbers(again), numbers(result.rows[2]))
end

function TestRuns:test_threads_levels_and_repetition_change_no_bit()
  local expected
  for i, env in ipairs({
    { VISE_THREADS = "1" }, { VISE_THREADS = "2" }, { VISE_CPU = "ref" }, { VISE_CPU = "avx2" },
    { VISE_CPU = "avx512" }, {},
  }) do
    local result = first("same" .. i, { "bits=4", "group=16" }, env)
    local got = { result.artifact.hash, numbers(result.rows[1]), numbers(result.rows[2]) }
    expected = expected or got
    lu.assertEquals(got, expected)
  end
end

function TestRuns:test_level_avx512_changes_no_bit_where_the_cpu_lacks_it()
  local here = program.VISE
  local emulated = here:gsub("/vise$", "/simde/vise")
  if not native.file.stat(emulated) then
    print("libsimde-dev is not installed: vise was not run at level avx512")
    return
  end
  local expected = first("avx2")
  program.VISE = emulated
  local result = first("avx512")
  program.VISE = here

  local record = native.json.decode(native.file.read(result.run .. "/run.json"))
  lu.assertEquals(record.machine.cpu_level, "avx512")
  lu.assertEquals(result.artifact.hash, expected.artifact.hash)
  for i, row in ipairs(result.rows) do
    lu.assertEquals(numbers(row), numbers(expected.rows[i]))
  end
end

function TestRuns:test_compress_records_a_recipe_that_makes_the_same_artifact()
  local subject, folder = program.subject(), program.folder()
  local made = program.json({ "compress", subject.model, "--method", "rtn", "--bits=3", "--group",
    "32", "--symmetric=false", "--out", folder .. "/one", "--json" })
  local record = native.json.decode(native.file.read(folder .. "/one/run.json"))
  assert(native.file.replace(folder .. "/recorded.lua", record.recipe.text))
  local again = program.json({ "run", folder .. "/recorded.lua", "model=" .. subject.model, "--out",
    folder .. "/two", "--json" })

  lu.assertEquals(again.artifact.hash, made.artifact.hash)
  lu.assertEquals(made.rows, {})
  lu.assertStrContains(record.recipe.text, "bits = vise.param.enum { 3, 2, 4, 5, 6, 8,")
  lu.assertEquals({ record.parameters.method, record.parameters.bits, record.parameters.group,
    record.parameters.symmetric, record.parameters.search }, { "rtn", 3, 32, false, "mse" })
end

--- What stands beside the numbers of a row is looked at before anything is measured.
function TestRuns:test_labels_of_a_row_are_few_and_short()
  local subject, path = program.subject(), program.folder() .. "/labels.lua"
  for fields, message in pairs({
    ['name = ("x"):rep(201)'] = "measure: name is a text of 201 bytes, expected at most 200 bytes",
    ['method = ("x"):rep(1e6)'] = "measure: method is a text of 1000000 bytes, expected at most",
    ["options = { bits = 0 / 0 }"] = "measure: options: 'bits' is ",
    ["options = { bits = {} }"] = "measure: options: 'bits' is a table, expected a text of at most",
  }) do
    assert(native.file.replace(path, ([[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model(), text = vise.param.text() },
  run = function(p, job)
    job:measure(job:open(p.model), { text = p.text, protocol = "nll-64", %s })
  end,
}]]):format(fields)))
    local _, code, errors = program.run({ "run", path, "model=" .. subject.model,
      "text=" .. subject.text, "--out", program.folder() .. "/labels" })
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, message)
  end
end

function TestRuns:test_verify_sees_one_changed_byte()
  local result = first("altered")
  local path = result.run .. "/model.vise"
  local _, code = program.run({ "verify", result.run })
  lu.assertEquals(code, 0)

  local bytes = native.file.read(path)
  local at = #bytes // 2
  local changed = string.char(bytes:byte(at) ~ 1)
  assert(native.file.replace(path, bytes:sub(1, at - 1) .. changed .. bytes:sub(at + 1)))
  local output, refused, errors = program.run({ "verify", result.run })
  lu.assertEquals(refused, 1)
  lu.assertEquals(output, "")
  lu.assertStrContains(errors, "model.vise")
end

function TestRuns:test_a_failing_recipe_names_its_line_and_leaves_nothing()
  local folder = program.folder()
  local path = folder .. "/wrong.lua"
  assert(native.file.replace(path, [[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model() },
  run = function(p, job)
    local m = job:open(p.model)
    job:compress(m, { { match = "atn.*", method = "rtn" } })
  end,
}
]]))
  local _, code, errors = program.run({ "run", path, "model=" .. program.subject().model, "--out",
    folder .. "/wrong" })

  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, path .. ":6: ")
  lu.assertStrContains(errors, "atn.*")
  lu.assertNil((native.file.stat(folder .. "/wrong")))
end

--- A copy of the tiny model with a NaN in the sixth number of one tensor.
local function write_sick_model(wanted)
  local folder = tiny_model.write(program.folder() .. "/sick")
  for _, name in ipairs(native.file.list(folder)) do
    local content = name:match("%.safetensors$") and native.file.read(folder .. "/" .. name)
    local header = content and content:sub(9, 8 + ("<I8"):unpack(content))
    local row = header and native.json.decode(header)[wanted]
    if row then
      local at = 8 + #header + row.data_offsets[1] + 4 * 5
      local nan = ("<f"):pack(0 / 0)
      content = content:sub(1, at) .. nan .. content:sub(at + 5)
      assert(native.file.replace(folder .. "/" .. name, content))
    end
  end
  return folder
end

function TestRuns:test_a_number_that_is_none_is_named_and_nothing_is_written()
  local out = program.folder() .. "/from-sick"
  for tensor, place in pairs({
    ["model.layers.1.mlp.down_proj.weight"] = "layers.1.mlp.down",
    ["model.layers.1.post_attention_layernorm.weight"] = "layers.1.mlp.norm",
    ["model.norm.weight"] = "norm",
  }) do
    local output, code, errors = program.run({ "compress", write_sick_model(tensor), "--method",
      "rtn", "--out", out })

    lu.assertEquals({ output, code }, { "", 1 })
    lu.assertStrContains(errors, "vise: " .. place .. ": ")
    lu.assertStrContains(errors, "row 0, column 5")
    lu.assertNil((native.file.stat(out)))
  end
end

function TestRuns:test_eval_names_the_model_whose_logits_are_not_finite()
  local sick = write_sick_model("model.norm.weight")
  local sound = tiny_model.write(program.folder() .. "/sound")
  local text = program.folder() .. "/cats.txt"
  assert(native.file.replace(text, ("the cat sat "):rep(20)))
  for _, models in ipairs({ { sick, sound }, { sound, sick } }) do
    local output, code, errors = program.run({ "eval", models[1], "--against", models[2], "--text",
      text, "--protocol", "nll-16", "--quiet" })

    lu.assertEquals({ output, code }, { "", 1 })
    lu.assertStrContains(errors, "model 'sick': ")
    lu.assertStrContains(errors, "NaN")
  end
end

function TestRuns:test_a_disk_that_is_full_fails_the_run_and_leaves_nothing()
  local subject, folder = program.subject(), program.folder() .. "/full"
  assert(native.file.make_dirs(folder))
  local script = ("ulimit -f 8; '%s' compress '%s' --method rtn --quiet --out '%s/run'"):format(
    program.VISE, subject.model, folder) -- no file above 8 blocks of 512 or 1024 bytes
  local process <close> = assert(native.process.spawn({
    argv = { "/bin/sh", "-c", script .. " 2>'" .. program.folder() .. "/full.txt'" },
  }))

  lu.assertEquals(process:wait(), 1)
  lu.assertEquals(native.file.list(folder), {})
  lu.assertStrContains(native.file.read(program.folder() .. "/full.txt"), "File too large")
end

function TestRuns:test_an_interrupted_run_ends_with_130_and_leaves_nothing()
  local subject, folder = program.subject(), program.folder() .. "/interrupted"
  assert(native.file.make_dirs(folder))
  local text = native.file.read(subject.text):rep(500)
  assert(native.file.replace(program.folder() .. "/long.txt", text))
  local process <close> = assert(native.process.spawn({
    argv = { "/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh", program.VISE, "run",
      "recipes/first.lua", "model=" .. subject.model, "text=" .. program.folder() .. "/long.txt",
      "protocol=stories-512", "--out", folder .. "/run" },
    capture = true,
  }))
  local deadline = native.core.clock() + 20
  repeat
    local names = assert(native.file.list(folder))
    local log = names[1] and native.file.read(folder .. "/" .. names[1] .. "/log.txt")
    assert(native.core.clock() < deadline, "the run did not begin")
  until log and log:find("measure original")

  local begin = native.core.clock()
  process:kill(2)
  local code = process:wait()

  lu.assertEquals(code, 130)
  lu.assertTrue(native.core.clock() - begin < 2)
  lu.assertEquals(native.file.list(folder), {})
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
