-- SPDX-License-Identifier: Apache-2.0
--- A report as one HTML page that needs nothing else: style, script, Chart.js and data are in it.

local native = require("vise.native")
local place = require("vise.place")
local text = require("vise.text")
local write = require("vise.report.write")

local M = {}
local H = {}

--- Chart.js where distributions put it (Debian: libjs-chart.js), or nil.
---@return string|nil path
function M.chart_path()
  for _, path in ipairs(H.chart_paths) do
    if native.file.stat(path) then
      return path
    end
  end
end

--- The page of a report.
---@param report vise.Report
---@return string|nil page
---@return string? message
---@return string? code "io"
function M.page(report)
  local path = M.chart_path()
  if path == nil then
    return nil, ("report: Chart.js is not at %s, expected the package libjs-chart.js"):format(
      H.chart_paths[1]), "io"
  end
  local chart, message, code = native.file.read(path)
  if chart == nil then
    return nil, message, code
  end
  local parts = {
    TITLE = H.escape(report.title),
    CHART = chart:gsub("</script", "<\\/script"):gsub("\n//# sourceMappingURL=[^\n]*", ""),
    DATA = write.json(report):gsub("<", "\\u003c"),
  }
  for name, file in pairs({ STYLE = "report.css", SCRIPT = "report.js" }) do
    parts[name], message, code = native.file.read(place.default("share/report/" .. file))
    if parts[name] == nil then
      return nil, message, code
    end
  end
  local page
  page, message, code = native.file.read(place.default("share/report/report.html"))
  if page == nil then
    return nil, message, code
  end
  return (page:gsub("@(%u+)@", parts))
end

H.chart_paths = {
  "/usr/share/javascript/chart.js/chart.min.js",
  "/usr/share/nodejs/chart.js/dist/chart.min.js",
  "/usr/share/javascript/chart.js/Chart.min.js",
}

function H.escape(s)
  return (text.printable(s):gsub("[&<>\"']", function(c)
    return ("&#%d;"):format(c:byte())
  end))
end

return M
