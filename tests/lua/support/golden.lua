--- The vectors of independent programs in ../shared; nil where it is missing.
local native = require("vise.native")

local M = {}

--- A file of ../shared, as bytes.
---@param path string
---@return string|nil
function M.read(path)
  local file <close> = io.open("../shared/" .. path, "rb")
  return file and file:read("a")
end

--- A JSON file of ../shared/golden.
---@param path string
---@return table|nil
function M.json(path)
  local text = M.read("golden/" .. path)
  return text and assert(native.json.decode(text))
end

--- The string of an entry: {text = ...}, or {hex = ...} of its bytes.
---@param entry table
---@return string
function M.bytes(entry)
  return entry.text or (entry.hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

return M
