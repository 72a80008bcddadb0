-- SPDX-License-Identifier: Apache-2.0
--- Where the files beside the Lua modules are: in the source tree or in PREFIX/share/vise.

local native = require("vise.native")

local M = {}

--- A folder such as "bench" or "recipes".
---@param name string
---@return string|nil path nil if it is in neither place
function M.folder(name)
  local lua = package.searchpath("vise.cli", package.path):gsub("/vise/cli/init%.lua$", "")
  for _, path in ipairs({ lua .. "/../" .. name, lua .. "/../../vise/" .. name }) do
    local real = native.file.realpath(path)
    if real then
      return real
    end
  end
end

return M
