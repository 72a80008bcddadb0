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

--- The grid of a weight: value = scale (code - zero), for groups of columns of a row. Raises where it
--- has none: only int (per group or row) and ternary have.
---@param w vise.Weight [m, k]
---@return vise.Tensor|nil scales [m, groups] f32
---@return vise.Tensor|string zeros [m, groups] f32, or the message
---@return {codes: integer, group: integer, dtype: string}|string about codes count from 0; dtype of
--- the stored scales
function M.grid(w) end

--- The least offsets, in steps, by which `from` is rounded to the codes of a weight on a grid.
---@param w vise.Weight [m, k]
---@param from vise.Tensor [m, k] f32
---@return vise.Tensor|nil [m, k]
---@return string? message
---@return string? code "cancelled"
function M.offsets(w, from) end

--- The weight on other scales: codes are those nearest to the values.
---@param w vise.Weight [m, k]
---@param values vise.Tensor [m, k] f32
---@param scales vise.Tensor [m, groups] f32
---@return vise.Weight|nil
---@return string? message
---@return string? code "cancelled"
function M.regrid(w, values, scales) end

return M
