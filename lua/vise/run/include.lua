-- SPDX-License-Identifier: Apache-2.0
--- Finds the files that a recipe includes: below its own folder, by path or by hash.

local include = require("vise.include")
local native = require("vise.native")

local M = {}
local H = {}

--- The file of a key, for a recipe at `path`. Nothing outside the recipe's folder is read.
---@param path string
---@param key string as the recipe's process wants it, checked here
---@return vise.Include|nil
---@return string|nil message
---@return string|nil code "io" or "format"
function M.find(path, key)
  local folder = path:match("^(.*)/[^/]*$") or "."
  local hash = key:match("^sha256:(%x+)$")
  if hash then
    return H.by_hash(path, folder, key, hash)
  elseif not include.is_path(key) then
    return nil, path .. ": asks for a file that is none of a recipe", "format"
  end
  local top, real = native.file.realpath(folder), native.file.realpath(folder .. "/" .. key)
  if real == nil then
    return nil, ("%s: include: %s/%s: no such file"):format(path, folder, key), "io"
  elseif real:sub(1, #top + 1) ~= top .. "/" and top ~= "/" then
    local message = "%s: include: %s/%s is a link to outside of the recipe's folder"
    return nil, message:format(path, folder, key), "io"
  end
  return H.read(folder, key, key)
end

H.limit = 1 << 20
H.most = 1000 -- files that are looked at for a hash

function H.read(folder, key, path)
  local text, message, code = native.file.read(folder .. "/" .. path, H.limit)
  if text == nil then
    return nil, message, code
  end
  return { key = key, path = path, text = text, sha256 = native.core.sha256(text) }
end

--- The file of that hash in the folder or in one of its folders.
function H.by_hash(path, folder, key, hash)
  local n = 0
  for _, name in ipairs(H.files(folder)) do
    n = n + 1
    local found = n <= H.most and H.read(folder, key, name)
    if found and found.sha256 == hash then
      return found
    end
  end
  return nil, ("%s: include: no file of the SHA-256 %s... in %s and its folders"):format(path,
    hash:sub(1, 16), folder), "io"
end

function H.files(folder)
  local files = {}
  for _, name in ipairs(native.file.list(folder) or {}) do
    local info = native.file.stat(folder .. "/" .. name)
    if info and info.kind == "file" and include.is_path(name) then
      files[#files + 1] = name
    elseif info and info.kind == "folder" and not native.file.is_link(folder .. "/" .. name) then
      for _, inner in ipairs(native.file.list(folder .. "/" .. name) or {}) do
        if include.is_path(name .. "/" .. inner) then
          files[#files + 1] = name .. "/" .. inner
        end
      end
    end
  end
  return files
end

return M
