-- SPDX-License-Identifier: Apache-2.0
--- A model as it is trained: some of its places and tensors are parameters, the rest stays as it
-- is. It stands in for the model in the architecture's own formula (vise.model.arch), so that the
-- same lines evaluate and train.

local check = require("vise.check")
local grad = require("vise.grad")
local model = require("vise.model")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.TrainedNetwork
---@field parameters vise.Value[] in the model's order, each with its `name`
local Network = {}
Network.__index = Network

---@class vise.NetworkOptions
---@field train? string[] patterns of the places and tensors that are parameters; all if absent
---@field through? fun(name: string, w: vise.Value|vise.Tensor|vise.Weight): any what a weight
--- becomes before it is used, at its place: rounded, masked, adapted. What is not trained is a
--- vise.Weight
---@field recompute? boolean keep the inputs of layers alone and compute the rest again on the way
--- back

--- Parameters are copies in f32: the model stays as it is.
---@param m vise.Model
---@param options? vise.NetworkOptions
---@return vise.TrainedNetwork
function M.new(m, options)
  local o = options or {}
  check.names("network", o, { "recompute", "through", "train" })
  local network = setmetatable({
    parameters = {},
    context = m.context,
    vocabulary = m.vocabulary,
    _model = m,
    _values = {},
    _owners = {},
    _recompute = o.recompute or false,
    _through = o.through,
  }, Network)
  for _, place in ipairs(m:places()) do
    network._owners[place.name] = place.tied_to or place.name
    if place.tied_to == nil and H.is_trained(place.name, o.train) then
      local weight <close> = m:_own(place.name)
      H.add(network, place.name, must(weight:dense()))
    end
  end
  for _, name in ipairs(m:tensors()) do
    if H.is_trained(name, o.train) then
      H.add(network, name, must(must(m:tensor(name)):convert("f32")))
    end
  end
  return network
end

--- Hidden states after the last norm; refusals are raised.
---@param batch table {ids, starts}
---@return vise.Value|vise.Tensor [t, d]
function Network:hidden(batch)
  local net = self._model._net
  if not self._recompute then
    return net:hidden(self, batch)
  end
  local sequence = net:sequence(batch) -- the way back needs it, too
  local x = net:block(self, 1, nil, sequence)
  for index = 2, #net.blocks - 1 do
    x = grad.checkpoint(function(input)
      return net:block(self, index, input, sequence)
    end, x)
  end
  return net:block(self, #net.blocks, x, sequence)
end

---@param hidden vise.Value|vise.Tensor [n, d]
---@return vise.Value|vise.Tensor [n, vocabulary]
function Network:logits(hidden)
  return grad.linear(hidden, self:weight("head"))
end

--- Mean nats a token of predicting `targets`.
---@param batch table {ids, starts, targets}
---@return vise.Value|number
function Network:loss(batch)
  local hidden <close> = self:hidden(batch)
  local logits <close> = self:logits(hidden)
  return grad.cross_entropy(logits, batch.targets)
end

--- A model of the parameters as they are now, and of what was not trained.
---@param name? string
---@return vise.Model
function Network:model(name)
  local m = self._model
  local copies = {}
  for _, parameter in ipairs(self.parameters) do
    local used = self:_used(parameter.name, parameter.data)
    copies[parameter.name] = must(used:convert("f32"))
  end
  return must(model.new(m.config, {
    name = name or m.name,
    tokenizer = m._tokenizer_file,
    tensors = function(part)
      return copies[part] or (m._is_tensor[part] and must(m:tensor(part)))
        or must(must(m:weight(part)):dense())
    end,
  }))
end

--- For the architecture: the weight of a place.
function Network:weight(place)
  local owner = self._owners[place]
  return self:_used(owner, self._values[owner] or must(self._model:weight(owner)))
end

function Network:_used(name, w)
  return self._through and self._owners[name] and self._through(name, w) or w
end

--- For the architecture: a norm or bias, or nil.
function Network:vector(name)
  return self._values[name] or self._model:vector(name)
end

function H.is_trained(name, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if places.matches(pattern, name) then
      return true
    end
  end
  return patterns == nil
end

function H.add(network, name, tensor)
  local value = grad.parameter(tensor, name)
  table.insert(network.parameters, value)
  network._values[name] = value
end

return M
