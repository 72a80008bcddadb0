-- SPDX-License-Identifier: Apache-2.0
--- A cache of results by what they depend on.
-- An entry is a file named by the SHA-256 of everything that decides its content; it appears whole,
-- by rename, and is never changed. So processes may share a cache, and one that is killed leaves
-- nothing that is read. What has not been used for longest goes first when it grows too large.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local Cache = {}
Cache.__index = Cache
local H = {}

---@class vise.Cache
---@field path string

--- The cache in a folder, made when it is first written to.
---@param path string
---@param options? {bytes?: integer} of all entries, 10 GiB if absent
---@return vise.Cache
function M.open(path, options)
  return setmetatable({ path = path, _limit = options and options.bytes or M.BYTES }, Cache)
end

M.BYTES = 10 << 30

--- Where the cache of this user's runs is: VISE_CACHE, or `.vise/cache` in the current folder.
---@return string
function M.place()
  local wish = os.getenv("VISE_CACHE")
  return wish and wish ~= "" and wish or ".vise/cache"
end

--- The name of what follows from `parts`: strings, numbers, booleans and tables of these.
---@param parts table
---@return string key
function M.key(parts)
  return native.core.sha256(native.json.encode(parts))
end

--- The weight that was put there.
---@param key string
---@return vise.Weight|nil weight nil if there is none, or it is damaged
---@return table|nil about what was put with it
function Cache:weight(key)
  local reader <close> = self:_open(key)
  if reader == nil then
    return nil
  end
  local weight = reader:weight("it")
  return weight, weight and native.json.decode(reader:manifest())
end

---@param key string
---@param weight vise.Weight
---@param about? table
function Cache:put_weight(key, weight, about)
  self:_put(key, about, "raw", function(writer)
    return writer:add_weight("it", weight)
  end)
end

--- The tensors that were put there.
---@param key string
---@return table<string, vise.Tensor>|nil
---@return table|nil about
function Cache:tensors(key)
  local reader <close> = self:_open(key)
  if reader == nil then
    return nil
  end
  local tensors = {}
  for _, name in ipairs(reader:names()) do
    tensors[name] = reader:tensor(name)
    if tensors[name] == nil then
      return nil
    end
  end
  return tensors, native.json.decode(reader:manifest())
end

---@param key string
---@param tensors table<string, vise.Tensor>
---@param about? table
---@param coder? string "raw" if absent
function Cache:put_tensors(key, tensors, about, coder)
  self:_put(key, about, coder, function(writer)
    for name, tensor in check.sorted_pairs(tensors) do
      local ok, message, code = writer:add_tensor(name, tensor)
      if not ok then
        return nil, message, code
      end
    end
    return true
  end)
end

--- The table that was put there.
---@param key string
---@return table|nil
function Cache:table(key)
  local path = self:_path(key, "json")
  local text = native.file.read(path)
  local value = text and native.json.decode(text)
  if type(value) == "table" then
    native.file.touch(path)
    return value
  end
end

---@param key string
---@param value table
function Cache:put_table(key, value)
  if self:_ready() then
    native.file.replace(self:_path(key, "json"), native.json.encode(value))
  end
end

--- Where a caller may keep a file of its own among the entries, to be written by rename.
---@param key string
---@param ending string letters
---@return string|nil path nil if the cache cannot be written
function Cache:file(key, ending)
  return self:_ready() and self:_path(key, ending) or nil
end

--- Every entry: {name, bytes, used_ns}, the one used last first.
---@return table[]
function Cache:entries()
  local list = {}
  for _, name in ipairs(native.file.list(self.path) or {}) do
    local info = name:match("^%x+%.%l+$") and native.file.stat(self.path .. "/" .. name)
    if info and info.kind == "file" then
      list[#list + 1] = { name = name, bytes = info.bytes, used_ns = info.changed_ns }
    end
  end
  table.sort(list, function(a, b)
    if a.used_ns ~= b.used_ns then
      return a.used_ns > b.used_ns
    end
    return a.name < b.name
  end)
  return list
end

--- Remove all entries but those used last that take at most so many bytes together.
---@param bytes integer
---@return integer removed number of entries
---@return integer freed bytes
function Cache:shrink(bytes)
  local kept, removed, freed = 0, 0, 0
  for _, entry in ipairs(self:entries()) do
    kept = kept + entry.bytes
    if kept > bytes and native.file.remove_tree(self.path .. "/" .. entry.name) then
      removed, freed, kept = removed + 1, freed + entry.bytes, kept - entry.bytes
    end
  end
  return removed, freed
end

function Cache:_path(key, ending)
  return ("%s/%s.%s"):format(self.path, key, ending)
end

--- A damaged or missing entry is none: it is made again.
function Cache:_open(key)
  local path = self:_path(key, "vise")
  if native.file.stat(path) == nil then
    return nil
  end
  local reader = native.artifact.open(path)
  if reader then
    native.file.touch(path)
  end
  return reader
end

--- A cache that cannot be written is none; the result is right all the same.
function Cache:_put(key, about, coder, add)
  local options = { coder = coder or "raw", sync = false }
  local writer = self:_ready() and native.artifact.create(self:_path(key, "vise"), options)
  if not writer then
    return
  end
  if add(writer) then
    writer:commit(native.json.encode(about or {}))
    self:_count()
  else
    writer:abort()
  end
end

function Cache:_ready()
  self._is_ready = self._is_ready or native.file.make_dirs(self.path)
  return self._is_ready
end

--- Every so many entries look how large the cache has become.
function Cache:_count()
  self._puts = (self._puts or 0) + 1
  if self._puts % H.puts_between_looks == 1 then
    self:shrink(self._limit)
  end
end

H.puts_between_looks = 64

return M
