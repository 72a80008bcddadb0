---@meta vise.native.tensor

--- n-dimensional arrays. Dtypes: f64 f32 f16 bf16 f8_e4m3 f8_e5m2 i64 i32 i16 i8 u64 u32 u16 u8 bool.
---@class vise.native.tensor
---@field methods table the methods of every tensor
local tensor = {}

---@class vise.Tensor an array, or a view of one; never modified; to-be-closed
local Tensor = {}

--- All zero.
---@param dtype string
---@param shape integer[]
---@return vise.Tensor
function tensor.zeros(dtype, shape) end

--- From numbers in row-major order, rounded to dtype. Raises if an integer dtype cannot hold one.
---@param dtype string
---@param shape integer[]
---@param values number[]
---@return vise.Tensor
function tensor.from(dtype, shape, values) end

--- From the bytes of the elements, little-endian, row-major.
---@param dtype string
---@param shape integer[]
---@param bytes string
---@return vise.Tensor
function tensor.from_bytes(dtype, shape, bytes) end

--- Its dimensions.
---@return integer[]
function Tensor:shape() end

--- Its element type.
---@return string
function Tensor:dtype() end

--- Number of elements.
---@return integer
function Tensor:count() end

--- Let the memory behind a mapped tensor go until it is read again; others keep theirs.
function Tensor:drop_pages() end

--- Bytes of all elements.
---@return integer
function Tensor:bytes() end

--- A new contiguous tensor of another dtype. Raises if an integer dtype cannot hold a value.
---@param dtype string
---@return vise.Tensor
function Tensor:convert(dtype) end

--- A view of indices start .. start + n - 1 of one dimension.
---@param dim integer from 1
---@param start integer from 1
---@param n integer
---@return vise.Tensor
function Tensor:narrow(dim, start, n) end

--- A view of a contiguous tensor with other dimensions and as many elements.
---@param shape integer[]
---@return vise.Tensor
function Tensor:reshape(shape) end

--- A view with two dimensions swapped.
---@param a? integer 1 if absent
---@param b? integer 2 if absent
---@return vise.Tensor
function Tensor:transpose(a, b) end

--- One element. Raises out of range.
---@param ... integer one index per dimension, from 1
---@return number
function Tensor:get(...) end

--- All elements in row-major order.
---@return number[]
function Tensor:table() end

--- The bytes of all elements, little-endian, row-major.
---@return string
function Tensor:string() end

--- Let go now. Safe to call twice.
function Tensor:close() end

return tensor
