-- SPDX-License-Identifier: Apache-2.0
--- Networks of matrices alone, for small images:
--
--   x = relu(layers.i x + bias)         in every hidden layer; first x is the image, pixel by pixel
--   logits = head x + bias

local functions = require("vise.grad.functions")
local image_network = require("vise.model.image_network")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}

M.model_types = { "mlp" }

local Network = setmetatable({}, { __index = image_network.Network })
Network.__index = Network

--- Read a config. Refuses what this file does not implement, by name.
---@param config vise.ConfigReader
---@return vise.ImageNetwork
function M.new(config)
  local net = image_network.new(config, Network)
  local k = net.image.size * net.image.size * net.image.channels
  for i, m in ipairs(config:list("hidden_sizes")) do
    local name = "layers." .. i - 1
    net:declare({ name = name, file = name, shape = { m, k } })
    net:tensor(name .. ".bias", m, name .. ".bias")
    net.blocks[i + 1] = { name = name, places = { name } }
    k = m
  end
  local file = "layers." .. #net.blocks - 1
  net:declare({ name = "head", file = file, shape = { net.vocabulary, k } })
  net:tensor("head.bias", net.vocabulary, file .. ".bias")
  net.blocks[#net.blocks + 1] = { name = "head", places = { "head" } }
  return net
end

--- The output of block `index` of `blocks`: the pixels of the first, then of each layer; the last
--- passes on what the head reads. `x` is let go.
---@param model table as for `hidden`
---@param index integer
---@param x vise.Tensor|vise.Value|nil [n, k]
---@param batch table
---@return vise.Tensor|vise.Value
function Network:block(model, index, x, batch)
  if index == 1 then
    local pixels <close> = self:pixels(batch.images)
    local n = pixels:shape()[1]
    return pixels:reshape({ n, pixels:count() // n })
  elseif index == #self.blocks then
    return x
  end
  local input <close> = x
  local place = self.blocks[index].name
  if model.reach then
    model:reach(place, input)
  end
  local y <close> = image_network.biased(model, place, ops.linear(input, must(model:weight(place))))
  return functions.relu(y)
end

return M
