-- SPDX-License-Identifier: Apache-2.0
--- Functions of numbers and of rows: activations, products, normalisation, dropout, sums.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local learn = native.learn
local must = refusal.must

local M = {}
local H = {}

--- f(x) of each number, any shape: relu, sigmoid, tanh, silu, gelu (by the normal distribution),
--- gelu_tanh, log_sigmoid, and round, whose derivative is 1.
for _, name in ipairs({ "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "log_sigmoid",
  "round" }) do
  M[name] = function(x)
    return record(must(learn.unary(name, data(x))), { x }, { x }, function(d_y, a)
      give(x, must(learn.unary_back(name, d_y, a)))
    end)
  end
end

--- x y, number by number: tensors of one shape.
function M.mul(x, y)
  return record(must(learn.multiply(data(x), data(y))), { x, y }, { x, y }, function(d, a, b)
    if tape.is_value(x) then
      give(x, must(learn.multiply(d, b)))
    end
    if tape.is_value(y) then
      give(y, must(learn.multiply(d, a)))
    end
  end)
end

--- w times a mask that scores decide: the derivative by w is masked as w is, that by a score goes
--- through, as if the mask were the score (movement pruning).
---@param w vise.Tensor|vise.Value
---@param score vise.Tensor|vise.Value of its shape
---@param mask vise.Tensor of its shape, of zeros and ones
function M.masked(w, score, mask)
  local y = must(learn.multiply(data(w), mask))
  return record(y, { w, score }, { w, mask }, function(d, a, ones)
    give(w, must(learn.multiply(d, ones)))
    give(score, must(learn.multiply(d, a)))
  end)
end

--- x / y, number by number: tensors of one shape.
function M.div(x, y)
  return record(must(learn.divide(data(x), data(y))), { x, y }, { x, y }, function(d, a, b)
    local by_x = must(learn.divide(d, b))
    if tape.is_value(y) then
      local ratio <close> = must(learn.divide(a, b))
      local product <close> = must(learn.multiply(by_x, ratio))
      give(y, must(native.nn.scale(product, -1.0)))
    end
    give(x, by_x)
  end)
end

--- Softmax of each row; to leave something out, add a tensor that is -infinity there before.
---@param x vise.Tensor|vise.Value [n, v]
function M.softmax(x)
  local y = must(native.distance.softmax(data(x)))
  return record(y, { x }, { y }, function(d_y, result)
    give(x, must(native.distance.softmax_back(d_y, result)))
  end)
end

--- (x - mean) / sqrt(variance + eps) * gain + bias, over each row.
---@param x vise.Tensor|vise.Value [t, d]
---@param gain vise.Tensor|vise.Value [d]
---@param bias vise.Tensor|vise.Value [d]
---@param eps number
function M.layernorm(x, gain, bias, eps)
  local y = must(learn.layernorm(data(x), data(gain), data(bias), eps))
  return record(y, { x, gain, bias }, { x, gain }, function(d_y, a, b)
    local d_x, d_gain, d_bias = must(learn.layernorm_back(d_y, a, b, eps))
    give(x, d_x)
    give(gain, d_gain)
    give(bias, d_bias)
  end)
end

--- The same over the rows for each column (channel). In training the moments are those of x, and
--- `moments` moves towards them; else they are `moments`, which is constant.
---@param x vise.Tensor|vise.Value [t, d]
---@param gain vise.Tensor|vise.Value [d]
---@param bias vise.Tensor|vise.Value [d]
---@param moments { mean: vise.Tensor, variance: vise.Tensor } [d] each, of their own memory
---@param options { eps?: number, training?: boolean, momentum?: number } eps 1e-5; momentum 0.1 is
--- the share of the new moments
function M.batchnorm(x, gain, bias, moments, options)
  local eps, is_constant = options.eps or 1e-5, not options.training
  local mean, variance = moments.mean, moments.variance
  if options.training then
    mean, variance = must(learn.moments(data(x)))
    local rows = data(x):shape()[1]
    H.move(moments.mean, mean, 1.0, options.momentum or 0.1)
    H.move(moments.variance, variance, rows / math.max(1, rows - 1), options.momentum or 0.1)
  end
  local y = must(learn.batchnorm(data(x), data(gain), data(bias), mean, variance, eps))
  local kept = { x, gain, mean, variance }
  return record(y, { x, gain, bias }, kept, function(d_y, a, b, m, v)
    local d_x, d_gain, d_bias = must(learn.batchnorm_back(d_y, a, b, m, v, eps, is_constant))
    give(x, d_x)
    give(gain, d_gain)
    give(bias, d_bias)
  end)
end

--- Zero a share of the numbers and divide the rest by 1 - share: which, number i of the stream
--- (seed, name) says. With a share of 0, x itself.
---@param x vise.Tensor|vise.Value
---@param share number in [0, 1)
---@param seed integer
---@param name string of the place and the step
function M.dropout(x, share, seed, name)
  return record(must(learn.dropout(data(x), share, seed, name)), { x }, {}, function(d_y)
    give(x, must(learn.dropout(d_y, share, seed, name)))
  end)
end

--- The sum of all numbers, in f64.
function M.sum(x)
  local shape = data(x):shape()
  return record(must(native.distance.sum(data(x))), { x }, {}, function(d)
    give(x, must(learn.filled(shape, d)))
  end)
end

--- The mean of all numbers, in f64.
function M.mean(x)
  local shape, count = data(x):shape(), data(x):count()
  return record(must(native.distance.sum(data(x))) / count, { x }, {}, function(d)
    give(x, must(learn.filled(shape, d / count)))
  end)
end

--- running = (1 - share) running + share factor new
function H.move(running, new, factor, share)
  local old <close> = must(native.nn.scale(running, 1 - share))
  local step <close> = must(native.nn.scale(new, share * factor))
  local sum <close> = must(native.nn.add(old, step))
  must(native.grad.copy(running, sum))
end

return M
