-- SPDX-License-Identifier: Apache-2.0
--- What the process of a recipe may reach and use.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.Limits what a run may use; absent: as much as there is
---@field seconds? number from its start to its end
---@field ram_bytes? integer writable memory, beyond what an idle process has
---@field output_bytes? integer on disk, all files of the run together
---@field open_files? integer

--- The limits of a run of a stranger's recipe where nothing else is said.
M.UNTRUSTED = { seconds = 3600, ram_bytes = 8 << 30, output_bytes = 4 << 30, open_files = 512 }

--- The limits of a process that only says what a recipe is.
M.DESCRIBE = { seconds = 30, cpu_seconds = 3, ram_bytes = 512 << 20, output_bytes = 64 << 10,
  open_files = 16, threads = 1 }

--- The one place that says which paths a recipe's process may reach. Everything else does not
--- exist for it.
---@param request table what the child is told: inputs, directory and cache, all of them optional
---@param limits vise.Limits
---@return table|nil policy for `enter`
---@return string|nil message
---@return string|nil code "io"
function M.policy(request, limits)
  local policy = { read = {}, trees = { H.program() }, write = {}, limits = limits }
  for _, input in check.sorted_pairs(request.inputs or {}) do
    table.insert(policy.read, input.path)
    for name in check.sorted_pairs(input.files or {}) do
      local real, message, code = native.file.realpath(input.path .. "/" .. name)
      if real == nil then
        return nil, message, code
      elseif input.kind == "data" and real:sub(1, #input.path + 1) ~= input.path .. "/" then
        message = "%s/%s: leads out of the folder, expected a file in it"
        return nil, message:format(input.path, name), "io"
      end
      table.insert(policy.read, real)
    end
  end
  table.insert(policy.write, request.directory)
  table.insert(policy.write, request.cache)
  for _, list in ipairs({ "read", "trees", "write" }) do
    native.json.array(policy[list])
  end
  return policy
end

--- Enter the sandbox: this process, for good.
---@param policy table
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function M.enter(policy)
  local limits = policy.limits
  if limits.threads then
    native.core.threads(limits.threads)
  end
  local cpu_seconds = limits.cpu_seconds
    or limits.seconds and math.ceil(limits.seconds * native.core.threads()) + 1
  return native.sandbox.enter({
    read = policy.read,
    trees = policy.trees,
    write = policy.write,
    memory_bytes = limits.ram_bytes,
    cpu_seconds = cpu_seconds,
    file_bytes = limits.output_bytes,
    open_files = limits.open_files,
  })
end

--- The folder of vise's own Lua files, some of which are loaded when they are needed.
function H.program()
  return package.searchpath("vise.run.sandbox", package.path):match("^(.*)/run/sandbox%.lua$")
end

return M
