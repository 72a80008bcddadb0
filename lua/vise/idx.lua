-- SPDX-License-Identifier: Apache-2.0
--- Files of the idx format, as MNIST has: a tensor of any type and dimensions, packed or not.

local native = require("vise.native")

local M = {}
local H = {}

--- The tensor in a file; one whose name ends in .gz is unpacked first.
---@param path string
---@return vise.Tensor|nil tensor u8, i8, i16, i32, f32 or f64
---@return string? message
---@return string? code "io" or "format"
function M.read(path)
  local bytes, message, code = native.file.read(path)
  if bytes == nil then
    return nil, message, code
  end
  if path:find("%.gz$") then
    bytes, message, code = native.file.gunzip(bytes)
    if bytes == nil then
      return nil, path .. ": " .. message, code
    end
  end
  local zero, kind, rank, at = 0, 0, 0, 1
  if #bytes >= 4 then
    zero, kind, rank, at = string.unpack(">I2BB", bytes)
  end
  local dtype = H.types[kind]
  if zero ~= 0 or dtype == nil or rank < 1 or rank > 4 or #bytes < 4 + 4 * rank then
    return nil, path .. ": is no idx file", "format"
  end
  local shape, count = {}, 1
  for i = 1, rank do
    shape[i], at = string.unpack(">I4", bytes, at)
    count = count * shape[i]
  end
  local size = string.packsize(dtype[2])
  if #bytes - at + 1 ~= count * size then
    return nil, ("%s: has %d bytes of elements, expected %d"):format(path, #bytes - at + 1,
      count * size), "format"
  end
  local elements = bytes:sub(at)
  return native.tensor.from_bytes(dtype[1], shape, size == 1 and elements
    or H.swapped(elements, size))
end

H.types = {
  [0x08] = { "u8", "B" }, [0x09] = { "i8", "b" }, [0x0b] = { "i16", "i2" },
  [0x0c] = { "i32", "i4" }, [0x0d] = { "f32", "f" }, [0x0e] = { "f64", "d" },
}

--- Elements of `size` bytes, their bytes in the other order.
function H.swapped(bytes, size)
  return (bytes:gsub(("."):rep(size), string.reverse))
end

return M
