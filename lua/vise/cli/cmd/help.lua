-- SPDX-License-Identifier: Apache-2.0
--- vise help: the commands and guides, or one of them.

local args = require("vise.cli.args")
local check = require("vise.check")
local cli = require("vise.cli")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local place = require("vise.place")
local term = require("vise.cli.term")

local H = {}

function H.run(parsed)
  local name = parsed[1]
  if name == nil then
    H.overview()
    return
  end
  local is_command, guide = H.has(cli.names(), name), H.has(H.guides(), name)
  if not is_command and not guide then
    local known = cli.names()
    for _, one in ipairs(H.guides()) do
      known[#known + 1] = not H.has(known, one) and one or nil
    end
    exit.argument(check.unknown("command or guide", name, known))
  end
  if is_command then
    term.write(args.help(name, cli.find(name), {}))
  end
  if guide then
    term.write(is_command and "\n" or "")
    for line in H.page(name):gmatch("([^\n]*)\n") do
      local title = line:match("^#+ (.*)$")
      term.write((title and term.style(1, "bold", title) or line) .. "\n")
    end
  end
end

function H.overview()
  term.write("vise: compress neural networks, and know what was lost\n\n")
  term.write("Usage: vise COMMAND [ARGUMENT ...]\n\nCommands:\n")
  for _, command in ipairs(cli.names()) do
    term.write(("  %-10s %s\n"):format(command, cli.find(command).summary))
  end
  term.write("\nGuides:\n")
  for _, guide in ipairs(H.guides()) do
    term.write(("  %-10s %s\n"):format(guide, H.page(guide):match("^# ([^\n]*)")))
  end
  term.write([[

vise COMMAND --help and vise help GUIDE tell more; `vise help tutorial` is where to begin. Models
are Hugging Face folders, .vise files or run directories. VISE_THREADS=N sets the number of threads,
VISE_CPU=ref|avx2|avx512 lowers the CPU level; neither changes a result.
]])
end

--- The names of the pages in share/doc.
function H.guides()
  local names = {}
  for _, file in ipairs(native.file.list(place.default("share/doc")) or {}) do
    names[#names + 1] = file:match("^(%l+)%.md$")
  end
  return names
end

function H.page(name)
  return exit.check(native.file.read(place.default("share/doc/" .. name .. ".md")))
end

function H.has(list, name)
  for _, one in ipairs(list) do
    if one == name then
      return true
    end
  end
  return false
end

---@type vise.Command
return {
  summary = "this list, or the help of one command or guide",
  usage = { "vise help [COMMAND|GUIDE]" },
  positional = { { name = "NAME", doc = "a command or a guide of the list", optional = true } },
  options = {},
  details = "  vise help compress\n  vise help tutorial",
  run = H.run,
}
