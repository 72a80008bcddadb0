---@meta
-- vise.native.repl: line editing and history, by readline where it is installed.

local M = {}

--- Is readline installed?
---@return boolean
function M.has_readline() end

--- Load readline. False without it or without a terminal; the other functions then raise.
---@return boolean can_edit
function M.open() end

---@param prompt string
---@param complete fun(before: string, word: string): string[] what Tab may make of the word
---@return string|false|nil line nil at the end of input, false when Ctrl-C abandoned the line
function M.read_line(prompt, complete) end

---@param line string
function M.add_history(line) end

---@param path string
---@return boolean read
function M.read_history(path) end

---@param path string
---@return boolean written
function M.write_history(path) end

return M
