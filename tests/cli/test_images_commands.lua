-- SPDX-License-Identifier: Apache-2.0
--- Models of images at the command line: inspected, compressed by statistics of images, measured.
local lu = require("luaunit")
local program = require("support.program")
local small = require("support.small_convnet")

TestImages = {}

local H = {}

function H.subject()
  local folder = program.folder()
  local config = small.write(folder .. "/net", { hidden_sizes = { 4, 6 } })
  for _, split in ipairs({ "train", "t10k" }) do
    small.write_images(folder .. "/data", split, config, 20)
  end
  return folder .. "/net", folder .. "/data"
end

function TestImages:test_inspect_says_what_it_reads()
  local output, code, errors = program.run({ "inspect", (H.subject()) })

  lu.assertEquals(code, 0, errors)
  lu.assertStrContains(output, "net: convnet, 1,")
  lu.assertStrContains(output, "parameters, images 7 x 7 x 2, 4 classes")
  lu.assertStrContains(output, "stages.*.blocks.*.shortcut")
end

function TestImages:test_compress_takes_images_and_eval_measures_what_was_saved()
  local net, data = H.subject()
  local out = program.folder() .. "/small"
  local made = program.json({ "compress", net, "--method", "gptq", "--bits", "4", "--group", "18",
    "--data", data, "--images", "16", "--out", out, "--json" })
  local row = program.json({ "eval", out, "--data", data, "--protocol", "images-test", "--against",
    net, "--json" })

  lu.assertEquals({ row.images, row.bytes }, { 20, made.artifact.bytes })
  lu.assertTrue(row.kl > 0 and row.accuracy_low <= row.accuracy, row.kl)
  local output, code, errors = program.run({ "eval", out, "--data", data, "--protocol",
    "images-test" })
  lu.assertEquals(code, 0, errors)
  lu.assertStrContains(output, "images-test, 20 images")
  lu.assertStrMatches(output, ".*accuracy +%d+%.%d%d %% %(%d+%.%d%d to %d+%.%d%d%).*")
end

function TestImages:test_channels_go_by_the_command_line()
  local net, data = H.subject()
  local out = program.folder() .. "/narrow"
  program.json({ "compress", net, "--method", "prune_channels", "--sparsity", "0.5", "--data", data,
    "--out", out, "--json" })
  local report = program.json({ "inspect", out, "--json" })

  lu.assertEquals(report.places[1].shape, { 2, 18 })
end

function TestImages:test_what_does_not_fit_is_refused()
  local net, data = H.subject()
  local function fails(argv, expected)
    local _, code, errors = program.run(argv)
    lu.assertTrue(code ~= 0)
    lu.assertStrContains(errors, expected)
  end
  fails({ "eval", net, "--data", data, "--protocol", "nll-64" }, "expected a string for protocol")
  fails({ "eval", net, "--protocol", "images-test" }, "missing --text FILE, or --data DIR")
  fails({ "eval", net, "--data", data, "--protocol", "images-valid" },
    "valid-images-idx3-ubyte: no such file")
  fails({ "compress", net, "--method", "gptq", "--data", data, "--text", net .. "/config.json" },
    "--text and --data, expected one of them")
  fails({ "generate", net, "--prompt", "a" }, "tokenizer")
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
