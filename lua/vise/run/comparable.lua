-- SPDX-License-Identifier: Apache-2.0
--- Which measured numbers may stand side by side.
-- Two rows compare when they were measured by the same protocol on the same data, on the same share
-- of it; what tells the distance from a model (kl) only where that is the same one, what is a mean
-- over tokens (nll) only where there are as many of them. Sizes always compare.

local check = require("vise.check")

local M = {}
local H = {}

--- What is the same for all that compares in these numbers, each being that of the last row that
--- has it.
---@param record table of a run
---@param rows table[] of it
---@param names string[] of numbers
---@return string key
function M.key(record, rows, names)
  local keys = {}
  for i, name in ipairs(names) do
    local row = not H.sizes[name] and M.row_of(rows, name)
    keys[i] = row and H.key(record, row, name:gsub("_se$", "")) or ""
  end
  return table.concat(keys, "\n")
end

--- The last row that has a number.
---@param rows table[]
---@param name string
---@return table|nil
function M.row_of(rows, name)
  for i = #rows, 1, -1 do
    if rows[i][name] ~= nil then
      return rows[i]
    end
  end
end

--- What such numbers were measured on, in words: "nll-256, 81,655 tokens of test.txt".
---@param record table
---@param rows table[]
---@param names string[]
---@return string|nil of none that was measured
function M.text(record, rows, names)
  for _, name in ipairs(names) do
    local row = not H.sizes[name] and M.row_of(rows, name)
    if row then
      local data = H.given(record, function(input)
        return input.sha256 == row.data
      end)
      local words = { ("%s on %s"):format(row.protocol, data or "data that is not named") }
      if row.against then
        words[2] = "against " .. (H.given(record, function(input)
          return input.kind == "model"
        end) or "a model of the run")
      end
      if record.share then
        words[#words + 1] = ("%.3g %% of it"):format(100 * record.share)
      end
      return table.concat(words, ", ")
    end
  end
end

function H.key(record, row, name)
  return table.concat({
    row.protocol, row.data or "", record.share or 1,
    H.distances[name] and row.against or "", H.means[name] and (row.tokens or row.images) or "",
  }, " ")
end

--- The paths of the inputs that fit, as they were given.
function H.given(record, fits)
  local list = {}
  for _, input in check.sorted_pairs(record.inputs) do
    list[#list + 1] = type(input) == "table" and fits(input) and tostring(input.given) or nil
  end
  return #list > 0 and table.concat(list, ", ") or nil
end

H.sizes = { bytes = true, bits_per_weight = true }
H.distances = { kl = true, kl_median = true, kl_p99 = true, top1 = true, nll_delta = true }
H.means = { accuracy = true, nll = true, perplexity = true }

return M
