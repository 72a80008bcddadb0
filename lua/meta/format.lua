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

--- Would encoding look at an importance of columns?
---@param name string
---@param values number[] one a parameter; choices by their index from 0
---@return boolean
function M.uses_importance(name, values) end

return M
