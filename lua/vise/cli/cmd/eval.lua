-- SPDX-License-Identifier: Apache-2.0
--- vise eval: measure a model on a text or on images.

local exit = require("vise.cli.exit")
local measured = require("vise.cli.measured")
local metric = require("vise.metric")
local options = require("vise.cli.options")
local progress = require("vise.cli.progress")
local runtime = require("vise.model.runtime")
local term = require("vise.cli.term")
local text_file = require("vise.text")

local H = {}

function H.run(args)
  local given = args.options
  if (given.text == nil) == (given.data == nil) then
    exit.usage(given.text and "--text and --data, expected one of them"
      or "missing --text FILE, or --data DIR for a model of images")
  end
  local text = given.text and exit.check(text_file.read(given.text))
  local m = runtime.apply(options.open_model(args[1]), {
    kv = given.kv, kv_recent = given["kv-recent"], activations = given.activations,
  })
  local against = given.against and options.open_model(given.against)
  local display = progress.new(given)
  display:begin("measure")
  local ok, row, message, code = pcall(metric.evaluate, m, {
    text = text,
    data = given.data,
    protocol = given.protocol,
    against = against,
    on_progress = function(done, total)
      display:update(done, total, given.data and "images" or "tokens")
    end,
  })
  display:clear()
  if not ok then
    error(row, 0)
  end
  exit.check(row, message, code)
  if given.json then
    term.write_json(row)
  else
    row.name = args[1]
    measured.write({ row })
  end
end

--- How the model is run, as flags.
function H.flags()
  local flags = { options.text, options.data, options.protocol, options.against }
  for _, row in ipairs(runtime.options) do
    flags[#flags + 1] = { name = (row.name:gsub("_", "-")), kind = row.kind, default = row.default,
      choices = row.choices, min = row.min, max = row.max, doc = row.doc }
  end
  return table.move({ options.json, options.quiet }, 1, 2, #flags + 1, flags)
end

---@type vise.Command
return {
  summary = "measure a model on a text or on images",
  usage = { "vise eval MODEL --text FILE|--data DIR --protocol NAME [--against MODEL] "
    .. "[--kv FORMAT] [--kv-recent N] [--activations FORMAT] [--json]" },
  positional = { options.model },
  options = H.flags(),
  details = [[
Errors after ± are standard errors, clustered by document or window. `stored` is the size of the
file or files on disk; bits/weight is that times 8 / parameters. `vise explain metrics` tells what
each number is.

  vise eval small --text story.txt --protocol nll-256 --against MODEL
  vise eval share/models/digits --data images --protocol images-test]],
  run = H.run,
}
