-- SPDX-License-Identifier: Apache-2.0
--- vise cache: what runs have kept, and how to be rid of it.

local cache = require("vise.cache")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(parsed)
  local kept = cache.open(cache.place())
  local o = parsed.options
  if o.clear or o.shrink then
    local removed, freed = kept:shrink(o.shrink and o.shrink << 20 or 0)
    if o.json then
      term.write_json({ cache = kept.path, removed = removed, freed = freed })
    else
      term.write(("%s: removed %d entries, %s\n"):format(kept.path, removed, text.bytes(freed)))
    end
    return
  end
  local entries, bytes = kept:entries(), 0
  for _, entry in ipairs(entries) do
    bytes = bytes + entry.bytes
  end
  if o.json then
    term.write_json({ cache = kept.path, entries = #entries, bytes = bytes, limit = cache.BYTES })
  else
    local line = "%s: %d entries, %s of at most %s\n"
    term.write(line:format(kept.path, #entries, text.bytes(bytes), text.bytes(cache.BYTES)))
  end
end

---@type vise.Command
return {
  summary = "what runs have kept for the next ones",
  usage = { "vise cache [--clear] [--shrink MIB] [--json]" },
  options = {
    { name = "clear", kind = "bool", default = false, doc = "remove everything" },
    { name = "shrink", kind = "int", min = 0, value = "MIB",
      doc = "remove what was not used for longest until so many MiB are left" },
    options.json,
  },
  details = [[
The cache is the folder VISE_CACHE, or .vise/cache in the current one. It holds compressed weights,
statistics and measured rows under the SHA-256 of all they depend on; nothing in it goes stale, and
removing it loses only time.

  vise cache --shrink 1024]],
  run = H.run,
}
