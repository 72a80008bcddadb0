-- SPDX-License-Identifier: Apache-2.0
--- Measured rows as a table: what `vise run` and `vise eval` end with.

local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = {}

--- Write the rows, those of one protocol together under its name.
---@param rows table[] as vise.metric.evaluate returns them, with a `name`
function M.write(rows)
  local groups, order = {}, {}
  for _, row in ipairs(rows) do
    if groups[row.protocol] == nil then
      groups[row.protocol] = {}
      order[#order + 1] = row.protocol
    end
    table.insert(groups[row.protocol], row)
  end
  for i, protocol in ipairs(order) do
    local group = groups[protocol]
    local title = ("%s, %s tokens"):format(protocol, text.count(group[1].tokens))
    term.write((i > 1 and "\n" or "") .. term.style(1, "dim", title) .. "\n\n")
    H.write_group(group)
  end
end

H.columns = {
  { title = "", align = "left" }, "NLL/token", "perplexity", "KL/token", "top-1", "stored",
  "bits/weight", "tokens/s",
}

function H.write_group(rows)
  local cells, has_reference = {}, false
  for i, row in ipairs(rows) do
    has_reference = has_reference or row.kl ~= nil
    cells[i] = {
      text.printable(row.name),
      text.with_error(row.nll, row.nll_se),
      text.number(row.perplexity),
      text.with_error(row.kl, row.kl_se),
      text.percent(row.top1),
      text.bytes(row.bytes),
      text.number(row.bits_per_weight, 2),
      text.count(row.tokens_per_s),
    }
  end
  local columns = table.move(H.columns, 1, #H.columns, 1, {})
  if not has_reference then
    for _, row in ipairs(cells) do
      table.remove(row, 5)
      table.remove(row, 4)
    end
    table.remove(columns, 5)
    table.remove(columns, 4)
  end
  term.write_table(cells, columns, "  ")
end

return M
