-- SPDX-License-Identifier: Apache-2.0
--- A report as one HTML page that needs nothing else: style, script, Chart.js and data are in it.

local native = require("vise.native")
local place = require("vise.place")
local text = require("vise.text")
local write = require("vise.report.write")

local M = {}
local H = {}

--- Where distributions put Chart.js (Debian: libjs-chart.js).
M.CHART_PATHS = {
  "/usr/share/javascript/chart.js/chart.min.js",
  "/usr/share/nodejs/chart.js/dist/chart.min.js",
  "/usr/share/javascript/chart.js/Chart.min.js",
}

--- The page of a report.
---@param report vise.Report
---@return string|nil page
---@return string? message
---@return string? code "io"
function M.page(report)
  local chart
  for _, path in ipairs(M.CHART_PATHS) do
    chart = chart or native.file.read(path)
  end
  if chart == nil then
    return nil, ("report: Chart.js is not at %s, expected the package libjs-chart.js"):format(
      M.CHART_PATHS[1]), "io"
  end
  local parts = {
    TITLE = H.escape(report.title),
    CHART = chart:gsub("</script", "<\\/script"):gsub("\n//# sourceMappingURL=[^\n]*", ""),
    DATA = write.json(report):gsub("<", "\\u003c"),
  }
  for name, file in pairs({ STYLE = "report.css", SCRIPT = "report.js" }) do
    local message, code
    parts[name], message, code = native.file.read(place.default("share/report/" .. file))
    if parts[name] == nil then
      return nil, message, code
    end
  end
  local page, message, code = native.file.read(place.default("share/report/report.html"))
  if page == nil then
    return nil, message, code
  end
  return (page:gsub("@(%u+)@", parts))
end

function H.escape(s)
  return (text.printable(s):gsub("[&<>\"']", function(c)
    return ("&#%d;"):format(c:byte())
  end))
end

return M
