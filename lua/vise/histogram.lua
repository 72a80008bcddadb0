-- SPDX-License-Identifier: Apache-2.0
--- Histograms of weights, as data and as bars of text.
-- A weight is read twice, a few rows at a time: for its range and for its counts.

local check = require("vise.check")
local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = {}

---@class vise.Histogram
---@field edges number[] n + 1 edges of the bins, ascending, in the unit of the weights
---@field counts integer[] n: numbers x with edges[i] <= x < edges[i + 1]; the last bin has its edge
---@field low number the least number
---@field high number the greatest number
---@field mean number
---@field deviation number standard deviation
---@field total integer how many numbers

--- The histogram of a weight. Raises for NaN and infinities.
---@param weight vise.Weight
---@param options? {bins?: integer}
---@return vise.Histogram|nil histogram
---@return string? message
---@return string? code "cancelled"
function M.of(weight, options)
  local bins = check.options("histogram", H.rows, options or {}).bins
  local ok, message, code = weight:check_finite()
  if not ok then
    return nil, message, code
  end
  local low, high, sum = math.huge, -math.huge, 0.0
  ok, message, code = H.each(weight, function(x)
    low, high, sum = math.min(low, x), math.max(high, x), sum + x
  end)
  if not ok then
    return nil, message, code
  end
  local shape = weight:shape()
  local total = shape[1] * shape[2]
  local mean, squares, counts = sum / total, 0.0, {}
  for i = 1, bins do
    counts[i] = 0
  end
  local scale = high > low and bins / (high - low) or 0.0
  ok, message, code = H.each(weight, function(x)
    local i = math.min(bins, (x - low) * scale // 1 + 1 | 0)
    counts[i], squares = counts[i] + 1, squares + (x - mean) ^ 2
  end)
  if not ok then
    return nil, message, code
  end
  local edges = {}
  for i = 1, bins + 1 do
    edges[i] = i > bins and high or low + (high - low) * (i - 1) / bins
  end
  return setmetatable({
    edges = edges, counts = counts, low = low, high = high, mean = mean, total = total,
    deviation = math.sqrt(squares / total),
  }, H.metatable)
end

H.rows = {
  { name = "bins", kind = "int", default = 16, min = 1, max = 1000, doc = "how many" },
}

--- fn(x) for every number, row by row.
function H.each(weight, fn)
  local m, k = weight:shape()[1], weight:shape()[2]
  local at_once = math.max(1, H.chunk // k)
  for first = 0, m - 1, at_once do
    local ids = {}
    for row = first, math.min(m, first + at_once) - 1 do
      ids[#ids + 1] = row
    end
    local rows, message, code = weight:rows(native.tensor.from("i32", { #ids }, ids))
    if rows == nil then
      return nil, message, code
    end
    for _, x in ipairs(rows:table()) do
      fn(x)
    end
    rows:close()
  end
  return true
end

H.chunk = 1 << 16 -- numbers in memory at a time
H.bar = 50 -- characters of the longest bar

H.metatable = { __name = "vise.histogram" }

--- One line for each bin, from its lower edge up, and a line of sums.
function H.metatable.__tostring(histogram)
  local most = math.max(table.unpack(histogram.counts))
  local lines = {}
  for i, count in ipairs(histogram.counts) do
    local bar = ("#"):rep(math.ceil(H.bar * count / most))
    lines[i] = ("%11.4g  %9s  %s"):format(histogram.edges[i], text.count(count), bar)
  end
  lines[#lines + 1] = ("%s numbers from %.4g to %.4g, mean %.4g, standard deviation %.4g"):format(
    text.count(histogram.total), histogram.low, histogram.high, histogram.mean,
    histogram.deviation)
  return (table.concat(lines, "\n"):gsub(" +\n", "\n"))
end

return M
