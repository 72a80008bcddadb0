-- SPDX-License-Identifier: Apache-2.0
--- vise compress: one method on all weights of a model, without writing a recipe.

local args = require("vise.cli.args")
local check = require("vise.check")
local exit = require("vise.cli.exit")
local job = require("vise.cli.job")
local method = require("vise.method")
local options = require("vise.cli.options")
local space = require("vise.sweep.space")

local H = {}

H.recipe = [[
local vise = require "vise"

return vise.recipe {
  about = %s,
  params = {
    %s,
  },
  run = function(p, job)
    local original = job:open(p.model)
%s    local compressed = job:compress(original, {
      {
        %s,
      },
    })
    job:save(compressed)
  end,
}
]]

H.calibrate = "    local stats = job:calibrate(original, { %s })\n"

--- Every option of the method is a parameter of the recipe, what was given its default: the recipe
--- alone does the same again, the run says what the options were, and a sweep can vary them.
function H.run(parsed)
  local given = parsed.options
  local is_whole = method.find(given.method).scope == "model"
  if is_whole and given.match ~= "*" then
    exit.argument(("--match: %s is for the whole model, expected no pattern"):format(given.method))
  end
  local params, rule, inputs = { "model = vise.param.model()" }, {}, { { "model", parsed[1] } }
  local function add(row, value)
    params[#params + 1] = ("%s = %s"):format(row.name, H.constructor(row, value))
    rule[#rule + 1] = ("%s = p.%s"):format(row.name, row.name)
  end
  if not is_whole then
    add({ kind = "choice", name = "match", choices = {} }, given.match)
  end
  add({ kind = "choice", name = "method", choices = {} }, given.method)
  for _, row in ipairs(method.params(given.method, given)) do
    local value = given[row.name]
    add(row, value == nil and row.default or value)
  end
  local calibrate = ""
  local kind, unit = "text", "tokens"
  if given.data and given.text then
    exit.usage("--text and --data, expected one of them")
  elseif given.data then
    kind, unit = "data", "images"
  end
  if given[kind] then
    calibrate = H.calibrate:format(("%s = p.%s"):format(kind, kind)
      .. (given[unit] and (", %s = %d"):format(unit, given[unit]) or ""))
    params[#params + 1] = ("%s = vise.param.%s()"):format(kind, kind)
    inputs[2] = { kind, given[kind] }
    rule[#rule + 1] = "stats = stats"
  end
  local about = is_whole and given.method or ("%s on %s"):format(given.method, given.match)
  job.run({
    name = "compress-" .. given.method,
    path = "vise compress",
    is_made_here = true, -- so its lines mean nothing to the user
    text = H.recipe:format(H.literal(about), table.concat(params, ",\n    "), calibrate,
      table.concat(rule, ",\n        ")),
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

--- The method, and format, that the command line names: what an unknown option is not one of.
function H.lacking(argv)
  local name, format = args.peek(argv, "method"), args.peek(argv, "format")
  return name and ("method %s%s"):format(name, format and " with format " .. format or "")
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

--- An option as a parameter of a recipe: its value, what else it may be, and what it means.
function H.constructor(row, value)
  local words = { H.literal(value) }
  for _, choice in ipairs(row.choices or {}) do
    words[#words + 1] = choice ~= value and H.literal(choice) or nil
  end
  for _, name in ipairs({ "min", "max", "doc" }) do
    words[#words + 1] = row[name] and ("%s = %s"):format(name, H.literal(row[name]))
  end
  local name = row.kind == "choice" and "enum" or row.kind
  return ("vise.param.%s { %s }"):format(name, table.concat(words, ", "))
end

--- A value as Lua writes it, exactly.
function H.literal(value)
  return type(value) == "string" and ("%q"):format(value) or space.value_text(value)
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
  options.data,
  { name = "images", kind = "int", min = 1, value = "N",
    doc = "calibration images, the first of the training split; 256 if absent" },
}
table.move(job.options, 1, #job.options, #flags + 1, flags)

---@type vise.Command
return {
  summary = "compress the weights of a model with one method",
  usage = {
    "vise compress MODEL --method NAME [--match PATTERN] [--text FILE|--data DIR] "
      .. "[--OPTION VALUE ...] [--out DIR] [--seed N] [--json]",
  },
  positional = { options.model },
  options = flags,
  more_options = H.more_options,
  lacking = H.lacking,
  details = [[
With --method, --help shows the options of that method too, and with --format those of the format.
The run records the recipe it stands for, so it can be repeated and extended.

  vise compress MODEL --method rtn --bits 4 --group 64 --out small
  vise compress MODEL --method rtn --format int --help
  vise compress MODEL --method gptq --match '*.*' --text train.txt --bits 3]],
  run = H.run,
}
