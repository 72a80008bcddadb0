-- SPDX-License-Identifier: Apache-2.0
--- The commands that only look: their JSON, their output, what they do not touch.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestCommands = {}

function TestCommands:test_version_names_the_libraries_and_the_level()
  local output, code = program.run({ "--version" })

  lu.assertEquals(code, 0)
  for word in ("vise lua zstd openblas jansson pcre2 openssl sqlite cpu"):gmatch("%S+") do
    lu.assertStrContains(output, word)
  end
  lu.assertEquals(program.json({ "version", "--json" }).vise, native.core.version().vise)
end

function TestCommands:test_eval_prints_the_promised_keys()
  local subject = program.subject()
  local argv = { "eval", subject.model, "--text", subject.text, "--protocol", "nll-64", "--json" }
  local alone = program.json(argv)
  argv[#argv + 1], argv[#argv + 2] = "--against", subject.model
  local against = program.json(argv)

  for _, key in ipairs({ "protocol", "tokens", "nll", "nll_se", "perplexity", "bytes",
    "bits_per_weight", "tokens_per_s" }) do
    lu.assertNotNil(alone[key], key)
    lu.assertNotNil(against[key], key)
  end
  lu.assertEquals(alone.protocol, "nll-64")
  lu.assertNil(alone.kl)
  lu.assertEquals(against.kl, 0) -- of a model from itself
  lu.assertEquals(against.kl_se, 0)
  lu.assertEquals(against.top1, 1)
end

function TestCommands:test_eval_shows_its_windows_and_says_when_they_are_few()
  local subject, path = program.subject(), program.folder() .. "/windows.txt"
  for name, expected in pairs({
    ["nll-512"] = { " tokens in 1 window\n", "no error bars: one window, expected at least 30\n" },
    ["nll-64"] = { " windows\n", "error bars from few windows" },
    ["nll-3"] = { " windows\n" },
  }) do
    assert(native.file.replace(path, native.file.read(subject.text):sub(1, 300)))
    local output = program.run({ "eval", subject.model, "--text", path, "--protocol", name,
      "--against", subject.model })

    lu.assertStrContains(output, expected[1])
    lu.assertStrContains(output, expected[2] or "NLL/byte")
    lu.assertEquals(output:find("error bars") ~= nil, expected[2] ~= nil, name)
    lu.assertNotStrContains(output, "nan")
    local shows_error = output:find("perplexity  +[%d.]+ ± ")
      and output:find("agreement  100.0 ± 0.0 %%")
    lu.assertEquals(shows_error ~= nil, name ~= "nll-512", output)
  end
end

function TestCommands:test_eval_bytes_are_those_of_the_file_on_disk()
  local subject = program.subject()
  if not subject.is_real then
    return
  end
  local row = program.json({ "eval", subject.model, "--text", subject.text, "--protocol", "nll-64",
    "--json" })

  lu.assertEquals(row.bytes, native.file.stat(subject.model .. "/model.safetensors").bytes)
end

function TestCommands:test_eval_says_nothing_on_standard_error_when_json_or_quiet()
  local subject = program.subject()
  for _, option in ipairs({ "--json", "--quiet" }) do
    local output, code, errors = program.run({ "eval", subject.model, "--text", subject.text,
      "--protocol", "nll-64", option })
    lu.assertEquals(code, 0)
    lu.assertEquals(errors, "")
    lu.assertStrContains(output, "nll-64")
  end
end

function TestCommands:test_generate_repeats_with_its_seed()
  local model = program.subject().model
  local function story(seed)
    return program.json({ "generate", model, "--prompt", "Once upon", "--tokens", "12", "--seed",
      tostring(seed), "--temperature", "1.5", "--json" }).text
  end

  lu.assertEquals(story(1), story(1))
  lu.assertNotEquals(story(1), story(2))
end

function TestCommands:test_generate_prints_the_prompt_and_what_follows()
  local output, code = program.run({ "generate", program.subject().model, "--prompt", "Once upon",
    "--tokens=5", "--seed=1" })

  lu.assertEquals(code, 0)
  lu.assertEquals(output:sub(1, 9), "Once upon")
  lu.assertEquals(output:sub(-1), "\n")
end

function TestCommands:test_inspect_counts_parameters_and_bytes_place_by_place()
  local report = program.json({ "inspect", program.subject().model, "--json" })
  local parameters, packed = 0, 0
  for _, place in ipairs(report.places) do
    if not place.tied_to then
      lu.assertEquals(place.parameters, place.shape[1] * place.shape[2])
      parameters, packed = parameters + place.parameters, packed + place.bytes
    end
  end
  for _, tensor in ipairs(report.tensors) do
    packed = packed + tensor.bytes
  end

  lu.assertTrue(parameters < report.parameters)
  lu.assertEquals(packed, report.packed_bytes)
  lu.assertEquals(report.bits_per_weight, 8 * report.bytes / report.parameters)
end

function TestCommands:test_inspect_shows_layers_together_or_one_by_one()
  local model = program.subject().model
  lu.assertStrContains(program.run({ "inspect", model }), "layers.*.attn.q")
  lu.assertStrContains(program.run({ "inspect", model, "--all" }), "layers.1.attn.q")
end

function TestCommands:test_explain_knows_methods_formats_protocols_and_parameters()
  for _, name in ipairs({ "rtn", "int", "nll-256", "enum", "methods", "protocols" }) do
    local output, code = program.run({ "explain", name })
    lu.assertEquals(code, 0, name)
    lu.assertNotEquals(output, "")
  end
  lu.assertEquals(program.json({ "explain", "rtn", "--json" }).params[2].name, "bits")
end

function TestCommands:test_recipe_check_shows_parameters_and_finds_mistakes()
  local output, code = program.run({ "recipe", "check", "recipes/first.lua" })
  lu.assertEquals(code, 0)
  lu.assertStrContains(output, "one of 4, 2, 3, 5, 6, 8")

  local path = program.folder() .. "/broken.lua"
  assert(native.file.replace(path, "return os.getenv('HOME')"))
  local _, refused, errors = program.run({ "recipe", "check", path, "recipes/first.lua" })
  lu.assertEquals(refused, 1)
  lu.assertStrContains(errors, path .. ":1: unknown global 'os'")
end

function TestCommands:test_every_recipe_of_the_house_is_sound()
  for _, name in ipairs(native.file.list("recipes")) do
    local _, code, errors = program.run({ "recipe", "check", "recipes/" .. name })
    lu.assertEquals(code, 0, errors)
  end
end

function TestCommands:test_the_document_of_commands_has_the_form_of_each()
  local document = native.file.read("share/doc/commands.md"):gsub("\\|", "|")
  local list = program.run({ "help" })
  for name in list:gmatch("\n  (%l+) +%l") do
    local form = program.run({ name, "--help" }):match("Usage: ([^\n]*)")
    lu.assertStrContains(document, "`" .. form .. "`")
  end
end

function TestCommands:test_the_recipe_of_the_document_runs()
  local subject, folder = program.subject(), program.folder()
  local text = native.file.read("share/doc/recipes.md"):match("```lua\n(.-)```")
  assert(native.file.replace(folder .. "/mine.lua", text))
  local result = program.json({ "run", folder .. "/mine.lua", "model=" .. subject.model,
    "text=" .. subject.text, "bits=2", "--json", "--out", folder .. "/mine" })

  lu.assertEquals(result.rows[1].name, "small")
end

function TestCommands:test_doctor_warns_of_a_pinned_openblas()
  local report = program.json({ "doctor", "--json" }, { OPENBLAS_CORETYPE = "Haswell" })

  lu.assertStrContains(report.warnings[1], "OPENBLAS_CORETYPE=Haswell")
end

function TestCommands:test_the_repl_reads_what_is_piped_to_it()
  local function repl(input, argv)
    return program.run(argv or { "repl" }, { VISE_TEST_INPUT = input })
  end
  lu.assertEquals(repl("1 + 1\nprint(3)\nfor i = 1, 2 do\nprint(i)\nend\n"), "2\n3\n1\n2\n")

  local output, code, errors = repl("error('x')\nvise.modle\n7\n")
  lu.assertEquals(output, "7\n")
  lu.assertEquals(code, 1)
  lu.assertEquals({ select(2, repl("x = 1\n")) }, { 0, "" })
  lu.assertStrContains(errors, "stdin:1: x")
  lu.assertStrContains(errors, "did you mean 'model'?")

  local shown = repl("m:weight('layers.0.attn.q')", { "repl", program.subject().model })
  lu.assertStrContains(shown, "vise.weight")
end

function TestCommands:test_a_reader_that_leaves_is_no_error()
  local errors = program.folder() .. "/pipe"
  os.execute(("'%s' help 2>'%s' | true"):format(program.VISE, errors))

  lu.assertEquals(native.file.read(errors), "")
end

function TestCommands:test_a_full_disk_is_an_error()
  local folder = program.folder()
  local _, _, code = os.execute(("'%s' help >/dev/full 2>'%s/full'"):format(program.VISE, folder))

  lu.assertEquals(code, 1)
  lu.assertStrContains(native.file.read(folder .. "/full"), "No space left on device")
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
