-- SPDX-License-Identifier: Apache-2.0
--- The program `vise`: finds the command, reads its arguments, runs it, makes errors exit codes.
-- Exit codes: 0 done, 1 failed, 2 the command line is wrong, 130 interrupted.

local args = require("vise.cli.args")
local check = require("vise.check")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = {}

--- Run the program.
---@param argv table<integer, string> arguments from 1, the program at 0
---@return integer exit code
function M.main(argv)
  local ok, result = pcall(H.run, argv)
  if ok then
    ok, result = pcall(term.flush)
    result = ok and 0 or result
    return ok and H.code or H.report(result)
  end
  return H.report(result)
end

--- The names of all commands, sorted.
---@return string[]
function M.names()
  local folder = package.searchpath("vise.cli", package.path):match("^(.*)/init%.lua$") .. "/cmd"
  local names = {}
  for _, file in ipairs(assert(native.file.list(folder))) do
    names[#names + 1] = file:match("^(%a+)%.lua$")
  end
  return names
end

--- A command by its name; raises vise.Exit with a suggestion.
---@param name string
---@return vise.Command
function M.find(name)
  if name:match("^%a+$") and package.searchpath("vise.cli.cmd." .. name, package.path) then
    return require("vise.cli.cmd." .. name)
  end
  local hint = H.meant[name] and ("did you mean '%s'?"):format(H.meant[name])
    or check.suggest(name, M.names())
  H.command = nil
  exit.usage("unknown command '%s'%s", name, hint and " (" .. hint .. ")" or "")
end

function H.run(argv)
  H.code, H.command = 0, nil
  local name = argv[1]
  local rest = table.move(argv, 2, #argv, 1, {})
  if name == nil then
    M.find("help").run({ options = {} })
    H.code = 2
    return
  elseif name == "_child" then
    H.code = require("vise.run.child").main()
    return
  elseif name == "_worker" then
    H.code = require("vise.sweep.worker").main(rest)
    return
  end
  name = H.aliases[name] or name
  if name:match("^%-") then
    exit.usage("unknown option '%s'", name)
  end
  local command = M.find(name)
  H.command = { name = name, description = command }
  local parsed = args.parse(command, rest)
  if parsed.help then
    term.write(args.help(name, command, rest))
    return
  end
  H.code = command.run(parsed) or 0
end

--- What other programs call our commands.
H.meant = {
  quantize = "compress", quantise = "compress", prune = "compress", export = "convert",
  measure = "eval", evaluate = "eval", perplexity = "eval", ppl = "eval", test = "eval",
  info = "inspect", show = "inspect", list = "inspect", ls = "inspect",
  check = "verify", validate = "verify",
  chat = "generate", sample = "generate", complete = "generate", prompt = "generate",
  lua = "repl", shell = "repl", console = "repl", interactive = "repl",
  benchmark = "bench", speed = "bench", methods = "explain", formats = "explain", man = "help",
}

H.aliases = { ["--version"] = "version", ["--help"] = "help", ["-h"] = "help", ["-V"] = "version" }

--- Say what went wrong; the exit code.
function H.report(problem)
  if type(problem) ~= "table" then
    problem = { message = check.strip_position(problem), code = 1 }
  elseif type(problem.code) ~= "number" then -- a refusal of the world that nobody turned into one
    problem = { message = problem.message, code = problem.code == "cancelled" and 130 or 1 }
  end
  if native.core.cancelled() then
    problem = { message = "interrupted", code = 130 }
  end
  if problem.message then
    local message = problem.message:gsub("[^\n]+", text.printable)
    term.say(term.style(2, "red", "vise:") .. " " .. message)
  end
  if problem.usage then
    local usage = H.command and args.usage(H.command.description) or "Usage: vise COMMAND ..."
    local topic = H.command and " " .. H.command.name or ""
    term.say(("%s\nSee vise%s --help."):format(usage, topic))
  end
  return problem.code
end

return M
