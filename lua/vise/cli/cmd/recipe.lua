-- SPDX-License-Identifier: Apache-2.0
--- vise recipe: begin one, tell whether some load, show one.

local check = require("vise.check")
local described = require("vise.cli.described")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local place = require("vise.place")
local run = require("vise.run")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local action = H.actions[args[1]]
  if action == nil then
    local hint = check.suggest(args[1], check.sorted_keys(H.actions))
    exit.usage("unknown action '%s'%s", args[1], hint and " (" .. hint .. ")" or "")
  elseif #args == 1 then
    exit.usage("missing FILE: the recipe to %s", args[1])
  elseif args[1] ~= "check" and #args > 2 then
    exit.usage("unexpected argument '%s'", args[3])
  end
  return action(table.move(args, 2, #args, 1, {}), args.options)
end

H.actions = {}

--- Do they load? Exit code 1 unless all do.
function H.actions.check(paths, given)
  local reports, code = {}, 0
  for i, path in ipairs(paths) do
    local report = H.check(path)
    reports[i] = report
    code = report.error and 1 or code
    if not given.json then
      H.print(report)
    end
  end
  if given.json then
    term.write_json(native.json.array(reports))
  end
  return code
end

--- All there is to know of one, its text included.
function H.actions.show(paths, given)
  local report = H.check(paths[1])
  if report.error then
    exit.failure(report.error)
  end
  local recipe = exit.check(run.read(paths[1]))
  report.text, report.sha256 = recipe.text, native.core.sha256(recipe.text)
  if given.json then
    term.write_json(report)
    return
  end
  H.print(report)
  for name, claim in check.sorted_pairs(report.claims) do
    term.write(("  claims %s %s %s\n"):format(name, claim[1], check.plain(claim[2])))
  end
  for _, included in ipairs(report.includes) do
    term.write(("  includes %s (sha256 %s)\n"):format(included.path, included.sha256:sub(1, 16)))
  end
  term.write(("  sha256 %s\n\n"):format(report.sha256))
  for line in recipe.text:gmatch("([^\n]*)\n?") do
    term.write((line:gsub("[^\t]+", text.printable)) .. "\n")
  end
end

--- A recipe to begin with.
function H.actions.new(paths, given)
  local path = paths[1]
  if not path:find("%.lua$") then
    path = path .. ".lua"
  end
  if native.file.stat(path) then
    exit.failure(path .. ": is there already, expected the name of a new file")
  end
  local start = exit.check(native.file.read(place.default("share/recipe/new.lua")))
  exit.check(native.file.replace(path, start))
  if given.json then
    term.write_json({ recipe = path })
  else
    term.write(("%s: vise run %s model=MODEL runs it\n"):format(path, path))
  end
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
    includes = description.includes,
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
  summary = "begin, check and show recipes",
  usage = {
    "vise recipe check FILE ... [--json]",
    "vise recipe show FILE [--json]",
    "vise recipe new FILE [--json]",
  },
  positional = {
    { name = "ACTION", doc = "check: do they load, and what are their parameters? show: one recipe "
      .. "with its claims, includes and text; new: a file to begin with" },
    { name = "FILE", doc = "a recipe; it is loaded, not run", optional = true, many = true },
  },
  options = { options.json },
  details = "  vise recipe check recipes/first.lua mine.lua",
  run = H.run,
}
