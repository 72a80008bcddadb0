-- SPDX-License-Identifier: Apache-2.0
--- The options that say what a recipe's process may use.

local exit = require("vise.cli.exit")
local options = require("vise.cli.options")
local sandbox = require("vise.run.sandbox")
local text = require("vise.text")

local M = {}
local H = {}

function H.size(name, doc)
  return { name = name, kind = "string", value = "SIZE", doc = doc, check = function(value)
    if not text.parse_bytes(value) then
      exit.argument(("--%s is '%s', expected a size such as 512M or 4G"):format(name, value))
    end
  end }
end

--- --max-time, --max-ram and --max-output.
M.options = {
  { name = "max-time", kind = "int", value = "S", min = 1, max = 10000000,
    doc = "seconds the run may take, and each thread of processor time" },
  H.size("max-ram", "memory the run may write to, beside the files it maps"),
  H.size("max-output", "bytes on disk that the run may fill"),
}

M.untrusted = options.switch("untrusted",
  ("a stranger's recipe: at most %d s, %s of memory, %s of output unless said otherwise, a cache "
    .. "of its own, and its own paths are not taken for inputs"):format(sandbox.UNTRUSTED.seconds,
    text.bytes(sandbox.UNTRUSTED.ram_bytes), text.bytes(sandbox.UNTRUSTED.output_bytes)))

M.no_sandbox = options.switch("no-sandbox", "for debugging: run the recipe without its sandbox")

--- Put what was said into a request.
---@param request vise.RunRequest changed
---@param given table<string, any> of the options
function M.apply(request, given)
  local is_untrusted = given.untrusted or request.is_untrusted or false
  if is_untrusted and given["no-sandbox"] then
    exit.argument("--no-sandbox is for a recipe that you trust, expected it without --untrusted")
  end
  local default = is_untrusted and sandbox.UNTRUSTED or {}
  request.is_untrusted, request.is_open = is_untrusted, given["no-sandbox"]
  request.limits = {
    seconds = given["max-time"] or default.seconds,
    ram_bytes = given["max-ram"] and text.parse_bytes(given["max-ram"]) or default.ram_bytes,
    output_bytes = given["max-output"] and text.parse_bytes(given["max-output"])
      or default.output_bytes,
    open_files = default.open_files,
  }
end

return M
