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
    _moments = {}, -- place -> those of its batch norm
    _share = H.share,
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

--- What the head reads; refusals are raised.
---@param batch table {ids, starts}, or {images}
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
  local bias = self:vector("head.bias")
  local product = grad.linear(hidden, self:weight("head"))
  if bias == nil then
    return product
  end
  local rows <close> = product
  return grad.bias(rows, bias)
end

--- Mean nats a token, or an image, of predicting `targets`.
---@param batch table {ids, starts, targets}, or {images, targets}
---@return vise.Value|number
function Network:loss(batch)
  local hidden <close> = self:hidden(batch)
  local logits <close> = self:logits(hidden)
  return grad.cross_entropy(logits, batch.targets)
end

--- Set the moments of batch norms, if there are any, to those of these batches: each moves what was
--- found so far by its share of all. What training left there are moments of parameters gone by.
---@param batches table[]
function Network:settle(batches)
  if not self._model._net.has_norm then
    return
  end
  for i, batch in ipairs(batches) do
    self._share = 1 / i
    self:hidden(batch):close()
  end
  self._share = H.share
end

--- For the architecture: the moments of a batch norm, which it moves, and by which share; nil where
--- they are not trained.
---@param place string
---@return { mean: vise.Tensor, variance: vise.Tensor }|nil
---@return number|nil
function Network:moments(place)
  local mean, variance = self._values[place .. ".mean"], self._values[place .. ".variance"]
  if mean and variance then
    self._moments[place] = self._moments[place] or { mean = mean.data, variance = variance.data }
    return self._moments[place], self._share
  end
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

H.share = 0.1 -- of a batch in the moments while parameters change

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
