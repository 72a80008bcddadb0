--- A `.vise` file changed and sealed again as share/doc/artifact.md says: all its hashes hold.
local native = require("vise.native")

local M = {}
local H = {}

local HEADER, TRAILER, SEALED = 64, 152, 112

---@class Forgery
---@field contents? fun(bytes: string): string
---@field manifest? fun(bytes: string): string
---@field layout? fun(bytes: string): string

--- Change sections of the file at `path`, and write all digests of them and its seal anew.
---@param path string
---@param changes Forgery
function M.change(path, changes)
  local file = assert(native.file.read(path))
  local trailer = file:sub(-TRAILER)
  local begin, contents, manifest, record, layout = ("<I8I8I8I8I8"):unpack(trailer)
  local at = begin + 1
  local sections = {}
  for i, bytes in ipairs({ contents, manifest, record, layout }) do
    sections[i] = file:sub(at, at + bytes - 1)
    at = at + bytes
  end
  for i, name in ipairs({ "contents", "manifest", "record", "layout" }) do
    sections[i] = changes[name] and changes[name](sections[i]) or sections[i]
  end
  local tail = table.concat(sections)
  local sealed = ("<I8I8I8I8I8I8"):pack(begin, #sections[1], #sections[2], #sections[3],
    #sections[4], begin + #tail + TRAILER) .. H.sha256(tail)
    .. H.sha256("vise artifact 1\n" .. H.sha256(sections[1]) .. H.sha256(sections[2]))
  assert(#sealed == SEALED)
  local seal = H.sha256(file:sub(1, HEADER) .. sealed)
  assert(native.file.replace(path, file:sub(1, begin) .. tail .. sealed .. seal .. "VISEend\n"))
end

--- `from`, which is there, as `to`.
---@param from string
---@param to string
---@return fun(bytes: string): string
function M.replace(from, to)
  return function(bytes)
    local first, last = bytes:find(from, 1, true)
    assert(first, from)
    return bytes:sub(1, first - 1) .. to .. bytes:sub(last + 1)
  end
end

function H.sha256(bytes)
  return (native.core.sha256(bytes):gsub("%x%x", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

return M
