-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- A run that was killed, a run again, a run with a changed rule: the same file, and what is not
-- done twice.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestResume = {}

local H = {}

--- The arguments of a compression with statistics.
function H.argv(out, match, tokens)
  local subject = program.subject()
  return { "compress", subject.model, "--method", "gptq", "--match", match or "*.*", "--bits", "3",
    "--group", "32", "--text", subject.text, "--tokens", tokens or "1000", "--json", "--out",
    program.folder() .. "/" .. out }
end

function H.hash(out, env)
  return program.json(H.argv(out), env).artifact.hash
end

function H.weights(cache)
  local n = 0
  for _, name in ipairs(native.file.list(cache) or {}) do
    n = n + (name:find("%.vise$") and 1 or 0)
  end
  return n
end

function TestResume:test_a_killed_run_goes_on_and_ends_with_the_same_file()
  local expected = H.hash("whole")
  local cache = program.folder() .. "/killed-cache"
  local most
  for kill = 1, 3 do
    local words = H.argv("killed")
    local process <close> = assert(native.process.spawn({
      argv = table.move(words, 1, #words, 2, { program.VISE }), capture = true,
      env = { VISE_CACHE = cache },
    }))
    while H.weights(cache) < 5 * kill do
      native.core.sleep(0.002)
    end
    process:kill(9)
    process:wait()
    most = H.weights(cache)
    assert(native.file.remove_tree(program.folder() .. "/killed")) -- it may have been faster
  end
  local before = {}
  for _, name in ipairs(native.file.list(cache)) do
    before[name] = native.file.stat(cache .. "/" .. name).inode
  end

  lu.assertEquals(H.hash("killed", { VISE_CACHE = cache }), expected)

  local kept = 0
  for name, inode in pairs(before) do
    local info = native.file.stat(cache .. "/" .. name)
    kept = kept + (name:find("%.vise$") and info and info.inode == inode and 1 or 0)
  end
  -- a killed run's own process may still have been writing one or two when the next began
  lu.assertTrue(kept >= 10, ("%d of %d kept"):format(kept, most))
end

--- A recipe with two rules, which differ by what they are given.
H.recipe = [[
local vise = require "vise"
return vise.recipe {
  params = { model = vise.param.model(), text = vise.param.text(), bits = vise.param.int(3) },
  run = function(p, job)
    local m = job:open(p.model)
    local stats = job:calibrate(m, { text = p.text, tokens = 1000, sequential = false })
    local small = job:compress(m, {
      { match = "attn.*", method = "gptq", bits = 3, group = 32, stats = stats },
      { match = "mlp.*", method = "gptq", bits = p.bits, group = 32, stats = stats },
    })
    job:measure(small, { name = "small", against = m, text = p.text, protocol = "nll-128" })
  end,
}]]

function TestResume:test_why_says_what_was_done_and_what_had_changed()
  local subject = program.subject()
  local path = program.folder() .. "/why.lua"
  assert(native.file.replace(path, H.recipe))
  local env = { VISE_CACHE = program.folder() .. "/why-cache" }
  local said = {}
  for i, bits in ipairs({ 3, 3, 4 }) do
    local _, code, errors = program.run({ "run", path, "model=" .. subject.model,
      "text=" .. subject.text, "bits=" .. bits, "--why", "--quiet", "--out",
      ("%s/why-%d"):format(program.folder(), i) }, env)
    lu.assertEquals(code, 0)
    said[i] = errors
  end
  lu.assertStrMatches(said[1], ".*compress 1: [^\n]*layers%.%*%.attn%.q[^\n]* %(%d+ weights%): "
    .. "done, for the first time\n.*")
  lu.assertStrContains(said[1], "measure small: done, for the first time")
  lu.assertStrContains(said[2], "measure small: cached")
  lu.assertNotStrContains(said[2], "done")
  lu.assertStrMatches(said[3], ".*compress 1: layers%.%*%.attn%.q, [^\n]*: cached\n.*")
  lu.assertStrMatches(said[3], ".*compress 1: layers%.%*%.mlp%.gate, [^\n]* weights%): "
    .. "done, because of bits 3 %-> 4\n.*")
  lu.assertStrContains(said[3], "measure small: done, because of another model")
end

function TestResume:test_threads_change_no_bit_of_calibrated_weights()
  lu.assertEquals(H.hash("one", { VISE_THREADS = "1" }), H.hash("three", { VISE_THREADS = "3" }))
end

function TestResume:test_what_is_refused_leaves_nothing()
  for message, argv in pairs({
    ["no place matches 'mpl.*'"] = H.argv("refused", "mpl.*"),
    ["expected the 100000000 asked for"] = H.argv("refused", nil, "100000000"),
  }) do
    local _, code, errors = program.run(argv)
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, message)
    lu.assertNil(native.file.stat(program.folder() .. "/refused"))
  end
end

function TestResume.tearDownClass()
  program.clean()
end

os.exit(lu.LuaUnit.run())
