-- SPDX-License-Identifier: Apache-2.0
--- Pack a model of 1.1 billion bf16 weights as int4 in groups of 64: speed, memory, against a copy.
-- Plain rtn, streamed to an artifact: hashing the output is counted, digests of the input and
-- waiting for the disk are not. The model is written once into the user's cache folder (2.2 GB).

local model = require("vise.model")
local native = require("vise.native")

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local synth = dofile(here .. "synth.lua")

local ROUNDS <const> = 5
local BARS <const> = { raw = 1500, zstd = 800 } -- million weights a second, on two cores
local MEMORY <const> = 150 -- MiB, pages of mapped files included
local OPEN <const> = { seconds = 0.2, memory = 60 }

local H = {}

--- Forget the process's greatest memory so far.
function H.reset_peak()
  local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
  file:write("5\n")
end

function H.peak_mib()
  return native.core.peak_rss() / 2 ^ 20
end

--- Pack the model in `folder` to the file `out` and give its parameters.
function H.pack(folder, out, coder)
  local m = assert(model.open(folder))
  local packed = m:compress({
    { match = "*", method = "rtn", bits = 4, group = 64, search = "none" },
  })
  assert(packed:save(out, { coder = coder, sync = false }))
  return m:parameters()
end

function H.copy(folder, out)
  for _, name in ipairs(assert(native.file.list(folder))) do
    if name:find("%.safetensors$") then
      local argv = { "cp", "--reflink=never", folder .. "/" .. name, out }
      local process <close> = assert(native.process.spawn({ argv = argv }))
      assert(process:wait() == 0, "cp failed")
    end
  end
end

--- Open the model and look at every place: what `vise inspect` needs.
function H.open(folder)
  local m = assert(model.open(folder))
  for _, place in ipairs(m:places()) do
    assert(m:materialise(place.name)):close()
  end
end

--- How many times faster than copying the files: to know, no bar.
function H.against_copy(bench, coder, ratios)
  local median = bench.quantile(ratios, 0.5)
  local row = {
    name = ("times as fast as a copy, %s"):format(coder),
    value = median,
    unit = "times",
    against = 1,
    ratio = median,
    spread = bench.quantile(ratios, 0.75) - bench.quantile(ratios, 0.25),
    at_least = 0,
  }
  bench.say(bench.line(row))
  return row
end

return function(bench)
  local folder = synth.folder()
  local out = folder .. ".out"
  local rates, ratios, peaks = { raw = {}, zstd = {} }, { raw = {}, zstd = {} }, {}
  H.reset_peak()
  local open_seconds = bench.time(function() H.open(folder) end)
  local open_mib = H.peak_mib()
  H.copy(folder, out) -- the input is in the page cache from here on
  for round = 1, ROUNDS do
    os.remove(out) -- letting go of what was written before is nobody's work
    local copy_seconds = bench.time(function() H.copy(folder, out) end)
    for _, coder in ipairs({ "raw", "zstd" }) do
      os.remove(out)
      H.reset_peak()
      local seconds, parameters = bench.time(function() return H.pack(folder, out, coder) end)
      rates[coder][round] = parameters / seconds / 1e6
      ratios[coder][round] = copy_seconds / seconds
      peaks[#peaks + 1] = H.peak_mib()
    end
  end
  os.remove(out)
  local rows = {}
  for _, coder in ipairs({ "raw", "zstd" }) do
    rows[#rows + 1] = bench.absolute({
      name = ("pack bf16 to int4/g64, %s"):format(coder),
      unit = "M weights/s",
      values = rates[coder],
      against = BARS[coder],
    })
    rows[#rows + 1] = H.against_copy(bench, coder, ratios[coder])
  end
  rows[#rows + 1] = bench.absolute({
    name = "greatest memory of a pack", unit = "MiB", values = peaks, against = MEMORY,
    is_limit = true,
  })
  rows[#rows + 1] = bench.absolute({
    name = "open the model", unit = "s", values = { open_seconds }, against = OPEN.seconds,
    is_limit = true,
  })
  rows[#rows + 1] = bench.absolute({
    name = "greatest memory of opening", unit = "MiB", values = { open_mib },
    against = OPEN.memory, is_limit = true,
  })
  return rows
end
