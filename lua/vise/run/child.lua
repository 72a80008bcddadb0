-- SPDX-License-Identifier: Apache-2.0
--- The process in which a recipe runs: a request as JSON on standard input, events as JSON lines on
--- standard output, an exit code. Before the recipe is loaded it shuts itself off from everything
--- that the request does not name.

local check = require("vise.check")
local native = require("vise.native")
local param = require("vise.param")
local recipe = require("vise.recipe")
local sandbox = require("vise.run.sandbox")

local M = {}
local H = {}

--- Serve one request.
---@return integer exit code
function M.main()
  native.process.die_with_parent()
  local request, problem = native.json.decode(io.read("a"))
  local ok, message, code = false, problem, "format"
  if request then
    ok, message, code = true, nil, nil
    if request.action ~= "describe" then
      native.linalg.blas_load() -- there is no opening of its file later
    end
    if request.sandbox then
      ok, message, code = sandbox.enter(request.sandbox)
    end
    if ok then
      ok, message, code = H.actions[request.action](request)
    end
  end
  if not ok then
    if native.core.cancelled() then
      message, code = "interrupted", "cancelled"
    end
    H.emit({ event = "failure", message = message, code = code or "failed" })
    return code == "cancelled" and 130 or 1
  end
  return 0
end

H.actions = {}
H.describe_seconds = 2

function H.actions.describe(request)
  H.limit_time(request.path)
  local ok, description, message, code = pcall(H.description, request)
  debug.sethook()
  if not ok then
    description, message, code = nil, description, "format"
  end
  if description == nil then
    return nil, message, code
  end
  return H.emit(description)
end

--- The event that describes a recipe; may call the recipe's functions.
function H.description(request)
  local made, message, code, wanted = recipe.load(request.text, request.path, nil, request.includes)
  if wanted then
    H.emit({ event = "include", key = wanted })
  end
  if made == nil then
    return nil, message, code
  end
  local rows = {}
  for name, value in check.sorted_pairs(H.thaw(made.params)) do
    rows[#rows + 1] = param.row(value, name)
  end
  return {
    event = "description",
    about = made.about,
    params = native.json.array(rows),
    claims = H.thaw(made.claims),
  }
end

function H.actions.run(request)
  return H.play(request, require("vise.run.job")) -- half of all to load, and not to describe one
end

function H.actions.rehearse(request)
  return H.play(request, require("vise.run.rehearsal_job"))
end

--- Run a recipe with a job of that kind.
function H.play(request, job)
  local this <close> = job.new(request, H.emit)
  local made, message, code = recipe.load(request.text, request.path, function(line)
    this:log(line)
  end, request.includes)
  if made == nil then
    return nil, message, code
  end
  local ok, problem = xpcall(made.run, recipe.locate(request.path), this:values(), this:handle())
  if not ok then
    this:note("failed: " .. problem)
    return nil, problem
  end
  this:finish()
  return H.emit({ event = "end", peak_memory_bytes = native.core.peak_rss() })
end

--- End the process when loading takes too long, in its own time: a busy machine changes nothing.
--- Exit, not an error: a recipe could catch that.
function H.limit_time(path)
  local stop = os.clock() + H.describe_seconds
  debug.sethook(function()
    if os.clock() > stop then
      local message = "%s: not loaded after %d s, expected a file that only declares"
      message = message:format(path, H.describe_seconds)
      H.emit({ event = "failure", message = message, code = "format" })
      os.exit(1)
    end
  end, "", 1000000)
end

--- A plain copy of a frozen table.
function H.thaw(view)
  if type(view) ~= "table" or param.is(view) then
    return view
  end
  local copy = {}
  for key, value in pairs(view) do
    copy[key] = H.thaw(value)
  end
  return copy
end

--- Send an event. Nobody listens any more: the parent has gone, and so do we.
function H.emit(event)
  if not io.stdout:write(native.json.encode(event), "\n") or not io.stdout:flush() then
    os.exit(1)
  end
  return true
end

return M
