---@meta
-- vise.native.image: patches and pools of images [n, h, w, c]. Windows are {size, stride?, pad?}: size x
-- size pixels every `stride` pixels (1), with `pad` pixels of zero around an image (0).

local M = {}

--- The pixels of each window, zero outside. Raises if no window fits.
---@param x vise.Tensor [n, h, w, c] f32
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil patches [n oh ow, size size c]
---@return integer|string oh, or the message
---@return integer|string ow, or the code
function M.patches(x, windows) end

--- The derivative by the images.
---@param d_patches vise.Tensor [n oh ow, size size c] f32
---@param x vise.Tensor whose shape is used
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.patches_back(d_patches, x, windows) end

--- The greatest of each window and channel.
---@param x vise.Tensor [n, h, w, c] f32
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil y [n, oh, ow, c]
---@return string? message
---@return string? code "cancelled"
function M.max_pool(x, windows) end

--- Its derivative; of equals the first has it.
---@param d_y vise.Tensor [n, oh, ow, c] f32
---@param x vise.Tensor [n, h, w, c] f32
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.max_pool_back(d_y, x, windows) end

--- The mean of each window and channel, the pad counted as zeros.
---@param x vise.Tensor [n, h, w, c] f32
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil y [n, oh, ow, c]
---@return string? message
---@return string? code "cancelled"
function M.mean_pool(x, windows) end

--- Its derivative.
---@param d_y vise.Tensor [n, oh, ow, c] f32
---@param x vise.Tensor [n, h, w, c] f32
---@param windows {size: integer, stride?: integer, pad?: integer}
---@return vise.Tensor|nil d_x
---@return string? message
---@return string? code "cancelled"
function M.mean_pool_back(d_y, x, windows) end

return M
