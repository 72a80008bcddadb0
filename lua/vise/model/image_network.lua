-- SPDX-License-Identifier: Apache-2.0
--- What architectures of images have in common: the config's part on images and classes, the block
-- that turns bytes into numbers, and how parts are declared.

local native = require("vise.native")
local ops = require("vise.grad.ops")
local functions = require("vise.grad.functions")
local shapes = require("vise.grad.shapes")

local M = {}

---@class vise.ImageNetwork: vise.Network
---@field image { size: integer, channels: integer } of what it reads
---@field vocabulary integer number of classes
local Network = {}
M.Network = Network

--- Read what the config says of images and classes into a network.
---@param config vise.ConfigReader
---@param class table of the architecture, with `block`
---@return vise.ImageNetwork
function M.new(config, class)
  local channels = config:integer("num_channels", 1)
  local net = {
    image = { size = config:integer("image_size"), channels = channels },
    vocabulary = config:integer("num_labels"),
    places = {}, tensors = {}, sites = {}, coupled = {},
    blocks = { { name = "images", places = {} } },
  }
  net._moments = {
    mean = M.filled(channels, 255 * config:number("image_mean", 0.0)),
    variance = M.filled(channels, (255 * config:positive("image_std", 1.0)) ^ 2),
  }
  net._gain, net._bias = M.filled(channels, 1.0), M.filled(channels, 0.0)
  return setmetatable(net, class)
end

--- What the head reads.
---@param model vise.Model as for the network of a llama
---@param batch { images: vise.Tensor } u8 [n, h, w, c]
---@return vise.Tensor [n, d] f32
function Network:hidden(model, batch)
  local x
  for index = 1, #self.blocks do
    x = self:block(model, index, x, batch)
  end
  return x
end

--- What every block needs to know of a batch.
function Network:sequence(batch)
  return batch
end

--- Bytes as numbers of mean 0 and deviation 1, as far as the config knows them.
---@param images vise.Tensor u8 [n, h, w, c]
---@return vise.Tensor [n, h, w, c] f32
function Network:pixels(images)
  local floats <close> = images:convert("f32")
  local channels = self.image.channels
  local rows <close> = floats:reshape({ floats:count() // channels, channels })
  local scaled <close> = functions.batchnorm(rows, self._gain, self._bias, self._moments,
    { eps = M.EPS })
  return scaled:reshape(floats:shape())
end

--- Declare a weight with a bias, and the site of its inputs.
---@param at { name: string, file: string, shape: integer[], kernel?: integer[] } kernel: {size,
--- channels} of a convolution, whose tensor in files is [m, channels, size, size]
function Network:declare(at)
  self.places[#self.places + 1] = { name = at.name, shape = at.shape, source = at.file .. ".weight",
    kernel = at.kernel, deviation = math.sqrt(2 / at.shape[2]) }
  self.sites[#self.sites + 1] = { name = at.name .. ".in", places = { at.name } }
end

--- Declare a tensor.
function Network:tensor(name, n, file)
  self.tensors[#self.tensors + 1] = { name = name, shape = { n }, source = file }
end

--- A tensor of n equal numbers.
function M.filled(n, value)
  return native.learn.filled({ n }, value)
end

--- f(x) of [n, h, w, c] as of its pixels [n h w, c].
---@param x vise.Tensor|vise.Value
---@param f fun(rows: vise.Tensor|vise.Value): vise.Tensor|vise.Value
---@return vise.Tensor|vise.Value
function M.by_pixel(x, f)
  local shape, count = x:shape(), 1
  for i = 1, #shape - 1 do
    count = count * shape[i]
  end
  local rows <close> = shapes.reshape(x, { count, shape[#shape] })
  local y <close> = f(rows)
  return shapes.reshape(y, shape)
end

--- x + bias at a place; x [t, m] is let go.
function M.biased(model, place, x)
  local rows <close> = x
  return ops.bias(rows, model:vector(place .. ".bias"))
end

M.EPS = 1e-30 -- of a variance that is known

return M
