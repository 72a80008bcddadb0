---@meta vise.native.sandbox

--- This process gives up, for good, all that it was not allowed by name.
---@class vise.native.sandbox
local sandbox = {}

---@class vise.SandboxOptions paths must be there; a limit that is absent is none
---@field read string[] files to read; folders whose names may be listed
---@field trees string[] folders to read with all in them
---@field write string[] folders in which plain files and folders may be made and changed
---@field memory_bytes? integer writable memory beyond what the process has now
---@field cpu_seconds? integer of all threads together
---@field file_bytes? integer of any one file
---@field open_files? integer

--- Does the kernel offer what it takes?
---@return boolean? ok
---@return string? message names what it lacks
---@return string? code "unsupported"
function sandbox.check() end

--- Enter it. The process must have one thread; the pool gets its threads, and nobody starts another.
--- Raises for a path that is not there.
---@param options vise.SandboxOptions
---@return boolean? ok
---@return string? message
---@return string? code
function sandbox.enter(options) end

return sandbox
