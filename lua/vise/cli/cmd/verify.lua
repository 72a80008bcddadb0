-- SPDX-License-Identifier: Apache-2.0
--- vise verify: is a .vise file or a run directory what it was when it was written?

local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local text = require("vise.text")
local verify = require("vise.run.verify")

local H = {}

function H.run(args)
  local path = args[1]
  if path:find("%.gguf$") then
    exit.failure(path .. ": is a GGUF file, which has no hashes, expected a .vise file or a run "
      .. "directory")
  end
  local is_folder = exit.check(native.file.stat(path)).kind == "folder"
  local report = exit.check(verify[is_folder and "directory" or "artifact"](path))
  if args.options.json then
    term.write_json(report)
    return
  end
  local what = "no artifact"
  if report.hash then
    what = ("%d parts, %s, hash %s"):format(report.parts, text.bytes(report.bytes), report.hash)
  end
  term.write(("%s: sound, %s\n"):format(report.path, what))
  for _, file in ipairs(report.files or {}) do
    term.write(("  %-13s  %s\n"):format(file.name, file.holds))
  end
end

---@type vise.Command
return {
  summary = "check a .vise file or a run directory against its hashes",
  usage = { "vise verify FILE|DIR [--json]" },
  positional = { { name = "FILE|DIR", doc = "a .vise file or a run directory" } },
  options = { options.json },
  details = [[
Of a run directory every file is checked: against the digests in run.json, the numbers also against
what model.vise has sealed and what can be computed from it. Exit code 0 when all is as it was
written, 1 otherwise; the message names the file and the key, and says what was expected.

  vise verify small]],
  run = H.run,
}
