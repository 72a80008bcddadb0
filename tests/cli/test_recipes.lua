-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- Every recipe that vise ships, run on a small model and a short text.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestRecipes = {}

local H = {}

--- A folder of a few images.
function H.images()
  local folder = program.folder() .. "/images"
  for split, count in pairs({ train = "48", test = "20" }) do
    local _, code, errors = program.run({ "corpus", "digits", "--split", split, "--count", count,
      "--out", folder, "--quiet" })
    lu.assertEquals(code, 0, errors)
  end
  return folder
end

--- What a recipe is given, by its name: a model and a text unless `only` says all; `rows`: how many
--- it measures at least.
H.cases = {
  digits = { rows = 9, images = true, only = { "steps=2", "width=8", "tune=1" } },
  ["train-tales"] = { only = { "text=share/text/tales.valid.txt", "test=share/text/sample.txt",
    "steps=2", "batch=1" } },
  first = { rows = 2 },
  ["own-method"] = { rows = 2 },
  qat = { rows = 8, more = { "train=share/text/sample.txt", "tokens=1000", "steps=3", "batch=1",
    "group=32" } },
  recover = { rows = 4, more = { "train=share/text/sample.txt", "tokens=1000", "steps=3", "batch=1",
    "group=32", "rank=2" } },
  activations = { calibrated = true, rows = 11, more = { "tokens=256" } },
  compare = { calibrated = true, more = { "tokens=1000" } },
  distill = { trained = true, rows = 6,
    more = { "layers=1", "steps=3", "rate=0.0005", "tokens=1000" } },
  ["prune-recover"] = { trained = true, rows = 5, more = { "steps=3", "tokens=1000" } },
  lowrank = { calibrated = true, rows = 7, more = { "tokens=1000" } },
  mixed = { calibrated = true, rows = 3, more = { "tokens=1000" } },
  smaller = { calibrated = true, rows = 5, more = { "tokens=1000" } },
  sparse = { calibrated = true, rows = 7, more = { "tokens=1000" } },
  frontier = { calibrated = true, rows = 2,
    more = { "tokens=1000", "points=2", "from=3.5", "to=6", "group=32" } },
}

function H.run(name, case)
  local subject = program.subject()
  local argv = { "run", ("recipes/%s.lua"):format(name), "--json", "--out",
    program.folder() .. "/" .. name }
  local words = case.only or { "model=" .. subject.model, "text=" .. subject.text,
    "protocol=nll-128", case.calibrated and "calibration=" .. subject.text
      or case.trained and "train=" .. subject.text or nil }
  table.move(words, 1, #words, #argv + 1, argv)
  if case.images then
    argv[#argv + 1] = "data=" .. H.images()
  end
  table.move(case.more or {}, 1, #(case.more or {}), #argv + 1, argv)
  return program.json(argv)
end

function H.check(name, case)
  local result = H.run(name, case)
  lu.assertTrue(#result.rows >= (case.rows or 1), name)
  for _, row in ipairs(result.rows) do
    lu.assertTrue(row.nll > 0 and row.bytes > 0 and row.bits_per_weight > 0, row.name)
    lu.assertTrue(row.kl == nil or row.kl >= 0, row.name)
  end
  return result.rows
end

for name, case in pairs(H.cases) do
  TestRecipes["test_" .. name:gsub("%-", "_")] = function()
    local rows = H.check(name, case)
    if case.after then
      case.after(rows)
    end
  end
end

--- Each step makes it smaller, and each row says how many of the images were right.
function H.cases.digits.after(rows)
  lu.assertTrue(rows[1].bytes > rows[2].bytes and rows[2].bytes > rows[3].bytes)
  lu.assertTrue(rows[4].bytes > rows[6].bytes)
  for _, row in ipairs(rows) do
    lu.assertTrue(row.images == 20 and row.accuracy_low <= row.accuracy, row.name)
  end
end

--- A size is what lies in the file, and files grow from point to point.
function H.cases.frontier.after(rows)
  lu.assertTrue(rows[1].bits_per_weight <= 3.5 and rows[2].bits_per_weight <= 6)
  lu.assertTrue(rows[1].bytes < rows[2].bytes and rows[1].kl > rows[2].kl)
end

--- A student is smaller, and the smaller it is the further from the teacher; training brings it
--- nearer.
function H.cases.distill.after(rows)
  lu.assertTrue(rows[6].bytes < rows[4].bytes and rows[4].bytes < rows[1].bytes)
  lu.assertTrue(rows[4].kl < rows[2].kl and rows[4].kl < rows[6].kl)
end

H.cases["prune-recover"].after = function(rows)
  lu.assertTrue(rows[2].bytes < rows[1].bytes)
  lu.assertTrue(rows[4].kl < rows[3].kl and rows[3].kl < rows[2].kl)
end

--- In the bytes of the rules the fitted model is closer.
function H.cases.mixed.after(rows)
  lu.assertTrue(rows[3].bytes <= rows[2].bytes and rows[3].kl < rows[2].kl)
end

--- Refitted weights lose less in the same places, whatever the pattern.
function H.cases.sparse.after(rows)
  for first = 1, 4, 3 do
    lu.assertTrue(rows[first + 2].kl < rows[first + 1].kl)
    lu.assertAlmostEquals(rows[first + 2].bytes / rows[first + 1].bytes, 1, 0.02)
  end
  lu.assertTrue(rows[7].bytes < rows[4].bytes)
end

--- More numbers lose less; ranks beside rounded weights take back what rounding lost.
function H.cases.lowrank.after(rows)
  lu.assertTrue(rows[2].kl < rows[1].kl and rows[3].kl < rows[2].kl)
  for i = 5, 7 do
    lu.assertTrue(rows[i].kl < rows[i - 1].kl and rows[i].bytes > rows[i - 1].bytes)
  end
end

--- Each is smaller than the original, the rounded one by far.
function H.cases.smaller.after(rows)
  for i = 2, 5 do
    lu.assertTrue(rows[i].bytes < rows[1].bytes, rows[i].name)
  end
  lu.assertTrue(rows[5].bytes < rows[2].bytes / 2)
end

--- Every row of the table says what it is of.
function H.cases.compare.after(rows)
  local seen = {}
  for i, row in ipairs(rows) do
    lu.assertTrue(i == 1 or type(row.method) == "string" and type(row.options) == "table", row.name)
    lu.assertNil(seen[row.name], row.name)
    seen[row.name] = row
  end
  lu.assertTrue(seen["gptq 8"].kl < seen["gptq 4"].kl and seen["gptq 4"].kl < seen["gptq 2"].kl)
  lu.assertEquals(seen["gptq 3"].options, { bits = 3, group = 32 })
end

--- One table of candidates, two calibrations: two fits.
function TestRecipes:test_a_fit_is_of_its_own_calibration()
  local subject = program.subject()
  local path = program.folder() .. "/fits.lua"
  assert(native.file.replace(path, [[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model(), text = vise.param.text() },
  run = function(p, job)
    local m = job:open(p.model)
    local candidates = { { method = "gptq", bits = 2, group = 32 }, { method = "rtn", bits = 8 } }
    for _, tokens in ipairs { 128, 1000 } do
      local stats = job:calibrate(m, { text = p.text, tokens = tokens, protocol = "nll-64" })
      local small = job:fit(m, { candidates = candidates, stats = stats, bits_per_weight = 5,
        tokens = 200 })
      job:measure(small, { text = p.text, protocol = "nll-128", against = m })
    end
  end,
}]]))
  local rows = program.json({ "run", path, "model=" .. subject.model, "text=" .. subject.text,
    "--json", "--out", program.folder() .. "/fits" }).rows
  lu.assertTrue(rows[1].kl ~= rows[2].kl, "the second fit is the first")
  lu.assertTrue(rows[1].bits_per_weight <= 5 and rows[2].bits_per_weight <= 5)
end

function TestRecipes:test_every_recipe_is_run_here()
  for _, file in ipairs(assert(native.file.list("recipes"))) do
    lu.assertNotNil(H.cases[file:match("^(.*)%.lua$")], file)
  end
end

function TestRecipes.tearDownClass()
  program.clean()
end

os.exit(lu.LuaUnit.run())
