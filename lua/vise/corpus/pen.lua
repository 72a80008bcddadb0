-- SPDX-License-Identifier: Apache-2.0
--- A pen that draws strokes into a square of pixels, with exact operations and square roots only.

local M = {}
local H = {}

--- The pixels a stroke goes through: points close enough for straight lines between them. Curves
--- are Catmull and Rom's: at each point they go in the direction of its neighbours.
---@param stroke number[] {x, y, x, y, ..., line?: boolean}
---@param move fun(x: number, y: number): number, number from the stroke's box to pixels
---@return number[][] points
function M.path(stroke, move)
  local path, n = {}, #stroke // 2
  local function at(i, c)
    i = math.max(1, math.min(n, i))
    return stroke[2 * i - 2 + c]
  end
  local function between(i, c, s)
    local a, b, d, e = at(i - 1, c), at(i, c), at(i + 1, c), at(i + 2, c)
    return b + 0.5 * s * (d - a + s * (2 * a - 5 * b + 4 * d - e + s * (3 * b - a - 3 * d + e)))
  end
  for i = 1, n - 1 do
    for k = 0, H.steps - 1 do
      local s = k / H.steps
      if stroke.line then
        path[#path + 1] = { move(at(i, 1) + s * (at(i + 1, 1) - at(i, 1)),
          at(i, 2) + s * (at(i + 1, 2) - at(i, 2))) }
      else
        path[#path + 1] = { move(between(i, 1, s), between(i, 2, s)) }
      end
    end
  end
  path[#path + 1] = { move(at(n, 1), at(n, 2)) }
  return path
end

--- Paper: size * size pixels in rows, no ink.
---@param size integer
---@return number[]
function M.canvas(size)
  local canvas = {}
  for i = 1, size * size do
    canvas[i] = 0.0
  end
  return canvas
end

--- Ink is full within `radius` of the path less half a pixel, and none beyond half a pixel more.
---@param canvas number[] changed: ink in [0, 1]
---@param size integer
---@param path number[][]
---@param radius number pixels
function M.draw(canvas, size, path, radius)
  local reach = radius + 0.5
  for i = 1, #path - 1 do
    local ax, ay, bx, by = path[i][1], path[i][2], path[i + 1][1], path[i + 1][2]
    local dx, dy = bx - ax, by - ay
    local length = dx * dx + dy * dy
    local first, last = H.pixels(math.min(ax, bx) - reach, math.max(ax, bx) + reach, size)
    local top, bottom = H.pixels(math.min(ay, by) - reach, math.max(ay, by) + reach, size)
    for row = top, bottom do
      for column = first, last do
        local px, py = column + 0.5 - ax, row + 0.5 - ay
        local s = length > 0 and (px * dx + py * dy) / length or 0
        s = math.max(0, math.min(1, s))
        px, py = px - s * dx, py - s * dy
        local ink = math.min(1, reach - math.sqrt(px * px + py * py))
        local k = row * size + column + 1
        if ink > canvas[k] then
          canvas[k] = ink
        end
      end
    end
  end
end

H.steps = 8 -- of a curve between two points

--- The rows or columns, from 0, that lie between two places.
function H.pixels(low, high, size)
  return math.max(0, math.floor(low)), math.min(size - 1, math.floor(high))
end

return M
