---@meta vise.native.core

--- Versions, threads, time, memory, hashes, random numbers.
---@class vise.native.core
local core = {}

---@class vise.Versions
---@field vise string
---@field lua string
---@field zstd string
---@field openblas string its own description of its build
---@field openblas_core string the CPU type that OpenBLAS chose kernels for
---@field jansson string
---@field pcre2 string
---@field openssl string
---@field sqlite string
---@field cpu "ref"|"avx2"|"avx512" the level of the kernels in use
---@field cpu_detected "ref"|"avx2"|"avx512" the highest level of this machine
---@field cpu_model string
---@field cpu_wish_ignored? string value of VISE_CPU that this machine cannot follow

--- Versions of vise, its libraries and the CPU level.
---@return vise.Versions
function core.version() end

--- Threads of the kernels. Raises unless n is in 1..256.
---@param n? integer use so many from now on
---@return integer n in use
function core.threads(n) end

--- A clock that only goes forward.
---@return number seconds
function core.clock() end

--- Wait, looking at the cancel flag.
---@param seconds number at most 3600
---@return true?
---@return string? message
---@return string? code "cancelled"
function core.sleep(seconds) end

--- The wall clock.
---@return number seconds since 1970
function core.time() end

--- The most memory this program ever had resident, mapped files included.
---@return integer bytes
function core.peak_rss() end

--- What vise's own allocator holds.
---@return { live_blocks: integer, live_bytes: integer, peak_bytes: integer }
function core.memory() end

--- Let `peak_bytes` count from what is live now.
function core.peak_reset() end

--- Keep freed memory for the next tensors rather than give it back to the system: for work that
--- allocates the same again and again.
---@param is_kept boolean from now on, or no longer
function core.keep_freed(is_kept) end

--- Stop long work: native calls return nil, "interrupted", "cancelled" until cancel_clear.
function core.cancel() end

--- Is the cancel flag up?
---@return boolean
function core.cancelled() end

--- Take the cancel flag down.
function core.cancel_clear() end

--- SHA-256.
---@param data string
---@return string hex
function core.sha256(data) end

--- Tree hash (share/doc/artifact.md): SHA-256 over leaves of 1 MiB, in parallel.
---@param data string|vise.Tensor the tensor's elements in row-major order
---@return string? hex, or nil, message, code
---@return string? message
---@return string? code
function core.tree_hash(data) end

--- Number i of the stream (seed, name), whatever was drawn before.
---@param seed integer
---@param name string
---@param i integer from 0
---@return number x in [0, 1)
function core.uniform(seed, name, i) end

--- Number i of the stream (seed, name), normal with mean 0 and variance 1.
---@param seed integer
---@param name string
---@param i integer from 0
---@return number x
function core.normal(seed, name, i) end

--- A tensor of normal numbers, the same on every machine. Raises unless dtype is a float.
---@param dtype string
---@param shape integer[]
---@param seed integer
---@param name string
---@param scale? number standard deviation, 1 if absent
---@return vise.Tensor
function core.random_tensor(dtype, shape, seed, name, scale) end

return core
