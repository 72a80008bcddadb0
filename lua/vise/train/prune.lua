-- SPDX-License-Identifier: Apache-2.0
--- Training under a mask: what becomes of a weight is itself times a mask of zeros and ones.
--
--   zeros      the mask of the weights that are not 0 at first: what a method pruned stays pruned,
--              in whatever pattern; values that are kept move on
--   magnitude  the greatest magnitudes at that step (Zhu and Gupta 2017, arXiv:1710.01878)
--   movement   the greatest scores S at that step, learned beside the weights with
--              dL/dS = dL/dy w: weights stay that move away from 0 (Sanh et al. 2020,
--              arXiv:2005.07683)
--
-- The sparsity rises to its end as 1 - (1 - t)^3, t the share of the steps of the rise that are
-- done; patterns N:M have theirs at once. Scores begin at 0, where ties are in the order of the
-- columns.

local check = require("vise.check")
local grad = require("vise.grad")
local native = require("vise.native")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

M.rows = {
  { name = "by", kind = "choice", choices = { "zeros", "magnitude", "movement" },
    default = "zeros", doc = "what says which weights are 0" },
  { name = "match", kind = "string", default = "*.*", doc = "a pattern of the places" },
  { name = "sparsity", kind = "real", default = 0.5, min = 0.0, max = 0.999,
    doc = "share of each weight that is 0 in the end; zeros and N:M have their own" },
  { name = "pattern", kind = "string", default = "unstructured",
    doc = "as of the method magnitude: N:M, or blocks RxC" },
  { name = "rise", kind = "real", default = 0.5, min = 0.0, max = 1.0,
    doc = "share of the steps in which the sparsity rises" },
  { name = "rate", kind = "real", default = 10.0, min = 0.0,
    doc = "movement: rate of the scores, in units of that of the weights" },
}

---@class vise.TrainedMask
---@field parameters vise.Value[] scores
---@field groups table[] of the optimizer, for the scores
---@field key string of the options
---@field through fun(name: string, w: any): any for vise.train.network
---@field step integer to be set before a step; the last at first

--- Masks for a model that is to be trained for so many steps.
---@param m vise.Model
---@param options table of M.rows
---@param steps integer
---@return vise.TrainedMask
function M.new(m, options, steps)
  local o = check.options("prune", M.rows, options)
  local self = { parameters = {}, groups = {}, step = steps, key = H.key(o), scores = {},
    masks = {}, options = o, steps = steps }
  local count = 0
  for _, place in ipairs(m:places()) do
    if not place.tied_to and places.matches(o.match, place.name) then
      count = count + 1
      H.add(self, m, place)
    end
  end
  if count == 0 then
    check.fail("prune: no place matches '%s'", o.match)
  end
  if o.by == "movement" then
    self.groups[1] = { match = "score", decay = 0.0, rate = o.rate }
  end
  function self.through(name, w)
    return self.masks[name] and w.shape ~= native.weight.methods.shape and H.masked(self, name, w)
      or w -- what is not trained stays as it is
  end
  return self
end

function H.key(o)
  local lines = {}
  for _, row in ipairs(M.rows) do
    lines[#lines + 1] = ("prune %s %s"):format(row.name, o[row.name])
  end
  return table.concat(lines, "\n")
end

function H.add(self, m, place)
  local name = place.name
  self.masks[name] = {}
  if self.options.by == "movement" then
    local score = grad.parameter(native.tensor.zeros("f32", place.shape), name .. ".score")
    self.scores[name] = score
    self.parameters[#self.parameters + 1] = score
  elseif self.options.by == "zeros" then
    local weight <close> = m:_own(name)
    local values <close> = must(weight:dense())
    self.masks[name].fixed = H.is_not_zero(values)
  end
end

function H.masked(self, name, w)
  if not grad.is_value(w) then -- the end, after the last update
    self.masks[name].step = nil
  end
  local mask = H.mask(self, name, grad.data(w))
  local score = self.scores[name]
  return score and grad.masked(w, score, mask) or grad.mul(w, mask)
end

--- The mask of a place at the current step, of the weights or scores as they are.
function H.mask(self, name, w)
  local kept = self.masks[name]
  if kept.fixed then
    return kept.fixed
  elseif kept.step ~= self.step then
    local order = self.scores[name] and must(native.learn.unary("sigmoid", self.scores[name].data))
      or w:reshape(w:shape())
    local dense <close> = native.weight.dense(order)
    local pruned <close> = must(dense:prune(H.rule(self)))
    local left <close> = must(pruned:dense())
    order:close()
    if kept.mask then
      kept.mask:close()
    end
    kept.step, kept.mask = self.step, H.is_not_zero(left)
  end
  return kept.mask
end

--- What is pruned of magnitudes or scores at the current step.
function H.rule(self)
  local o, rise = self.options, self.options.rise * self.steps
  local left = self.step >= rise and 0.0 or 1 - self.step / rise
  local has_own = o.pattern:find(":", 1, true)
  return { method = "magnitude", pattern = o.pattern, per = not has_own and "tensor" or nil,
    sparsity = not has_own and o.sparsity * (1 - left ^ 3) or nil }
end

--- 1 where a number is not 0, else 0: tanh is exactly 1 far from 0.
function H.is_not_zero(x)
  local far <close> = must(native.nn.scale(x, 1e30))
  local sign <close> = must(native.learn.unary("tanh", far))
  return must(native.learn.multiply(sign, sign))
end

return M
