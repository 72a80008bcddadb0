-- SPDX-License-Identifier: Apache-2.0
--- vise eval: measure a model on a text.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local input = require("vise.run.input")
local measured = require("vise.cli.measured")
local metric = require("vise.metric")
local model = require("vise.model")
local native = require("vise.native")
local progress = require("vise.cli.progress")
local protocol = require("vise.metric.protocol")
local term = require("vise.cli.term")

local H = {}

function H.run(args)
  local options = args.options
  local ok, problem = pcall(protocol.parse, options.protocol)
  if not ok then
    exit.usage("%s", check.strip_position(problem))
  end
  local path = exit.check(input.find_model(args[1]))
  local against_path = options.against and exit.check(input.find_model(options.against))
  local text = exit.check(native.file.read(options.text))
  local m = exit.check(model.open(path))
  local against = against_path and exit.check(model.open(against_path))
  local display = progress.new(options)
  local row, message, code = metric.evaluate(m, {
    text = text,
    protocol = options.protocol,
    against = against,
    on_progress = function(done, total)
      display:update("measure", done, total, "tokens")
    end,
  })
  display:clear()
  exit.check(row, message, code)
  row.bytes = m:disk_bytes()
  if options.json then
    term.write_json(row)
  else
    row.name = args[1]
    measured.write({ row })
  end
end

---@type vise.Command
return {
  summary = "measure a model on a text",
  usage = { "vise eval MODEL --text FILE --protocol NAME [--against MODEL] [--json]" },
  positional = { { name = "MODEL", doc = "a model folder, a .vise file or a run directory" } },
  options = {
    { name = "text", kind = "string", value = "FILE", required = true, doc = "the text, UTF-8" },
    { name = "protocol", kind = "string", value = "NAME", required = true,
      doc = "how tokens are cut and scored: nll-256, gptq-2048, ...; `vise explain protocols`" },
    { name = "against", kind = "string", value = "MODEL",
      doc = "the original: adds KL divergence, top-1 agreement and the paired difference" },
    { name = "json", kind = "bool", default = false, doc = "print the numbers as JSON" },
    { name = "quiet", kind = "bool", default = false, doc = "no progress" },
  },
  details = [[
Errors after ± are standard errors, clustered by document or window. `stored` is the size of the
file or files on disk; bits/weight is computed from the packed parts of the weights.]],
  run = H.run,
}
