-- SPDX-License-Identifier: Apache-2.0
--- The singular values of a weight: as data, and as a plot with what they say of a low rank.

local linalg = require("vise.linalg")
local plot = require("vise.plot")

local M = {}
local H = {}

---@class vise.Spectrum
---@field values number[] singular values, descending
---@field ranks table<number, integer> how many of the first hold that share (0.5, 0.9, 0.99) of the
--- sum of squares

--- The spectrum of a weight [m, k].
---@param weight vise.Weight
---@return vise.Spectrum|nil spectrum
---@return string? message
---@return string? code "cancelled"
function M.of(weight)
  local dense <close>, message, code = weight:dense()
  if dense == nil then
    return nil, message, code
  end
  local factors
  factors, message, code = linalg.svd(dense)
  if factors == nil then
    return nil, message, code
  end
  local values = factors.s:table()
  local total, sum, ranks = 0.0, 0.0, {}
  for _, s in ipairs(values) do
    total = total + s ^ 2
  end
  for i, s in ipairs(values) do
    sum = sum + s ^ 2
    for _, share in ipairs(H.shares) do
      ranks[share] = ranks[share] or sum >= share * total and i or nil
    end
  end
  return setmetatable({ values = values, ranks = ranks }, H.metatable)
end

H.shares = { 0.5, 0.9, 0.99 }

H.metatable = { __name = "vise.spectrum" }

function H.metatable.__tostring(spectrum)
  local values = spectrum.values
  local words = {}
  for i, share in ipairs(H.shares) do
    words[i] = ("%g %% in the first %d"):format(100 * share, spectrum.ranks[share] or #values)
  end
  local line = ("%d singular values from %.4g to %.4g; of their squares "):format(#values,
    values[1], values[#values]) .. table.concat(words, ", ")
  if values[1] == 0 then
    return line
  end
  return tostring(plot.new(values, { log = true })) .. "\n" .. line
end

return M
