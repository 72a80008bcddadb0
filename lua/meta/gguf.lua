---@meta vise.native.gguf

--- GGUF files: mapped for reading, written one tensor at a time.
---@class vise.native.gguf
local gguf = {}

---@class vise.Gguf
local File = {}

---@class vise.GgufWriter
local Writer = {}

--- Map a file and check its whole header; its data is not touched.
---@param path string
---@return vise.Gguf|nil file
---@return string? message
---@return string? code "io", "format" or "unsupported"
function gguf.open(path) end

--- The weight of a tensor: dense, or of the number format that its type is called by.
---@param type string "f32", "q4_k", ...
---@param tensor vise.Tensor [m, k], or u8 [m, bytes of a row] in blocks
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "format" or "unsupported"
function gguf.weight(type, tensor) end

--- Begin a file, which appears under its name when it is committed. Raises for keys and names that
--- cannot be written.
---@param path string
---@param keys table[] {name, type, value} each; types as of File:value
---@param tensors table[] {name, shape} each, in the order in which they will come
---@return vise.GgufWriter|nil writer
---@return string? message
---@return string? code "io"
function gguf.create(path, keys, tensors) end

--- The names of the tensors.
---@return string[] names in the file's order
function File:names() end

--- Type, shape and size of one tensor.
---@param name string
---@return string|nil type "f32", "q4_k", ...; nil if there is no such tensor
---@return integer[]|string shape row-major; or the message
---@return integer|string bytes or the code, "format"
function File:info(name) end

--- A view of the mapped file, valid after the file is closed. One in blocks comes as its bytes: u8
--- [..., bytes of a row].
---@param name string
---@return vise.Tensor|nil tensor
---@return string? message
---@return string? code "format"
function File:tensor(name) end

--- The names of the metadata.
---@return string[] keys in the file's order
function File:keys() end

--- One value of the metadata; an array is a table.
---@param key string
---@return any value nil if the file has no such key
---@return string? type u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bool string, of arrays "[u8]", ...
function File:value(key) end

--- Let go of the file now; tensors taken before stay valid. May be called twice.
function File:close() end

--- Write the next tensor.
---@param type string "f32", "q4_k", ...
---@param tensor vise.Tensor of that type's elements and the shape said before; in blocks: u8
---@return true|nil ok
---@return string? message
---@return string? code "io" or "cancelled"
function Writer:add(type, tensor) end

--- Write the header and give the file its name. The writer is closed either way.
---@return integer|nil bytes of the file
---@return string? message
---@return string? code "io"
function Writer:commit() end

--- Leave nothing of a file that was not committed. May be called twice.
function Writer:abort() end

return gguf
