-- SPDX-License-Identifier: Apache-2.0
--- vise compress: one method on all weights of a model, without writing a recipe.

local args = require("vise.cli.args")
local check = require("vise.check")
local job = require("vise.cli.job")
local method = require("vise.method")
local options = require("vise.cli.options")

local H = {}

H.recipe = [[
local vise = require "vise"

return vise.recipe {
  about = %s,
  params = { model = vise.param.model() },
  run = function(p, job)
    local original = job:open(p.model)
    local compressed = job:compress(original, {
      { match = "*", %s },
    })
    job:save(compressed)
  end,
}
]]

function H.run(parsed)
  local given = parsed.options
  local words = { ("method = %q"):format(given.method) }
  for _, row in ipairs(method.params(given.method, given)) do
    local value = given[row.name]
    if value ~= nil then
      words[#words + 1] = ("%s = %s"):format(row.name, H.literal(value))
    end
  end
  local about = ("%s on every weight"):format(given.method)
  job.run({
    name = "compress-" .. given.method,
    path = "vise compress",
    is_made_here = true, -- so its lines mean nothing to the user
    text = H.recipe:format(("%q"):format(about), table.concat(words, ", ")),
    given = { { "model", parsed[1] } },
  }, given)
end

--- The options of the method that the command line names; none while there is no such method.
function H.more_options(argv)
  local name = args.peek(argv, "method")
  for _, descriptor in ipairs(method.list()) do
    if descriptor.name == name then
      return method.params(name, setmetatable({}, { __index = function(_, option)
        return args.peek(argv, option)
      end }))
    end
  end
  return {}
end

function H.names()
  local names = {}
  for i, descriptor in ipairs(method.list()) do
    names[i] = descriptor.name
  end
  return names
end

--- A value as Lua writes it, exactly.
function H.literal(value)
  return type(value) == "string" and ("%q"):format(value) or check.plain(value)
end

local flags = {
  { name = "method", kind = "choice", choices = H.names(), value = "NAME", required = true,
    doc = "the method; `vise explain NAME` tells what it does" },
}
table.move(job.options, 1, #job.options, 2, flags)

---@type vise.Command
return {
  summary = "compress all weights of a model with one method",
  usage = { "vise compress MODEL --method NAME [--OPTION VALUE ...] [--out DIR] [--seed N] [--json]" },
  positional = { options.model },
  options = flags,
  more_options = H.more_options,
  details = [[
With --method, --help shows the options of that method too, and with --format those of the format.
The run records the recipe it stands for, so it can be repeated and extended.

  vise compress MODEL --method rtn --bits 4 --group 64 --out small
  vise compress MODEL --method rtn --format int --help]],
  run = H.run,
}
