-- SPDX-License-Identifier: Apache-2.0
--- Write a model as a `.vise` file, one place at a time.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local text = require("vise.text")
local watch = require("vise.watch")

local must = refusal.must

local M = {}
local H = {}

---@class vise.SaveOptions
---@field coder? "zstd"|"rans"|"raw" "zstd" if absent: of each frame the smallest up to this
---@field level? integer of zstd
---@field sync? boolean false: leave writing to the disk to the system
---@field manifest? table what else the file says about itself; its field `model` is ours
---@field on_progress? fun(done: integer, total: integer) after each weight

--- See vise.Model:save. Raises what a method says about a weight; then nothing is written.
---@param model vise.Model
---@param path string
---@param options? vise.SaveOptions
---@return table|nil result {path, bytes, hash, ledger}; one line by tostring
---@return string? message
---@return string? code
function M.run(model, path, options)
  local o = check.options("save", H.rows, H.plain(options or {}))
  o.on_progress = watch.stage(options and options.on_progress, "save", "weights")
  return refusal.protect(H.write, model, path, o, options and options.manifest or {})
end

function H.write(model, path, options, extra)
  local writer = must(native.artifact.create(path,
    { coder = options.coder, level = options.level, sync = options.sync }))
  local ok, result = pcall(function()
    H.add_weights(writer, model, options.on_progress)
    for _, name in ipairs(model:tensors()) do
      must(writer:add_tensor(name, H.finite(name, must(model:tensor(name)))))
    end
    local file = model._tokenizer_file
    if file then
      assert(model.tokenizer) -- what cannot be read as one is sealed into no file
      local bytes = must(file.bytes())
      must(writer:add_tensor(file.name, native.tensor.from_bytes("u8", { #bytes }, bytes)))
    end
    return must(writer:commit(H.manifest(model, extra)))
  end)
  if not ok then
    writer:abort()
    error(result, 0)
  end
  local ledger = must(native.artifact.open(path)):ledger()
  return setmetatable({ path = path, bytes = result.bytes, hash = result.hash, ledger = ledger },
    H.metatable)
end

H.metatable = { __name = "vise.saved" }

function H.metatable.__tostring(saved)
  local line = "vise.saved %s %s hash %s"
  return line:format(saved.path, text.bytes(saved.bytes), saved.hash:sub(1, 16))
end

--- A norm or bias, refused if it holds NaN or an infinity, as weights are when they are compressed.
function H.finite(name, tensor)
  local row <close> = native.weight.dense(tensor:reshape({ 1, tensor:count() }))
  local ok, problem = pcall(row.check_finite, row)
  if not ok then
    error(("%s: %s"):format(name, problem), 0)
  end
  return tensor
end

--- Places of one weight are written one after the other, so that it is made once and held alone.
function H.add_weights(writer, model, on_progress)
  local list = model:places()
  local done = 0
  for _, place in ipairs(list) do
    if place.tied_to == nil then
      local weight <close> = model:_own(place.name)
      for _, other in ipairs(list) do
        if other.name == place.name or other.tied_to == place.name then
          must(writer:add_weight(other.name, weight))
          done = done + 1
        end
      end
      on_progress(done, #list)
    end
  end
end

function H.manifest(model, extra)
  local manifest = {}
  for key, value in next, extra do
    manifest[key] = value
  end
  manifest.model = { arch = model.arch, config = model.config }
  return native.json.encode(manifest)
end

H.rows = {
  { name = "coder", kind = "choice", default = "zstd", choices = { "zstd", "rans", "raw" },
    doc = "of raw, rans and zstd, the slowest that may code a part; the smallest does" },
  { name = "level", kind = "int", default = 1, min = 1, max = 19, doc = "of zstd" },
  { name = "sync", kind = "bool", default = true, doc = "wait until the disk has it" },
}

function H.plain(options)
  local plain = {}
  for key, value in next, options do
    if key ~= "manifest" and key ~= "on_progress" then
      plain[key] = value
    end
  end
  return plain
end

return M
