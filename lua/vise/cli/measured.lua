-- SPDX-License-Identifier: Apache-2.0
--- Measured rows as a table: what `vise run` and `vise eval` end with.

local term = require("vise.cli.term")
local text = require("vise.text")

local M = {}
local H = {}

--- Below these, twice the standard error is noticeably less than 95 % (share/doc/metrics.md).
local ENOUGH_WINDOWS <const> = 30

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
    local title = text.printable(protocol) .. H.amount(group[1])
    term.write((i > 1 and "\n" or "") .. term.style(1, "dim", title) .. "\n\n")
    H.write_group(group)
    H.write_note(group[1].clusters)
  end
end

--- Say where the error bars promise more than they hold.
function H.write_note(n)
  if n and n < ENOUGH_WINDOWS then
    local note = n == 1 and "no error bars: one window, expected at least %d"
      or "error bars from few windows: rough, expected at least %d windows"
    term.write("\n  " .. term.style(1, "dim", note:format(ENOUGH_WINDOWS)) .. "\n")
  end
end

--- What a row was measured on, as far as it says.
function H.amount(row)
  if row.images then
    return (", %s images"):format(text.count(row.images))
  elseif row.tokens and row.clusters then
    return (", %s tokens in %s"):format(text.count(row.tokens), H.windows(row.clusters))
  end
  return ""
end

function H.windows(n)
  return n == 1 and "1 window" or text.count(n) .. " windows"
end

--- One line of the table: a title and a function of a measured row, nil where there is nothing.
H.lines = {
  { "accuracy", function(row)
    return row.accuracy and ("%.2f %% (%.2f to %.2f)"):format(100 * row.accuracy,
      100 * row.accuracy_low, 100 * row.accuracy_high)
  end },
  { "NLL/image", function(row)
    return row.images and text.with_error(row.nll, row.nll_se)
  end },
  { "NLL/token", function(row)
    return row.tokens and text.with_error(row.nll, row.nll_se)
  end },
  { "NLL/byte", function(row)
    return row.nll_byte and text.with_error(row.nll_byte, row.nll_byte_se)
  end },
  { "perplexity", function(row)
    return row.perplexity and text.with_error(row.perplexity, row.perplexity_se, 2)
  end },
  { "NLL change", function(row)
    return row.nll_delta and (row.nll_delta < 0 and "" or "+")
      .. text.with_error(row.nll_delta, row.nll_delta_se)
  end },
  { "KL/token", function(row)
    return row.kl and row.tokens and text.with_error(row.kl, row.kl_se)
  end },
  { "KL/image", function(row)
    return row.kl and row.images and text.with_error(row.kl, row.kl_se)
  end },
  { "top-1 agreement", function(row) return row.top1 and text.percent(row.top1, row.top1_se) end },
  { "stored", function(row) return row.bytes and text.bytes(row.bytes) end },
  { "bits/weight", function(row) return text.number(row.bits_per_weight, 2) end },
  { "tokens/s", function(row) return row.tokens_per_s and text.count(row.tokens_per_s) end },
  { "images/s", function(row) return row.images_per_s and text.count(row.images_per_s) end },
}

--- Up to three models stand side by side; more stand one below the other.
function H.write_group(rows)
  local columns, cells = { { title = "", align = "left" } }, {}
  for i, row in ipairs(rows) do
    columns[i + 1] = { title = text.printable(row.name), align = "left" }
  end
  for _, line in ipairs(H.lines) do
    local cell, has_any = { line[1] }, false
    for i, row in ipairs(rows) do
      local value = line[2](row)
      cell[i + 1], has_any = value or "-", has_any or value ~= nil
    end
    if has_any then
      cells[#cells + 1] = cell
    end
  end
  if #rows > 3 then
    columns, cells = H.transpose(columns, cells)
  end
  term.write_table(cells, columns, "  ")
end

function H.transpose(columns, cells)
  local turned_columns, turned = { { title = "", align = "left" } }, {}
  for c, cell in ipairs(cells) do
    turned_columns[c + 1] = cell[1]
    for r = 2, #columns do
      turned[r - 1] = turned[r - 1] or { columns[r].title }
      turned[r - 1][c + 1] = cell[r]
    end
  end
  return turned_columns, turned
end

return M
