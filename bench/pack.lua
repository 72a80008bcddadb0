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
local MEMORY <const> = 150 -- MB, pages of mapped files included
local OPEN <const> = { seconds = 0.2, memory = 60 } -- of `vise inspect`; MB

local H = {}

--- Forget the process's greatest memory so far.
function H.reset_peak()
  local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
  file:write("5\n")
end

function H.peak_mb()
  return native.core.peak_rss() / 1e6
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

--- Copy the shards into a folder, by one call of cp. It writes 3.8 times the bytes of a pack.
function H.copy(folder, out)
  local argv = { "cp", "--reflink=never" }
  for _, name in ipairs(assert(native.file.list(folder))) do
    if name:find("%.safetensors$") then
      argv[#argv + 1] = folder .. "/" .. name
    end
  end
  argv[#argv + 1] = out
  H.spawn(argv)
end

function H.spawn(argv)
  local process <close> = assert(native.process.spawn({ argv = argv, capture = true }))
  repeat
    local line = process:read_line()
  until line == nil
  assert(process:wait() == 0, argv[1] .. " failed")
end

--- Look at every place of the model, as `vise inspect` does.
function H.open(folder)
  local m = assert(model.open(folder))
  for _, place in ipairs(m:places()) do
    assert(m:materialise(place.name)):close()
  end
end

--- The command `vise inspect`, start of the process and printing included.
function H.inspect(folder)
  local exe = assert(native.file.exe())
  local main = "os.exit(require('vise.cli').main({ [0] = 'vise', 'inspect', ... }))"
  H.spawn(exe:find("vise$") and { exe, "inspect", folder } or { exe, "-e", "local function f(...) "
    .. main .. " end f('" .. folder .. "')" })
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

function H.limit(bench, name, unit, values, against)
  return bench.absolute({
    name = name, unit = unit, values = values, against = against, is_limit = true,
  })
end

return function(bench)
  local folder = synth.folder()
  local out, copies = folder .. ".out", folder .. ".copy"
  local rates, ratios, opened = { raw = {}, zstd = {} }, { raw = {}, zstd = {} }, {}
  local peaks = { raw = 0, zstd = 0 } -- a limit: the greatest of all rounds counts
  H.reset_peak()
  H.open(folder)
  local open_mb = H.peak_mb()
  assert(H.pack(folder, out, "raw")) -- the input is in the page cache from here on
  local seconds = { raw = {}, zstd = {} }
  for round = 1, ROUNDS do
    opened[round] = bench.time(function() H.inspect(folder) end)
    for _, coder in ipairs({ "raw", "zstd" }) do
      os.remove(out) -- letting go of what was written before is nobody's work
      H.reset_peak()
      local parameters
      seconds[coder][round], parameters =
        bench.time(function() return H.pack(folder, out, coder) end)
      rates[coder][round] = parameters / seconds[coder][round] / 1e6
      peaks[coder] = math.max(peaks[coder], H.peak_mb())
    end
  end
  os.remove(out)
  for round = 1, ROUNDS do -- after the packs, which its dirty pages would disturb
    assert(native.file.make_dirs(copies))
    local copy_seconds = bench.time(function() H.copy(folder, copies) end)
    assert(native.file.remove_tree(copies))
    for coder in pairs(ratios) do
      ratios[coder][round] = copy_seconds / seconds[coder][round]
    end
  end
  local rows = {}
  for _, coder in ipairs({ "raw", "zstd" }) do
    rows[#rows + 1] = bench.absolute({
      name = ("pack bf16 to int4/g64, %s"):format(coder),
      unit = "M weights/s",
      values = rates[coder],
      against = BARS[coder],
    })
    rows[#rows + 1] = H.against_copy(bench, coder, ratios[coder])
    rows[#rows + 1] =
      H.limit(bench, ("greatest memory, %s"):format(coder), "MB", { peaks[coder] }, MEMORY)
  end
  rows[#rows + 1] = H.limit(bench, "vise inspect", "s", opened, OPEN.seconds)
  rows[#rows + 1] = H.limit(bench, "greatest memory of opening", "MB", { open_mb }, OPEN.memory)
  return rows
end
