-- SPDX-License-Identifier: Apache-2.0
--- What vise says to somebody who does not know it yet: help with examples, hints, explanations.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestNewcomer = {}

function TestNewcomer:test_every_help_has_an_example()
  local list = program.run({ "help" })
  for name in list:gmatch("\n  (%l+) +%l") do
    local help = program.run({ name, "--help" })
    local details = help:match("\n  %-%-help[^\n]*\n(.*)$")
    lu.assertStrContains(details, name == "repl" and "  > " or "  vise " .. name, false, name)
  end
end

function TestNewcomer:test_the_help_of_compress_has_the_options_of_the_method()
  lu.assertNotStrContains(program.run({ "compress", "--help" }), "\n  --bits ")
  local help = program.run({ "compress", "--method", "rtn", "--help" })
  for _, row in ipairs(require("vise.method").params("rtn")) do
    lu.assertStrContains(help, "\n  --" .. row.name .. " ")
  end
  lu.assertStrContains(program.run({ "compress", "--help" }), "[--out DIR] [--seed N]")
end

function TestNewcomer:test_compress_without_a_method_says_which_there_are()
  local _, code, errors = program.run({ "compress", program.subject().model })

  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "missing option --method NAME: ")
  lu.assertStrMatches(errors, ".*NAME. tells what it does; [%w_, ]*rtn.*")
end

--- What bash offers for the last of some words.
local function completed(words)
  local script = "source share/completion/vise.bash; shift; COMP_WORDS=(\"$VISE\" \"$@\"); "
    .. 'COMP_CWORD=$#; compopt() { :; }; _vise; echo "${COMPREPLY[*]}"'
  local argv = { "bash", "-c", script, "bash", "", table.unpack(words) }
  local process <close> = assert(native.process.spawn({ capture = true, argv = argv,
    env = { VISE = program.VISE } }))
  return process:read_line()
end

function TestNewcomer:test_the_shell_completes()
  for line, expected in pairs({
    ["comp"] = "compress", ["explain rt"] = "rtn", ["compress x --method gpt"] = "gptq",
    ["compress x --method gptq --ord"] = "--order", ["sweep x --search h"] = "halving",
    ["compress x --method gptq --order g"] = "gar", ["help tut"] = "tutorial", ["runs d"] = "diff",
    ["compress x --method rtn --format nvf"] = "nvfp4", ["recipe ch"] = "check",
    ["run recipes/first.lua bi"] = "bits=", ["corpus ta"] = "tales",
    ["eval x --prot"] = "--protocol",
  }) do
    local words = {}
    for word in line:gmatch("%S+") do
      words[#words + 1] = word
    end
    lu.assertEquals(completed(words), expected, line)
  end
end

function TestNewcomer:test_help_shows_the_guides()
  local list = program.run({ "help" })
  lu.assertStrContains(list, "\n  tutorial   Ten minutes with vise\n")
  local page = ("\n" .. native.file.read("share/doc/sweeps.md")):gsub("\n#+ ", "\n"):sub(2)
  lu.assertEquals(program.run({ "help", "sweeps" }), page)
  local both = program.run({ "help", "repl" })
  lu.assertStrContains(both, "Usage: vise repl")
  lu.assertStrContains(both, "\nA session\n")
  local _, code, errors = program.run({ "help", "turorial" })
  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "did you mean 'tutorial'?")
end

function TestNewcomer:test_words_of_other_programs_are_understood()
  for word, meant in pairs({ quantize = "compress", measure = "eval", chat = "generate",
    info = "inspect", shell = "repl" }) do
    local _, code, errors = program.run({ word })
    lu.assertEquals(code, 2)
    lu.assertStrContains(errors, ("unknown command '%s' (did you mean '%s'?)"):format(word, meant))
  end
end

function TestNewcomer:test_the_help_of_a_broken_recipe_is_its_error()
  local path = program.folder() .. "/broken.lua"
  assert(native.file.replace(path, "local vise = require 'vise'\nreturn vise.recpe {}\n"))
  local output, code, errors = program.run({ "run", path, "--help" })

  lu.assertEquals({ output, code }, { "", 1 })
  lu.assertStrContains(errors, path .. ":2: ")
  lu.assertStrContains(errors, "did you mean 'recipe'?")
  lu.assertEquals(select(2, program.run({ "run", "recipes/first.lua", "--help" })), 0)
end

function TestNewcomer:test_every_number_of_a_row_can_be_explained()
  local subject = program.subject()
  local row = program.json({ "eval", subject.model, "--text", subject.text, "--protocol", "nll-64",
    "--against", subject.model, "--json" })
  row.protocol = nil
  local output = program.run({ "explain", "metrics" })
  for name in pairs(row) do
    lu.assertStrContains(output, "  " .. name .. " ")
  end
  for name in output:gmatch("  ([%w_]+) [^\n]*\n") do
    local is_of_images = name:find("^images") or name:find("^accuracy")
    lu.assertTrue(row[name] ~= nil or is_of_images ~= nil, name)
  end
  lu.assertStrContains(program.run({ "explain", "kl" }), "kl: mean KL divergence")
  lu.assertStrContains(program.run({ "explain", "nll-256" }), "protocol")
end

function TestNewcomer:test_a_file_of_weights_is_not_a_model()
  local path = program.folder() .. "/model.safetensors"
  assert(native.safetensors.write(path, { { "w", native.tensor.zeros("f32", { 1 }) } }))
  for _, argv in ipairs({ { "inspect", path }, { "generate", path } }) do
    local _, code, errors = program.run(argv)
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, path
      .. ": is one file of weights, expected the folder that holds it and config.json")
  end
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
