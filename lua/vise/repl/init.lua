-- SPDX-License-Identifier: Apache-2.0
--- The REPL: Lua lines typed or piped, expressions printed, errors shown and survived.

local check = require("vise.check")
local complete = require("vise.repl.complete")
local draw = require("vise.repl.draw")
local help = require("vise.repl.help")
local native = require("vise.native")
local scope = require("vise.repl.scope")
local session_file = require("vise.repl.session")
local show = require("vise.repl.show")
local vise = require("vise")
local watch = require("vise.watch")

local M = {}
local H = {}

---@class vise.ReplOptions
---@field globals? table<string, any> beside `vise`
---@field opened? string path of the model that is the global `m`
---@field progress? vise.Progress for work that takes long
---@field colour fun(style: string, s: string): string for errors and prompts

--- Read, run and print until the input ends.
---@param opts vise.ReplOptions
---@return boolean is_clean nothing failed
function M.run(opts)
  local session = setmetatable({
    _colour = opts.colour,
    _can_edit = native.repl.open(),
    _is_terminal = native.file.is_terminal(0),
    _progress = opts.progress,
    _opened = opts.opened,
    _chunks = {}, -- those that ran
  }, { __index = H })
  session:_make_globals(opts.globals)
  session:_watch()
  session:_open_history()
  repeat
    local ok, more = pcall(session._step, session)
    if not ok then
      session:_report(more)
    end
  until ok and not more
  session:_close_history()
  watch.set(nil)
  return not session._has_failed
end

--- Read one chunk, of as many lines as it needs, and run it; false at the end of input.
function H:_step()
  local chunk, line
  repeat
    line = self:_read(chunk and ">> " or "> ", chunk)
    if line == nil and chunk == nil then
      if self._is_terminal then
        print()
      end
      return false
    elseif line == false then
      return true
    elseif chunk == nil and self:_command(line) then
      return true
    end
    chunk = chunk and chunk .. "\n" .. (line or "") or line
    local f, message, is_expression = H.compile(chunk, self._env)
    local is_whole = f or line == nil or not message:match("<eof>'?$")
    if is_whole then
      self:_remember(chunk)
      self:_run(f or message, { text = chunk, is_expression = is_expression })
    end
  until is_whole
  return line ~= nil and not self._is_over
end

--- What is no Lua: `?name`, `name?` and `save session FILE`. True if the line was one.
function H:_command(line)
  local name = line and (line:match("^%s*%?(.*)$") or line:match("^%s*([%w_.:]+)%s*%?%s*$"))
  local path = line and line:match("^%s*save%s+session%s+[\"']?(.-)[\"']?%s*$")
  if not name and not path then
    return false
  end
  self:_remember(line)
  print(name and help.about(self._env, name)
    or session_file.save(path, self._chunks, self._opened))
  return true
end

--- Run a chunk, or report why it is none.
function H:_run(f, chunk)
  if type(f) == "string" then
    return self:_report(f)
  end
  local results = table.pack(xpcall(f, H.trace))
  if self._progress then
    self._progress:clear()
  end
  if not results[1] or native.core.cancelled() then
    return self:_report(results[2])
  elseif rawequal(results[2], self._quit) then
    self._is_over = true
    return
  end
  if not rawequal(results[2], help.command) then
    self._chunks[#self._chunks + 1] = chunk
  end
  local words = {}
  for i = 2, results.n do
    words[#words + 1] = show.value(results[i])
  end
  if #words > 0 then
    rawset(self._env, "_", results[2])
    print(table.concat(words, "\t"))
  end
end

--- Long work shows how far it is.
function H:_watch()
  watch.set(self._progress and function(stage, unit)
    self._progress:begin(stage)
    return function(done, total)
      self._progress:update(done, total, unit)
    end
  end)
end

--- An expression before a statement, so that values print: the function, or nil and a message; and
--- whether it is one.
function H.compile(chunk, env)
  local f = load("return " .. chunk, "=stdin", "t", env)
  if f then
    return f, nil, chunk:match("%S") ~= nil
  end
  local message
  f, message = load(chunk, "=stdin", "t", env)
  return f, message, false
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

--- One line; nil at the end of input, false if Ctrl-C abandoned it. `chunk` is what stands before.
function H:_read(prompt, chunk)
  if self._can_edit then
    return native.repl.read_line(prompt, function(before, word)
      return complete.run(self._env, chunk and chunk .. "\n" .. before or before, word)
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

--- `vise`, `help`, `quit`, plots, `read` and what was given; below them Lua's own. Any other name
--- is an error.
function H:_make_globals(given)
  self._quit = setmetatable({}, {
    __call = function()
      self._is_over = true
    end,
  })
  local own = { vise = vise, help = help.command, quit = self._quit, exit = self._quit,
    plot = vise.plot, hist = draw.hist, spectrum = draw.spectrum, read = H.read_file }
  self._env = setmetatable(own, { __index = function(env, name)
    return H.global(env, name)
  end })
  for name, value in pairs(given or {}) do
    self._env[name] = value
  end
end

--- The content of a file, for texts.
function H.read_file(path)
  return assert(native.file.read(path))
end

function H.global(env, name)
  if _G[name] == nil then
    local hint = check.suggest(name, scope.globals(env)) or "`help` tells what there is"
    check.fail("unknown global '%s' (%s)", name, hint)
  end
  return _G[name]
end

return M
