-- SPDX-License-Identifier: Apache-2.0
--- How much of this machine there is to use.

local M = {}
local H = {}

--- Bytes of memory of the machine, and those free; nil where /proc does not say.
---@return integer|nil total
---@return integer|nil available
function M.memory()
  local info = H.read("/proc/meminfo")
  local total = info and info:match("MemTotal:%s*(%d+) kB")
  local available = info and info:match("MemAvailable:%s*(%d+) kB")
  if total and available then
    return math.tointeger(total) * 1024, math.tointeger(available) * 1024
  end
end

--- Processors that this process may use.
---@return integer
function M.processors()
  local status = H.read("/proc/self/status")
  local list = status and status:match("Cpus_allowed_list:%s*([%d,%-]+)")
  local n = 0
  for first, last in (list or "0"):gmatch("(%d+)%-?(%d*)") do
    n = n + (last == "" and 1 or tonumber(last) - tonumber(first) + 1)
  end
  return math.tointeger(n)
end

--- A file of /proc, which has no size before it is read.
function H.read(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

return M
