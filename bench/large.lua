-- SPDX-License-Identifier: Apache-2.0
--- GPTQ of a model of 1.1 billion weights with 2,048 calibration tokens: time and memory.
-- The model is that of the bench pack; statistics, factors and rounding of random numbers cost what
-- those of a trained one do. Results go through a cache, as in a run, so memory holds one block.

local cache = require("vise.cache")
local calibration = require("vise.calibration")
local model = require("vise.model")
local native = require("vise.native")
local tokenizer = require("vise.tokenizer")

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local synth = dofile(here .. "synth.lua")

local TOKENS <const> = 2048
local SECONDS <const>, MEMORY <const> = 300, 1200 -- MB, pages of mapped files included

local H = {}

--- The folder with a tokenizer in it, trained on the tales.
function H.folder(text)
  local folder = synth.folder()
  local path = folder .. "/tokenizer.json"
  if native.file.stat(path) == nil then
    local trained = assert(tokenizer.train({ text = text:sub(1, 200000), size = 1024,
      special = { "<|endoftext|>" } }))
    assert(native.file.replace(path, trained))
  end
  return folder
end

--- Forget the process's greatest memory so far.
function H.reset_peak()
  local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
  file:write("5\n")
end

return function(bench)
  local text = assert(native.file.read(here .. "../share/text/tales.train.txt"))
  local folder = H.folder(text)
  local kept, out = cache.open(folder .. ".cache"), folder .. ".out"
  assert(native.file.remove_tree(kept.path))
  H.reset_peak()
  local seconds = bench.time(function()
    local m = assert(model.open(folder))
    m:_identify("synth")
    local plan = calibration.new({ text = text, tokens = TOKENS })
    local small = m:compress({
      { match = "*.*", method = "gptq", bits = 4, group = 128, stats = plan },
      { match = "*", method = "rtn", bits = 4, group = 128, search = "none" },
    }, { cache = kept })
    assert(small:save(out, { sync = false }))
  end)
  local peak = native.core.peak_rss() / 1e6
  os.remove(out)
  assert(native.file.remove_tree(kept.path))
  return {
    bench.absolute({ name = "gptq int4/g128 of 1.1e9 weights", unit = "s", values = { seconds },
      against = SECONDS, is_limit = true }),
    bench.absolute({ name = "greatest memory", unit = "MB", values = { peak }, against = MEMORY,
      is_limit = true }),
  }
end
