-- SPDX-License-Identifier: Apache-2.0
--- What was claimed of a run against what it gives here.
-- Numbers with an error bar pass within twice the standard error measured here (never the one that
-- was claimed), counts pass when they are equal, sizes within a thousandth: LAPACK, which some
-- methods call, may decide a code otherwise in another build.

local check = require("vise.check")
local claims = require("vise.run.claims")
local fields = require("vise.metric.fields")

local M = {}
local H = {}

M.ERRORS = 2 -- standard errors
M.SIZE = 1e-3 -- relative

---@class vise.Reproduced
---@field row? string name of the row; nil for a claim
---@field name string of the number
---@field comparison? string of a claim
---@field claimed? number nil: nothing was claimed of this number
---@field obtained? number
---@field tolerance number
---@field passed boolean

---@class vise.Reproduction
---@field passed boolean
---@field numbers vise.Reproduced[]
---@field claims vise.Reproduced[]
---@field artifact? {claimed: string, obtained: string?, is_same: boolean}

--- Compare.
---@param bundle vise.Bundle what is claimed
---@param result vise.Run what was obtained
---@return vise.Reproduction
function M.compare(bundle, result)
  local report = { passed = true, numbers = {}, claims = {} }
  for i, claimed in ipairs(bundle.rows) do
    H.compare_row(report, claimed, H.row_of(result.rows, claimed, i))
  end
  for name, claim in check.sorted_pairs(result.record.recipe.claims) do
    H.judge(report, name, claim, result.rows)
  end
  for _, list in ipairs({ report.numbers, report.claims }) do
    for _, number in ipairs(list) do
      report.passed = report.passed and number.passed
    end
  end
  if bundle.artifact then
    local obtained = result.record.artifact and result.record.artifact.hash
    local is_same = obtained == bundle.artifact.hash
    report.artifact = { claimed = bundle.artifact.hash, obtained = obtained, is_same = is_same }
    if obtained == nil or #bundle.rows == 0 and not is_same then
      report.passed = false -- nothing else is claimed of an artifact
    end
  elseif #report.numbers + #report.claims == 0 then
    report.passed = false -- what claims nothing shows nothing
  end
  return report
end

--- The row at the same place, if it has the same name.
function H.row_of(rows, claimed, i)
  local row = rows[i]
  return row and row.name == claimed.name and row.protocol == claimed.protocol and row or {}
end

function H.compare_row(report, claimed, obtained)
  for _, field in ipairs(fields.list()) do
    local name = field.name
    local value = claimed[name]
    if type(value) == "number" and not name:match("_se$") and not H.times[name] then
      local got = obtained[name]
      local tolerance = H.tolerance(name, value, obtained[name .. "_se"])
      table.insert(report.numbers, {
        row = claimed.name, name = name, claimed = value, obtained = got, tolerance = tolerance,
        passed = got ~= nil and math.abs(got - value) <= tolerance,
      })
    end
  end
end

function H.judge(report, name, claim, rows)
  local obtained, se
  for _, row in ipairs(rows) do
    obtained, se = row[name] or obtained, row[name] and row[name .. "_se"] or se
  end
  local tolerance = H.tolerance(name, claim[2], se)
  local slack = claim[1]:sub(1, 1) == "<" and tolerance or -tolerance
  table.insert(report.claims, {
    name = name, comparison = claim[1], claimed = claim[2], obtained = obtained,
    tolerance = tolerance,
    passed = obtained ~= nil and claims.holds(obtained, claim[1], claim[2] + slack),
  })
end

H.times = { images_per_s = true, seconds = true, tokens_per_s = true }
H.sizes = { bytes = true, bits_per_weight = true }
H.counts = { tokens = true, clusters = true, images = true, text_bytes = true }

--- How far from the claim a number may be. Over one cluster there is no error bar.
function H.tolerance(name, claimed, se)
  if H.counts[name] then
    return 0
  elseif H.sizes[name] or se == nil or se ~= se then
    return M.SIZE * math.abs(claimed)
  end
  return M.ERRORS * se
end

return M
