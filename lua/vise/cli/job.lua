-- SPDX-License-Identifier: Apache-2.0
--- What `vise run` and `vise compress` share: run a request, show its progress, print its result.

local check = require("vise.check")
local claims = require("vise.run.claims")
local exit = require("vise.cli.exit")
local limits = require("vise.cli.limits")
local measured = require("vise.cli.measured")
local native = require("vise.native")
local options = require("vise.cli.options")
local progress = require("vise.cli.progress")
local rehearsal = require("vise.run.rehearsal")
local run = require("vise.run")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = {}

--- The options of every command that makes a run.
M.options = {
  { name = "out", kind = "string", value = "DIR",
    doc = "the run directory, made new; default runs/ with the recipe's name and the time" },
  { name = "seed", kind = "int", default = 0, min = 0, doc = "seed of random numbers" },
  options.json,
  options.quiet,
  options.switch("rehearse", "run every step on one layer and few tokens, say what the whole would "
    .. "take, and leave nothing"),
  options.switch("no-rehearsal", "begin long work without such a rehearsal before it"),
  table.unpack(limits.options),
}

--- The words NAME=VALUE of a command line, from the second argument on. Raises vise.Exit.
---@param args vise.Arguments
---@return {[1]: string, [2]: string}[]
function M.parameters(args)
  local given = {}
  for i = 2, #args do
    local name, value = args[i]:match("^([%a_][%w_]*)=(.*)$")
    if name == nil then
      exit.usage("'%s' is no parameter, expected NAME=VALUE", args[i])
    end
    given[#given + 1] = { name, value }
  end
  return given
end

--- Hand on a value, or fail with its message; code "argument" is a wrong command line.
---@param value any|nil
---@param message? string
---@param code? string
---@return any
function M.check(value, message, code)
  if value == nil and code == "argument" then
    exit.argument(message)
  end
  return (exit.check(value, message, code))
end

--- Raises vise.Exit where no file has the path of a recipe.
---@param path string
function M.check_there(path)
  if native.file.stat(path) == nil then
    local hint = H.suggest(path)
    exit.failure(("%s: no such recipe%s"):format(path, hint and " (" .. hint .. ")" or ""))
  end
end

--- Run a request to its end and print what came of it. Raises vise.Exit.
---@param request vise.RunRequest
---@param given table<string, any> of M.options
function M.run(request, given)
  local result = M.execute(request, given)
  if result.estimate and given.json then
    term.write_json({ estimate = result.estimate })
  elseif result.estimate then
    term.write(rehearsal.text(result.estimate) .. "\n")
  elseif given.json then
    term.write_json(H.json(result))
  else
    H.print(result)
  end
end

--- Run a request to its end, its progress shown. Raises vise.Exit.
---@param request vise.RunRequest
---@param given table<string, any> of M.options
---@return vise.Run
function M.execute(request, given)
  local display = progress.new(given)
  request.out = given.out
  request.seed = given.seed ~= 0 and given.seed or request.seed or 0
  limits.apply(request, given)
  if given.rehearse and given["no-rehearsal"] then
    exit.argument("--no-rehearsal is for a run, expected it without --rehearse")
  end
  request.rehearse = given.rehearse and "only" or not given["no-rehearsal"] and "long" or nil
  request.on_event = function(event)
    if event.event == "progress" then
      display:update(event.done, event.total, event.unit)
    elseif event.event == "stage" then
      display:begin(text.printable(event.stage))
    elseif event.event == "log" then
      display:log((event.text:gsub("[^\t]+", text.printable)))
    elseif event.event == "why" then -- asked for, so said to who wants it quiet too
      display:clear()
      term.say(text.printable(event.text))
    elseif event.event == "rehearsed" then
      display:log(event.estimate and rehearsal.text(event.estimate)
        or "no estimate: the rehearsal failed: " .. text.printable(event.message))
    end
  end
  local ok, result, message, code = pcall(run.execute, request)
  display:clear()
  if message and request.is_made_here then
    message = message:gsub("^" .. request.path .. ":%d+: ", "")
  end
  if not ok then
    error(result, 0)
  end
  M.check(result, message, code)
  if request.out and result.directory then -- the index looks into `runs` by itself
    H.note(result.directory)
  end
  return result
end

--- A recipe of that folder with nearly that name.
function H.suggest(path)
  local folder, name = path:match("^(.*/)([^/]+)$")
  local names = native.file.list(folder or ".")
  return names and check.suggest(name or path, names)
end

--- Tell the index where the run is. Without it the run is as good.
function H.note(directory)
  local store = require("vise.run.store")
  local index <close>, message = store.open()
  local ok = index
  if index then
    ok, message = index:note(directory)
  end
  if not ok then
    term.say(("the run is not indexed: %s"):format(message))
  end
end

function H.json(result)
  return {
    run = result.directory,
    rows = native.json.array(result.rows),
    artifact = result.record.artifact,
  }
end

function H.print(result)
  if #result.rows > 0 then
    term.write("\n")
    measured.write(result.rows)
    term.write("\n")
  end
  local record = result.record
  if record.artifact then
    local saved = record.artifact
    local path = result.directory .. "/" .. saved.file
    local line = "%s  %s, %.2f bits/weight, hash %s\n"
    local size, hash = text.bytes(saved.bytes), saved.hash:sub(1, 16)
    term.write(line:format(path, size, saved.bits_per_weight, hash))
  else
    term.write(result.directory .. "\n")
  end
  for _, claim in ipairs(record.claims) do
    term.write(claims.text(claim) .. "\n")
  end
  local peak = text.bytes(record.peak_memory_bytes)
  term.say(term.style(2, "dim", ("%s, peak memory %s"):format(text.duration(record.seconds), peak)))
end

return M
