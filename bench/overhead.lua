-- SPDX-License-Identifier: Apache-2.0
--- What vise itself costs: a run that does nothing, the list of ten thousand runs.
-- The limits are those of issue 7: 50 ms from start to exit, 100 ms to list and to filter.
local native = require("vise.native")

local H = { rounds = 15, runs = 10000 }

--- Seconds that the program takes with those arguments, in a folder.
function H.time(bench, folder, words)
  local argv = { "/bin/sh", "-c", 'cd "$0" && exec "$@" > /dev/null 2>&1', folder,
    assert(native.file.exe()), table.unpack(words) }
  return (bench.time(function()
    local process <close> = assert(native.process.spawn({ argv = argv }))
    assert(process:wait() == 0, table.concat(words, " "))
  end))
end

function H.figure(bench, name, folder, words, limit_ms)
  local values = {}
  for i = 1, H.rounds do
    local more = table.move(words, 1, #words, 1, {})
    for w, word in ipairs(more) do
      more[w] = word:gsub("#", tostring(i))
    end
    values[i] = 1000 * H.time(bench, folder, more)
  end
  return bench.absolute({
    name = name, unit = "ms", values = values, against = limit_ms, is_limit = true,
  })
end

--- Ten thousand records as a sweep leaves them, made from one.
function H.write_runs(folder)
  for i = 1, H.runs do
    local row = { name = "small", protocol = "nll-256", kl = i / H.runs, bytes = 1000 * i }
    local record = {
      format = 1, seed = i, seconds = 1.5,
      started = ("2026-01-01T%02d:%02d:00Z"):format(i // 60 % 24, i % 60),
      recipe = { name = "first", path = "first.lua", text = "", sha256 = native.core.sha256(""),
        about = "" },
      parameters = { bits = i % 7 + 2, group = 32, model = "m" },
      inputs = { model = { kind = "model", given = "m", path = "/m", sha256 = ("a"):rep(64) } },
      rows = { row },
    }
    local directory = ("%s/runs/first-%05d"):format(folder, i)
    assert(native.file.make_dirs(directory))
    local file <close> = assert(io.open(directory .. "/run.json", "w"))
    file:write(native.json.encode(record))
  end
end

return function(bench)
  local folder = os.tmpname()
  os.remove(folder)
  assert(native.file.make_dirs(folder))
  local cleaner <close> = setmetatable({}, { __close = function()
    native.file.remove_tree(folder)
  end })
  local _ = cleaner
  assert(native.file.replace(folder .. "/nothing.lua",
    'return require("vise").recipe { run = function() end }\n'))
  local rows = { H.figure(bench, "a run that does nothing", folder,
    { "run", "nothing.lua", "--out", "out/#" }, 50) }
  H.write_runs(folder)
  H.time(bench, folder, { "runs", "reindex" })
  native.core.sleep(2.1) -- the index trusts a folder that was left alone for two seconds
  H.time(bench, folder, { "runs" })
  rows[2] = H.figure(bench, "list 10,000 runs", folder, { "runs" }, 100)
  rows[3] = H.figure(bench, "filter and sort 10,000 runs", folder,
    { "runs", "bits=3", "kl<0.1", "--sort", "kl" }, 100)
  rows[4] = H.figure(bench, "10,000 runs as JSON", folder, { "runs", "--json" }, 100)
  return rows
end
