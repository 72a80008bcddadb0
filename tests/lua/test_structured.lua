-- SPDX-License-Identifier: Apache-2.0
--- Models with fewer neurons, heads or layers: really smaller, and the same function as the
--- original with zeros in the places of what went.
local calibration = require("vise.calibration")
local export = require("vise.model.export")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

local H = {}

H.TEXT = ("the cat sat on the mat and the dog ran to the big tree. "):rep(12)

TestStructured = {}

function TestStructured:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  assert(native.file.make_dirs(self.folder))
  self.stats = calibration.new({ text = H.TEXT, protocol = "nll-64" })
end

function TestStructured:tearDown()
  assert(native.file.remove_tree(self.folder))
end

function H.open(folder, options)
  return assert(model.open(tiny_model.write(folder .. "/model", options)))
end

function H.logits(m)
  local ids = {}
  for i = 1, 90 do
    ids[i] = (i * 37) % tiny_model.VOCAB
  end
  local batch = { ids = native.tensor.from("i32", { 90 }, ids), starts = { 1, 41 } }
  local hidden <close> = assert(m:hidden(batch))
  return assert(m:logits(hidden)):table()
end

function H.assert_close(is, expected, tolerance)
  local greatest = 0
  lu.assertEquals(#is, #expected)
  for i, x in ipairs(expected) do
    greatest = math.max(greatest, math.abs(x - is[i]))
  end
  lu.assertTrue(greatest <= tolerance, ("%g away, expected %g"):format(greatest, tolerance))
  return greatest
end

--- Rows of a matrix as texts, to be found again.
function H.rows(tensor)
  local shape, values, rows = tensor:shape(), tensor:table(), {}
  for i = 1, shape[1] do
    rows[i] = table.concat(values, " ", (i - 1) * shape[2] + 1, i * shape[2])
  end
  return rows
end

--- Which rows of `original` the rows of `part` are: {[row of original] = row of part}.
function H.kept(original, part)
  local at, kept = {}, {}
  for i, row in ipairs(H.rows(original)) do
    at[row] = i
  end
  for i, row in ipairs(H.rows(part)) do
    lu.assertNotNil(at[row])
    kept[at[row]] = i
  end
  return kept
end

--- `part`, [rows, columns] of what is kept, in the shape of the original, zeros elsewhere.
function H.spread(shape, part, rows, columns)
  local values, from = {}, part:table()
  local width = part:shape()[2]
  for i = 1, shape[1] do
    for j = 1, shape[2] do
      local r, c = rows == nil and i or rows[i], columns == nil and j or columns[j]
      values[#values + 1] = r and c and from[(r - 1) * width + c] or 0.0
    end
  end
  return native.tensor.from("f32", shape, values)
end

--- The original with the weights of `pruned`, and zeros where it has none.
function H.masked(original, pruned)
  local changed = {}
  for _, coupling in ipairs(original:coupled()) do
    local first = coupling.parts[1].place
    local kept = {}
    for _, part in ipairs(coupling.parts) do
      local is = pruned:weight(part.place):tensor()
      local was = original:weight(part.place):tensor()
      if part.dim == 1 then
        kept[part.place] = H.kept(was, is)
        changed[part.place] = H.spread(was:shape(), is, kept[part.place], nil)
      else
        changed[part.place] = H.spread(was:shape(), is, nil, kept[first])
      end
    end
  end
  return assert(model.new(original.config, {
    tensors = function(name)
      local is_weight = pcall(original.weight, original, name)
      return changed[name] or (is_weight and original:weight(name):dense()
        or original:tensor(name):convert("f32"))
    end,
  }))
end

local METHODS <const> = { "prune_neurons", "prune_heads" }

function TestStructured:test_a_pruned_model_is_the_masked_one_but_smaller()
  for _, arch in ipairs({ "llama", "qwen2" }) do
    local m = H.open(self.folder .. "/" .. arch, { arch = arch })
    for _, method in ipairs(METHODS) do
      local pruned = m:compress({ { method = method, sparsity = 0.5, stats = self.stats } })
      -- f32: 64 to 172 terms are added in another order, three times a layer
      H.assert_close(H.logits(pruned), H.logits(H.masked(m, pruned)), 2e-5)
      lu.assertTrue(H.assert_close(H.logits(pruned), H.logits(m), math.huge) > 1e-2)
    end
  end
end

function TestStructured:test_sizes_are_exact_and_other_programs_read_them()
  local m = H.open(self.folder)
  local neurons = m:compress({ { method = "prune_neurons", sparsity = 0.3, stats = self.stats } })
  local both = neurons:compress({ { method = "prune_heads", sparsity = 0.5, stats = self.stats } })

  -- 51 of 172 go, three vectors of 64 each; one of two key-value heads: 32 rows of q, 16 of k and
  -- of v, 32 columns of o
  lu.assertEquals(m:parameters() - neurons:parameters(), 2 * 51 * 3 * 64)
  lu.assertEquals(neurons:parameters() - both:parameters(), 2 * (32 + 16 + 16 + 32) * 64)
  lu.assertEquals(both.config.intermediate_size, 121)
  lu.assertEquals(both.config.num_attention_heads, 2)
  lu.assertEquals(both.config.num_key_value_heads, 1)
  lu.assertEquals(both.config.head_dim, 16)
  lu.assertEquals(both:bytes(), both:parameters() * 4)
end

function TestStructured:test_nothing_removed_changes_no_bit()
  local m = H.open(self.folder, { dtype = "bf16" })
  local expected = H.logits(m)
  for _, method in ipairs(METHODS) do
    for _, per in ipairs({ "layer", "model" }) do
      local same = m:compress({ { method = method, sparsity = 0, per = per, stats = self.stats } })
      lu.assertEquals(H.logits(same), expected)
      lu.assertEquals(same.config.intermediate_size, m.config.intermediate_size)
      lu.assertEquals(same:bytes(), m:bytes())
    end
  end
end

function TestStructured:test_layers_of_unlike_sizes_are_saved_and_loaded()
  local m = H.open(self.folder)
  local pruned = m:compress({
    { method = "prune_neurons", sparsity = 0.37, per = "model", stats = self.stats },
    { match = "mlp.gate", method = "rtn", bits = 8 },
  })
  local sizes = pruned.config.intermediate_size
  lu.assertEquals(sizes[1] + sizes[2], 344 - 127)
  lu.assertNotEquals(sizes[1], sizes[2])
  local expected = H.logits(pruned)

  assert(pruned:save(self.folder .. "/p.vise"))
  local again = assert(model.open(self.folder .. "/p.vise"))

  lu.assertEquals(H.logits(again), expected)
  lu.assertEquals(again:weight("layers.1.mlp.down"):shape(), { 64, sizes[2] })
  lu.assertEquals(again:parameters(), pruned:parameters())
  local _, info = again:generate("the cat", { tokens = 5, temperature = 0 })
  lu.assertEquals(info.tokens, 5)
end

function TestStructured:test_formats_that_can_express_a_pruned_model_do()
  local m = H.open(self.folder)
  local uniform = m:compress({ { method = "prune_heads", sparsity = 0.5, stats = self.stats } })
  local unlike = m:compress({
    { method = "prune_neurons", sparsity = 0.37, per = "model", stats = self.stats } })

  for to, name in pairs({ gguf = "u.gguf", hf = "u" }) do
    local path = self.folder .. "/" .. name
    assert(export.run(uniform, path, { to = to }))
    H.assert_close(H.logits(assert(model.open(path))), H.logits(uniform), 1e-6)
  end
  assert(export.run(unlike, self.folder .. "/l", { to = "hf" }))
  lu.assertEquals(H.logits(assert(model.open(self.folder .. "/l"))), H.logits(unlike))
  local result, message, code = export.run(unlike, self.folder .. "/l.gguf", { to = "gguf" })
  lu.assertNil(result)
  lu.assertStrContains(message, "intermediate_size differs by layer")
  lu.assertEquals(code, "unsupported")
  lu.assertNil(native.file.stat(self.folder .. "/l.gguf"))
end

--- The mean divergence of a model without layer `which`, from its folder's weights.
function H.divergence_without(m, which)
  local config = {}
  for key, value in next, m.config do
    config[key] = value
  end
  config.num_hidden_layers = 1
  local small = assert(model.new(config, {
    tensors = function(name)
      local from = name:gsub("^layers%.0", "layers." .. 1 - which)
      local is_weight = pcall(m.weight, m, from)
      return is_weight and m:weight(from):dense() or m:tensor(from):convert("f32")
    end,
  }))
  local sum = 0
  for _, batch in ipairs(calibration.batches(H.plan, m)) do
    local p, q = m:logits(assert(m:hidden(batch))), small:logits(assert(small:hidden(batch)))
    for _, kl in ipairs(native.metric.divergence(p, q):table()) do
      sum = sum + kl
    end
  end
  return sum, H.logits(small)
end

function TestStructured:test_the_layer_that_goes_is_the_one_the_predictions_need_least()
  H.plan = self.stats
  for seed = 1, 3 do
    local m = H.open(self.folder .. "/" .. seed, { seed = seed })
    local first, without_first = H.divergence_without(m, 0)
    local second, without_second = H.divergence_without(m, 1)

    local dropped = m:compress({ { method = "drop_layers", stats = self.stats } })

    lu.assertEquals(H.logits(dropped), first < second and without_first or without_second)
    lu.assertEquals(dropped.config.num_hidden_layers, 1)
  end
end

function TestStructured:test_layers_that_are_named_go()
  local m = H.open(self.folder)
  H.plan = self.stats
  local _, without_first = H.divergence_without(m, 0)

  local dropped = m:compress({ { method = "drop_layers", layers = "0", stats = self.stats } })

  lu.assertEquals(H.logits(dropped), without_first)
  for _, wrong in ipairs({ "2", "0, 0", "first" }) do
    lu.assertErrorMsgContains("expected different numbers from 0 to 1", m.compress, m,
      { { method = "drop_layers", layers = wrong, stats = self.stats } })
  end
  lu.assertErrorMsgContains("expected one at least to stay", m.compress, m,
    { { method = "drop_layers", layers = "0 1", stats = self.stats } })
end

function TestStructured:test_by_influence_goes_the_layer_that_turns_states_least()
  local m = H.open(self.folder)
  local quiet = assert(model.new(m.config, {
    tokenizer = m._tokenizer_file,
    tensors = function(name)
      local is_weight = pcall(m.weight, m, name)
      local tensor = is_weight and m:weight(name):dense() or m:tensor(name):convert("f32")
      local is_end = name == "layers.1.attn.o" or name == "layers.1.mlp.down"
      return is_end and native.tensor.zeros("f32", tensor:shape()) or tensor
    end,
  }))

  local dropped = quiet:compress({
    { method = "drop_layers", by = "influence", stats = self.stats } })

  lu.assertEquals(H.logits(dropped), H.logits(quiet)) -- layer 1 adds exact zeros
end

function TestStructured:test_a_cache_gives_the_same_model_without_a_walk()
  local m = H.open(self.folder)
  m:_identify("tiny")
  local context = { cache = require("vise.cache").open(self.folder .. "/cache") }
  local rules = { { method = "prune_neurons", sparsity = 0.5, per = "model", stats = self.stats } }
  local first = H.logits(m:compress(rules, context))
  local walk = require("vise.model.walk")
  local new = walk.new
  walk.new = function()
    error("a walk")
  end

  local ok, again = pcall(function()
    return H.logits(m:compress(rules, context))
  end)

  walk.new = new
  lu.assertTrue(ok, tostring(again))
  lu.assertEquals(again, first)
end

function TestStructured:test_what_cannot_be_is_an_error()
  local m = H.open(self.folder)
  local function fails(rule, message)
    lu.assertErrorMsgContains(message, m.compress, m, { rule })
  end
  fails({ method = "prune_neurons", sparsity = 1, stats = self.stats },
    "sparsity is 1, expected a number in [0, 0.99]")
  fails({ method = "prune_heads" }, "prune_heads: needs calibration data, which is not given")
  fails({ method = "drop_layers", count = 2, stats = self.stats },
    "drop_layers: count is 2, expected fewer than the 2 layers")
  local quantized = m:compress({ { match = "mlp.*", method = "rtn" } })
  lu.assertErrorMsgContains("layers.0.mlp.down is int4/g64, expected floats", quantized.compress,
    quantized, { { method = "prune_neurons", stats = self.stats } })
  lu.assertErrorMsgContains("expected it before rules for places", m.compress, m,
    { { match = "mlp.*", method = "rtn" }, { method = "prune_neurons", stats = self.stats } })
end

os.exit(lu.LuaUnit.run())
