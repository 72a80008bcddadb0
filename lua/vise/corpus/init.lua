-- SPDX-License-Identifier: Apache-2.0
--- Data that vise makes itself, to train and test on: nothing is downloaded or copied.
-- What is made depends on seed, split and number alone: the same bytes on every machine.

local check = require("vise.check")

local M = {}
local H = {}

---@class vise.Corpus
---@field name string
---@field summary string one line
---@field items string what it is made of: "tales"
---@field splits string[]
---@field write fun(path: string, opts: vise.CorpusOptions): vise.CorpusWritten?, string?, string?

---@class vise.CorpusOptions
---@field split string
---@field count integer how many items
---@field seed integer
---@field on_progress? fun(done: integer, total: integer)

---@alias vise.CorpusWritten { files: { path: string, bytes: integer }[] }

--- All corpora, by name.
---@return vise.Corpus[]
function M.list()
  local list = {}
  for i, name in ipairs(H.names) do
    list[i] = M.find(name)
  end
  return list
end

--- A corpus by its name. Raises for a name that is none, with what was meant.
---@param name string
---@return vise.Corpus
function M.find(name)
  if check.nearest(name, H.names) ~= name then
    check.fail("%s", check.unknown("corpus", name, H.names))
  end
  return require("vise.corpus." .. name)
end

H.names = { "digits", "tales" }

return M
