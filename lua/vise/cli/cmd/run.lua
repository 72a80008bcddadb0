-- SPDX-License-Identifier: Apache-2.0
--- vise run: execute a recipe and record it.

local check = require("vise.check")
local described = require("vise.cli.described")
local exit = require("vise.cli.exit")
local job = require("vise.cli.job")
local limits = require("vise.cli.limits")
local native = require("vise.native")
local run = require("vise.run")
local text = require("vise.text")

local H = {}

function H.run(args)
  local request = H.read(args[1])
  request.is_open = args.options["no-sandbox"]
  request.given = {}
  for i = 2, #args do
    local name, value = args[i]:match("^([%a_][%w_]*)=(.*)$")
    if name == nil then
      exit.usage("'%s' is no parameter, expected NAME=VALUE", args[i])
    end
    request.given[#request.given + 1] = { name, value }
  end
  job.run(request, args.options)
end

--- The parameters of the recipe that the command line names. Raises what is wrong with it.
function H.more_help(argv)
  if argv[1] == nil or argv[1]:match("^%-") then
    return ""
  end
  local recipe = H.read(argv[1])
  local description = exit.check(run.describe(recipe))
  local about = text.printable(description.about)
  return ("\n%s: %s\n%s"):format(recipe.path, about, described.table(description.params))
end

--- The request to run the recipe at a path. Raises vise.Exit.
function H.read(path)
  if native.file.stat(path) == nil then
    local hint = H.suggest(path)
    exit.failure(("%s: no such recipe%s"):format(path, hint and " (" .. hint .. ")" or ""))
  end
  return exit.check(run.read(path))
end

--- A recipe of that folder with nearly that name.
function H.suggest(path)
  local folder, name = path:match("^(.*/)([^/]+)$")
  local names = native.file.list(folder or ".")
  return names and check.suggest(name or path, names)
end

H.options = { limits.untrusted, limits.no_sandbox }
table.move(job.options, 1, #job.options, 1 + #H.options, H.options)

---@type vise.Command
return {
  summary = "run a recipe and record it",
  usage = { "vise run RECIPE [NAME=VALUE ...] [--untrusted] [--out DIR] [--seed N] [--json]" },
  positional = {
    { name = "RECIPE", doc = "a Lua file; `vise run RECIPE --help` shows its parameters" },
    { name = "NAME=VALUE", doc = "a parameter of the recipe", optional = true, many = true },
  },
  options = H.options,
  details = [[
The run directory holds run.json (parameters, hashes of the inputs, the recipe, the machine),
metrics.jsonl, ledger.json (bytes of every tensor), model.vise and log.txt. It appears when the
run is complete; a run that fails or is interrupted leaves nothing.

The recipe runs in a sandbox: it reads the files that its parameters name, writes into its run
directory, and reaches nothing else (share/doc/sandbox.md).

  vise run recipes/first.lua model=MODEL text=story.txt bits=3]],
  more_help = H.more_help,
  run = H.run,
}
