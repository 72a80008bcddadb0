-- SPDX-License-Identifier: Apache-2.0
--- Residual convolutional networks for small images: the shape of ResNet-20 (He et al. 2016,
-- section 4.2), with a convolution of 1 x 1 where a stage begins with other channels.
--
--   x = relu(norm(stem * image))
--   x = relu(x + norm(conv2 * relu(norm(conv1 * x))))      in every block of every stage
--   logits = head(mean of x over its pixels) + bias
--
-- The first block of a stage but the first halves the image, and there x + ... has norm(shortcut *
-- x) for x. With batch_norm = false in the config a bias stands where a norm would: `fold` made it.

local functions = require("vise.grad.functions")
local image_network = require("vise.model.image_network")
local images = require("vise.grad.images")
local native = require("vise.native")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")
local shapes = require("vise.grad.shapes")

local must = refusal.must

local M = {}
local H = {}

M.model_types = { "convnet" }

---@class vise.ConvNet: vise.ImageNetwork
---@field has_norm boolean
local Network = setmetatable({}, { __index = image_network.Network })
Network.__index = Network

--- Read a config. Refuses what this file does not implement, by name.
---@param config vise.ConfigReader
---@return vise.ConvNet
function M.new(config)
  local net = image_network.new(config, Network)
  local widths = config:list("hidden_sizes")
  net.has_norm = config:boolean("batch_norm", true)
  net.eps = config:positive("batch_norm_eps", 1e-5)
  net.stem_stride = config:integer("stem_stride", 1, 1, 4)
  net.depths = config:integers("depths", #widths, 1)
  local n_blocks = 0
  for _, depth in ipairs(net.depths) do
    n_blocks = n_blocks + depth
  end
  net.widths = widths
  net.inner = config:get("inner_sizes") and config:integers("inner_sizes", n_blocks)
    or H.inner(widths, net.depths)
  H.declare(net)
  return net
end

--- The output of block `index` of `blocks`: the image as numbers of the first, then what comes from
--- the stem, from each residual block, and the means that the head reads. `x` is let go.
---@param model table as for `hidden`
---@param index integer
---@param x vise.Tensor|vise.Value|nil [n, h, w, c]
---@param batch table
---@return vise.Tensor|vise.Value
function Network:block(model, index, x, batch)
  if index == 1 then
    return self:pixels(batch.images)
  end
  local input <close> = x
  local block = self.blocks[index]
  if index == #self.blocks then
    local size = input:shape()[2]
    local means <close> = images.mean_pool(input, { size = size })
    return shapes.reshape(means, { means:shape()[1], means:shape()[4] })
  elseif index == 2 then
    local y <close> = self:normed(model, "stem", input, self.stem_stride)
    return functions.relu(y)
  end
  local first <close> = self:normed(model, block.name .. ".conv1", input, block.stride)
  local inner <close> = functions.relu(first)
  local second <close> = self:normed(model, block.name .. ".conv2", inner, 1)
  local sum <close> = self:joined(model, block, input, second)
  return functions.relu(sum)
end

--- x + y, where what goes around the block has the shape of y.
function Network:joined(model, block, x, y)
  if not block.has_shortcut then
    return ops.add(x, y)
  end
  local around <close> = self:normed(model, block.name .. ".shortcut", x, block.stride)
  return ops.add(around, y)
end

--- The convolution at a place and its norm, or its bias.
function Network:normed(model, place, x, stride)
  local size = self._kernels[place]
  local windows = { size = size, stride = stride, pad = size // 2 }
  if model.reach then
    local patches <close> = must(native.image.patches(x, windows))
    model:reach(place, patches)
  end
  local y <close> = images.conv2d(x, must(model:weight(place)), windows)
  return image_network.by_pixel(y, function(rows)
    local bias = model:vector(place .. ".bias")
    if not self.has_norm then
      return ops.bias(rows, bias)
    end
    local moments, share
    if model.moments then
      moments, share = model:moments(place)
    end
    moments = moments or { mean = model:vector(place .. ".mean"),
      variance = model:vector(place .. ".variance") }
    return functions.batchnorm(rows, model:vector(place .. ".gain"), bias, moments,
      { eps = self.eps, training = share ~= nil, momentum = share })
  end)
end

--- The channels within each block: those of its stage.
function H.inner(widths, depths)
  local list = {}
  for stage, depth in ipairs(depths) do
    for _ = 1, depth do
      list[#list + 1] = widths[stage]
    end
  end
  return list
end

function H.declare(net)
  net._kernels = {}
  local stem = { writers = {}, readers = {} }
  H.conv(net, "stem", "conv1", "bn1", { 3, net.image.channels, net.widths[1] }, nil, stem)
  net.blocks[2] = { name = "stem", places = { "stem" } }
  local stream, at = stem, 0
  for stage, depth in ipairs(net.depths) do
    for index = 0, depth - 1 do
      at = at + 1
      local name = ("stages.%d.blocks.%d"):format(stage - 1, index)
      local file = ("layer%d.%d"):format(stage, index)
      local has_shortcut = stage > 1 and index == 0
      local block = { name = name, stride = has_shortcut and 2 or 1, has_shortcut = has_shortcut,
        places = { name .. ".conv1", name .. ".conv2" } }
      local before, m = net.widths[has_shortcut and stage - 1 or stage], net.widths[stage]
      local after = has_shortcut and { writers = {}, readers = {} } or stream
      local inner = { writers = {}, readers = {} }
      H.conv(net, name .. ".conv1", file .. ".conv1", file .. ".bn1", { 3, before, net.inner[at] },
        stream, inner)
      H.conv(net, name .. ".conv2", file .. ".conv2", file .. ".bn2", { 3, net.inner[at], m },
        inner, after)
      if has_shortcut then
        table.insert(block.places, name .. ".shortcut")
        H.conv(net, name .. ".shortcut", file .. ".downsample.0", file .. ".downsample.1",
          { 1, before, m }, stream, after)
        H.couple(net, ("stages.%d.channels"):format(stage - 2), before, stream)
      end
      H.couple(net, name .. ".channels", net.inner[at], inner)
      net.blocks[#net.blocks + 1] = block
      stream = after
    end
  end
  local width = net.widths[#net.widths]
  net:declare({ name = "head", file = "fc", shape = { net.vocabulary, width } })
  net:tensor("head.bias", net.vocabulary, "fc.bias")
  net.blocks[#net.blocks + 1] = { name = "head", places = { "head" } }
  table.insert(stream.readers, { place = "head", taps = 1 })
  H.couple(net, ("stages.%d.channels"):format(#net.depths - 1), width, stream)
end

--- Declare a convolution {size, channels in, channels out} that reads one stream of channels and
--- writes another.
function H.conv(net, name, file, norm, sizes, reads, writes)
  local size, k, m = table.unpack(sizes)
  net:declare({ name = name, file = file, shape = { m, size * size * k }, kernel = { size, k } })
  net._kernels[name] = size
  if net.has_norm then
    for _, part in ipairs({ "gain weight", "bias bias", "mean running_mean",
      "variance running_var" }) do
      local ours, theirs = part:match("(%S+) (%S+)")
      net:tensor(name .. "." .. ours, m, norm .. "." .. theirs)
    end
  else
    net:tensor(name .. ".bias", m, file .. ".bias")
  end
  if reads then
    table.insert(reads.readers, { place = name, taps = size * size })
  end
  table.insert(writes.writers, { place = name })
end

--- A coupling of channels: rows of what writes them, and of what reads them the columns i,
--- i + size, i + 2 size, ...: one for each of its taps.
function H.couple(net, name, size, stream)
  local parts = {}
  for _, writer in ipairs(stream.writers) do
    parts[#parts + 1] = { place = writer.place, dim = 1, times = 1 }
  end
  for _, reader in ipairs(stream.readers) do
    parts[#parts + 1] = { place = reader.place, dim = 2, times = 1, taps = reader.taps }
  end
  net.coupled[#net.coupled + 1] = { name = name, size = size, parts = parts }
end

return M
