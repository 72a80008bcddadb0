-- SPDX-License-Identifier: Apache-2.0
--- What the cache saves a sweep: 24 points of a recipe against 24 runs that begin with nothing.
-- The limits are those of issue 7. Trials run one at a time on both sides, so that only the cache
-- makes the difference, and processor time is shown beside the time on the clock, which other work
-- on the machine changes. The model is share/models/tales, measured on the first 36 KB of its test
-- text and calibrated as `job:calibrate` does by default.
local native = require("vise.native")
local place = require("vise.place")

local H = {}

H.gptq = [[
local vise = require "vise"
return vise.recipe {
  params = {
    model = vise.param.model(), train = vise.param.text(), text = vise.param.text(),
    bits = vise.param.enum { 4, 2, 3, 5, 6, 8 }, group = vise.param.enum { 32, 16, 64, 96 },
  },
  run = function(p, job)
    local original = job:open(p.model)
    local stats = job:calibrate(original, { text = p.train, sequential = false })
    local small = job:compress(original, {
      { match = "attn.*", method = "gptq", bits = p.bits, group = p.group, stats = stats },
      { match = "mlp.*", method = "gptq", bits = p.bits, group = p.group, stats = stats },
    })
    job:measure(small, { against = original, text = p.text, protocol = "nll-256" })
    job:save(small)
  end,
}]]

--- Seconds of a program in a folder, with a cache of its own in another: on the clock and of
--- processors.
function H.time(bench, folder, cache, words)
  local argv = { "/bin/sh", "-c", 'cd "$0" && "$@" > /dev/null && times', folder,
    assert(native.file.exe()), table.unpack(words) }
  local last
  local seconds = bench.time(function()
    local env = { VISE_CACHE = cache }
    local process <close> = assert(native.process.spawn({ argv = argv, env = env, capture = true }))
    for line in function() return process:read_line() end do
      last = line
    end
    assert(process:wait() == 0, table.concat(words, " "))
  end)
  local processors = 0.0
  for minutes, rest in last:gmatch("(%d+)m([%d.]+)s") do
    processors = processors + 60 * minutes + tonumber(rest)
  end
  return { clock = seconds, processors = processors }
end

function H.add(a, b)
  return { clock = a.clock + b.clock, processors = a.processors + b.processors }
end

--- Rows for one recipe: a sweep against cold runs, and the same sweep once more.
function H.measure(bench, name, folder, recipe, given, share)
  local bits, groups = { 2, 3, 4, 5, 6, 8 }, { 16, 32, 64, 96 }
  if name == "first" then
    groups = { 16, 32, 64, 128 }
  end
  local cold, n = { clock = 0, processors = 0 }, 0
  for _, b in ipairs(bits) do
    for _, g in ipairs(groups) do
      n = n + 1
      local cache = ("%s/cold-%s-%d"):format(folder, name, n)
      cold = H.add(cold, H.time(bench, folder, cache, { "run", recipe, "bits=" .. b, "group=" .. g,
        "--out", ("cold/%s-%d"):format(name, n), "--quiet", "--no-rehearsal",
        table.unpack(given) }))
      native.file.remove_tree(cache)
    end
  end
  local cache = folder .. "/cache-" .. name
  local function sweep(out)
    return H.time(bench, folder, cache, { "sweep", recipe, "bits=" .. table.concat(bits, ","),
      "group=" .. table.concat(groups, ","), "--jobs", "1", "--quiet", "--out", out,
      table.unpack(given) })
  end
  local first = sweep("warm-" .. name)
  local second = sweep("warm-" .. name)
  local rows = {}
  for _, unit in ipairs({ "processors", "clock" }) do
    local function limit(what, value, against)
      rows[#rows + 1] = bench.absolute({ name = ("%s, %s: %s"):format(name, unit, what), unit = "s",
        values = { value[unit] }, against = against, is_limit = true })
    end
    limit(("sweep of %d, of %.2f cold"):format(n, share), first, share * cold[unit])
    limit("the same command again, of 5 %", second, 0.05 * first[unit])
  end
  return rows
end

return function(bench)
  local folder = os.tmpname()
  os.remove(folder)
  assert(native.file.make_dirs(folder))
  local cleaner <close> = setmetatable({}, { __close = function()
    native.file.remove_tree(folder)
  end })
  local _ = cleaner
  assert(native.file.replace(folder .. "/gptq.lua", H.gptq))
  local text = assert(native.file.read(place.default("share/text/tales.test.txt")))
  assert(native.file.replace(folder .. "/test.txt", text:sub(1, 36000)))
  local given = { "model=" .. assert(native.file.realpath(place.default("share/models/tales"))),
    "text=test.txt" }
  local train = assert(native.file.realpath(place.default("share/text/tales.train.txt")))
  local rows = H.measure(bench, "gptq", folder, "gptq.lua",
    { "train=" .. train, table.unpack(given) }, 1 / 3)
  for _, row in ipairs(H.measure(bench, "first", folder, place.folder("recipes") .. "/first.lua",
    given, 0.6)) do
    rows[#rows + 1] = row
  end
  return rows
end
