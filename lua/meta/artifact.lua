---@meta
-- vise.native.artifact: one `.vise` file of named weights and tensors; share/doc/artifact.md.

---@class vise.ArtifactWriter
local Writer = {}

--- Add a weight; names of equal weights share one. Raises for a name that is empty, longer than 255
--- bytes, no UTF-8 or there already. After another failure only abort may follow.
---@param name string
---@param weight vise.Weight
---@return vise.ArtifactWriter|nil self
---@return string? message
---@return string? code "io" or "cancelled"
function Writer:add_weight(name, weight) end

--- The same for a tensor of any dtype, shape and strides.
---@param name string
---@param tensor vise.Tensor
---@return vise.ArtifactWriter|nil self
---@return string? message
---@return string? code "io" or "cancelled"
function Writer:add_tensor(name, tensor) end

--- Seal the file and rename it into place; on failure nothing is left. Raises when `manifest` or
--- `record` is no JSON object.
---@param manifest string JSON object; hashed, so without time, host, path or thread count
---@param record? string JSON object: when, where and by what it was made; not hashed
---@return {bytes: integer, hash: string}|nil seal
---@return string? message
---@return string? code "io" or "cancelled"
function Writer:commit(manifest, record) end

--- Leave nothing behind. Does nothing after commit.
function Writer:abort() end

---@class vise.ArtifactPart
---@field name string "codes"; "2.codes" is the part of the second child; "" for a tensor
---@field dtype string
---@field shape integer[]
---@field packed integer bytes
---@field coded integer bytes in the file; 0 where another part with equal bytes came first
---@field coder string "raw", "rans", "zstd" or "rans+zstd"; "planes+" before it if split
---@field entropy? integer bytes that an ideal coder of single bytes would take; 0 where coded is

---@class vise.ArtifactRow
---@field name string
---@field kind "weight"|"tensor"
---@field description string "int4/g64", "f32"
---@field packed integer bytes of its parts
---@field coded integer bytes of their frames in the file
---@field entropy? integer sum over its parts, once it has been measured
---@field parts? vise.ArtifactPart[] nil with `same_as`
---@field same_as? string the first name of the same weight or tensor, whose row has the bytes

---@class vise.Artifact
local Artifact = {}

---@return string[] names in the order in which they were added
function Artifact:names() end

---@param name string
---@return "weight"|"tensor"|nil kind nil if there is no such name
function Artifact:kind(name) end

--- The weight, its content checked; two names of one weight give the same one. Valid after close.
---@param name string
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "format" or "cancelled"
function Artifact:weight(name) end

--- The tensor, its content checked: a view of the file where it lies there as it is.
---@param name string
---@return vise.Tensor|nil tensor
---@return string? message
---@return string? code "format" or "cancelled"
function Artifact:tensor(name) end

---@return string json
function Artifact:manifest() end

---@return string json "" if there is none
function Artifact:record() end

---@return string hash the artifact hash, 64 hexadecimal digits
function Artifact:hash() end

---@return integer bytes of the file
function Artifact:bytes() end

---@return string path
function Artifact:path() end

--- What every name costs. The coded bytes of all rows and the overhead make the size of the file.
---@return vise.ArtifactRow[]
function Artifact:ledger() end

--- Check every byte of the file.
---@return true|nil ok
---@return string? message naming the first place that is wrong
---@return string? code "format" or "cancelled"
function Artifact:verify() end

--- The same, and measure the order-0 entropy of the bytes of every part: rows and parts of the
--- ledger then have `entropy`.
---@return true|nil ok
---@return string? message naming the first place that is wrong
---@return string? code "format" or "cancelled"
function Artifact:measure_entropy() end

--- Let go now. Safe to call twice.
function Artifact:close() end

local M = {}

--- Begin the file that will replace `path` as a whole.
---@param path string
---@param options? {coder?: "zstd"|"rans"|"raw", level?: integer, sync?: boolean} "zstd", 1 of -50..19, true
---@return vise.ArtifactWriter|nil writer
---@return string? message
---@return string? code "io"
function M.create(path, options) end

--- Map the file and check all of it but the content of weights and tensors.
---@param path string
---@return vise.Artifact|nil artifact
---@return string? message
---@return string? code "io" or "format"
function M.open(path) end

---@type table<string, function>
M.methods = {}

return M
