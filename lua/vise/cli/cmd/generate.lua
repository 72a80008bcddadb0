-- SPDX-License-Identifier: Apache-2.0
--- vise generate: let a model go on from a prompt.

local exit = require("vise.cli.exit")
local input = require("vise.run.input")
local model = require("vise.model")
local native = require("vise.native")
local term = require("vise.cli.term")

local H = {}

function H.run(args)
  local options = args.options
  local m = exit.check(model.open(exit.check(input.find_model(args[1]))))
  local n, begin = 0, native.core.clock()
  local stream = not options.json and H.stream() or nil
  if stream then
    stream(options.prompt)
  end
  local story, message, code = m:generate(options.prompt, {
    tokens = options.tokens,
    seed = options.seed,
    temperature = options.temperature,
    top_k = options["top-k"],
    top_p = options["top-p"],
    on_token = function(piece)
      n = n + 1
      if stream then
        stream(piece)
      end
    end,
  })
  exit.check(story, message, code)
  local seconds = native.core.clock() - begin
  if options.json then
    term.write_json({
      prompt = options.prompt, text = story, tokens = n, seed = options.seed, seconds = seconds,
      tokens_per_s = n / seconds,
    })
  else
    stream(nil)
    term.write("\n")
    local line = ("%d tokens, %.1f tokens/s"):format(n, n / seconds)
    if not options.quiet then
      term.say(term.style(2, "dim", line))
    end
  end
end

--- A function that writes pieces as soon as they are whole UTF-8, control characters made harmless;
--- nil flushes what is left.
function H.stream()
  local rest = ""
  return function(piece)
    rest = rest .. (piece or "")
    local is_open = piece and #rest < 8 and utf8.len(rest) == nil and not H.is_broken(rest)
    if not is_open then
      term.write((rest:gsub("[\0-\8\11-\31\127]", "")))
      term.flush()
      rest = ""
    end
  end
end

--- Is there an error before the last, perhaps unfinished, character?
function H.is_broken(s)
  local _, at = utf8.len(s)
  return #s - at >= 4
end

---@type vise.Command
return {
  summary = "let a model go on from a prompt",
  usage = { "vise generate MODEL --prompt TEXT --tokens N --seed N [--temperature X] [--top-k N] "
    .. "[--top-p X] [--json]" },
  positional = { { name = "MODEL", doc = "a model folder, a .vise file or a run directory" } },
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
    { name = "json", kind = "bool", default = false, doc = "print text and speed as JSON" },
    { name = "quiet", kind = "bool", default = false, doc = "no speed" },
  },
  run = H.run,
}
