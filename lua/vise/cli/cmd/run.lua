-- SPDX-License-Identifier: Apache-2.0
--- vise run: execute a recipe and record it.

local bundle = require("vise.run.bundle")
local described = require("vise.cli.described")
local exit = require("vise.cli.exit")
local job = require("vise.cli.job")
local limits = require("vise.cli.limits")
local run = require("vise.run")
local text = require("vise.text")

local H = {}

function H.run(args)
  job.check_there(args[1])
  local given = job.parameters(args)
  local request
  if bundle.is(args[1]) then
    request = job.check(bundle.request(exit.check(bundle.of(args[1])), given))
  else
    request = exit.check(run.read(args[1]))
    request.given, request.is_open = given, args.options["no-sandbox"]
  end
  request.why = args.options.why or nil
  job.run(request, args.options)
end

--- The parameters of the recipe that the command line names. Raises what is wrong with it.
function H.more_help(argv)
  if argv[1] == nil or argv[1]:match("^%-") then
    return ""
  end
  job.check_there(argv[1])
  local recipe = exit.check(run.read(argv[1]))
  if bundle.is(argv[1]) then
    recipe = exit.check(bundle.of(argv[1])).recipe
    recipe.path = argv[1]
  end
  local description = exit.check(run.describe(recipe))
  local about = text.printable(description.about)
  return ("\n%s: %s\n%s"):format(recipe.path, about, described.table(description.params))
end

H.options = {
  { name = "why", kind = "bool", default = false,
    doc = "say of every step whether it came from the cache, and if not, what had changed" },
  limits.untrusted,
  limits.no_sandbox,
}
table.move(job.options, 1, #job.options, 1 + #H.options, H.options)

---@type vise.Command
return {
  summary = "run a recipe or a bundle and record it",
  usage = { "vise run RECIPE|BUNDLE [NAME=VALUE ...] [--why] [--rehearse] [--untrusted] "
    .. "[--out DIR] [--seed N] [--json]" },
  positional = {
    { name = "RECIPE|BUNDLE",
      doc = "a Lua file, or one of `vise bundle`, which is always untrusted; "
        .. "`vise run RECIPE --help` shows its parameters" },
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
