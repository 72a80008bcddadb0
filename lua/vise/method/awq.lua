-- SPDX-License-Identifier: Apache-2.0
--- AWQ: columns that read large inputs are made larger before they are rounded.
--
--   W ~= Q(W diag(s)) diag(1 / s)      s_j = (mean |x_j|)^a, relative to the middle of its range
--
-- a is the one of 0, 1/n, ..., (n - 1)/n whose rounding to nearest has the least error under the
-- second moments of the inputs, judged on 64 rows. With a = 0 the result is that of the rounding.
-- Clipping is the format's own search, weighted by the second moment of each scaled column.
--
-- Differs from the paper: 1 / s is stored with the weight instead of folded into what comes before,
-- so each weight has its own and grouped queries are no trouble; the error is that of the weight's
-- outputs, not of the block's.

local columns = require("vise.columns")
local method = require("vise.method")
local native = require("vise.native")
local weight = require("vise.weight")

local H = { rows = 64 }

function H.run(w, resolved, extra)
  local scales, message, code = H.search(w, resolved, extra)
  if scales == nil then
    return nil, message, code
  elseif not scales.right then
    return method.run_inner("awq", w, resolved, extra)
  end
  return columns.run("awq", w, scales, resolved, extra)
end

--- The scales of least error; {} for none at all; nil, message, code.
function H.search(w, resolved, extra)
  local sample <close> = H.sample(w)
  local plain = H.rounding(resolved)
  local best, least = {}, math.huge
  for step = 0, resolved.steps - 1 do
    local scales = step > 0 and H.scales(extra.moments, step / resolved.steps) or {}
    local q, message, code = H.round(sample, scales, plain, extra)
    if q == nil then
      return nil, message, code
    end
    local rounded <close> = q
    local lost
    lost, message, code = rounded:error(sample, extra.moments)
    if lost == nil then
      return nil, message, code
    elseif lost < least then
      best, least = scales, lost
    end
  end
  return best
end

function H.round(sample, scales, plain, extra)
  if scales.right then
    return columns.run("awq", sample, scales, plain, extra)
  end
  return method.run_inner("awq", sample, plain, extra)
end

--- The options with rounding to nearest instead of a method that would cost more.
function H.rounding(resolved)
  local plain = { rounding = "rtn" }
  for _, row in ipairs(method.params("rtn", resolved)) do
    plain[row.name] = resolved[row.name]
  end
  return plain
end

--- Up to 64 rows, evenly spaced: the product with the second moments is what the search costs.
function H.sample(w)
  local m = w:shape()[1]
  if m <= H.rows then
    return w:handle()
  end
  local ids = {}
  for i = 0, H.rows - 1 do
    ids[i + 1] = i * m // H.rows
  end
  return weight.dense(w:rows(native.tensor.from("i32", { #ids }, ids)))
end

function H.scales(moments, power)
  local s, greatest = moments:mean_abs():table(), 0
  for _, x in ipairs(s) do
    greatest = math.max(greatest, x)
  end
  for j, x in ipairs(s) do
    s[j] = math.max(x, 1e-4 * greatest) ^ power
  end
  return columns.scales(s)
end

---@type vise.Method
return {
  name = "awq",
  family = "quant",
  summary = "columns scaled by their inputs before another method rounds them",
  source = "Lin et al. 2024, arXiv:2306.00978",
  version = 2,
  scope = "weight",
  needs = { "moments" },
  is_exact = true,
  params = {
    { name = "steps", kind = "int", default = 20, min = 1, max = 1000,
      doc = "powers of the inputs that are tried; 1: no scaling" },
  },
  inner = {
    option = "rounding", default = "rtn", doc = "the method that rounds",
    takes = function(other)
      return other.takes_format
    end,
  },
  run = H.run,
}
