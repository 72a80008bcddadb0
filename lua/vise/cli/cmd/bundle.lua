-- SPDX-License-Identifier: Apache-2.0
--- vise bundle: a recipe with all it takes to run it again, in one file.

local bundle = require("vise.run.bundle")
local exit = require("vise.cli.exit")
local job = require("vise.cli.job")
local options = require("vise.cli.options")
local term = require("vise.cli.term")

local H = {}

function H.run(args)
  local made = job.check(bundle.of(args[1], job.parameters(args)))
  if made.kind ~= "recipe" and #args > 1 then
    exit.usage("'%s': the parameters of a %s are those it was made with", args[2], made.kind)
  end
  local path = args.options.out or made.recipe.name .. ".bundle"
  exit.check(bundle.write(made, path))
  local report = { bundle = path, recipe_sha256 = made.recipe.sha256, inputs = {} }
  for name, input in pairs(made.inputs) do
    report.inputs[name] = input.sha256
  end
  if args.options.json then
    term.write_json(report)
  else
    term.write(path .. "\n")
  end
end

---@type vise.Command
return {
  summary = "make one file of a recipe, its parameters, input hashes and claims",
  usage = { "vise bundle RECIPE|RUN|FILE [NAME=VALUE ...] [--out FILE] [--json]" },
  positional = {
    { name = "RECIPE|RUN|FILE", doc = "a recipe, a run directory or a .vise file" },
    { name = "NAME=VALUE", doc = "a parameter, of a recipe", optional = true, many = true },
  },
  options = {
    { name = "out", kind = "string", value = "FILE", doc = "default: the recipe's name, .bundle" },
    options.json,
  },
  details = [[
The file holds no model and no text, but their hashes: who runs it must have them. The bundle of a
run also holds the numbers that were measured, which `vise reproduce` compares.

  vise bundle runs/first-1 --out first.bundle
  vise run first.bundle model=MODEL text=story.txt]],
  run = H.run,
}
