-- SPDX-License-Identifier: Apache-2.0
--- Means and ratios with clustered standard errors, quantiles.
-- Tokens of one document lean the same way, so they are no independent draws; documents are. With D
-- clusters of n_d values and sums S_d, N values in all,
--
--   mean = sum S_d / N      se = sqrt(D / (D - 1) sum (S_d - n_d mean)^2) / N
--
-- Sums run in the order of the values, so equal inputs give equal bits.

local M = {}

--- Mean and clustered standard error.
---@param values number[] cluster after cluster
---@param counts integer[] values in each cluster, in the same order; their sum is #values
---@return number mean
---@return number se NaN for a single cluster, which says nothing of how clusters differ
function M.mean(values, counts)
  return M.ratio(values, counts, counts)
end

--- Sum of the values over the sum of the sizes, and its clustered standard error: as above, with
--- the size of a cluster for n_d (the ratio estimator).
---@param values number[] cluster after cluster
---@param counts integer[] as for mean
---@param sizes number[] of each cluster, not all 0
---@return number ratio
---@return number se NaN for a single cluster
function M.ratio(values, counts, sizes)
  local sums, at, total, size = {}, 0, 0.0, 0
  for d, n in ipairs(counts) do
    local sum = 0.0
    for i = at + 1, at + n do
      sum = sum + values[i]
    end
    sums[d], at, total, size = sum, at + n, total + sum, size + sizes[d]
  end
  local ratio = total / size
  if #counts == 1 then
    return ratio, 0 / 0
  end
  local spread = 0.0
  for d, sum in ipairs(sums) do
    spread = spread + (sum - sizes[d] * ratio) ^ 2
  end
  return ratio, math.sqrt(#counts / (#counts - 1) * spread) / size
end

--- Mean and clustered standard error of the paired differences a[i] - b[i].
---@param a number[]
---@param b number[] as many
---@param counts integer[] as for mean
---@return number mean
---@return number se
function M.difference(a, b, counts)
  local differences = {}
  for i = 1, #a do
    differences[i] = a[i] - b[i]
  end
  return M.mean(differences, counts)
end

--- Quantiles, linear between neighbours: the value at index 1 + (n - 1) q of the sorted ones.
---@param values number[] at least one, in any order, unchanged
---@param levels number[] each in [0, 1]
---@return number ... one for each level
function M.quantiles(values, levels)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local found = {}
  for i, level in ipairs(levels) do
    local at = 1 + (#sorted - 1) * level
    local low = math.floor(at)
    local high = math.min(low + 1, #sorted)
    found[i] = sorted[low] + (at - low) * (sorted[high] - sorted[low])
  end
  return table.unpack(found)
end

--- Clustered standard error of a quantile, after Woodruff (1952): the quantiles one standard error
--- of the share of values below it to either side, and half the distance between them.
---@param values number[] cluster after cluster
---@param counts integer[] as for mean
---@param level number in [0, 1]
---@return number se NaN for a single cluster
function M.quantile_error(values, counts, level)
  local quantile = M.quantiles(values, { level })
  local is_below = {}
  for i, value in ipairs(values) do
    is_below[i] = value <= quantile and 1 or 0
  end
  local _, se = M.mean(is_below, counts)
  if se ~= se then
    return se
  end
  local low, high = M.quantiles(values, { math.max(0, level - se), math.min(1, level + se) })
  return (high - low) / 2
end

return M
