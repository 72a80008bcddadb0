-- SPDX-License-Identifier: Apache-2.0
--- Where the parts of a model come from: a Hugging Face folder, a `.vise` file or a `.gguf` file.
-- A source has {name, path, config, config_path, disk_bytes, tokenizer_file = {name, bytes()}?}
-- and functions: bind(net) checks that the files have exactly what the network declares,
-- weight(place) and tensor(name) give its parts, tokenizer() opens the tokenizer or gives nil.

local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- What names a model, in words.
M.words = "a model folder, a .vise or .gguf file or a run directory"

--- The source at a path; refuses what is neither.
---@param path string
---@return table source
function M.open(path)
  must(native.file.stat(path))
  path = must(M.find(path))
  local kind = must(native.file.stat(path)).kind == "folder" and "folder"
    or path:find("%.gguf$") and "gguf" or "sealed"
  local source = require("vise.model." .. kind).open(path)
  function source.tokenizer()
    return M.tokenizer(source.tokenizer_file, path)
  end
  return source
end

--- What a path that names a model leads to: a file, or a folder with config.json. One rule for all
--- who ask, so that what is hashed is what is opened.
---@param path string
---@return string|nil path
---@return string? message
---@return string? code "io"
function M.find(path)
  local stat = native.file.stat(path)
  if stat == nil or stat.kind ~= "folder" then
    return path
  end
  local is_sealed = H.is_file(path .. "/model.vise")
  local is_folder = native.file.stat(path .. "/config.json") ~= nil
  if is_sealed and is_folder then
    local message = "%s: has both config.json and model.vise, expected one; "
      .. "name %s/model.vise itself"
    return nil, message:format(path, path), "io"
  elseif not is_sealed and not is_folder then
    local message = "%s: the folder has neither config.json nor model.vise, expected %s"
    return nil, message:format(path, M.words), "io"
  end
  return is_sealed and path .. "/model.vise" or path
end

--- The last component of a path, without `.vise` or `.gguf`.
function M.name_of(path)
  local real = native.file.realpath(path) or path
  return ((real:match("([^/]+)/*$") or real):gsub("%.vise$", ""):gsub("%.gguf$", ""))
end

--- The tokenizer's file of a source, if it has one. SentencePiece's own file is what such a model
--- was trained with, so it goes first.
---@param has fun(name: string): any true if the file is there
---@param read fun(name: string): string|nil, string?, string? its bytes
---@return table|nil file {name, bytes = function}
function M.tokenizer_file(has, read)
  for _, name in ipairs({ "tokenizer.model", "tokenizer.json" }) do
    if has(name) then
      return {
        name = name,
        bytes = function()
          return read(name)
        end,
      }
    end
  end
end

--- Open a tokenizer from the bytes of its file.
---@param file table|nil {name, bytes = function}
---@param where string goes before a message
---@return vise.Tokenizer|nil
function M.tokenizer(file, where)
  if file == nil then
    return nil
  end
  local open = file.name == "tokenizer.model" and native.tokenizer.sentencepiece
    or native.tokenizer.bpe
  local tokenizer, message, code = open(must(file.bytes()))
  if tokenizer == nil then
    refusal.refuse(("%s/%s: %s"):format(where, file.name, message), code)
  end
  return tokenizer
end

function H.is_file(path)
  local stat = native.file.stat(path)
  return stat ~= nil and stat.kind == "file"
end

return M
