-- SPDX-License-Identifier: Apache-2.0
--- The parameters of a recipe as a table: `vise recipe check FILE`, `vise run FILE --help`.

local param = require("vise.param")
local text = require("vise.text")

local M = {}

--- One row for each parameter, under titles; empty for a recipe without any.
---@param rows vise.OptionRow[]
---@return string
function M.table(rows)
  if #rows == 0 then
    return ""
  end
  local cells, columns = {}, {}
  for i, row in ipairs(rows) do
    local default = row.default == nil and "(required)" or tostring(row.default)
    cells[i] = { row.name, text.printable(default), text.printable(param.expected(row)),
      text.printable(row.doc) }
  end
  for i, title in ipairs({ "parameter", "default", "accepts", "" }) do
    columns[i] = { title = title, align = "left" }
  end
  return text.table(cells, columns, { indent = "  " })
end

return M
