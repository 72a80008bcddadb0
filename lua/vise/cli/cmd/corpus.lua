-- SPDX-License-Identifier: Apache-2.0
--- vise corpus: write the texts and images that vise makes itself.

local corpus = require("vise.corpus")
local exit = require("vise.cli.exit")
local native = require("vise.native")
local options = require("vise.cli.options")
local progress = require("vise.cli.progress")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(parsed)
  local given = parsed.options
  if parsed[1] == nil then
    for _, one in ipairs(corpus.list()) do
      term.write(text.entry(one.name, one.summary) .. "\n")
    end
    return
  end
  local ok, one = pcall(corpus.find, parsed[1])
  if not ok then
    exit.usage("%s", one)
  elseif given.out == nil then
    exit.usage("missing --out: where the %s go", one.items)
  end
  local display = progress.new(given)
  display:begin("write " .. given.out)
  local written, message, code = one.write(given.out, {
    split = given.split,
    count = given.count,
    seed = given.seed,
    on_progress = function(done, total)
      display:update(done, total, one.items)
    end,
  })
  display:clear()
  exit.check(written, message, code)
  if given.json then
    term.write_json({ files = native.json.array(written.files) })
    return
  end
  for _, file in ipairs(written.files) do
    term.write(("%s  %s\n"):format(text.printable(file.path), text.bytes(file.bytes)))
  end
end

---@type vise.Command
return {
  summary = "write the texts and images that vise makes itself",
  usage = { "vise corpus [NAME] [--split SPLIT] [--count N] [--seed N] --out PATH [--json]" },
  positional = {
    { name = "NAME", optional = true, doc = "what to write; without it, a list" },
  },
  options = {
    { name = "split", kind = "choice", choices = { "train", "valid", "test" }, default = "train",
      doc = "no two splits have an item in common" },
    { name = "count", kind = "int", min = 1, max = 10000000, default = 1000,
      doc = "how many items" },
    { name = "seed", kind = "int", default = 0, doc = "another seed, another corpus" },
    { name = "out", kind = "string", value = "PATH", doc = "a file for text, a folder for images" },
    options.json,
    options.quiet,
  },
  details = [[
Item i of a split is always the same, on every machine: a longer corpus begins with the shorter one.

  vise corpus tales --split train --count 20000 --out tales.txt]],
  run = H.run,
}
