-- SPDX-License-Identifier: Apache-2.0
--- Where the files beside the Lua modules are: in the source tree or in PREFIX/share/vise.

local native = require("vise.native")

local M = {}
local H = {}

--- A folder such as "bench" or "recipes".
---@param name string
---@return string|nil path absolute; nil if it is in neither place
function M.folder(name)
  return H.find("/../" .. name, "/../../vise/" .. name)
end

--- The default of an input: "share/..." is what vise ships, anything else is a path as it stands.
---@param path string
---@return string
function M.default(path)
  local shipped = path:match("^share/(.+)$")
  return shipped and H.find("/../share/" .. shipped, "/../../vise/" .. shipped) or path
end

--- The folder that describes the functions in C.
---@return string|nil path
function M.meta()
  return H.find("/meta", "/../../vise/meta")
end

--- The first that exists, below the folder of vise's Lua modules.
function H.find(...)
  local modules = package.searchpath("vise.place", package.path):gsub("/vise/place%.lua$", "")
  for _, path in ipairs({ ... }) do
    local real = native.file.realpath(modules .. path)
    if real then
      return real
    end
  end
end

return M
