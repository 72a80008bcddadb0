-- SPDX-License-Identifier: Apache-2.0
--- What long work shows on standard error: one bar with the time left on a terminal, plain lines
--- (five seconds apart, more as it gets longer) elsewhere, nothing when quiet.

local native = require("vise.native")
local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = { plain_every = 5, bar_every = 0.1, bar_cells = 24 }
H.__index = H

---@class vise.Progress
---@field _mode "bar"|"plain"|"none"

--- A display for the events of a job.
---@param opts {quiet?: boolean, json?: boolean} json is as quiet, unless a person is watching
---@return vise.Progress
function M.new(opts)
  local is_terminal = term.is_terminal(2)
  local mode = is_terminal and "bar" or "plain"
  if opts.quiet or opts.json and not is_terminal then
    mode = "none"
  end
  return setmetatable({ _mode = mode, _shown = -math.huge }, H)
end

--- A stage begins; the time left is reckoned from here.
---@param stage string "measure original"
function H:begin(stage)
  local now = native.core.clock()
  self._stage, self._begin = stage, now
  self._shown = self._mode == "plain" and now or -math.huge
  if self._mode == "bar" then
    self:_draw(stage .. " ...")
  end
end

--- Show that `done` of `total` units of the stage are behind us.
---@param done number
---@param total number
---@param unit string "tokens"
function H:update(done, total, unit)
  local now = native.core.clock()
  local elapsed = now - self._begin
  local every = self._mode == "bar" and H.bar_every or math.max(H.plain_every, elapsed / 20)
  if self._mode == "none" or total <= 0 or (now - self._shown < every and done < total) then
    return
  elseif self._mode == "plain" and now - self._shown < every then
    return -- a stage that is over before its first line was due
  end
  self._shown = now
  local left = done > 0 and done < total and elapsed * (total - done) / done or nil
  if self._mode == "bar" then
    self:_draw(H.bar(self._stage, done, total, unit, left))
  else
    local tail = left and ", " .. text.duration(left) .. " left" or ""
    local line = "%s: %3.0f %% (%s of %s %s)%s"
    local share = 100 * done / total
    term.say(line:format(self._stage, share, text.count(done), text.count(total), unit, tail))
  end
end

--- A line that stays.
---@param line string
function H:log(line)
  if self._mode ~= "none" then
    self:clear()
    term.say(line)
  end
end

--- Take the bar off the screen.
function H:clear()
  if self._is_drawn then
    io.stderr:write("\r\27[K")
    io.stderr:flush()
    self._is_drawn = false
  end
end

function H:_draw(line)
  io.stderr:write("\r\27[K", line)
  io.stderr:flush()
  self._is_drawn = true
end

function H.bar(stage, done, total, unit, left)
  local share = math.min(1, done / total)
  local filled = math.floor(share * H.bar_cells + 0.5)
  local bar = term.style(2, "cyan", ("━"):rep(filled))
    .. term.style(2, "dim", ("─"):rep(H.bar_cells - filled))
  local tail = left and text.duration(left) .. " left" or ""
  if term.columns() < 70 then
    return ("%s %s %3.0f %%"):format(stage, bar, 100 * share)
  end
  local whole = text.count(total) .. " " .. unit
  return ("%-20s %s %3.0f %%  %s  %s"):format(stage, bar, 100 * share, whole, tail)
end

return M
