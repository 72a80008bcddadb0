-- SPDX-License-Identifier: Apache-2.0
--- A sweep while it runs: a line for each trial that ends, and below them, on a terminal, how far
--- it is, the best so far and the time left.

local native = require("vise.native")
local run_text = require("vise.cli.run_text")
local space = require("vise.sweep.space")
local sweep_of = require("vise.sweep")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = { every = 0.2 }
H.__index = H

--- A display of a sweep.
---@param sweep vise.Sweep
---@param opts {quiet?: boolean, json?: boolean}
---@return table display
function M.new(sweep, opts)
  local is_live = term.is_terminal(2)
  return setmetatable({
    _sweep = sweep,
    _is_shown = not opts.quiet and (is_live or not opts.json),
    _is_live = is_live and not opts.quiet,
    _total = sweep_of.total(sweep),
    _begin = native.core.clock(),
    _run = 0,
    _shown = -math.huge,
  }, H)
end

--- Take an event of the drive.
---@param event table
function H:take(event)
  if event.event == "task" then
    self._run = self._run + 1
    self:_say(H.line(self._sweep, event.task))
  elseif self._is_live and native.core.clock() - self._shown >= H.every then
    self._running = event.running
    self:_draw()
  end
end

--- Take the status off the screen.
function H:clear()
  if self._is_drawn then
    io.stderr:write("\r\27[K")
    self._is_drawn = false
  end
end

function H:_say(line)
  if self._is_shown then
    self:clear()
    term.say(line)
    self._shown = -math.huge
  end
end

--- "7 of 24, 2 running, 3 min 05 s left; best kl 0.0123 (#4 bits=4), bytes 87.8 KiB (#2 bits=2)"
function H:_draw()
  self._shown = native.core.clock()
  local done, failed = 0, 0
  for _, task in ipairs(self._sweep.tasks) do
    done = done + (task.status ~= "pending" and 1 or 0)
    failed = failed + (task.status == "failed" and 1 or 0)
  end
  local words = { ("%d of %d"):format(done, self._total) }
  if failed > 0 then
    words[#words + 1] = ("%d failed"):format(failed)
  end
  words[#words + 1] = ("%d running"):format(self._running)
  if self._run > 0 then
    local left = (self._shown - self._begin) / self._run * (self._total - done)
    words[#words + 1] = text.duration(left) .. " left"
  end
  local line = table.concat(words, ", ")
  local best = H.best(self._sweep)
  if #best > 0 then
    line = ("%s; best %s"):format(line, table.concat(best, ", "))
  end
  local columns = term.columns()
  if text.width(line) >= columns then
    line = line:sub(1, utf8.offset(line, columns - 1) - 1)
  end
  io.stderr:write("\r\27[K", line)
  io.stderr:flush()
  self._is_drawn = true
end

--- The best value of each objective, and whose it is.
function H.best(sweep)
  local front = require("vise.sweep.front")
  local words = {}
  for _, name in ipairs(sweep.spec.objectives) do
    local best, of
    for _, task in ipairs(sweep.tasks) do
      local vector = task.share == 1 and front.vector(task.numbers, { name })
      if vector and (best == nil or vector[1] < best) then
        best, of = vector[1], task
      end
    end
    if of then
      words[#words + 1] = ("%s %s (#%d)"):format(name,
        run_text.cell({ name = name }, of.numbers[name]), of.trial)
    end
  end
  return words
end

--- "#4  bits=4 group=64  kl 0.0123  bytes 87.8 KiB  3.3 s"
function H.line(sweep, task)
  local words = { ("#%-4d"):format(task.trial), text.printable(space.text(H.varied(sweep, task))) }
  if task.status == "failed" then
    words[#words + 1] = term.style(2, "red", "failed:") .. " " .. text.printable(task.message)
    return table.concat(words, "  ")
  end
  for _, name in ipairs(sweep.spec.objectives) do
    words[#words + 1] = name .. " " .. run_text.cell({ name = name }, task.numbers[name])
  end
  if task.share < 1 then
    words[#words + 1] = ("on %.0f %% of the text"):format(100 * task.share)
  end
  words[#words + 1] = text.duration(task.seconds)
  return table.concat(words, "  ")
end

--- The parameters that differ from trial to trial.
function H.varied(sweep, task)
  local params = {}
  for _, axis in ipairs(sweep.axes) do
    if axis.values == nil or #axis.values > 1 then
      params[axis.name] = task.params[axis.name]
    end
  end
  return params
end

return M
