-- SPDX-License-Identifier: Apache-2.0
--- vise reproduce: run it again, and compare what was claimed with what comes out.

local bundle = require("vise.run.bundle")
local job = require("vise.cli.job")
local limits = require("vise.cli.limits")
local native = require("vise.native")
local options = require("vise.cli.options")
local reproduce = require("vise.run.reproduce")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local given = job.parameters(args)
  local claimed = job.check(bundle.of(args[1], given))
  local request = job.check(bundle.request(claimed, claimed.kind == "recipe" and {} or given, true))
  local result = job.execute(request, args.options)
  local report = reproduce.compare(claimed, result)
  report.file, report.kind, report.run = args[1], claimed.kind, result.directory
  if args.options.json then
    report.numbers = native.json.array(report.numbers)
    report.claims = native.json.array(report.claims)
    term.write_json(report)
  else
    H.print(report)
  end
  return report.passed and 0 or 1
end

function H.print(report)
  local rows = {}
  for _, number in ipairs(report.numbers) do
    local what = ("%s of %s"):format(number.name, text.printable(number.row))
    rows[#rows + 1] = H.row(what, H.number(number.claimed), number)
  end
  for _, claim in ipairs(report.claims) do
    rows[#rows + 1] = H.row(claim.name, claim.comparison .. " " .. H.number(claim.claimed), claim)
  end
  if #rows > 0 then
    term.write("\n" .. text.table(rows, { { title = "", align = "left" }, "claimed", "obtained",
      "tolerance", { title = "", align = "left" } }, { indent = "  " }) .. "\n")
  end
  local artifact = report.artifact
  if artifact then
    term.write(artifact.is_same and ("artifact: the same, byte for byte (%s)\n"):format(
        artifact.claimed:sub(1, 16)) or ("artifact: %s, claimed %s\n"):format(
        artifact.obtained or "none was saved", artifact.claimed))
  elseif #rows == 0 then
    term.write("nothing is claimed, expected claims, measured rows or an artifact\n")
  end
  term.write(("%s: %s\n"):format(report.run, report.passed and term.style(1, "green", "pass")
    or term.style(1, "red", "FAIL")))
end

function H.row(what, claimed, number)
  return { what, claimed, number.obtained and H.number(number.obtained) or "not measured",
    number.tolerance == 0 and "none" or "± " .. H.number(number.tolerance),
    number.passed and "pass" or "FAIL" }
end

function H.number(x)
  return ("%.6g"):format(x)
end

---@type vise.Command
return {
  summary = "run again what a file claims, and compare",
  usage = { "vise reproduce RECIPE|RUN|FILE [NAME=VALUE ...] [--out DIR] [--json]" },
  positional = {
    { name = "RECIPE|RUN|FILE", doc = "a recipe, a run directory, a .vise file or a bundle" },
    { name = "NAME=VALUE", doc = "where an input is now; of a recipe, a parameter",
      optional = true, many = true },
  },
  options = {
    { name = "out", kind = "string", value = "DIR",
      doc = "the run directory, made new; default runs/ with the recipe's name and the time" },
    options.json,
    options.quiet,
    table.unpack(limits.options),
  },
  details = [[
It runs as untrusted (share/doc/sandbox.md), with a cache of its own. Inputs are those of the same
hashes; where they are not found at the paths they had, say where they are.

A number passes within twice the standard error measured here, a size within a thousandth, a count
when it is equal. Of a .vise file the hash must come out. Exit code 0 when all passes, 1 otherwise.

  vise reproduce runs/first-1
  vise reproduce small.vise model=MODEL text=story.txt]],
  run = H.run,
}

