-- SPDX-License-Identifier: Apache-2.0
--- Weights of convolutions in files and in memory: [m, channels, size, size] in files, as other
-- programs have them; a matrix [m, size size channels] here, whose columns go through a window as
-- patches do, pixel by pixel.

local M = {}

--- The shape of a declared part in files.
---@param part table {shape, kernel = {size, channels}?}
---@return integer[]
function M.file_shape(part)
  local kernel = part.kernel
  return kernel and { part.shape[1], kernel[2], kernel[1], kernel[1] } or part.shape
end

--- A part's tensor of a file as it is here.
---@param part table
---@param tensor vise.Tensor
---@return vise.Tensor
function M.from_file(part, tensor)
  if part.kernel == nil then
    return tensor
  end
  local turned <close> = tensor:transpose(2, 3):transpose(3, 4):convert(tensor:dtype())
  return turned:reshape(part.shape)
end

--- A part's tensor as files have it.
---@param part table
---@param tensor vise.Tensor
---@return vise.Tensor
function M.to_file(part, tensor)
  if part.kernel == nil then
    return tensor
  end
  local size, channels = part.kernel[1], part.kernel[2]
  local pixels <close> = tensor:reshape({ part.shape[1], size, size, channels })
  return pixels:transpose(3, 4):transpose(2, 3):convert(tensor:dtype())
end

return M
