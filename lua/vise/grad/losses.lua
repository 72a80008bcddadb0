-- SPDX-License-Identifier: Apache-2.0
--- What training makes small: means over rows or numbers, in f64, NaN where inputs are not finite.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local distance = native.distance
local must = refusal.must

local M = {}

--- The mean of -log softmax(logits)[target], nats a token.
---@param logits vise.Tensor|vise.Value [n, v]
---@param targets vise.Tensor [n] i32, from 0
---@return vise.Value|number
function M.cross_entropy(logits, targets)
  local mean, n = must(native.grad.nll_mean(data(logits), targets)), targets:count()
  return record(mean, { logits }, { logits, targets }, function(d, a, b)
    give(logits, must(native.grad.nll(d / n, a, b, tape.is_spent(logits))))
  end)
end

--- The mean over rows of KL(softmax(p) || softmax(q)), nats. Forward distillation is kl(teacher,
--- student), reverse kl(student, teacher); at a temperature T scale both by 1 / T, the result by
--- T^2.
---@param p vise.Tensor|vise.Value [n, v] logits
---@param q vise.Tensor|vise.Value [n, v] logits
---@return vise.Value|number
function M.kl(p, q)
  local mean, n = must(distance.kl(data(p), data(q))), data(p):shape()[1]
  return record(mean, { p, q }, { p, q }, function(d, a, b)
    if tape.is_value(p) then
      give(p, must(distance.kl_by_p(d / n, a, b)))
    end
    if tape.is_value(q) then
      give(q, must(distance.kl_by_q(d / n, a, b)))
    end
  end)
end

--- The mean over rows of KL(p || softmax(logits)), nats, where of p the k greatest probabilities
--- are known, by their logarithms, and the logarithm of the sum of all others: what a cache of a
--- teacher keeps. Never above the whole divergence.
---@param logits vise.Tensor|vise.Value [n, v]
---@param ids vise.Tensor [n, k] i32, from 0, different in a row
---@param log_p vise.Tensor [n, k]
---@param log_tail vise.Tensor [n]
---@return vise.Value|number
function M.kl_top(logits, ids, log_p, log_tail)
  local mean, n = must(distance.kl_top(data(logits), ids, log_p, log_tail)), ids:shape()[1]
  return record(mean, { logits }, { logits, ids, log_p, log_tail }, function(d, ...)
    give(logits, must(distance.kl_top_back(d / n, ...)))
  end)
end

--- The mean of (x - y)^2 over all numbers.
---@param x vise.Tensor|vise.Value
---@param y vise.Tensor|vise.Value of its shape
---@return vise.Value|number
function M.mse(x, y)
  local mean, n = must(distance.mse(data(x), data(y))), data(x):count()
  return record(mean, { x, y }, { x, y }, function(d, a, b)
    if tape.is_value(x) then
      give(x, must(distance.difference(2 * d / n, a, b)))
    end
    if tape.is_value(y) then
      give(y, must(distance.difference(2 * d / n, b, a)))
    end
  end)
end

--- The mean of the cosines of rows: 1 if they are parallel. 0 for a row of zeros.
---@param x vise.Tensor|vise.Value [t, d]
---@param y vise.Tensor|vise.Value [t, d]
---@return vise.Value|number
function M.cosine(x, y)
  local mean, n = must(distance.cosine(data(x), data(y))), data(x):shape()[1]
  return record(mean, { x, y }, { x, y }, function(d, a, b)
    if tape.is_value(x) then
      give(x, must(distance.cosine_by_x(d / n, a, b)))
    end
    if tape.is_value(y) then
      give(y, must(distance.cosine_by_x(d / n, b, a)))
    end
  end)
end

return M
