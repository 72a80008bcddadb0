---@meta
-- vise.native.bench: what a machine can do at most; for the benches only.

local M = {}

--- Load every byte of a tensor once, by all threads.
---@param tensor vise.Tensor
---@return true
function M.read(tensor) end

--- Copy a tensor's bytes into another of as many, by all threads.
---@param out vise.Tensor
---@param tensor vise.Tensor
---@return true
function M.copy(out, tensor) end

return M
