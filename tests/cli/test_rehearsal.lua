-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- Rehearsals: what they say against what a run takes, what they refuse, what they let pass.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

TestRehearsal = {}

local H = {}

--- Run a recipe, on a model of eight layers, whose `run` has these lines.
function H.run(lines, ...)
  local folder = program.folder()
  local model, text = folder .. "/deep", folder .. "/text.txt"
  if not native.file.stat(model) then
    local layers = tiny_model.LAYERS
    tiny_model.LAYERS = 8
    tiny_model.write(model)
    tiny_model.LAYERS = layers
    local tales = assert(native.file.read("share/text/tales.valid.txt"))
    assert(native.file.replace(text, tales:sub(1, 10000)))
  end
  assert(native.file.replace(folder .. "/r.lua", ([[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model(), text = vise.param.text() },
  run = function(p, job)
    local m = job:open(p.model)
    local stats = job:calibrate(m, { text = p.text, tokens = 2048, protocol = "nll-128" })
    %s
  end,
}]]):format(lines)))
  return program.run({ "run", folder .. "/r.lua", "model=" .. model, "text=" .. text, ... },
    { VISE_CACHE = folder .. "/cache", VISE_TEST_FOLDER = folder })
end

H.whole = [[
    local small = job:compress(m, {
      { match = "attn.*", method = "gptq", bits = 3, group = 32, stats = stats },
      { match = "layers.5.mlp.*", method = "rtn", bits = 4, group = 32 } })
    job:measure(small, { against = m, text = p.text, protocol = "nll-128" })
    job:save(small)]]

--- Bytes of the files in a folder.
function H.bytes(folder)
  local sum = 0
  for _, name in ipairs(native.file.list(folder)) do
    sum = sum + native.file.stat(folder .. "/" .. name).bytes
  end
  return sum
end

function H.assert_near(said, was, factor)
  lu.assertTrue(said < was * factor and said > was / factor, said .. " said, obtained " .. was)
end

function TestRehearsal:test_what_it_says_is_near_what_the_run_takes()
  local folder = program.folder()
  native.file.remove_tree(folder .. "/cache") -- of another test
  local output, code, errors = H.run(H.whole, "--rehearse", "--json")
  lu.assertEquals(code, 0, errors)
  lu.assertNil(native.file.stat(folder .. "/cache"))
  lu.assertNil(native.file.stat(folder .. "/runs"))

  output = output .. select(1, H.run(H.whole, "--out", "out", "--json"))

  local said = native.json.decode(output:match("^%b{}")).estimate
  local run = native.json.decode(native.file.read(folder .. "/out/run.json"))
  local disk = H.bytes(folder .. "/cache") + run.artifact.bytes
  H.assert_near(said.disk_bytes, disk, 2)
  H.assert_near(said.memory_bytes, run.peak_memory_bytes, 2)
  H.assert_near(said.seconds, run.seconds, 8) -- within 2 on a machine that is not shared
end

function TestRehearsal:test_too_little_memory_or_disk_is_refused()
  local output, code, errors = H.run(H.whole, "--rehearse", "--max-ram", "1M")

  lu.assertEquals({ output, code }, { "", 1 })
  lu.assertStrMatches(errors, "vise: .*r.lua: needs about [%d.]+ MiB of memory by its rehearsal, "
    .. "expected at most the 1.0 MiB that %-%-max%-ram gives it\n")
  errors = select(3, H.run(H.whole, "--rehearse", "--max-output", "4K"))
  lu.assertStrContains(errors, "of disk by its rehearsal, expected at most the 4.0 KiB that "
    .. "--max-output gives it")
end

function TestRehearsal:test_long_work_does_not_begin_when_its_last_step_would_fail()
  local begin = native.core.clock()
  local output, code, errors = H.run([[
    local trained = job:train { model = m, text = p.text, steps = 1000000, batch = 2, length = 64 }
    job:measure(trained, { text = p.text, protocol = "nl-128" })]], "--out", "never")

  lu.assertEquals({ output, code }, { "", 1 })
  lu.assertStrContains(errors, "r.lua:8: unknown protocol 'nl-128' (did you mean 'nll-128'?)")
  lu.assertNil(native.file.stat(program.folder() .. "/never"))
  lu.assertTrue(native.core.clock() - begin < 120) -- of days
end

function TestRehearsal:test_a_step_that_needs_more_layers_gets_them()
  local output, code, errors = H.run([[
    local few = job:compress(m, {
      { method = "drop_layers", count = 2, by = "influence", stats = stats } })
    job:measure(few, { text = p.text, protocol = "nll-128" })]], "--rehearse")

  lu.assertEquals(code, 0, errors)
  lu.assertStrMatches(output, "about .* of memory, .* of disk\n")
end

function TestRehearsal:test_a_rehearsal_is_not_both_wanted_and_left_out()
  local _, code, errors = H.run(H.whole, "--rehearse", "--no-rehearsal")

  lu.assertEquals(code, 2)
  lu.assertStrContains(errors, "--no-rehearsal is for a run, expected it without --rehearse")
end

local result = lu.LuaUnit.run()
program.clean()
os.exit(result)
