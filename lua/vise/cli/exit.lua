-- SPDX-License-Identifier: Apache-2.0
--- How a command ends early: errors that carry an exit code.

local M = {}

---@class vise.Exit
---@field message string|nil printed on standard error
---@field code integer exit code
---@field usage boolean|nil print how the command is called

--- The command line is wrong: message, usage, exit code 2.
---@param format string
function M.usage(format, ...)
  error({ message = string.format(format, ...), code = 2, usage = true }, 0)
end

--- A value on the command line is wrong, and the message says all: exit code 2.
---@param message string
function M.argument(message)
  error({ message = message, code = 2 }, 0)
end

--- The work failed: exit code 1, or 130 when it was interrupted.
---@param message string
---@param code? string as in `nil, message, code`
function M.failure(message, code)
  error({ message = message, code = code == "cancelled" and 130 or 1 }, 0)
end

--- Hand on what a function returned, or fail with its message.
---@param value any|nil
---@param message? string
---@param code? string
---@return any value
function M.check(value, message, code, ...)
  if value == nil then
    M.failure(message, code)
  end
  return value, message, code, ...
end

--- Leave silently: whoever read our output has gone. 141 is what the shell gives for SIGPIPE.
function M.broken_pipe()
  error({ code = 141 }, 0)
end

return M
