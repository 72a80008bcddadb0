-- SPDX-License-Identifier: Apache-2.0
--- The process of a recipe, seen from the one that starts it: told what to do, watched, ended.
-- Nothing it says or does may harm this process: lines are short, events are checked, its standard
-- error is kept away from the terminal, and time and disk are counted here.

local check = require("vise.check")
local event = require("vise.run.event")
local native = require("vise.native")
local sandbox = require("vise.run.sandbox")
local text = require("vise.text")

local M = {}
local H = {}

---@class vise.HostOptions
---@field on_event fun(event: table): string? what is wrong with the event
---@field limits vise.Limits
---@field is_open? boolean without the sandbox, for debugging

--- Give a request to a process of its own and hand its events on. The process is gone when this
--- returns or raises.
---@param request table `path` of the recipe, `action` and what that needs
---@param options vise.HostOptions
---@return boolean|nil ok
---@return string|nil message begins with the recipe's path when the recipe is to blame
---@return string|nil code
function M.run(request, options)
  if not options.is_open then
    local ok, message, code = H.confine(request, options.limits)
    if not ok then
      return nil, message, code
    end
  end
  local process <close>, message, code = native.process.spawn({
    argv = H.argv(),
    input = native.json.encode(request),
    capture = true,
    line_bytes = H.line_bytes,
    keep_errors = not options.is_open,
  })
  if process == nil then
    return nil, message, code
  end
  local watch = H.watch(request, options)
  local last
  last, message, code = H.listen(process, watch, options.on_event)
  if message == nil and last == nil or message == nil and last.event ~= "failure" then
    message, code = H.end_of(process, watch, last)
  elseif message == nil then
    message, code = H.refine(last.message, watch), last.code
  end
  if message then
    process:kill(code == "cancelled" and 15 or 9)
    return nil, message, code
  end
  return true
end

H.line_bytes = 1 << 20
H.events_bytes = 64 << 20 -- of a run with limits
H.look_seconds = 0.1
H.grace_seconds = 10 -- to end after the last event
H.silent_seconds = 2 -- to end after an output that ended without one

--- Add to a request what the child needs to confine itself.
function H.confine(request, limits)
  local ok, message, code = native.sandbox.check()
  if not ok then
    return nil, message .. ", without which recipes do not run; --no-sandbox runs one you trust",
      code
  end
  request.sandbox, message, code = sandbox.policy(request, limits)
  return request.sandbox, message, code
end

--- What is counted of a process.
function H.watch(request, options)
  local limits = options.limits
  local now = native.core.clock()
  return {
    path = request.path,
    what = request.action == "describe" and "loading it: " or "",
    is_run = request.action == "run",
    limits = limits,
    deadline = limits.seconds and now + limits.seconds or math.huge,
    directory = limits.output_bytes and request.directory,
    looked = now,
    bytes = 0,
  }
end

--- Hand on events until the last; the last one, or nil, message, code for what ends it sooner.
function H.listen(process, watch, on_event)
  while true do
    local line, message, code = process:read_line(H.look_seconds)
    if message then
      return nil, code == "format" and H.blame(watch, message) or message, code
    elseif line == nil then
      return nil
    end
    message = H.look(watch, line or "")
    local known
    if line and not message then
      known, message = event.read(line)
      if known and known.event ~= "failure" then
        message = on_event(known)
      end
      message = message and H.blame(watch, "its process printed what is no event: " .. message)
    end
    if message then
      return nil, message, "format"
    elseif known and event.is_last(known) then
      return known
    end
  end
end

--- Is a limit passed? What to say then.
function H.look(watch, line)
  local limits, now = watch.limits, native.core.clock()
  watch.bytes = watch.bytes + #line
  if now > watch.deadline then
    return H.blame(watch, ("has not ended after %s s%s"):format(check.plain(limits.seconds),
      watch.is_run and " (--max-time)" or ""))
  elseif watch.directory and watch.bytes > H.events_bytes then
    return H.blame(watch, ("sent more than %s of events"):format(text.bytes(H.events_bytes)))
  elseif watch.directory and now - watch.looked >= H.look_seconds then
    watch.looked = now
    return H.look_at_disk(watch)
  end
end

function H.look_at_disk(watch)
  local limit = watch.limits.output_bytes
  if native.file.tree_bytes(watch.directory, limit) > limit then
    return H.blame(watch, ("wrote more than %s (--max-output)"):format(text.bytes(limit)))
  end
end

--- Wait for its end; message and code unless all is well.
function H.end_of(process, watch, last)
  local exit_code, signal, code = process:wait(last and H.grace_seconds or H.silent_seconds)
  if exit_code == nil then
    return signal, code
  elseif exit_code == false then
    return H.blame(watch, "its process did not end"), "io"
  elseif signal then
    return H.blame(watch, (H.signals[signal] or H.crash)(signal, watch.limits)), "io"
  elseif exit_code ~= 0 or last == nil then
    local errors = process:errors():match("([^\n]+)\n*$")
    return H.blame(watch, ("its process ended with code %d%s"):format(exit_code,
      errors and " (" .. errors .. ")" or " and no result")), "io"
  end
  local message = watch.directory and H.look_at_disk(watch)
  return message, message and "io"
end

--- The message of a failure, where it lacks the limit that was reached.
function H.refine(message, watch)
  local ram_bytes = watch.limits.ram_bytes
  if ram_bytes and (message:find("not enough memory", 1, true)
    or message:find("out of memory", 1, true)) then
    message = ("%s (it may have %s%s)"):format(message, text.bytes(ram_bytes),
      watch.is_run and ", --max-ram" or "")
  end
  return message:sub(1, #watch.path) == watch.path and message or H.blame(watch, message)
end

function H.blame(watch, message)
  return ("%s: %s%s"):format(watch.path, watch.what, message)
end

function H.crash(signal)
  return ("its process crashed (signal %d)"):format(signal)
end

H.signals = {
  [9] = function()
    return "its process was killed, as the system does when memory or processor time is used up"
  end,
  [24] = function(_, limits)
    return limits.cpu_seconds and ("used up %d s of processor time"):format(limits.cpu_seconds)
      or ("used up %s s of processor time on each thread (--max-time)"):format(
        check.plain(limits.seconds))
  end,
  [25] = function(_, limits)
    return ("wrote a file of more than %s (--max-output)"):format(text.bytes(limits.output_bytes))
  end,
  [31] = function()
    return "made a system call that is not for recipes (a program, another process, the network, "
      .. "a link) and was ended"
  end,
}

--- The program that runs a recipe: this one, or the Lua that required us.
function H.argv()
  local exe = assert(native.file.exe())
  if exe:match("vise$") then
    return { exe, "_child" }
  end
  return { exe, "-e", "os.exit(require('vise.run.child').main(), true)" }
end

return M
