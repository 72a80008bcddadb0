---@meta
-- vise.native.format: the number formats of weights of the kind quant.

local M = {}

---@class vise.NativeFormat
---@field name string
---@field summary string
---@field source string
---@field version integer
---@field params vise.OptionRow[]

---@return vise.NativeFormat[]
function M.list() end

return M
