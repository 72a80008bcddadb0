-- SPDX-License-Identifier: Apache-2.0
--- Digests of large input files, remembered by device, inode, size and time of change.
-- A run hashes all that it reads; for the tenth run of a model of some gigabytes nothing of that is
-- new. A file changed in the last seconds is not remembered: it could change again unseen.

local native = require("vise.native")

local M = {}
local H = { entries_max = 4096, bytes_max = 1 << 20, settled_seconds = 5 }

--- Files below this many bytes are hashed faster than looked up.
M.SMALLEST = 1 << 24

---@class vise.DigestOptions
---@field folder? string of the memory; vise in the user's cache folder if absent
---@field smallest? integer bytes of the smallest file remembered; SMALLEST if absent
---@field settled? number seconds for which a file must have been left alone; 5 if absent

--- The tree hash of a file.
---@param path string
---@param options? vise.DigestOptions
---@return string|nil hex
---@return string? message
---@return string? code
function M.of(path, options)
  options = options or {}
  local info, message, code = native.file.stat(path)
  if info == nil then
    return nil, message, code
  end
  local folder = options.folder or H.folder()
  if folder == nil or info.bytes < (options.smallest or M.SMALLEST) then
    return native.file.digest(path)
  end
  local key = ("%d %d %d %d"):format(info.device, info.inode, info.bytes, info.changed_ns)
  local memory = H.read(folder)
  if memory[key] == nil then
    memory[key], message, code = native.file.digest(path)
    if memory[key] == nil then
      return nil, message, code
    elseif native.core.time() - info.changed_ns / 1e9 > (options.settled or H.settled_seconds) then
      H.write(folder, memory)
    end
  end
  return memory[key]
end

function H.folder()
  local home = os.getenv("HOME")
  local cache = os.getenv("XDG_CACHE_HOME") or home and home .. "/.cache"
  return cache and cache .. "/vise"
end

--- What is remembered; nothing where the file is not what we write.
function H.read(folder)
  local content = native.file.read(folder .. "/digests.json", H.bytes_max)
  local memory = content and native.json.decode(content)
  local n = 0
  for _, digest in pairs(type(memory) == "table" and memory or {}) do
    n = n + 1
    if type(digest) ~= "string" or not digest:match("^%x+$") or #digest ~= 64 then
      return {}
    end
  end
  return n > 0 and n < H.entries_max and memory or {}
end

--- A memory that cannot be written is none; the digest is right all the same.
function H.write(folder, memory)
  if native.file.make_dirs(folder) then
    native.file.replace(folder .. "/digests.json", native.json.encode(memory) .. "\n")
  end
end

return M
