-- SPDX-License-Identifier: Apache-2.0
--- vise recipe check: does a recipe load, and what are its parameters?

local check = require("vise.check")
local described = require("vise.cli.described")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local run = require("vise.run")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  if args[1] ~= "check" then
    local hint = check.suggest(args[1], { "check" })
    exit.usage("unknown action '%s'%s", args[1], hint and " (" .. hint .. ")" or "")
  elseif #args == 1 then
    exit.usage("missing FILE: the recipe to check")
  end
  local reports, code = {}, 0
  for i = 2, #args do
    local report = H.check(args[i])
    reports[#reports + 1] = report
    if report.error then
      code = 1
    end
    if not args.options.json then
      H.print(report)
    end
  end
  if args.options.json then
    term.write_json(native.json.array(reports))
  end
  return code
end

function H.check(path)
  local recipe, message = run.read(path)
  local description
  if recipe then
    description, message = run.describe(recipe)
  end
  if description == nil then
    return { recipe = path, error = message }
  end
  return {
    recipe = path,
    about = description.about,
    params = native.json.array(description.params),
    claims = description.claims,
  }
end

function H.print(report)
  if report.error then
    term.say(term.style(2, "red", "vise:") .. " " .. report.error)
    return
  end
  local name = term.style(1, "bold", report.recipe)
  term.write(("%s: %s\n"):format(name, text.printable(report.about)))
  term.write(described.table(report.params))
end

---@type vise.Command
return {
  summary = "check recipes and show their parameters",
  usage = { "vise recipe check FILE ... [--json]" },
  positional = {
    { name = "check", doc = "the action" },
    { name = "FILE", doc = "a recipe; it is loaded, not run", optional = true, many = true },
  },
  options = { options.json },
  details = "  vise recipe check recipes/first.lua mine.lua",
  run = H.run,
}
