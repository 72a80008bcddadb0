-- SPDX-License-Identifier: Apache-2.0
--- The REPL: Lua lines typed or piped, expressions printed, errors shown and survived.

local check = require("vise.check")
local complete = require("vise.repl.complete")
local help = require("vise.repl.help")
local native = require("vise.native")
local show = require("vise.repl.show")
local vise = require("vise")

local M = {}
local H = {}

---@class vise.ReplOptions
---@field globals? table<string, any> beside `vise`
---@field colour fun(style: string, s: string): string for errors and prompts

--- Read, run and print until the input ends.
---@param opts vise.ReplOptions
---@return boolean is_clean nothing failed
function M.run(opts)
  local session = setmetatable({
    _colour = opts.colour,
    _can_edit = native.repl.open(),
    _is_terminal = native.file.is_terminal(0),
  }, { __index = H })
  session:_make_globals(opts.globals)
  session:_open_history()
  repeat
    local ok, more = pcall(session._step, session)
    if not ok then
      session:_report(more)
    end
  until ok and not more
  session:_close_history()
  return not session._has_failed
end

--- Read one chunk, of as many lines as it needs, and run it; false at the end of input.
function H:_step()
  local chunk, line
  repeat
    line = self:_read(chunk and ">> " or "> ")
    if line == nil and chunk == nil then
      if self._is_terminal then
        print()
      end
      return false
    elseif line == false then
      return true
    end
    chunk = chunk and chunk .. "\n" .. (line or "") or line
    local f, message = H.compile(chunk, self._env)
    local is_whole = f or line == nil or not message:match("<eof>'?$")
    if is_whole then
      self:_remember(chunk)
      self:_run(f, message)
    end
  until is_whole
  return line ~= nil and not self._is_over
end

function H:_run(f, message)
  if f == nil then
    return self:_report(message)
  end
  local results = table.pack(xpcall(f, H.trace))
  if not results[1] then
    return self:_report(results[2])
  end
  if rawequal(results[2], self._quit) then
    self._is_over = true
    return
  end
  local words = {}
  for i = 2, results.n do
    words[#words + 1] = show.value(results[i])
  end
  if #words > 0 then
    print(table.concat(words, "\t"))
  end
end

--- An expression before a statement, so that values print.
function H.compile(chunk, env)
  local f = load("return " .. chunk, "=stdin", "t", env)
  if f then
    return f
  end
  return load(chunk, "=stdin", "t", env)
end

--- What went wrong, at the line of the user's own file if there is one.
function H.trace(message)
  if type(message) ~= "string" then
    return show.value(message)
  end
  return check.strip_position(message)
end

function H:_report(message)
  self._has_failed = true
  if native.core.cancelled() then
    message = "interrupted"
    native.core.cancel_clear()
  end
  io.stdout:flush()
  io.stderr:write(self._colour("red", tostring(message)), "\n")
end

--- One line; nil at the end of input, false if Ctrl-C abandoned it.
function H:_read(prompt)
  if self._can_edit then
    return native.repl.read_line(prompt, function(before, word)
      return complete.run(self._env, before, word)
    end)
  elseif self._is_terminal then
    io.write(prompt)
    io.flush()
  end
  return io.read("l")
end

function H:_remember(chunk)
  if self._can_edit and chunk:match("%S") then
    native.repl.add_history(chunk)
  end
end

function H:_open_history()
  local home = os.getenv("HOME")
  local state = os.getenv("XDG_STATE_HOME") or home and home .. "/.local/state"
  if self._can_edit and state and native.file.make_dirs(state .. "/vise") then
    self._history = state .. "/vise/history"
    native.repl.read_history(self._history)
  end
end

function H:_close_history()
  if self._history then
    native.repl.write_history(self._history)
  end
end

--- `vise`, `help`, `quit` and what was given; below them Lua's own. Any other name is an error.
function H:_make_globals(given)
  self._quit = setmetatable({}, {
    __call = function()
      self._is_over = true
    end,
  })
  local own = { vise = vise, help = help.command, quit = self._quit, exit = self._quit }
  self._env = setmetatable(own, { __index = function(env, name)
    return H.global(env, name)
  end })
  for name, value in pairs(given or {}) do
    self._env[name] = value
  end
end

function H.global(env, name)
  if _G[name] == nil then
    local hint = check.suggest(name, complete.globals(env)) or "`help` tells what there is"
    check.fail("unknown global '%s' (%s)", name, hint)
  end
  return _G[name]
end

return M
