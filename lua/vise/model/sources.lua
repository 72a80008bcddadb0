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

--- The source at a path; refuses what is neither.
---@param path string
---@return table source
function M.open(path)
  local stat = must(native.file.stat(path))
  if stat.kind ~= "folder" and path:find("%.gguf$") then
    return require("vise.model.gguf").open(path)
  elseif stat.kind ~= "folder" then
    return require("vise.model.sealed").open(path)
  elseif H.is_file(path .. "/model.vise") then
    return require("vise.model.sealed").open(path .. "/model.vise")
  elseif native.file.stat(path .. "/config.json") then
    return require("vise.model.folder").open(path)
  end
  refusal.refuse(path .. ": the folder has neither config.json nor model.vise", "io")
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
