-- SPDX-License-Identifier: Apache-2.0
--- What a model makes of labelled images: accuracy, losses, and what it lost against another.
-- Images are independent draws, so an error is that of a mean over them. The accuracy is a share,
-- and its interval is Wilson's (1927), which holds near 1 and for few images: with z = 1.96,
--
--   (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

local images = require("vise.images")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local statistics = require("vise.metric.statistics")

local must = refusal.must

local M = {}
local H = {}

--- Measure a model on the split of a protocol. Refuses sets that do not fit.
---@param model vise.Model its weights made
---@param options vise.EvaluateOptions
---@param protocol vise.Protocol
---@return vise.Measured
function M.evaluate(model, options, protocol)
  local set = must(images.open(options.data, protocol.split))
  for _, one in ipairs({ model, options.against }) do
    set:check(one)
  end
  local tally = { nll = {}, base = {}, right = {}, kl = {}, agree = {}, seconds = 0.0 }
  local count = math.max(1, math.ceil((options.share or 1) * set.count - 1e-9))
  local kept = options.against and H.kept(options.against, set, count)
  for i, batch in ipairs(set:batches(count)) do
    local start = native.core.clock()
    local logits <close> = H.logits(model, batch)
    tally.seconds = tally.seconds + native.core.clock() - start
    H.append(tally.nll, must(native.metric.nll(logits, batch.targets)))
    H.count_right(tally.right, logits, batch.targets)
    if options.against then
      local expected = kept[i] or H.logits(options.against, batch)
      kept[i] = expected
      H.append(tally.base, must(native.metric.nll(expected, batch.targets)))
      local kl, agree = must(native.metric.divergence(expected, logits))
      H.append(tally.kl, kl)
      H.append(tally.agree, agree)
    end
    if options.on_progress then
      options.on_progress(#tally.nll, count)
    end
  end
  return H.result(model, protocol.name, tally, options.against)
end

--- What a model that others are measured against has said of these images, batch by batch.
function H.kept(model, set, count)
  local of_model = H.references[model] or {}
  local key = ("%s %d"):format(set:digest(), count)
  H.references[model] = of_model
  of_model[key] = of_model[key] or {}
  return of_model[key]
end

H.references = setmetatable({}, { __mode = "k" }) -- models are values

--- The interval of a share `p` of `n` draws, at 95 %.
---@param p number
---@param n integer
---@return number low
---@return number high
function M.wilson(p, n)
  local z = H.z
  local middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ^ 2)
  local scale = 1 + z * z / n
  return math.max(0.0, (middle - half) / scale), math.min(1.0, (middle + half) / scale)
end

function H.logits(model, batch)
  local hidden <close> = must(model:hidden(batch))
  return must(model:logits(hidden))
end

--- 1 for each image whose class has the greatest logit, the first of equals; else 0.
function H.count_right(list, logits, targets)
  local values, classes = logits:table(), logits:shape()[2]
  for i, target in ipairs(targets:table()) do
    local from, best = (i - 1) * classes, 1
    for class = 2, classes do
      best = values[from + class] > values[from + best] and class or best
    end
    list[#list + 1] = best - 1 == target and 1 or 0
  end
end

function H.append(list, tensor)
  local values = tensor:table()
  table.move(values, 1, #values, #list + 1, list)
  tensor:close()
end

function H.result(model, name, tally, against)
  local n, each = #tally.nll, {}
  for i = 1, n do
    each[i] = 1
  end
  local bytes = model:disk_bytes() or must(model:bytes())
  local measured = { protocol = name, images = n, seconds = tally.seconds,
    images_per_s = n / tally.seconds, bytes = bytes,
    bits_per_weight = 8 * bytes / model:original_parameters() }
  measured.nll, measured.nll_se = statistics.mean(tally.nll, each)
  measured.accuracy = statistics.mean(tally.right, each)
  measured.accuracy_low, measured.accuracy_high = M.wilson(measured.accuracy, n)
  if against then
    measured.kl, measured.kl_se = statistics.mean(tally.kl, each)
    measured.top1, measured.top1_se = statistics.mean(tally.agree, each)
    measured.nll_delta, measured.nll_delta_se =
      statistics.difference(tally.nll, tally.base, each)
  end
  return measured
end

H.z = 1.959963984540054 -- of 95 % of a normal distribution

return M
