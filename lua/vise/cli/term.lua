-- SPDX-License-Identifier: Apache-2.0
--- Standard output and error: results go to the first, everything else to the second.

local exit = require("vise.cli.exit")
local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = { codes = { bold = "1", dim = "2", red = "31", green = "32", cyan = "36" } }

--- Write a result. A reader that has gone ends the program silently; a full disk is a failure.
---@param s string
function M.write(s)
  H.checked(io.stdout:write(s))
end

--- Everything written so far reaches its reader.
function M.flush()
  H.checked(io.stdout:flush())
end

--- Write one JSON value on one line.
---@param value any
function M.write_json(value)
  M.write(native.json.encode(value) .. "\n")
end

--- A line for the person at the terminal, after the results written so far.
---@param line string
function M.say(line)
  io.stdout:flush()
  io.stderr:write(line, "\n")
end

--- Is standard error (2) or output (1) a terminal?
---@param fd integer
---@return boolean
function M.is_terminal(fd)
  return native.file.is_terminal(fd) and os.getenv("TERM") ~= "dumb"
end

--- Text in a colour or weight, where that stream shows them.
---@param fd integer 1 or 2
---@param style "bold"|"dim"|"red"|"green"|"cyan"
---@param s string
---@return string
function M.style(fd, style, s)
  local wish = os.getenv("NO_COLOR")
  if not M.is_terminal(fd) or wish ~= nil and wish ~= "" then
    return s
  end
  return ("\27[%sm%s\27[0m"):format(H.codes[style], s)
end

--- Columns of the terminal, 80 where there is none.
---@return integer
function M.columns()
  return native.file.columns() or 80
end

--- A table for standard output, its titles bold.
---@param rows string[][]
---@param columns (string|vise.TableColumn)[]
---@param indent? string
function M.write_table(rows, columns, indent)
  local lines = text.table(rows, columns, { indent = indent })
  local head, rest = lines:match("^([^\n]*)(\n.*)$")
  M.write(M.style(1, "bold", head) .. rest)
end

function H.checked(file, message, code)
  if file == nil then
    if code == 32 then -- EPIPE
      exit.broken_pipe()
    end
    exit.failure("standard output: " .. message)
  end
end

return M
