-- SPDX-License-Identifier: Apache-2.0
--- vise convert: write a model in the format of other programs.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local options = require("vise.cli.options")
local progress = require("vise.cli.progress")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local given = args.options
  local m = options.open_model(args[1])
  local display = progress.new(given)
  display:begin("write " .. given.to)
  local ok, result, message, code = pcall(H.export().run, m, given.out, {
    to = given.to,
    type = given.type,
    on_progress = function(done, total)
      display:update(done, total, "tensors")
    end,
  })
  display:clear()
  if not ok then
    error(result, 0)
  end
  exit.check(result, message, code)
  if given.json then
    term.write_json(result)
    return
  end
  local kinds = {}
  for type, count in check.sorted_pairs(result.types) do
    kinds[#kinds + 1] = ("%d %s"):format(count, type)
  end
  term.write(("%s  %s: %s\n"):format(text.printable(result.path), text.bytes(result.bytes),
    table.concat(kinds, ", ")))
end

--- Loaded when a model is written, not when the help is shown.
function H.export()
  return require("vise.model.export")
end

---@type vise.Command
return {
  summary = "write a model as a GGUF file, a Hugging Face folder or a .vise file",
  usage = { "vise convert MODEL --to gguf|hf|vise --out PATH [--type f32|f16|bf16] [--json]" },
  positional = { options.model },
  options = {
    { name = "to", kind = "choice", choices = { "gguf", "hf", "vise" }, required = true,
      value = "FORMAT", doc = "the format" },
    { name = "out", kind = "string", value = "PATH", required = true,
      doc = "the file, or for hf the new folder" },
    { name = "type", kind = "choice", choices = { "f32", "f16", "bf16" },
      doc = "for gguf and hf: of dense weights, and of those the format has no type for" },
    options.json,
    options.quiet,
  },
  details = [[
Without --type every weight keeps its bits, and one that the format has no type for is refused by
name. GGUF has f32, f16, bf16 and ggml's blocks (q4_0 ... q6_k, iq4_nl, iq4_xs, tq2_0), which are
kept with --type too; a Hugging Face folder has floats only.

  vise convert MODEL --to gguf --type f16 --out model.gguf
  vise convert model.gguf --to hf --type bf16 --out folder]],
  run = H.run,
}
