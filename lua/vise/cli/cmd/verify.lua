-- SPDX-License-Identifier: Apache-2.0
--- vise verify: is a .vise file or a run directory what it was when it was written?

local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local path = args[1]
  local info = exit.check(native.file.stat(path))
  local report = { path = path }
  if info.kind == "folder" then
    H.run_directory(path, report)
  else
    H.artifact(path, report)
  end
  if args.options.json then
    term.write_json(report)
    return
  end
  local line = "%s: sound, %d parts, %s, hash %s\n"
  term.write(line:format(report.path, report.parts, text.bytes(report.bytes), report.hash))
end

--- Every byte of the artifact against its hashes. The manifest must be a JSON object and every
--- weight must load: hashes alone bless a file that nothing can open.
function H.artifact(path, report)
  local reader <close> = exit.check(native.artifact.open(path))
  exit.check(reader:verify())
  local manifest, message = native.json.decode(reader:manifest())
  if type(manifest) ~= "table" or reader:manifest():find("^%s*{") == nil then
    exit.failure(("%s: manifest: %s"):format(path, message or "is no JSON object"))
  end
  for _, name in ipairs(reader:names()) do
    if reader:kind(name) == "weight" then
      exit.check(reader:weight(name)):close()
    end
  end
  report.hash, report.bytes, report.parts = reader:hash(), reader:bytes(), #reader:names()
end

--- The record agrees with what lies beside it.
function H.run_directory(path, report)
  local content = exit.check(native.file.read(path .. "/run.json"))
  local record, message = native.json.decode(content)
  if type(record) ~= "table" or type(record.recipe) ~= "table" then
    exit.failure(("%s/run.json: is no record of a run (%s)"):format(path, message or "no recipe"))
  elseif native.core.sha256(tostring(record.recipe.text)) ~= record.recipe.sha256 then
    exit.failure(path .. "/run.json: the recipe is not the one of its sha256")
  elseif type(record.artifact) ~= "table" then
    exit.failure(path .. "/run.json: the run saved no artifact")
  end
  H.artifact(path .. "/model.vise", report)
  if report.hash ~= record.artifact.hash then
    local problem = "%s/model.vise: hash is %s, run.json has %s"
    exit.failure(problem:format(path, report.hash, tostring(record.artifact.hash)))
  end
end

---@type vise.Command
return {
  summary = "check a .vise file or a run directory against its hashes",
  usage = { "vise verify FILE|DIR [--json]" },
  positional = { { name = "FILE|DIR", doc = "a .vise file or a run directory" } },
  options = { options.json },
  details = [[
Exit code 0 when every byte is as it was written, 1 otherwise; it says what differs.

  vise verify small/model.vise]],
  run = H.run,
}
