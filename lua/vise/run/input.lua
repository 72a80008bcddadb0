-- SPDX-License-Identifier: Apache-2.0
--- The files a run reads: found, resolved and hashed before it starts.

local check = require("vise.check")
local digest = require("vise.run.digest")
local native = require("vise.native")
local sources = require("vise.model.sources")

local M = {}
local H = {}

---@class vise.Input
---@field kind "model"|"text"|"data"|"file"
---@field given string the path as it was written
---@field path string absolute, without links
---@field bytes integer of all files
---@field sha256 string tree hash of the file; of a folder: of its sorted list of hashes and names
---@field files? table<string, string> name -> tree hash, of a folder

--- What a person calls a model, as the file or folder that holds it: a run directory stands for its
--- `model.vise`.
---@param path string
---@return string|nil path absolute
---@return string|nil message
---@return string|nil code "io"
function M.find_model(path)
  local info = native.file.stat(path)
  if info == nil then
    return nil, ("%s: no such file or folder, expected %s"):format(path, sources.words), "io"
  elseif info.kind == "file" and path:match("%.safetensors$") then
    local message = "%s: is one file of weights, expected the folder that holds it and config.json"
    return nil, message:format(path), "io"
  end
  local found, problem, code = sources.find(path)
  if found == nil then
    return nil, problem, code
  end
  return native.file.realpath(found)
end

--- The input that a parameter names. Nothing is read yet.
---@param kind "model"|"text"|"data"|"file"
---@param path string
---@return {kind: string, given: string, path: string}|nil
---@return string|nil message
---@return string|nil code "io"
function M.find(kind, path)
  local real, message, code
  if kind == "model" then
    real, message, code = M.find_model(path)
  else
    local info = native.file.stat(path)
    if info == nil then
      return nil, path .. ": no such file", "io"
    elseif info.kind == "folder" and kind ~= "data" then
      return nil, path .. ": is a folder, expected a file", "io"
    end
    real, message, code = native.file.realpath(path)
  end
  if real == nil then
    return nil, message, code
  end
  return { kind = kind, given = path, path = real }
end

--- The hashes of an input's files: all of them for data, those a model is made of for a model.
---@param input {kind: string, given: string, path: string}
---@return vise.Input|nil the input, its hashes added
---@return string|nil message
---@return string|nil code
function M.hash(input)
  local info, message, code = native.file.stat(input.path)
  if info == nil then
    return nil, message, code
  elseif info.kind ~= "folder" then
    input.sha256, message, code = digest.of(input.path)
    input.bytes = info.bytes
    if input.sha256 == nil then
      return nil, message, code
    end
    return input
  end
  input.files, input.bytes = {}, 0
  return H.hash_folder(input)
end

--- The files of a model folder that vise reads.
H.model_files = { "^config%.json$", "^tokenizer.*%.json$", "^tokenizer%.model$", "%.safetensors$",
  "%.safetensors%.index%.json$" }

function H.hash_folder(input)
  local names, message, code = native.file.list(input.path)
  if names == nil then
    return nil, message, code
  end
  for _, name in ipairs(names) do
    local path = input.path .. "/" .. name
    local info = native.file.stat(path)
    if info and info.kind == "file" and H.belongs(input.kind, name) then
      input.files[name], message, code = digest.of(path)
      if input.files[name] == nil then
        return nil, message, code
      end
      input.bytes = input.bytes + info.bytes
    end
  end
  local lines = {}
  for name, hash in check.sorted_pairs(input.files) do
    lines[#lines + 1] = hash .. "  " .. name .. "\n"
  end
  input.sha256 = native.core.sha256(table.concat(lines))
  return input
end

function H.belongs(kind, name)
  if kind ~= "model" then
    return true
  end
  for _, pattern in ipairs(H.model_files) do
    if name:match(pattern) then
      return true
    end
  end
  return false
end

return M
