-- SPDX-License-Identifier: Apache-2.0
--- vise generate: let a model go on from a prompt.

local exit = require("vise.cli.exit")
local options = require("vise.cli.options")
local term = require("vise.cli.term")

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
  local ok, story, info, code = pcall(m.generate, m, given.prompt, {
    tokens = given.tokens,
    seed = given.seed,
    temperature = given.temperature,
    top_k = given["top-k"],
    top_p = given["top-p"],
    on_token = not given.json and show or nil,
  })
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
    })
  elseif not given.quiet then
    local line = ("%d tokens, %.0f tokens/s"):format(info.tokens, speed)
    term.say(term.style(2, "dim", line))
  end
end

--- Without the control characters that a terminal would obey.
function H.harmless(piece)
  return (piece:gsub("[\0-\8\11-\31\127]", ""))
end

---@type vise.Command
return {
  summary = "let a model go on from a prompt",
  usage = { "vise generate MODEL --prompt TEXT --tokens N --seed N [--temperature X] [--top-k N] "
    .. "[--top-p X] [--json]" },
  positional = { options.model },
  options = {
    { name = "prompt", kind = "string", value = "TEXT", default = "",
      doc = "where the text begins" },
    { name = "tokens", kind = "int", default = 128, min = 1, max = 1 << 20,
      doc = "tokens to generate at most" },
    { name = "seed", kind = "int", default = 0, min = 0, doc = "seed of the random choice" },
    { name = "temperature", kind = "real", default = 0.8, min = 0, max = 100,
      doc = "0 always takes the likeliest token" },
    { name = "top-k", kind = "int", default = 0, min = 0,
      doc = "choose among the N likeliest; 0: among all" },
    { name = "top-p", kind = "real", default = 1, min = 0, max = 1,
      doc = "choose among the likeliest that together have this probability" },
    options.json,
    options.quiet,
  },
  run = H.run,
}
