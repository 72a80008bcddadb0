-- SPDX-License-Identifier: Apache-2.0
--- vise repl: Lua with vise in it.

local native = require("vise.native")
local options = require("vise.cli.options")
local progress = require("vise.cli.progress")
local repl = require("vise.repl")
local term = require("vise.cli.term")

local H = {}

function H.run(args)
  local globals = {}
  if args[1] then
    globals.m = options.open_model(args[1])
  end
  local is_typed = native.file.is_terminal(0)
  if is_typed then
    local version = native.core.version()
    term.write(("vise %s, Lua %s. `vise` holds the modules%s; `help`, `quit`.\n"):format(
      version.vise, version.lua, args[1] and ", `m` the model" or ""))
  end
  local is_clean = repl.run({
    globals = globals,
    opened = args[1],
    progress = progress.new({ quiet = not term.is_terminal(2) }),
    colour = function(style, s)
      return term.style(2, style, s)
    end,
  })
  return (is_typed or is_clean) and 0 or 1
end

---@type vise.Command
return {
  summary = "type Lua and see what comes out",
  usage = { "vise repl [MODEL]", "echo 'print(1)' | vise repl" },
  positional = { { name = "MODEL", doc = "opened as the global `m`", optional = true } },
  options = {},
  details = [[
Expressions print their value, `_` is the last one. A chunk goes on over lines until it is whole.
Ctrl-C abandons the line or stops what runs. With readline installed lines can be edited and are
remembered, and Tab completes names, methods, options and, in quotes, places, methods and files.
`?NAME` tells what NAME is, plot(y), hist(w) and spectrum(w) draw, `save session FILE` writes what
was typed as a recipe. Lines that are piped in go on after one that fails; the exit code is then 1.
`vise help repl` has a whole session.

  > m = vise.model.open("MODEL")
  > w = m:weight("layers.0.mlp.down")
  > q = w:quantize { method = "rtn", bits = 3, group = 32 }
  > q:error(w)]],
  run = H.run,
}
