-- SPDX-License-Identifier: Apache-2.0
--- What every bench shares: fair timing of rivals, and the rows that `vise bench` prints.
-- bench/SUBJECT.lua returns function(bench) -> rows, where `bench` is this module. By itself:
-- `lua5.4 bench/run.lua SUBJECT` prints the rows of one subject.
local core = require("vise.native").core

local M = {}
local H = {}

---@class vise.BenchRow
---@field name string
---@field value number in `unit`, the median over the rounds
---@field unit string
---@field against number what it is compared with, in the same unit
---@field ratio number good if at least `at_least`
---@field spread number the middle half of the rounds: (upper - lower quartile) of the ratio
---@field at_least number

--- Say how far the bench has come; the program that runs it may put its own function here.
---@param line string
function M.say(line)
  io.stderr:write(line, "\n")
end

---@class vise.BenchRivals
---@field name string
---@field unit string of the rate, "GFLOP/s"
---@field work number units of work in one call: 34.4 for 34.4 GFLOP
---@field ours function
---@field rival function
---@field at_least number
---@field rounds? integer 9 if absent

--- Time ours against a rival, in turns. A turn repeats the call until 50 ms have passed and counts
-- the best, so both work with warm caches and threads; then it waits until spinning threads of a
-- library are asleep. The ratio is the median over the rounds of the ratios within a round, which
-- other load on the machine disturbs least.
---@param o vise.BenchRivals
---@return vise.BenchRow
function M.compare(o)
  local ours, rival, ratios = {}, {}, {}
  H.turn(o.ours)
  H.turn(o.rival)
  for i = 1, o.rounds or 9 do
    ours[i] = H.turn(o.ours)
    rival[i] = H.turn(o.rival)
    ratios[i] = rival[i] / ours[i]
  end
  local row = {
    name = o.name,
    value = o.work / M.quantile(ours, 0.5),
    unit = o.unit,
    against = o.work / M.quantile(rival, 0.5),
    ratio = M.quantile(ratios, 0.5),
    spread = M.quantile(ratios, 0.75) - M.quantile(ratios, 0.25),
    at_least = o.at_least,
  }
  M.say(M.line(row))
  return row
end

---@class vise.BenchFigure
---@field name string
---@field unit string
---@field values number[] measured, one a round
---@field against number the figure to reach, or not to exceed
---@field is_limit? boolean smaller is better: the ratio is inverted

--- A row for a figure that is absolute.
---@param o vise.BenchFigure
---@return vise.BenchRow
function M.absolute(o)
  local ratios = {}
  for i, value in ipairs(o.values) do
    ratios[i] = o.is_limit and o.against / value or value / o.against
  end
  local row = {
    name = o.name,
    value = M.quantile(o.values, 0.5),
    unit = o.unit,
    against = o.against,
    ratio = M.quantile(ratios, 0.5),
    spread = M.quantile(ratios, 0.75) - M.quantile(ratios, 0.25),
    at_least = 1,
  }
  M.say(M.line(row))
  return row
end

--- Seconds of one call of `f`, and what it returns.
---@param f function
---@return number seconds
---@return any result
function M.time(f)
  local start = core.clock()
  local result = f()
  return core.clock() - start, result
end

--- Wait until the rival's threads sleep: one of OpenBLAS looks for work for up to 2^26 cycles.
function M.pause()
  local awake = core.clock() + 0.03
  while core.clock() < awake do end
end

--- The value below which a share `q` of `values` lies, between neighbours by a straight line.
---@param values number[] at least one
---@param q number in [0, 1]
---@return number
function M.quantile(values, q)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local at = 1 + q * (#sorted - 1)
  local below = math.floor(at)
  local above = math.min(below + 1, #sorted)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
end

--- One row as text.
---@param row vise.BenchRow
---@return string
function M.line(row)
  return string.format("%-32s %9.4g %-10s against %9.4g   ratio %6.3f +- %.3f  at least %4.2f  %s",
    row.name, row.value, row.unit, row.against, row.ratio, row.spread, row.at_least,
    row.ratio >= row.at_least and "good" or "MISSED")
end

--- The best time of a call of `f` within 50 ms, or the time of the one call that took longer.
function H.turn(f)
  local stop = core.clock() + 0.05
  local best = math.huge
  repeat
    best = math.min(best, (M.time(f)))
  until core.clock() >= stop
  M.pause()
  return best
end

if arg and arg[0] and arg[0]:find("bench/run%.lua$") then
  local subject = assert(arg[1], "usage: lua5.4 bench/run.lua SUBJECT")
  local path = arg[0]:gsub("run%.lua$", subject .. ".lua")
  assert(loadfile(path))()(M)
end

return M
