-- SPDX-License-Identifier: Apache-2.0
--- Optimizers: parameters change in place, by C (native/nn/optimizer.h).

local check = require("vise.check")
local native = require("vise.native")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.Optimizer
---@field state table<string, vise.Tensor> "m NAME", "v NAME": running means, zero at first
local Optimizer = {}
Optimizer.__index = Optimizer

M.rows = {
  { name = "optimizer", kind = "choice", choices = { "adamw", "sgd", "sign" }, default = "adamw",
    doc = "AdamW, SGD with momentum, or the sign of the gradient" },
  { name = "beta1", kind = "real", default = 0.9, min = 0.0, max = 1.0, doc = "adamw: mean of g" },
  { name = "beta2", kind = "real", default = 0.95, min = 0.0, max = 1.0,
    doc = "adamw: mean of g^2" },
  { name = "epsilon", kind = "real", default = 1e-8, min = 0.0, doc = "adamw" },
  { name = "momentum", kind = "real", default = 0.9, min = 0.0, max = 1.0, doc = "sgd" },
  { name = "decay", kind = "real", default = 0.0, min = 0.0,
    doc = "weight decay of matrices; a group's own for what it matches" },
  { name = "clip", kind = "real", default = 1.0, min = 0.0,
    doc = "greatest norm of all gradients together; 0 is no limit" },
}

--- For parameters with names. A group {match, decay, rate} says what the parameters that its
--- pattern matches have: weight decay, and a factor of the learning rate; the first that matches
--- counts.
---@param parameters vise.Value[]
---@param options table of M.rows
---@param groups? table[]
---@return vise.Optimizer
function M.new(parameters, options, groups)
  local optimizer = setmetatable({ state = {}, _parameters = parameters, _options = options,
    _settings = {} }, Optimizer)
  local means = H.means[options.optimizer]
  for i, parameter in ipairs(parameters) do
    optimizer._settings[i] = H.settings(parameter, options, groups or {})
    for _, mean in ipairs(means) do
      optimizer.state[mean .. " " .. parameter.name] =
        native.tensor.zeros("f32", parameter:shape())
    end
  end
  return optimizer
end

--- Norm of all gradients together, in f64, added in order.
---@return number
function Optimizer:norm()
  local sum = 0.0
  for _, parameter in ipairs(self._parameters) do
    sum = sum + (parameter.grad and must(native.grad.squares(parameter.grad)) or 0.0)
  end
  return math.sqrt(sum)
end

--- Change the parameters by their gradients, and let go of these.
---@param step integer from 1
---@param rate number
---@param norm number of all gradients
function Optimizer:step(step, rate, norm)
  local o = self._options
  local clip = o.clip > 0 and norm > o.clip and o.clip / norm or 1.0
  for i, parameter in ipairs(self._parameters) do
    if parameter.grad then
      local own = self._settings[i]
      local numbers = { rate = rate * own.rate, decay = own.decay, clip = clip, step = step,
        beta1 = o.beta1, beta2 = o.beta2, epsilon = o.epsilon, momentum = o.momentum }
      H.change[o.optimizer](parameter, self.state, numbers)
      parameter.grad:close()
      parameter.grad = nil
    end
  end
end

H.means = { adamw = { "m", "v" }, sgd = { "m" }, sign = {} }

H.change = {
  adamw = function(p, state, numbers)
    must(native.grad.adamw(p.data, state["m " .. p.name], state["v " .. p.name], p.grad, numbers))
  end,
  sgd = function(p, state, numbers)
    must(native.grad.sgd(p.data, state["m " .. p.name], p.grad, numbers))
  end,
  sign = function(p, _, numbers)
    must(native.grad.sign(p.data, p.grad, numbers))
  end,
}

--- Matrices decay, norms and biases do not, unless a group says so.
function H.settings(parameter, options, groups)
  local decay = #parameter:shape() > 1 and options.decay or 0.0
  for i, group in ipairs(groups) do
    local o = check.options(("train: group %d"):format(i), H.group_rows, group)
    if places.matches(o.match, parameter.name) then
      return { rate = o.rate, decay = o.decay or decay }
    end
  end
  return { rate = 1.0, decay = decay }
end

H.group_rows = {
  { name = "match", kind = "string", default = "*", doc = "a pattern of parameters" },
  { name = "decay", kind = "real", min = 0.0, doc = "weight decay" },
  { name = "rate", kind = "real", default = 1.0, min = 0.0, doc = "factor of the learning rate" },
}

return M
