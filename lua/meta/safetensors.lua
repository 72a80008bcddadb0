---@meta vise.native.safetensors

--- Files of named tensors: mapped for reading, replaced as a whole for writing.
---@class vise.native.safetensors
local safetensors = {}

---@class vise.Safetensors
local File = {}

--- Map a file and check its whole table; its data is not touched.
---@param path string
---@return vise.Safetensors|nil file
---@return string? message
---@return string? code "io" or "format"
function safetensors.open(path) end

--- Replace `path` atomically. Raises for a name that is empty, twice, reserved or not UTF-8.
---@param path string
---@param tensors table[] {name, tensor} each
---@param metadata? table<string, string>
---@return true|nil ok
---@return string? message
---@return string? code "io" or "cancelled"
function safetensors.write(path, tensors, metadata) end

--- The names of the tensors.
---@return string[] names in the order of their bytes
function File:names() end

--- Type and shape of one tensor.
---@param name string
---@return string|nil dtype "f32", "bf16", ...; nil if there is no such tensor
---@return integer[]|string shape or the message
---@return string? code "format"
function File:info(name) end

--- A view of the mapped file, valid after the file is closed.
---@param name string
---@return vise.Tensor|nil tensor
---@return string? message
---@return string? code "format"
function File:tensor(name) end

--- The strings of __metadata__.
---@return table<string, string> metadata empty if the file has none
function File:metadata() end

--- Let go of the file now; tensors taken before stay valid. May be called twice.
function File:close() end

return safetensors
