-- SPDX-License-Identifier: Apache-2.0
--- Files that a recipe includes: `local rules = vise.include "parts/rules.lua"`.
-- A recipe's process has no files. It is given the texts of its includes by their keys (the path
-- from the recipe's folder, or "sha256:" and a hash); a key that is not among them is remembered,
-- and whoever started the process finds the file and starts another.

local check = require("vise.check")

local M = {}
local H = {}

---@class vise.Include a file that was found
---@field key string
---@field path string from the recipe's folder
---@field text string
---@field sha256 string

--- What includes files: `include(name)` gives what the file returns, each file run once; `wanted()`
--- the key that was asked for in vain, or nil.
---@param sources vise.Include[]
---@param run fun(text: string, path: string): any
---@return fun(name: any): any include
---@return fun(): string|nil wanted
function M.new(sources, run)
  local by_key, values, folders, wanted = {}, {}, { "" }, nil
  for _, source in ipairs(sources) do
    by_key[source.key] = source
  end
  local function include(name)
    local key, problem = M.key(name, folders[#folders])
    local source = key and by_key[key]
    if key == nil then
      error("include: " .. problem, 2)
    elseif source == nil then
      wanted = key
      error(("include: '%s' is not there"):format(key), 2)
    elseif values[key] == nil then
      values[key] = H.running
      folders[#folders + 1] = source.path:match("^(.*/)") or ""
      local result = table.pack(pcall(run, source.text, source.path))
      folders[#folders] = nil
      values[key] = result[1] and result or nil
      if not result[1] then
        error(result[2], 0)
      end
    elseif values[key] == H.running then
      error(("include: '%s' includes itself"):format(key), 2)
    end
    return values[key][2]
  end
  return include, function()
    return wanted
  end
end

--- The key that a name stands for in a file of `folder` ("" or "parts/").
---@param name any
---@param folder string
---@return string|nil key
---@return string|nil problem
function M.key(name, folder)
  local hash = type(name) == "string" and name:match("^sha256:(%x+)$")
  if hash and #hash == 64 then
    return "sha256:" .. hash:lower()
  elseif type(name) ~= "string" or not M.is_path(name) then
    return nil, ("%s is no file of a recipe, expected a relative path that ends in .lua, without "
      .. "'..', or sha256: and 64 digits"):format(check.quote(name))
  end
  return folder .. name
end

--- Is that the path of a file which a recipe may include?
---@param path string
---@return boolean
function M.is_path(path)
  return path:match("^[%w_][%w_%-./ ]*%.lua$") ~= nil and not path:find("..", 1, true)
end

H.running = {}

return M
