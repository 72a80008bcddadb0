-- SPDX-License-Identifier: Apache-2.0
--- Plots of text, four by two dots a character (braille), for the terminal.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.PlotOptions
---@field lines? boolean join the points; true for a plot of one list, false for one of two
---@field log? boolean the vertical axis is logarithmic; numbers not above 0 are left out
---@field title? string a line above

---@class vise.Plot drawn by tostring
---@field x number[]
---@field y number[]

--- A plot of numbers in their order, or of y over x. Lists and tensors alike are taken; what is not
--- finite is left out.
---@param x number[]|vise.Tensor
---@param y? number[]|vise.Tensor as many
---@param options? vise.PlotOptions the second argument, too, if there is one list
---@return vise.Plot
function M.new(x, y, options)
  local is_pair = H.numbers(y) ~= nil
  if not is_pair and y ~= nil and options == nil then
    y, options = nil, y
  end
  local o = check.options("plot", H.rows, options or {})
  local first, second = H.numbers(x), H.numbers(y)
  if first == nil or y ~= nil and second == nil then
    check.fail("plot: %s, expected a list of numbers or a tensor", check.quote(first and y or x))
  elseif second and #first ~= #second then
    check.fail("plot: %d numbers over %d, expected as many", #second, #first)
  end
  if second == nil then
    first, second = {}, first
    for i = 1, #second do
      first[i] = i
    end
  end
  if o.lines == nil then
    o.lines = not is_pair
  end
  local plot = { x = {}, y = {}, _options = o }
  for i = 1, #first do
    local kept = H.is_finite(first[i]) and H.is_finite(second[i]) and (not o.log or second[i] > 0)
    if kept then
      plot.x[#plot.x + 1], plot.y[#plot.y + 1] = first[i], second[i]
    end
  end
  if #plot.x == 0 then
    check.fail("plot: %d numbers and none that can be drawn, expected one", #first)
  end
  return setmetatable(plot, H.metatable)
end

H.rows = {
  { name = "lines", kind = "bool", doc = "join the points" },
  { name = "log", kind = "bool", default = false, doc = "the vertical axis is logarithmic" },
  { name = "title", kind = "string", doc = "a line above" },
}

--- The numbers of a list or tensor; nil for anything else.
function H.numbers(value)
  if type(value) == "userdata" and tostring(value):match("^vise%.tensor ") then
    return value:table()
  elseif type(value) ~= "table" or #value == 0 or getmetatable(value) ~= nil then
    return nil
  end
  for _, x in ipairs(value) do
    if type(x) ~= "number" then
      return nil
    end
  end
  return value
end

function H.is_finite(x)
  return x == x and x > -math.huge and x < math.huge
end

H.metatable = { __name = "vise.plot" }
H.height = 16 -- lines
H.most_width = 72 -- characters
H.point = "●"
H.margin = 12 -- of the labels on the left

function H.metatable.__tostring(plot)
  local width = math.max(8, math.min(H.most_width, (native.file.columns() or 80) - H.margin - 2))
  local o, y = plot._options, plot.y
  if o.log then
    y = {}
    for i, value in ipairs(plot.y) do
      y[i] = math.log(value, 10)
    end
  end
  local x_low, x_high = H.range(plot.x)
  local y_low, y_high = H.range(y)
  local canvas = {}
  local before_column, before_row
  for i = 1, #y do
    local column = H.place(plot.x[i], x_low, x_high, 2 * width)
    local row = 4 * H.height - 1 - H.place(y[i], y_low, y_high, 4 * H.height)
    if o.lines then
      H.line(canvas, width, before_column or column, before_row or row, column, row)
      before_column, before_row = column, row
    else
      canvas[(row // 4) * width + column // 2] = H.point
    end
  end
  return H.frame(canvas, width, o, { x_low, x_high }, { y_low, y_high })
end

--- Least and greatest; apart, if all are the same.
function H.range(values)
  local low, high = math.huge, -math.huge
  for _, x in ipairs(values) do
    low, high = math.min(low, x), math.max(high, x)
  end
  if low == high then
    local half = low == 0 and 1 or math.abs(low) / 2
    return low - half, high + half
  end
  return low, high
end

--- The dot, from 0 to dots - 1, at which a number lies.
function H.place(x, low, high, dots)
  return math.floor((x / 2 - low / 2) / (high / 2 - low / 2) * (dots - 1) + 0.5)
end

--- Dots from one place to another.
function H.line(canvas, width, column, row, to_column, to_row)
  local steps = math.max(math.abs(to_column - column), math.abs(to_row - row), 1)
  for i = 0, steps do
    local c = math.floor(column + (to_column - column) * i / steps + 0.5)
    local r = math.floor(row + (to_row - row) * i / steps + 0.5)
    local cell = (r // 4) * width + c // 2
    canvas[cell] = (canvas[cell] or 0) | H.bits[r % 4 + 1][c % 2 + 1]
  end
end

--- The dots of U+2800, by row and column.
H.bits = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } }

--- The canvas with its axes and their ends.
function H.frame(canvas, width, o, x, y)
  local lines = { o.title }
  for row = 0, H.height - 1 do
    local cells = {}
    for column = 0, width - 1 do
      local dots = canvas[row * width + column]
      cells[#cells + 1] = dots == H.point and dots or dots and utf8.char(0x2800 + dots) or " "
    end
    local label = row == 0 and y[2] or row == H.height - 1 and y[1] or nil
    label = label and ("%.4g"):format(o.log and 10 ^ label or label) or ""
    lines[#lines + 1] = ("%" .. H.margin - 1 .. "s ┤%s"):format(label, table.concat(cells))
  end
  local left, right = ("%.4g"):format(x[1]), ("%.4g"):format(x[2])
  local indent = (" "):rep(H.margin)
  lines[#lines + 1] = indent .. "└" .. ("─"):rep(width)
  lines[#lines + 1] = indent .. " " .. left .. (" "):rep(width - #left - #right) .. right
  return (table.concat(lines, "\n"):gsub(" +\n", "\n"))
end

return M
