-- SPDX-License-Identifier: Apache-2.0
--- Short English tales, written by the grammar in share/text/tales.
-- A tale is decided by seed, split and number alone, so any part of the corpus can be made anew,
-- with the same bytes on every machine.

local native = require("vise.native")
local place = require("vise.place")
local teller = require("vise.corpus.teller")

---@type vise.Corpus
local M = {
  name = "tales",
  summary = "short English tales, a text file",
  items = "tales",
  splits = { "train", "valid", "test" },
}
local H = {}

--- What stands on a line of its own between two tales, as the protocols stories-N expect.
M.SEPARATOR = "<|endoftext|>"

--- One tale.
---@param split string "train", "valid" or "test"
---@param number integer from 1
---@param seed? integer 0 if absent
---@return string text title, empty line, paragraphs, each ended by a line end
function M.tale(split, number, seed)
  return teller.tell(H.book(), seed or 0, ("tales/%s/%d"):format(split, number))
end

--- The first tales of a split, separated.
---@param split string
---@param count integer
---@param seed? integer 0 if absent
---@param on_progress? fun(done: integer, total: integer)
---@return string text
function M.text(split, count, seed, on_progress)
  local parts = {}
  for i = 1, count do
    parts[i] = M.tale(split, i, seed)
    if on_progress then
      on_progress(i, count)
    end
  end
  return table.concat(parts, M.SEPARATOR .. "\n")
end

--- Write the first tales of a split.
---@param path string of the file
---@param opts vise.CorpusOptions
---@return vise.CorpusWritten|nil
---@return string? message
---@return string? code "io"
function M.write(path, opts)
  local text = M.text(opts.split, opts.count, opts.seed, opts.on_progress)
  local ok, message, code = native.file.replace(path, text)
  if not ok then
    return nil, message, code
  end
  return { files = { { path = path, bytes = #text } } }
end

--- The book, read when the first tale is told. Raises where vise's files are incomplete.
function H.book()
  if H.loaded == nil then
    local folder = place.default("share/text/tales")
    local function read(name)
      local path = ("%s/%s.lua"):format(folder, name)
      return assert(load(assert(native.file.read(path)), "@" .. path, "t"))()
    end
    H.loaded = read("book")(read)
  end
  return H.loaded
end

return M
