-- SPDX-License-Identifier: Apache-2.0
--- Convolution and pooling of images [n, h, w, c], the channels of a pixel together.
-- Windows are {size, stride = 1, pad = 0}: size x size pixels. Batch norm of images is that of
-- their pixels: reshape to [n h w, c].

local native = require("vise.native")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")
local shapes = require("vise.grad.shapes")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local image = native.image
local must = refusal.must

local M = {}
local H = {}

--- The pixels of each window, zero outside.
---@param x vise.Tensor|vise.Value [n, h, w, c]
---@param windows table
---@return vise.Tensor|vise.Value [n oh ow, size size c]
---@return integer oh
---@return integer ow
function M.patches(x, windows)
  local patches, oh, ow = must(image.patches(data(x), windows))
  return record(patches, { x }, { x }, function(d_y, a)
    give(x, must(image.patches_back(d_y, a, windows)))
  end), oh, ow
end

--- The product of each window with a weight, of the kinds that `linear` takes; the patches of a
--- plain matrix are made again on the way back.
---@param x vise.Tensor|vise.Value [n, h, w, c]
---@param weight vise.Weight|vise.Tensor|vise.Value|table [m, size size c]
---@param windows table
---@return vise.Tensor|vise.Value [n, oh, ow, m]
function M.conv2d(x, weight, windows)
  if not H.is_matrix(data(weight)) then
    local patches <close>, oh, ow = M.patches(x, windows)
    local rows <close> = ops.linear(patches, weight)
    return shapes.reshape(rows, { data(x):shape()[1], oh, ow, rows:shape()[2] })
  end
  local m = data(weight):shape()[1]
  local patches <close>, oh, ow = must(image.patches(data(x), windows))
  local rows = must(native.grad.matmul(patches, data(weight)))
  local y = rows:reshape({ data(x):shape()[1], oh, ow, m })
  rows:close()
  return record(y, { x, weight }, { x, weight }, function(d_y, a, b)
    local d_rows <close> = d_y:reshape({ d_y:count() // m, m })
    if tape.is_value(weight) then
      local again <close> = must(image.patches(a, windows))
      give(weight, must(native.grad.matmul_w(d_rows, again)))
    end
    if tape.is_value(x) then
      local d_patches <close> = must(native.grad.matmul_x(d_rows, b))
      give(x, must(image.patches_back(d_patches, a, windows)))
    end
  end)
end

--- The greatest of each window and channel.
---@param x vise.Tensor|vise.Value [n, h, w, c]
---@param windows table
---@return vise.Tensor|vise.Value [n, oh, ow, c]
function M.max_pool(x, windows)
  return record(must(image.max_pool(data(x), windows)), { x }, { x }, function(d_y, a)
    give(x, must(image.max_pool_back(d_y, a, windows)))
  end)
end

--- The mean of each window and channel, the pad counted as zeros.
---@param x vise.Tensor|vise.Value [n, h, w, c]
---@param windows table
---@return vise.Tensor|vise.Value [n, oh, ow, c]
function M.mean_pool(x, windows)
  return record(must(image.mean_pool(data(x), windows)), { x }, { x }, function(d_y, a)
    give(x, must(image.mean_pool_back(d_y, a, windows)))
  end)
end

--- Is it a tensor, not a vise.Weight or what stands for one?
function H.is_matrix(weight)
  return weight.shape == native.tensor.methods.shape
end

return M
