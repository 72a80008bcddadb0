---@meta vise.native.process

--- Other programs.
---@class vise.native.process
---@field methods table the methods of every process
local process = {}

---@class vise.Process a running program; to-be-closed
local Process = {}

---@class vise.SpawnOptions
---@field argv string[] the program, searched in PATH, and its arguments
---@field env? table<string, string|false> changes to our environment; false removes
---@field input? string what it reads from standard input; nothing if absent
---@field capture? boolean its standard output is read by read_line, not shared with ours
---@field line_bytes? integer longest line of it; 64 MiB if absent
---@field keep_errors? boolean the first 64 KiB of its standard error are for `errors`

--- Start a program. Raises on unknown options.
---@param options vise.SpawnOptions
---@return vise.Process?
---@return string? message
---@return string? code
function process.spawn(options) end

--- The next line it printed, without its end. Looks at the cancel flag.
---@param seconds? number to wait; for ever if absent
---@return string|false? line nil alone at the end of its output; false: none yet
---@return string? message
---@return string? code
function Process:read_line(seconds) end

--- Send a signal; nothing happens once the program was waited for.
---@param signal? integer 15 (SIGTERM) if absent
function Process:kill(signal) end

--- Wait for its end. Looks at the cancel flag.
---@param seconds? number to wait; for ever if absent
---@return integer|false? code exit code, or 128 + signal; false: it still runs
---@return integer|string? signal that ended it; or message
---@return string? code
function Process:wait(seconds) end

--- What it has written to the standard error that is kept; "" where none is.
---@return string
function Process:errors() end

--- End it (SIGTERM, after two seconds SIGKILL) if it runs, and let go. Safe to call twice.
function Process:close() end

--- This process is killed when the one that started it ends.
function process.die_with_parent() end

return process
