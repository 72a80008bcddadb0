---@meta vise.native.json

--- JSON. Integers (int64) and floats keep their kind in both directions.
---@class vise.native.json
---@field null userdata the value of JSON's null
local json = {}

--- Read a value. Refused with nil, message, "format": bad JSON or UTF-8, a key twice in one object, more
--- than 64 levels, an integer beyond int64.
---@param text string
---@return any value arrays remember that they are arrays
---@return string? message
---@return string? code
function json.decode(text) end

--- Write a value. Objects have their keys in byte order; NaN and infinities become null; bytes that are
--- not UTF-8 become U+FFFD. A table with an element [1], or marked by json.array, is an array. Raises on
--- keys that are no strings, functions and the like, and more than 64 levels.
---@param value any
---@param options? { indent?: integer } spaces a level; one line if absent
---@return string text
function json.encode(value, options) end

--- Mark a table as an array, so that it is written as one even when it is empty.
---@generic T: table
---@param t T
---@return T t the same table
function json.array(t) end

return json
