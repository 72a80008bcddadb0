-- SPDX-License-Identifier: Apache-2.0
--- vise compress: one method on all weights of a model, without writing a recipe.

local args = require("vise.cli.args")
local check = require("vise.check")
local exit = require("vise.cli.exit")
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
      { %s },
    })
    job:save(compressed)
  end,
}
]]

--- The same with statistics over a text.
H.calibrated = [[
local vise = require "vise"

return vise.recipe {
  about = %s,
  params = { model = vise.param.model(), text = vise.param.text() },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original, { text = p.text%s })
    local compressed = job:compress(original, {
      { %s, stats = stats },
    })
    job:save(compressed)
  end,
}
]]

function H.run(parsed)
  local given = parsed.options
  local words = { ("method = %q"):format(given.method) }
  local is_whole = method.find(given.method).scope == "model"
  if is_whole and given.match ~= "*" then
    exit.argument(("--match: %s is for the whole model, expected no pattern"):format(given.method))
  elseif not is_whole then
    table.insert(words, 1, ("match = %q"):format(given.match))
  end
  for _, row in ipairs(method.params(given.method, given)) do
    local value = given[row.name]
    if value ~= nil then
      words[#words + 1] = ("%s = %s"):format(row.name, H.literal(value))
    end
  end
  local about = ("%q"):format(is_whole and given.method
    or ("%s on %s"):format(given.method, given.match))
  local text
  local inputs = { { "model", parsed[1] } }
  if given.text then
    local tokens = given.tokens and (", tokens = %d"):format(given.tokens) or ""
    text = H.calibrated:format(about, tokens, table.concat(words, ", "))
    inputs[2] = { "text", given.text }
  else
    text = H.recipe:format(about, table.concat(words, ", "))
  end
  job.run({
    name = "compress-" .. given.method,
    path = "vise compress",
    is_made_here = true, -- so its lines mean nothing to the user
    text = text,
    given = inputs,
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
  if name and not name:match("^%-") then
    exit.usage("%s", check.unknown("method", name, H.names()))
  end
  return {}
end

--- It is written into a recipe between quotes.
function H.check_pattern(pattern)
  if not pattern:match("^[%w_.*?]+$") then
    check.fail("match is '%s', expected a pattern such as mlp.*", pattern)
  end
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
  { name = "match", kind = "string", default = "*", value = "PATTERN", check = H.check_pattern,
    doc = "which weights, as in recipes: attn.*, mlp.*; * is every one, *.* those of the layers, "
      .. "without embedding and head; methods that need statistics take an embedding only if it is "
      .. "the head too" },
  { name = "text", kind = "string", value = "FILE",
    doc = "the calibration text, for methods that take statistics" },
  { name = "tokens", kind = "int", min = 1, value = "N",
    doc = "calibration tokens; up to 32768 if absent" },
}
table.move(job.options, 1, #job.options, #flags + 1, flags)

---@type vise.Command
return {
  summary = "compress the weights of a model with one method",
  usage = {
    "vise compress MODEL --method NAME [--match PATTERN] [--text FILE] [--OPTION VALUE ...] "
      .. "[--out DIR] [--seed N] [--json]",
  },
  positional = { options.model },
  options = flags,
  more_options = H.more_options,
  details = [[
With --method, --help shows the options of that method too, and with --format those of the format.
The run records the recipe it stands for, so it can be repeated and extended.

  vise compress MODEL --method rtn --bits 4 --group 64 --out small
  vise compress MODEL --method rtn --format int --help
  vise compress MODEL --method gptq --match '*.*' --text train.txt --bits 3]],
  run = H.run,
}
