-- SPDX-License-Identifier: Apache-2.0
--- vise version (also --version): vise, its libraries, the CPU level.

local native = require("vise.native")
local options = require("vise.cli.options")
local term = require("vise.cli.term")

local H = {}

function H.run(args)
  local version = native.core.version()
  if args.options.json then
    term.write_json(version)
    return
  end
  term.write(("vise %s\n"):format(version.vise))
  for _, name in ipairs({ "lua", "zstd", "openblas", "jansson", "pcre2", "openssl", "sqlite" }) do
    term.write(("%-10s %s\n"):format(name, version[name]))
  end
  term.write(("%-10s %s (of this machine: %s), %s\n"):format(
    "cpu", version.cpu, version.cpu_detected, version.cpu_model))
end

---@type vise.Command
return {
  summary = "the versions of vise and its libraries, and the CPU level",
  usage = { "vise version [--json]", "vise --version" },
  options = { options.json },
  details = "  vise version --json",
  run = H.run,
}
