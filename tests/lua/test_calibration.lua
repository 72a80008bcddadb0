--- Statistics against a slow forward pass written from the definitions; what is made again, and
-- when.
local cache = require("vise.cache")
local calibration = require("vise.calibration")
local lu = require("luaunit")
local method = require("vise.method")
local model = require("vise.model")
local naive = require("support.naive_llama")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

TestCalibration = {}

local H = {}

H.TEXT = ("the cat sat on the mat and the dog ran to the big tree. "):rep(12)

--- A method that halves every weight and remembers the moments it was given, by place.
H.seen = {}
H.runs = 0
method.register({
  name = "probe", family = "quant", summary = "half of it", source = "this test", version = 1,
  scope = "weight", needs = { "moments" }, is_exact = true,
  params = { { name = "by", kind = "real", default = 0.5, doc = "factor" } },
  run = function(w, options, extra)
    H.runs = H.runs + 1
    H.seen[extra.name] = {
      count = extra.moments:count(),
      second = extra.moments:second(),
      cross = extra.moments:cross(),
    }
    return native.weight.dense((options.by * w):dense()), "a note on " .. extra.name
  end,
})
method.register({
  name = "probe_cross", family = "quant", summary = "half of it", source = "this test", version = 1,
  scope = "weight", needs = { "cross" }, is_exact = true, params = {},
  run = function(w, _, extra)
    return method.find("probe").run(w, { by = 0.5 }, extra)
  end,
})

function TestCalibration:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  H.seen, H.runs = {}, 0
end

function TestCalibration:tearDown()
  assert(native.file.remove_tree(self.folder))
end

function H.open(folder, options)
  tiny_model.write(folder .. "/model", options)
  local m = assert(model.open(folder .. "/model"))
  m:_identify("of " .. (options and options.seed or 1))
  return m
end

--- The mean of x y' over all tokens of a plan, by the naive model in two folders, per site.
function H.naive(plan, m, folder, other)
  local sums, count = {}, 0
  for _, batch in ipairs(calibration.batches(plan, m)) do
    local ids = batch.ids:table()
    for s, start in ipairs(batch.starts) do
      local sequence = table.move(ids, start, (batch.starts[s + 1] or #ids + 1) - 1, 1, {})
      local left, right = H.inputs(folder, sequence), H.inputs(other, sequence)
      count = count + #sequence
      for site, x in pairs(left) do
        sums[site] = sums[site] or {}
        H.add(sums[site], x, right[site])
      end
    end
  end
  return sums, count
end

function H.inputs(folder, ids)
  local inputs = {}
  naive.logits(folder, ids, function(site, x)
    inputs[site] = x
  end)
  return inputs
end

function H.add(sum, x, y)
  for t = 1, #x do
    for i, a in ipairs(x[t]) do
      sum[i] = sum[i] or {}
      for j, b in ipairs(y[t]) do
        sum[i][j] = (sum[i][j] or 0) + a * b
      end
    end
  end
end

function H.assert_mean(sum, count, tensor, what)
  local greatest, size = 0, 0
  for i, row in ipairs(sum) do
    for j, value in ipairs(row) do
      greatest = math.max(greatest, math.abs(value / count - tensor:get(i, j)))
      size = math.max(size, math.abs(value / count))
    end
  end
  lu.assertTrue(greatest <= 1e-4 * size, ("%s differs by %g of %g"):format(what, greatest, size))
end

H.rules = function(plan, name)
  return {
    { match = "attn.*", method = name or "probe", stats = plan },
    { match = "mlp.*", method = name or "probe", stats = plan },
  }
end

--- A folder with all weights of a model, as floats.
function H.write(m, folder)
  assert(require("vise.model.export").run(m, folder, { to = "hf" }))
  return folder
end

function H.make(m)
  for _, place in ipairs(m:places()) do
    assert(m:weight(place.name))
  end
  return m
end

function TestCalibration:test_sequential_statistics_are_of_inputs_that_passed_compressed_weights()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT, protocol = "nll-32", tokens = 90 })
  local small = H.make(m:compress(H.rules(plan, "probe_cross")))
  local after = H.write(small, self.folder .. "/after")
  local sums, count = H.naive(plan, m, after, after)
  local crosses = H.naive(plan, m, self.folder .. "/model", after)
  for _, site in ipairs(m:sites()) do
    for _, place in ipairs(site.places) do
      if place ~= "head" then
        lu.assertEquals(H.seen[place].count, count)
        H.assert_mean(sums[site.name], count, H.seen[place].second, place)
        H.assert_mean(crosses[site.name], count, H.seen[place].cross, place .. " cross")
      end
    end
  end
end

function TestCalibration:test_other_statistics_are_of_the_original_model()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT, protocol = "nll-32", tokens = 90,
    sequential = false })
  local rules = H.rules(plan)
  rules[3] = { match = "head", method = "probe", stats = plan }
  H.make(m:compress(rules))
  local sums, count = H.naive(plan, m, self.folder .. "/model", self.folder .. "/model")
  for _, site in ipairs(m:sites()) do
    for _, place in ipairs(site.places) do
      H.assert_mean(sums[site.name], count, H.seen[place].second, place)
    end
  end
end

function TestCalibration:test_a_tied_head_has_the_statistics_of_the_original_model()
  local m = H.open(self.folder, { tied = true })
  local plan = calibration.new({ text = H.TEXT, protocol = "nll-32", tokens = 90 })
  local rules = H.rules(plan)
  rules[3] = { match = "embed", method = "probe", stats = plan }
  H.make(m:compress(rules))
  local sums, count = H.naive(plan, m, self.folder .. "/model", self.folder .. "/model")
  H.assert_mean(sums.head, count, H.seen.embed.second, "embed")
end

function TestCalibration:test_an_embedding_alone_has_no_inputs()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT })
  lu.assertErrorMsgContains(
    "embed: probe: needs statistics of the inputs, and an embedding looks rows up",
    m.compress, m, { { match = "*", method = "probe", stats = plan } })
  local small = m:compress({ { match = "*", method = "probe", stats = plan,
    otherwise = { method = "rtn" } } })
  lu.assertEquals(small.fallbacks[1].place, "embed")
  lu.assertErrorMsgContains("needs statistics of the inputs, which are not given", m.compress, m,
    { { match = "attn.*", method = "probe" } })
end

function TestCalibration:test_notes_of_methods_are_kept_and_told()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT })
  local told = {}
  local small = m:compress({ { match = "layers.1.mlp.down", method = "probe", stats = plan } },
    { on_note = function(place, text) told[place] = text end })
  assert(small:weight("layers.1.mlp.down"))
  lu.assertEquals(told, { ["layers.1.mlp.down"] = "a note on layers.1.mlp.down" })
  lu.assertEquals(small.notes,
    { { place = "layers.1.mlp.down", text = told["layers.1.mlp.down"] } })
end

--- What compress makes with a cache, and how many weights it had to make.
function H.compressed(m, rules, kept)
  H.runs = 0
  local small = m:compress(rules, { cache = kept, recipe = "this test" })
  assert(small:save(kept.path .. ".saved.vise"))
  return assert(native.artifact.open(kept.path .. ".saved.vise")):hash(), H.runs
end

function TestCalibration:test_a_cache_changes_nothing_and_saves_work()
  local m = H.open(self.folder)
  for _, is_sequential in ipairs({ true, false }) do
    local kept = cache.open(self.folder .. "/cache" .. tostring(is_sequential))
    local plan = calibration.new({ text = H.TEXT, tokens = 300, sequential = is_sequential })
    local rules = H.rules(plan)
    local plain = m:compress(rules)
    assert(plain:save(self.folder .. "/plain.vise"))
    local expected = assert(native.artifact.open(self.folder .. "/plain.vise")):hash()

    local first, n_first = H.compressed(m, rules, kept)
    local second, n_second = H.compressed(m, rules, kept)
    rules[2].by = 0.25
    local _, n_changed = H.compressed(m, rules, kept)

    lu.assertEquals(first, expected)
    lu.assertEquals(second, expected)
    lu.assertEquals({ n_first, n_second }, { 14, 0 })
    -- the second block's attention reads what the first block's MLP has changed
    lu.assertEquals(n_changed, is_sequential and 10 or 6)
  end
end

function TestCalibration:test_an_entry_that_is_damaged_or_gone_is_made_again()
  local m = H.open(self.folder)
  local kept = cache.open(self.folder .. "/cache")
  local rules = H.rules(calibration.new({ text = H.TEXT, tokens = 300 }))
  local expected = H.compressed(m, rules, kept)
  for i, entry in ipairs(kept:entries()) do
    local path = kept.path .. "/" .. entry.name
    if i % 4 == 0 then
      assert(native.file.remove_tree(path))
    elseif i % 4 == 1 then
      assert(native.file.replace(path, native.file.read(path):sub(1, -9)))
    end
  end

  local again, n = H.compressed(m, rules, kept)

  lu.assertEquals(again, expected)
  lu.assertTrue(n > 0 and n < 14, n)
end

function TestCalibration:test_another_model_text_or_seed_is_another_entry()
  local kept = cache.open(self.folder .. "/cache")
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT, tokens = 300 })
  H.compressed(m, H.rules(plan), kept)
  local other = H.open(self.folder .. "/other", { seed = 2 })
  local _, n_model = H.compressed(other, H.rules(plan), kept)
  local text = calibration.new({ text = H.TEXT .. "x", tokens = 300 })
  local _, n_text = H.compressed(m, H.rules(text), kept)
  local tokens = calibration.new({ text = H.TEXT, tokens = 299 })
  local _, n_tokens = H.compressed(m, H.rules(tokens), kept)
  lu.assertEquals({ n_model, n_text, n_tokens }, { 14, 14, 14 })
end

function TestCalibration:test_after_a_failure_it_can_be_asked_again()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = H.TEXT, tokens = 300 })
  local expected = m:compress(H.rules(plan)):weight("layers.1.mlp.down")
  local small = m:compress(H.rules(plan))
  local probe, n = method.find("probe"), 0
  local run = probe.run
  probe.run = function(...)
    n = n + 1
    if n == 9 then
      error("the ninth weight")
    end
    return run(...)
  end
  lu.assertErrorMsgContains("layers.1.attn.k: ", small.weight, small, "layers.1.mlp.down")
  lu.assertEquals((expected:difference(assert(small:weight("layers.1.mlp.down")))), 0)
  probe.run = run
end

function TestCalibration:test_a_text_too_short_is_refused()
  local m = H.open(self.folder)
  local plan = calibration.new({ text = "the cat", tokens = 1000 })
  lu.assertErrorMsgContains("expected the 1000 asked for", calibration.batches, plan, m)
  local few = calibration.new({ text = H.TEXT, tokens = 100 })
  lu.assertErrorMsgContains("tokens is 100, expected at least the 256 of one window of 'nll-256'",
    calibration.batches, few, m)
  lu.assertErrorMsgContains("text is empty", calibration.new, { text = "" })
  lu.assertErrorMsgContains("text is absent", calibration.new, {})
  lu.assertErrorMsgContains("unknown option 'token'", calibration.new, { text = "x", token = 1 })
end

function TestCalibration:test_two_calibrations_are_refused()
  local m = H.open(self.folder)
  local rules = H.rules(calibration.new({ text = H.TEXT }))
  rules[2].stats = calibration.new({ text = H.TEXT })
  lu.assertErrorMsgContains("is another than that of an earlier rule", m.compress, m, rules)
end

function TestCalibration:test_windows_are_spread_evenly_over_the_text()
  local m = H.open(self.folder)
  local whole = calibration.batches(calibration.new({ text = H.TEXT, protocol = "nll-16" }), m)
  local plan = calibration.new({ text = H.TEXT, protocol = "nll-16", tokens = 64 })
  local batches, tokens = calibration.batches(plan, m)
  local first, part = whole[1].ids:table(), batches[1].ids:table()
  lu.assertEquals(tokens, 64)
  lu.assertEquals(#part, 64)
  local n_windows, at = #whole[1].starts, {}
  for w = 0, 3 do
    for i = 0, n_windows - 1 do
      if table.concat(first, " ", i * 16 + 1, math.min(i * 16 + 16, #first))
        == table.concat(part, " ", w * 16 + 1, w * 16 + 16) then
        at[w] = i
      end
    end
  end
  lu.assertTrue(at[3] >= n_windows * 3 // 4)
end

os.exit(lu.LuaUnit.run())
