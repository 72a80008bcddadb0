-- SPDX-License-Identifier: Apache-2.0
--- What a recipe's author saw, against what a run has measured.

local check = require("vise.check")
local fields = require("vise.metric.fields")

local M = {}
local H = {}

--- The numbers of a measured row that may be claimed: those that are no times.
M.NUMBERS = {}
for _, row in ipairs(fields.list()) do
  if row.name ~= "seconds" and not row.name:find("_per_s$") then
    table.insert(M.NUMBERS, row.name)
  end
end

--- Is that the name of such a number or of its standard error?
---@param name any
---@return boolean
function M.is_number(name)
  local number = type(name) == "string" and name:gsub("_se$", "")
  return check.nearest(number or "", M.NUMBERS) == number
end

---@class vise.ClaimResult
---@field name string
---@field comparison "<"|"<="|">"|">="
---@field bound number
---@field value? number of the last measured row that has it
---@field is_met boolean

--- Why a claim is not sound, or nil.
---@param name any
---@param claim any
---@return string|nil problem
function M.problem(name, claim)
  if type(name) ~= "string" or check.nearest(name, M.NUMBERS) ~= name then
    return check.unknown("number", tostring(name), M.NUMBERS)
  elseif type(claim) ~= "table" or H.compare[claim[1]] == nil or type(claim[2]) ~= "number"
    or claim[2] - claim[2] ~= 0 then
    return 'expected NAME = { "<=", NUMBER }, the comparison one of < <= > >='
  end
end

--- Each claim against the rows, by name.
---@param claims table<string, {[1]: string, [2]: number}>
---@param rows table[]
---@return vise.ClaimResult[]
function M.judge(claims, rows)
  local results = {}
  for name, claim in check.sorted_pairs(claims) do
    local value
    for _, row in ipairs(rows) do
      value = row[name] or value
    end
    results[#results + 1] = {
      name = name,
      comparison = claim[1],
      bound = claim[2],
      value = value,
      is_met = value ~= nil and M.holds(value, claim[1], claim[2]),
    }
  end
  return results
end

--- Does a number stand in that comparison to a bound?
---@param value number
---@param comparison "<"|"<="|">"|">="
---@param bound number
---@return boolean
function M.holds(value, comparison, bound)
  return H.compare[comparison](value, bound)
end

--- "claim kl <= 0.02: met (0.0131)"
---@param result vise.ClaimResult
---@return string
function M.text(result)
  return ("claim %s %s %.6g: %s (%s)"):format(result.name, result.comparison, result.bound,
    result.is_met and "met" or "NOT met",
    result.value and ("%.6g"):format(result.value) or "not measured")
end

H.compare = {
  ["<"] = function(a, b) return a < b end,
  ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end,
  [">="] = function(a, b) return a >= b end,
}

return M
