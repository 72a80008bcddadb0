---@meta vise.native.sqlite

--- SQLite databases: statements with bound values, integers of 64 bits.
---@class vise.native.sqlite
local sqlite = {}

---@class vise.Database in WAL mode where the disk is of this machine; waits up to 30 s for other processes; to-be-closed
local Database = {}

--- Open a database, made if need be.
---@param path string ":memory:" for one that is nowhere
---@return vise.Database?
---@return string? message
---@return string? code "io" or "format"
function sqlite.open(path) end

--- Execute one statement. Raises for wrong SQL and for a wrong number of values.
---@param sql string
---@param values? table for its parameters, a list (with `n` where the last are nil)
---@return integer? changes rows changed by the last INSERT, UPDATE or DELETE
---@return string? message
---@return string? code "io", "format" or "cancelled"
function Database:run(sql, values) end

--- The rows of one statement: by column, NULL absent, texts and blobs as strings.
---@param sql string
---@param values? table for its parameters, a list (with `n` where the last are nil)
---@return table<string, any>[]? rows
---@return string? message
---@return string? code "io", "format" or "cancelled"
function Database:rows(sql, values) end

--- Close it now. Safe to call twice.
function Database:close() end

return sqlite
