-- SPDX-License-Identifier: Apache-2.0
--- The scatter of a report as SVG or PNG, drawn by gnuplot: two objectives, each group in a colour
--- of its own with its front as a line.

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

--- {x, y, group, is_best, id} of every entry that is compared.
function H.points(report)
  local y_name, x_name = report.objectives[1], report.objectives[2]
  local points = {}
  for _, entry in ipairs(report.entries) do
    if entry.group then
      local x = x_name and entry.numbers[x_name] / H.unit(x_name) or entry.id
      local y = entry.numbers[y_name] / H.unit(y_name)
      points[#points + 1] = { x = x, y = y, group = entry.group,
        is_best = entry.is_best, id = entry.id }
    end
  end
  table.sort(points, function(a, b)
    return a.x < b.x or a.x == b.x and a.id < b.id
  end)
  return points
end

--- What a number is divided by: bytes are drawn in MiB.
function H.unit(name)
  return name:match("bytes$") and 2 ^ 20 or 1
end

function H.label(name)
  return name .. (name:match("bytes$") and ", MiB" or "")
end

function H.script(report, points, path, format)
  local terminal = format == "svg" and "svg size 900,600 dynamic enhanced background rgb 'white'"
    or "pngcairo size 900,600 background rgb 'white'"
  local lines = {
    "set terminal " .. terminal,
    "set output " .. H.quote(path),
    "set title " .. H.quote(report.title) .. " noenhanced",
    "set ylabel " .. H.quote(H.label(report.objectives[1])) .. " noenhanced",
    "set xlabel " .. H.quote(H.label(report.objectives[2] or "run")) .. " noenhanced",
    "set grid lc rgb '#dddddd'",
    "set key top right",
    "set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05",
  }
  local least, greatest = math.huge, -math.huge
  for _, point in ipairs(points) do
    least, greatest = math.min(least, point.y), math.max(greatest, point.y)
  end
  if least > 0 and greatest > 30 * least then
    lines[#lines + 1] = "set logscale y" -- which alone would reach to whole powers of ten
    lines[#lines + 1] = ("set yrange [%.17g:%.17g]"):format(least / 1.3, greatest * 1.3)
  end
  local plots = {}
  for g, group in ipairs(report.groups) do
    H.add_points(lines, ("$all%d"):format(g), points, function(point)
      return point.group == g
    end)
    H.add_points(lines, ("$best%d"):format(g), points, function(point)
      return point.group == g and point.is_best
    end)
    local colour = H.colours[(g - 1) % #H.colours + 1]
    for _, plot in ipairs(H.plots) do
      plots[#plots + 1] = plot:gsub("%%(%l+)", { number = g, colour = colour,
        title = H.quote(group.text) })
    end
  end
  lines[#lines + 1] = "plot " .. table.concat(plots, ", ")
  return table.concat(lines, "\n") .. "\n"
end

H.colours = { "#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#a16207", "#0e7490" }
H.plots = {
  "$all%number using 1:2 with points pt 6 ps 0.8 lc rgb '%colour' notitle",
  "$best%number using 1:2 with linespoints pt 7 ps 1.1 lw 1.5 lc rgb '%colour' title %title "
    .. "noenhanced",
  "$best%number using 1:2:3 with labels offset 0.8,0.8 tc rgb '%colour' notitle",
}

function H.add_points(lines, name, points, fits)
  lines[#lines + 1] = name .. " << EOD"
  for _, point in ipairs(points) do
    lines[#lines + 1] = fits(point) and ("%.17g %.17g %d"):format(point.x, point.y, point.id) or nil
  end
  lines[#lines + 1] = "EOD"
end

--- A text in gnuplot's single quotes, in which nothing but the quote is special.
function H.quote(s)
  return "'" .. s:gsub("'", "''"):gsub("%c", " ") .. "'"
end

return M
