-- SPDX-License-Identifier: Apache-2.0
--- The hidden states of a model at the scored tokens of a protocol, computed once, kept in a file.
-- What the head makes of them is a hundred times larger, so it is applied again, to the same rows
-- in the same chunks: a model measured against its own kept states has a divergence of exactly 0.
-- The file's name is a hash of all that decides the states: the content of every weight and tensor,
-- the config, and the ids of the windows as they are batched. A file that does not pass its own
-- hashes is made again.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- States above this many bytes are not kept: computing them again costs less than the disk.
M.LARGEST_BYTES = 1 << 31

---@class vise.Reference
---@field _path string|nil of the file; nil without a folder
---@field _reader userdata|nil of a complete file
---@field _writer userdata|nil of a file in the making
local Reference = {}
Reference.__index = Reference

--- The kept states of a model, if there are any, else room to keep them.
---@param model vise.Model
---@param plan table windows, batches: see vise.metric.protocol
---@param folder string|nil made if need be; nil keeps nothing
---@return vise.Reference
function M.open(model, plan, folder)
  local self = setmetatable({}, Reference)
  if folder then
    must(native.file.make_dirs(folder))
    self._path = ("%s/%s.states"):format(folder, H.key(model, plan)) -- as vise.cache names entries
    self._reader = H.read(self._path, #plan.batches)
    if self._reader then
      native.file.touch(self._path)
    end
  end
  return self
end

--- The kept states of batch `i`; nil where there are none.
---@param i integer
---@return vise.Tensor|nil hidden [n, d] f32, one row for each scored token
function Reference:find(i)
  return self._reader and must(self._reader:tensor(H.name(i)))
end

--- Keep the states of batch `i`, the batches coming in order; nothing happens where they are kept.
---@param i integer
---@param hidden vise.Tensor [n, d] f32
---@param total integer scored tokens of all batches
function Reference:keep(i, hidden, total)
  if i == 1 and self._path and not self._reader
      and hidden:bytes() / hidden:shape()[1] * total <= M.LARGEST_BYTES then
    self._writer = must(native.artifact.create(self._path, { coder = "raw", sync = false }))
  end
  if self._writer then
    must(self._writer:add_tensor(H.name(i), hidden))
  end
end

--- Put the file in its place; after the last batch.
function Reference:commit()
  if self._writer then
    must(self._writer:commit("{}"))
    self._writer = nil
  end
end

--- What decides the states, as one hash.
function H.key(model, plan)
  H.identities[model] = H.identities[model] or H.identity(model)
  local lines = { "hidden states 1", H.identities[model] }
  for _, batch in ipairs(plan.batches) do
    lines[#lines + 1] = "batch"
    for w = batch.from, batch.to do
      lines[#lines + 1] = plan.windows[w].first .. ":" .. table.concat(plan.windows[w].ids, " ")
    end
  end
  return native.core.sha256(table.concat(lines, "\n")):sub(1, 32)
end

--- Hashes of models; these are values, so once is enough.
H.identities = setmetatable({}, { __mode = "k" })

--- The content of a model as one hash. Weights are read whole: about a second per GB.
function H.identity(model)
  local lines = { model.arch, native.json.encode(model.config) }
  for _, place in ipairs(model:places()) do
    lines[#lines + 1] = place.name
    H.describe(lines, must(must(model:weight(place.name)):tree()))
  end
  for _, name in ipairs(model:tensors()) do
    lines[#lines + 1] = name
    H.describe_tensor(lines, must(model:tensor(name)))
  end
  return native.core.sha256(table.concat(lines, "\n"))
end

--- A tree of vise.weight: kind, attributes, parts and children, contents by their hashes.
function H.describe(lines, tree)
  lines[#lines + 1] = ("%s [%d, %d] %s"):format(tree.kind, tree.m, tree.k,
    native.json.encode(tree.attributes))
  for name, part in check.sorted_pairs(tree.parts) do
    lines[#lines + 1] = name
    H.describe_tensor(lines, part)
  end
  for _, child in ipairs(tree.children) do
    H.describe(lines, child)
  end
  lines[#lines + 1] = "end"
end

function H.describe_tensor(lines, tensor)
  lines[#lines + 1] = ("%s [%s] %s"):format(tensor:dtype(), table.concat(tensor:shape(), ", "),
    native.core.tree_hash(tensor))
end

--- A reader of a whole and sound file, else nil.
function H.read(path, n_batches)
  if not native.file.stat(path) then
    return nil
  end
  local reader = native.artifact.open(path)
  if reader and #reader:names() == n_batches and reader:verify() then
    return reader
  end
end

function H.name(i)
  return ("batch.%d"):format(i)
end

return M
