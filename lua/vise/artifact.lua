-- SPDX-License-Identifier: Apache-2.0
--- One `.vise` file: weights and tensors by name, a manifest, and the hashes that seal them.
-- What the file is to the byte is in share/doc/artifact.md; whole models are opened and saved by
-- vise.model. Readers and writers are those of lua/meta/artifact.lua.

local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = {}

--- Map the file and check all of it but the content of weights and tensors.
---@param path string
---@return vise.Artifact|nil artifact
---@return string? message
---@return string? code "io" or "format"
function M.open(path)
  return native.artifact.open(path)
end

--- Begin the file that will replace `path` as a whole.
---@param path string
---@param options? {coder?: "zstd"|"rans"|"raw", level?: integer, sync?: boolean} "zstd", 1, true
---@return vise.ArtifactWriter|nil writer
---@return string? message
---@return string? code "io"
function M.create(path, options)
  return native.artifact.create(path, options)
end

---@class vise.ArtifactTotals
---@field packed integer bytes of all weights and tensors, each counted once
---@field coded integer bytes of their frames in the file
---@field overhead integer header, padding, index, manifest, trailer
---@field bytes integer of the file: coded + overhead

--- Sums of the ledger; they add up to the file.
---@param artifact vise.Artifact
---@return vise.ArtifactTotals
function M.totals(artifact)
  local totals = { packed = 0, coded = 0, bytes = artifact:bytes() }
  for _, row in ipairs(artifact:ledger()) do
    totals.packed = totals.packed + (row.same_as and 0 or row.packed)
    totals.coded = totals.coded + row.coded
  end
  totals.overhead = totals.bytes - totals.coded
  return totals
end

--- The ledger as a table: a line for each name, with `parts` also one for each part, and the sums.
---@param artifact vise.Artifact
---@param options? {parts?: boolean}
---@return string lines
function M.ledger_text(artifact, options)
  local cells = {}
  for _, row in ipairs(artifact:ledger()) do
    if row.same_as then
      cells[#cells + 1] = H.cells(row.name, "same as " .. row.same_as)
    else
      cells[#cells + 1] = H.cells(row.name, row.description, row.packed, row.coded)
      for _, part in ipairs(options and options.parts and row.parts or {}) do
        cells[#cells + 1] = H.part_cells(part)
      end
    end
  end
  local totals = M.totals(artifact)
  cells[#cells + 1] = H.cells("header, index, manifest", "", nil, totals.overhead)
  cells[#cells + 1] = H.cells("file", "", totals.packed, totals.bytes)
  return text.table(cells, {
    { title = "name", align = "left" }, { title = "format", align = "left" }, "packed", "coded",
  })
end

function H.cells(name, format, packed, coded)
  return {
    text.printable(name), text.printable(format), packed and text.bytes(packed) or "",
    coded and text.bytes(coded) or "",
  }
end

function H.part_cells(part)
  local format = ("%s [%s] %s"):format(part.dtype, table.concat(part.shape, ", "), part.coder)
  return H.cells("  " .. part.name, format, part.packed, part.coded)
end

return M
