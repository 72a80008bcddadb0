-- SPDX-License-Identifier: Apache-2.0
--- The scatter of a report as SVG or PNG, drawn by gnuplot: two objectives, the front as a line.

local native = require("vise.native")

local M = {}
local H = {}

--- Write the plot. The first objective goes upwards, the second to the right; one alone stands over
--- the numbers of the runs.
---@param report vise.Report
---@param path string
---@param format "svg"|"png"
---@return boolean|nil ok
---@return string? message
---@return string? code
function M.write(report, path, format)
  local points = H.points(report)
  if #points == 0 then
    local names = table.concat(report.objectives, " and ")
    return nil, ("report: no run has %s, expected one to draw"):format(names), "format"
  end
  local partial = ("%s.partial"):format(path)
  local process <close>, message, code = native.process.spawn({ argv = { "gnuplot", "-" },
    input = H.script(report, points, partial, format), keep_errors = true })
  if process == nil then
    return nil, message .. "; plots need the package gnuplot-nox", code
  end
  local exit_code
  exit_code, message, code = process:wait()
  if exit_code ~= 0 then
    os.remove(partial)
    return nil, message and code and message or "gnuplot: " .. process:errors(), code or "io"
  end
  return native.file.rename(partial, path)
end

--- {x, y, is_best, id} of every run that has both.
function H.points(report)
  local y_name, x_name = report.objectives[1], report.objectives[2]
  local points = {}
  for _, entry in ipairs(report.entries) do
    local y = entry.numbers[y_name]
    local x = x_name and entry.numbers[x_name] or not x_name and entry.id or nil
    if x and y and entry.status == "done" then
      points[#points + 1] = { x = x, y = y, is_best = entry.is_best, id = entry.id }
    end
  end
  table.sort(points, function(a, b)
    return a.x < b.x or a.x == b.x and a.id < b.id
  end)
  return points
end

function H.script(report, points, path, format)
  local terminal = format == "svg" and "svg size 900,600 dynamic enhanced background rgb 'white'"
    or "pngcairo size 900,600 background rgb 'white'"
  local lines = {
    "set terminal " .. terminal,
    "set output " .. H.quote(path),
    "set title " .. H.quote(report.title) .. " noenhanced",
    "set ylabel " .. H.quote(report.objectives[1]) .. " noenhanced",
    "set xlabel " .. H.quote(report.objectives[2] or "run") .. " noenhanced",
    "set grid lc rgb '#dddddd'",
    "set key top right",
    "set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05",
  }
  local least, greatest = math.huge, -math.huge
  for _, point in ipairs(points) do
    least, greatest = math.min(least, point.y), math.max(greatest, point.y)
  end
  if least > 0 and greatest > 30 * least then
    lines[#lines + 1] = "set logscale y"
  end
  local has_best = false
  for _, name in ipairs({ "all", "best" }) do
    lines[#lines + 1] = "$" .. name .. " << EOD"
    for _, point in ipairs(points) do
      if name == "all" or point.is_best then
        lines[#lines + 1] = ("%.17g %.17g %d"):format(point.x, point.y, point.id)
        has_best = has_best or point.is_best
      end
    end
    lines[#lines + 1] = "EOD"
  end
  local plots = { "$all using 1:2 with points pt 7 ps 0.8 lc rgb '#7a8aa0' title 'runs'" }
  if has_best then
    plots[2] = "$best using 1:2 with linespoints pt 7 ps 1.1 lw 1.5 lc rgb '#c2410c' title 'front'"
    plots[3] = "$best using 1:2:3 with labels offset 0.8,0.8 tc rgb '#7c2d12' notitle"
  end
  lines[#lines + 1] = "plot " .. table.concat(plots, ", ")
  return table.concat(lines, "\n") .. "\n"
end

--- A text in gnuplot's single quotes, in which nothing but the quote is special.
function H.quote(s)
  return "'" .. s:gsub("'", "''"):gsub("%c", " ") .. "'"
end

return M
