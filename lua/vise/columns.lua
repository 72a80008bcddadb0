-- SPDX-License-Identifier: Apache-2.0
--- Factors of columns around a method: W = Q diag(1 / s), Q by another method from W diag(s).
-- What reads x then multiplies x / s by Q: awq and smoothquant differ in how they choose s.

local method = require("vise.method")
local native = require("vise.native")
local weight = require("vise.weight")

local M = {}
local H = {}

---@class vise.ColumnScales
---@field right vise.Tensor [k] f16: 1 / s
---@field columns vise.Tensor [k] f32: s, what 1 / `right` is
---@field inputs vise.Tensor [k] f32: `right`

--- Scales as they are stored. Only their ratios count: they are taken relative to the middle of
--- their range, and cut to 1e-4 to 1e4; what is 0 or infinite stands in the middle.
---@param s number[] >= 0
---@return vise.ColumnScales
function M.scales(s)
  local least, greatest = math.huge, 0
  for _, x in ipairs(s) do
    if x > 0 and x < math.huge then
      least, greatest = math.min(least, x), math.max(greatest, x)
    end
  end
  local middle = greatest > 0 and math.sqrt(least) * math.sqrt(greatest) or 1
  local right, columns = {}, {}
  for j, x in ipairs(s) do
    local ratio = x > 0 and x < math.huge and middle / x or 1
    right[j] = math.max(1e-4, math.min(1e4, ratio))
  end
  local stored = native.tensor.from("f16", { #s }, right)
  local inputs = stored:convert("f32")
  for j, x in ipairs(inputs:table()) do
    columns[j] = 1 / x
  end
  return { right = stored, columns = native.tensor.from("f32", { #s }, columns), inputs = inputs }
end

--- The weight by the method that `resolved` names, between these scales.
---@param name string the method whose options are `resolved`
---@param w vise.Weight
---@param scales vise.ColumnScales
---@param resolved table<string, any>
---@param extra vise.MethodExtra its moments are those of x
---@param inside? fun(q: vise.Weight): vise.Weight what is made of Q before it is scaled
---@return vise.Weight|nil weight
---@return string? message or note
---@return string? code
function M.run(name, w, scales, resolved, extra, inside)
  local scaled <close> = weight.scaled(w, { right = scales.columns })
  local moments <close> = H.moments(name, scales, resolved, extra)
  local result, note, code = method.run_inner(name, scaled, resolved, {
    moments = moments, importance = not moments and H.importance(scales, extra) or nil,
    name = extra.name, seed = extra.seed,
  })
  if result == nil then
    return nil, note, code
  end
  local q <close> = result
  local whole <close> = inside and inside(q) or q:handle()
  return weight.scaled(whole, { right = scales.right }), note
end

--- The moments of x / s; nil where the other method only wants to know what each column counts.
function H.moments(name, scales, resolved, extra)
  local inner, options = method.inner(name, resolved)
  if method.wants(inner, "moments", options) or method.wants(inner, "cross", options) then
    return extra.moments:scaled(scales.inputs)
  end
end

--- What the columns of x / s count.
function H.importance(scales, extra)
  local importance, inputs = extra.moments:importance():table(), scales.inputs:table()
  for j, x in ipairs(inputs) do
    importance[j] = importance[j] * x * x
  end
  return native.tensor.from("f32", { #importance }, importance)
end

return M
