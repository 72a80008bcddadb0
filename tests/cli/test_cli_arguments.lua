-- SPDX-License-Identifier: Apache-2.0
--- What vise says to arguments that are wrong, and in which order.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local function assert_refused(argv, code, message)
  local output, got, errors = program.run(argv)
  local words = table.concat(argv, " ")
  lu.assertEquals(got, code, words .. "\n" .. errors)
  lu.assertStrContains(errors, message)
  lu.assertEquals(output, "", words)
end

TestArguments = {}

function TestArguments:test_help_goes_to_standard_output_and_is_no_error()
  for _, argv in ipairs({ { "--help" }, { "help" }, { "-h" }, { "help", "run" } }) do
    local output, code, errors = program.run(argv)
    lu.assertEquals(code, 0)
    lu.assertStrContains(output, "Usage: vise")
    lu.assertEquals(errors, "")
  end
end

function TestArguments:test_every_command_has_help_with_usage_and_options()
  local list = program.run({ "help" })
  local n = 0
  for name in list:gmatch("\n  (%l+) +%l") do
    local output, code = program.run({ name, "--help" })
    lu.assertEquals(code, 0, name)
    lu.assertStrContains(output, "Usage: vise " .. name)
    lu.assertStrContains(output, "--help")
    n = n + 1
  end
  lu.assertEquals(n, #assert(native.file.list("lua/vise/cli/cmd")))
end

function TestArguments:test_no_command_prints_the_list_and_fails()
  local _, code = program.run({})
  lu.assertEquals(code, 2)
end

function TestArguments:test_slips_are_suggested()
  local model = program.subject().model
  assert_refused({ "evla" }, 2, "unknown command 'evla' (did you mean 'eval'?)")
  assert_refused({ "inspect", model, "--jsno" }, 2,
    "unknown option '--jsno' (did you mean '--json'?)")
  assert_refused({ "run", "recipes/frist.lua" }, 1,
    "recipes/frist.lua: no such recipe (did you mean 'first.lua'?)")
  assert_refused({ "sweep", "recipes/frist.lua" }, 1,
    "recipes/frist.lua: no such recipe (did you mean 'first.lua'?)")
  local _, code, errors = program.run({ "help", "quantize" })
  lu.assertEquals(code, 2)
  lu.assertNil(errors:find("corpus, corpus", 1, true))
  assert_refused({ "run", "recipes/first.lua", "bitz=4" }, 2,
    "recipes/first.lua: unknown parameter 'bitz' (did you mean 'bits'? "
      .. "known: bits, group, model, protocol, text)")
  assert_refused({ "run", "recipes/first.lua", "protocol=storys-512" }, 2,
    "did you mean 'stories-512'?")
  assert_refused({ "compress", model, "--bits", "4", "--method", "rnt" }, 2,
    "unknown method 'rnt' (did you mean 'rtn'?")
  assert_refused({ "compress", model, "--method", "rtn", "--format", "nvpf4" }, 2,
    "(did you mean 'nvfp4'?)")
  assert_refused({ "compress", model, "--method", "rtn", "--bitz", "4" }, 2,
    "unknown option '--bitz' of method rtn (did you mean '--bits'?)")
  assert_refused({ "compress", model, "--format", "q4_k", "--bits", "3", "--method", "rtn" }, 2,
    "unknown option '--bits' of method rtn with format q4_k")
  assert_refused({ "compress", model, "--method", "svd", "--bits", "3" }, 2,
    "unknown option '--bits' of method svd")
  assert_refused({ "explain", "rtnn" }, 2, "unknown topic 'rtnn' (did you mean 'rtn'?")
  assert_refused({ "recipe", "chekc", "x.lua" }, 2,
    "unknown action 'chekc' (did you mean 'check'?)")
  assert_refused({ "bench", "gemn" }, 2, "unknown subject 'gemn' (did you mean 'gemm'?")
end

function TestArguments:test_wrong_values_are_told_with_what_was_expected()
  local model = program.subject().model
  assert_refused({ "run", "recipes/first.lua", "bits=7" }, 2,
    "recipes/first.lua: bits is '7', expected one of 4, 2, 3, 5, 6, 8")
  assert_refused({ "run", "recipes/first.lua", "bits=" }, 2, "bits is '', expected one of")
  assert_refused({ "run", "recipes/first.lua", "bits=4", "bits=3" }, 2,
    "parameter 'bits' is given twice")
  assert_refused({ "run", "recipes/first.lua", "bits" }, 2,
    "'bits' is no parameter, expected NAME=VALUE")
  assert_refused({ "compress", model, "--method", "rtn", "--bits", "9" }, 2,
    "--bits is '9', expected one of 2, 3, 4, 5, 6, 8")
  assert_refused({ "compress", model, "--method", "rtn", "--group=0" }, 2,
    "--group is '0', expected an integer in [1, 1048576]")
  assert_refused({ "generate", model, "--tokens", "many" }, 2,
    "--tokens is 'many', expected an integer")
  assert_refused({ "generate", model, "--temperature", "nan" }, 2,
    "--temperature is 'nan', expected")
  assert_refused({ "generate", model, "--tokens" }, 2, "option --tokens needs a value")
  assert_refused({ "run", "recipes/first.lua", "--seed", "1", "--seed=2" }, 2,
    "option --seed is given twice")
  assert_refused({ "inspect", model, "more" }, 2, "unexpected argument 'more'")
end

function TestArguments:test_what_is_wrong_is_reported_before_what_is_missing()
  local subject = program.subject()
  assert_refused({ "run", "recipes/own-method.lua" }, 2,
    "recipes/own-method.lua: missing model=...")
  assert_refused({ "run", "recipes/first.lua", "bits=9" }, 2, "bits is '9'")
  assert_refused({ "run", "recipes/first.lua", "text=nowhere.txt" }, 1,
    "recipes/first.lua: text: nowhere.txt: no such file")
  assert_refused({ "run", "recipes/first.lua", "model=nowhere" }, 1,
    "recipes/first.lua: model: nowhere: no such file or folder, expected a model folder, a .vise "
      .. "or .gguf file or a run directory")
  assert_refused({ "eval", subject.model, "--protocol", "nll" }, 2, "protocol 'nll': no window")
  assert_refused({ "eval", subject.model, "--protocl", "nll-64" }, 2, "unknown option '--protocl'")
  assert_refused({ "eval", subject.model, "--protocol", "nll-64", "--text",
    "share/models/tales/model.safetensors" }, 1, "is not UTF-8, expected a text")
  assert_refused({ "eval", subject.model }, 2, "missing option --protocol NAME")
  assert_refused({ "eval", subject.model, "--protocol", "nll-64" }, 2,
    "missing --text FILE, or --data DIR for a model of images")
  assert_refused({ "eval" }, 2, "missing MODEL")
  assert_refused({ "run" }, 2, "missing RECIPE")
end

function TestArguments:test_models_that_are_none_are_named()
  local folder = program.folder()
  assert_refused({ "inspect", folder .. "/nowhere" }, 1, "/nowhere: no such file or folder")
  assert_refused({ "inspect", "recipes" }, 1,
    "recipes: the folder has neither config.json nor model.vise")
  assert_refused({ "verify", "LICENSE" }, 1, "LICENSE")
  assert(native.file.make_dirs(folder .. "/alien"))
  local tensors = { { "w", native.tensor.zeros("f32", { 1 }) } }
  assert(native.safetensors.write(folder .. "/alien/model.safetensors", tensors))
  assert(native.file.replace(folder .. "/alien/config.json", '{"model_type": "mamba"}'))
  assert_refused({ "inspect", folder .. "/alien" }, 1, "unknown architecture 'mamba'")
end

function TestArguments:test_a_double_dash_ends_the_options()
  assert_refused({ "inspect", "--", "--json" }, 1, "--json: no such file or folder")
end

function TestArguments:test_an_out_directory_must_be_new()
  local subject = program.subject()
  local argv = { "run", "recipes/first.lua", "model=" .. subject.model, "text=" .. subject.text,
    "--out", "recipes" }
  assert_refused(argv, 2, "--out: folder 'recipes' is not empty")
  argv[#argv] = "LICENSE"
  assert_refused(argv, 2, "--out: 'LICENSE' is no folder, expected a folder to make")
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
