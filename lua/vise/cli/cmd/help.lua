-- SPDX-License-Identifier: Apache-2.0
--- vise help: the commands, or the help of one.

local args = require("vise.cli.args")
local cli = require("vise.cli")
local term = require("vise.cli.term")

local H = {}

function H.run(parsed)
  local name = parsed[1]
  if name then
    term.write(args.help(name, cli.find(name), {}))
    return
  end
  term.write("vise: compress neural networks, and know what was lost\n\n")
  term.write("Usage: vise COMMAND [ARGUMENT ...]\n\nCommands:\n")
  for _, command in ipairs(cli.names()) do
    term.write(("  %-10s %s\n"):format(command, cli.find(command).summary))
  end
  term.write([[

vise COMMAND --help tells more. Models are Hugging Face folders, .vise files or run directories.
VISE_THREADS=N sets the number of threads, VISE_CPU=ref|avx2|avx512 lowers the CPU level; neither
changes a result.
]])
end

---@type vise.Command
return {
  summary = "this list, or the help of one command",
  usage = { "vise help [COMMAND]" },
  positional = { { name = "COMMAND", doc = "the name of a command", optional = true } },
  options = {},
  details = "  vise help compress",
  run = H.run,
}
