---@meta
-- vise.native.method: the methods written in C. Use vise.method, which knows those in Lua too.

local M = {}

---@class vise.NativeMethod
---@field name string
---@field family string
---@field summary string
---@field source string
---@field version integer
---@field needs string[]
---@field uses string[]
---@field is_exact boolean
---@field takes_format boolean
---@field takes_importance boolean
---@field params vise.OptionRow[] its own; those of a format come after them

---@return vise.NativeMethod[]
function M.list() end

--- Raises what is wrong with these values for a weight [m, k].
---@param name string
---@param format string|nil of a number format; nil for a method that takes none
---@param m integer
---@param k integer
---@param values number[] one per parameter; choices by index from 0
---@return true
function M.check(name, format, m, k, values) end

--- Would `run` look at an importance with these values? It refuses one otherwise.
---@param name string
---@param format string|nil
---@param m integer
---@param k integer
---@param values number[]
---@return boolean
function M.uses_importance(name, format, m, k, values) end

---@param name string
---@param format string|nil
---@param w vise.Weight
---@param values number[]
---@param extra? vise.MethodExtra
---@return vise.Weight|nil weight
---@return string? message or, with a weight, a note: "" if there is nothing to say
---@return string? code "cancelled"
function M.run(name, format, w, values, extra) end

return M
