-- SPDX-License-Identifier: Apache-2.0
--- The command line of one command: options, positional arguments, help.
-- What is wrong is reported before what is missing.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local text = require("vise.text")

local M = {}
local H = {}

---@class vise.Flag: vise.OptionRow
---@field value? string the word for the value in the help: "FILE"
---@field required? boolean
---@field check? fun(value: any) raises what is wrong with a value

---@class vise.Positional
---@field name string "MODEL"
---@field doc string
---@field optional? boolean
---@field many? boolean this and all further ones
---@field check? fun(value: string) raises what is wrong with it

---@class vise.Command one file of vise.cli.cmd; its name is the file's
---@field summary string one line
---@field usage string[] the forms of the call
---@field positional? vise.Positional[]
---@field options vise.Flag[]
---@field more_options? fun(argv: string[]): vise.Flag[] options that depend on the others
---@field lacking? fun(argv: string[]): string|nil what an unknown option is none of: "method svd"
---@field details? string further help
---@field more_help? fun(argv: string[]): string help that depends on the arguments
---@field run fun(args: vise.Arguments): integer|nil exit code, 0 if absent

---@class vise.Arguments
---@field [integer] string positional arguments
---@field options table<string, any>

--- Read `argv` by the command's description. Raises vise.Exit.
---@param command vise.Command
---@param argv string[]
---@return vise.Arguments
function M.parse(command, argv)
  local rows = M.rows(command, argv)
  local by_name, names = {}, {}
  for i, row in ipairs(rows) do
    by_name[row.name], names[i] = row, "--" .. row.name
  end
  local args, given, i = { options = {} }, {}, 1
  while i <= #argv do
    local word = argv[i]
    if word == "--" then
      table.move(argv, i + 1, #argv, #args + 1, args)
      break
    elseif word == "-h" or word == "--help" then
      return { help = true, options = {} }
    elseif word:match("^%-%-.") or word:match("^%-%a") then
      i = H.option(word, argv, i, by_name, names, given, command)
    else
      args[#args + 1] = word
    end
    i = i + 1
  end
  for _, row in ipairs(rows) do
    args.options[row.name] = given[row.name]
    if given[row.name] == nil then
      args.options[row.name] = row.default
    end
  end
  H.check_positional(command, args)
  for _, row in ipairs(rows) do
    if row.required and args.options[row.name] == nil then
      exit.usage("missing option --%s %s: %s", row.name, row.value or "VALUE", check.describe(row))
    end
  end
  return args
end

--- All options of a command, those every command has included.
---@param command vise.Command
---@param argv string[]
---@return vise.Flag[]
function M.rows(command, argv)
  local rows, seen = {}, {}
  local more = command.more_options and command.more_options(argv) or {}
  for _, list in ipairs({ command.options or {}, more }) do
    for _, row in ipairs(list) do
      if not seen[row.name] then
        rows[#rows + 1], seen[row.name] = row, true
      end
    end
  end
  return rows
end

--- The value of an option as it stands in `argv`, before anything is checked.
---@param argv string[]
---@param name string
---@return string|nil
function M.peek(argv, name)
  for i, word in ipairs(argv) do
    if word == "--" then
      return nil
    elseif word == "--" .. name then
      return argv[i + 1]
    elseif word:sub(1, #name + 3) == "--" .. name .. "=" then
      return word:sub(#name + 4)
    end
  end
end

--- The help of a command.
---@param name string
---@param command vise.Command
---@param argv string[]
---@return string
function M.help(name, command, argv)
  local lines = { ("vise %s: %s"):format(name, command.summary), "", M.usage(command) }
  if command.positional then
    lines[#lines + 1] = "\nArguments:"
    for _, row in ipairs(command.positional) do
      lines[#lines + 1] = text.entry(row.name, row.doc)
    end
  end
  lines[#lines + 1] = "\nOptions:"
  for _, row in ipairs(M.rows(command, argv)) do
    lines[#lines + 1] = text.entry(H.flag(row), check.describe(row))
  end
  lines[#lines + 1] = text.entry("--help", "this text")
  if command.details then
    lines[#lines + 1] = "\n" .. command.details
  end
  local more = command.more_help and command.more_help(argv) or ""
  return table.concat(lines, "\n") .. "\n" .. more
end

--- "Usage: vise eval MODEL ...", one line for each form.
---@param command vise.Command
---@return string
function M.usage(command)
  return "Usage: " .. table.concat(command.usage, "\n       ")
end

function H.option(word, argv, i, by_name, names, given, command)
  local name, value = word:match("^%-%-([^=]+)=(.*)$")
  name = name or word:match("^%-%-(.+)$")
  local row = name and by_name[name]
  if row == nil then
    local hint = check.suggest("--" .. (name or word:sub(2)), names)
    local lacking = command.lacking and command.lacking(argv)
    exit.usage("unknown option '%s'%s%s", (word:gsub("=.*", "")),
      lacking and " of " .. lacking or "", hint and " (" .. hint .. ")" or "")
  elseif given[name] ~= nil then
    exit.usage("option --%s is given twice", name)
  end
  if value == nil and row.kind == "bool" then
    local next_word = argv[i + 1]
    local is_value = next_word == "true" or next_word == "false"
    value, i = is_value and next_word or "true", is_value and i + 1 or i
  elseif value == nil then
    value, i = argv[i + 1], i + 1
    if value == nil or value:match("^%-%-.") then
      exit.usage("option --%s needs a value: %s", name, row.doc)
    end
  end
  local parsed, expected = check.parse(row, value)
  if parsed == nil then
    exit.usage("--%s is '%s', expected %s", name, value, expected)
  end
  H.check_value(row, parsed)
  given[name] = parsed
  return i
end

function H.check_positional(command, args)
  local rows = command.positional or {}
  local last = rows[#rows]
  if #args > #rows and not (last and last.many) then
    exit.usage("unexpected argument '%s'", args[#rows + 1])
  end
  for i, row in ipairs(rows) do
    if args[i] ~= nil then
      H.check_value(row, args[i])
    end
  end
  for i, row in ipairs(rows) do
    if args[i] == nil and not row.optional then
      exit.usage("missing %s: %s", row.name, row.doc)
    end
  end
end

--- What the row's own check raises, as an exit.
function H.check_value(row, value)
  local ok, problem = pcall(row.check or H.accept, value)
  if not ok and type(problem) == "table" then
    error(problem, 0)
  elseif not ok then
    exit.argument(check.strip_position(problem))
  end
end

function H.accept() end

function H.flag(row)
  if row.kind == "bool" then
    return "--" .. row.name .. (row.default and " true|false" or "")
  end
  local words = { string = "TEXT", int = "N", real = "X", choice = "NAME" }
  return ("--%s %s"):format(row.name, row.value or words[row.kind])
end

return M
