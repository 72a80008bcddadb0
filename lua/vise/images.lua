-- SPDX-License-Identifier: Apache-2.0
--- Sets of labelled images: a folder of idx files under the names that MNIST gives them, packed by
-- gzip or not.

local idx = require("vise.idx")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- The parts of a data set.
M.SPLITS = { "train", "valid", "test" }

--- Images of one forward pass: their patches fit into the caches' neighbourhood.
M.BATCH = 32

---@class vise.ImageSet
---@field path string of the images' file
---@field count integer
---@field images vise.Tensor u8 [n, h, w, c], 0 for black
---@field labels vise.Tensor i32 [n], from 0
local Set = {}
Set.__index = Set
Set.__name = "vise.images"

--- Open one split of a folder.
---@param folder string
---@param split "train"|"valid"|"test"
---@return vise.ImageSet|nil
---@return string? message names the file and what is wrong with it
---@return string? code "io" or "format"
function M.open(folder, split)
  return refusal.protect(H.open, folder, split)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Set
end

--- Refuse what a model cannot take: images of another size, labels it does not know.
---@param model vise.Model
function Set:check(model)
  local image, shape = model.image, self.images:shape()
  if image == nil then
    refusal.refuse(("%s: model '%s' reads tokens, expected a model of images"):format(self.path,
      model.name), "unsupported")
  elseif shape[2] ~= image.size or shape[3] ~= image.size or shape[4] ~= image.channels then
    refusal.refuse_format("%s: images are %d x %d x %d, expected the %d x %d x %d of model '%s'",
      self.path, shape[2], shape[3], shape[4], image.size, image.size, image.channels, model.name)
  end
  for i, label in ipairs(self.labels:table()) do
    if label >= model.vocabulary then
      refusal.refuse_format("%s: the label of image %d is %d, expected 0 to %d (the classes of "
        .. "model '%s')", self.path, i, label, model.vocabulary - 1, model.name)
    end
  end
end

--- Some images one after the other, as Model:hidden takes them, with their `targets`.
---@param from integer from 1
---@param count integer
---@return { images: vise.Tensor, targets: vise.Tensor }
function Set:batch(from, count)
  return { images = self.images:narrow(1, from, count),
    targets = self.labels:narrow(1, from, count) }
end

--- All of them, or the first `count`, batch by batch.
---@param count? integer
---@return { images: vise.Tensor, targets: vise.Tensor }[]
function Set:batches(count)
  local batches = {}
  count = math.min(count or self.count, self.count)
  for from = 1, count, M.BATCH do
    batches[#batches + 1] = self:batch(from, math.min(M.BATCH, count - from + 1))
  end
  return batches
end

--- A hash of images and labels.
---@return string
function Set:digest()
  self._digest = self._digest or native.core.sha256(native.core.tree_hash(self.images)
    .. native.core.tree_hash(self.labels))
  return self._digest
end

function Set:__tostring()
  return ("vise.images %s, %d images"):format(self.path, self.count)
end

function H.open(folder, split)
  local path, images = H.read(folder, split, "images", 3, 4)
  local labels_path, labels = H.read(folder, split, "labels", 1, 1)
  local shape = images:shape()
  local n, n_labels = shape[1], labels:shape()[1]
  if n ~= n_labels then
    refusal.refuse_format("%s: %d labels, expected one for each of the %d images of %s",
      labels_path, n_labels, n, path)
  elseif images:count() == 0 then
    refusal.refuse_format("%s: no images", path)
  end
  return setmetatable({ path = path, count = n, labels = labels:convert("i32"),
    images = images:reshape({ n, shape[2], shape[3], shape[4] or 1 }) }, Set)
end

--- The tensor of one file, of bytes and of a rank between the two; and its path.
function H.read(folder, split, what, least_rank, most_rank)
  local rank = what == "images" and "idx3" or "idx1"
  local name = ("%s-%s-%s-ubyte"):format(H.names[split], what, rank)
  local path = folder .. "/" .. name
  if not native.file.stat(path) and native.file.stat(path .. ".gz") then
    path = path .. ".gz"
  elseif not native.file.stat(path) then
    refusal.refuse(("%s: no such file, expected it (or %s.gz) for the %s images"):format(path, name,
      split), "io")
  end
  local tensor = must(idx.read(path))
  local is = #tensor:shape()
  if tensor:dtype() ~= "u8" or is < least_rank or is > most_rank then
    refusal.refuse_format("%s: elements are %s of %d dimensions, expected u8 of %d", path,
      tensor:dtype(), is, least_rank)
  end
  return path, tensor
end

H.names = { train = "train", valid = "valid", test = "t10k" }

return M
