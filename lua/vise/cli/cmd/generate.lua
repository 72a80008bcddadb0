-- SPDX-License-Identifier: Apache-2.0
--- vise generate: let a model go on from a prompt.

local exit = require("vise.cli.exit")
local generate = require("vise.model.generate")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local given = args.options
  local m = options.open_model(args[1])
  local has_begun = false
  local function show(piece)
    term.write(H.harmless(has_begun and piece or given.prompt .. piece))
    term.flush()
    has_begun = true
  end
  local wanted = { on_token = not given.json and show or nil }
  for _, row in ipairs(generate.options) do
    wanted[row.name] = given[H.flag(row.name)]
  end
  local ok, story, info, code = pcall(m.generate, m, given.prompt, wanted)
  if has_begun then
    term.write("\n")
  end
  if not ok then
    error(story, 0)
  end
  exit.check(story, info, code)
  local speed = info.tokens / info.seconds
  if given.json then
    term.write_json({
      prompt = given.prompt, text = story, tokens = info.tokens, stopped = info.stopped,
      seed = given.seed, seconds = info.seconds, tokens_per_s = speed,
      cache_bytes = info.cache_bytes,
    })
  elseif not given.quiet then
    local line = ("%d tokens, %.0f tokens/s, cache %s"):format(info.tokens, speed,
      text.bytes(info.cache_bytes))
    term.say(term.style(2, "dim", line))
  end
end

--- Without the control characters that a terminal would obey.
function H.harmless(piece)
  return (piece:gsub("[\0-\8\11-\31\127]", ""))
end

function H.flag(name)
  return (name:gsub("_", "-"))
end

--- The options of Model:generate as flags. Here a story is wanted rather than the likeliest text,
--- so the temperature is not 0 if it is not given.
function H.flags()
  local flags = {
    { name = "prompt", kind = "string", value = "TEXT", default = "",
      doc = "where the text begins" },
  }
  for _, row in ipairs(generate.options) do
    local flag = {}
    for key, value in pairs(row) do
      flag[key] = value
    end
    flag.name = H.flag(row.name)
    flag.default = row.name == "temperature" and 0.8 or row.default
    flags[#flags + 1] = flag
  end
  table.move({ options.json, options.quiet }, 1, 2, #flags + 1, flags)
  return flags
end

---@type vise.Command
return {
  summary = "let a model go on from a prompt",
  usage = { "vise generate MODEL [--prompt TEXT] [--tokens N] [--seed N] [--temperature X] "
    .. "[--top-k N] [--top-p X] [--kv FORMAT] [--kv-recent N] [--activations FORMAT] "
    .. "[--json]" },
  positional = { options.model },
  options = H.flags(),
  details = [[
The same seed gives the same text; --temperature 0 takes the likeliest token every time.

  vise generate MODEL --prompt "Once upon a time" --tokens 100 --seed 1]],
  run = H.run,
}
