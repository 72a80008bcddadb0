--- Opening, running and saving models: two real ones of ../shared, and a tiny random one.
local golden = require("support.golden")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

TestModel = {}

local H = { STORIES = "../shared/data/stories260K", PROSE = "../shared/data/prose15M" }

function TestModel:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
end

function TestModel:tearDown()
  assert(native.file.remove_tree(self.folder))
end

--- Logits of a list of ids, one row a token.
function H.logits(m, ids)
  local batch = { ids = native.tensor.from("i32", { #ids }, ids), starts = { 1 } }
  return assert(m:logits(assert(m:hidden(batch))))
end

H.IDS = { 1, 20, 30, 40, 50, 60, 70, 80, 90, 100 }

--- The folder's config with `changes`, written back; false takes a field out.
function H.change_config(folder, changes)
  local path = folder .. "/config.json"
  local config = native.json.decode(native.file.read(path))
  for key, value in pairs(changes) do
    config[key] = value or nil
  end
  native.file.replace(path, native.json.encode(config))
end

--- Write shard `i` of a tiny model again, its list of {name, tensor} changed by `change`.
function H.change_shard(folder, i, change)
  local path = ("%s/model-%05d-of-00002.safetensors"):format(folder, i)
  local file = assert(native.safetensors.open(path))
  local list = {}
  for _, name in ipairs(file:names()) do
    list[#list + 1] = { name, file:tensor(name):convert("f32") }
  end
  file:close()
  change(list)
  assert(native.safetensors.write(path, list))
end

function H.expect_refusal(path, code, ...)
  local m, message, is_code = model.open(path)
  lu.assertNil(m)
  for _, part in ipairs({ ... }) do
    lu.assertStrContains(message, part)
  end
  lu.assertEquals(is_code, code)
end

function H.skip_without(path)
  if not native.file.stat(path) then
    lu.skip(path .. " is not here")
  end
end

-- Two f32 evaluations, each within 2.9e-5 of f64 (golden/README.md says so of theirs), differ by
-- twice that at most.
H.LOGITS_TOLERANCE = 6e-5

function TestModel:test_logits_are_those_of_transformers()
  local wanted = golden.read("golden/logits/logits.npy")
  H.skip_without(H.STORIES)
  local values = wanted:sub(-3 * 48 * 512 * 4)
  local tokens = golden.read("golden/logits/tokens.npy"):sub(-3 * 48 * 4)
  local m = assert(model.open(H.STORIES))
  local ids = native.tensor.from_bytes("i32", { 3 * 48 }, tokens)
  local batch = { ids = ids, starts = { 1, 49, 97 } }

  local logits = assert(m:logits(assert(m:hidden(batch)))):table()

  local greatest = 0
  for i, value in ipairs(native.tensor.from_bytes("f32", { 3 * 48 * 512 }, values):table()) do
    greatest = math.max(greatest, math.abs(value - logits[i]))
  end
  lu.assertTrue(greatest <= H.LOGITS_TOLERANCE, ("differs by %g"):format(greatest))
end

function TestModel:test_facts_of_a_real_model_in_shards()
  H.skip_without(H.PROSE)
  local m = assert(model.open(H.PROSE))

  lu.assertEquals(m:parameters(), 14684672) -- data/README.md
  lu.assertEquals(m:bytes(), 2 * 14684672)
  lu.assertEquals(m:disk_bytes(), 16784520 + 12588992) -- of the two files
  lu.assertEquals(m.context, 256)
  lu.assertEquals(m.name, "prose15M")
  lu.assertStrMatches(tostring(m), "vise%.model llama prose15M 14%.7 M parameters, [%d.]+ MiB")
end

function TestModel:test_places_and_tensors_have_fixed_names()
  tiny_model.write(self.folder, { arch = "qwen2" })
  local m = assert(model.open(self.folder))
  local names = {}
  for i, place in ipairs(m:places()) do
    names[i] = place.name
    lu.assertEquals(m:weight(place.name):shape(), place.shape)
  end

  lu.assertEquals(#names, 2 + 2 * 7)
  lu.assertEquals({ table.unpack(names, 1, 8) }, {
    "embed", "layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v", "layers.0.attn.o",
    "layers.0.mlp.gate", "layers.0.mlp.up", "layers.0.mlp.down",
  })
  lu.assertEquals(names[#names], "head")
  lu.assertEquals({ table.unpack(m:tensors(), 1, 5) }, {
    "layers.0.attn.norm", "layers.0.mlp.norm", "layers.0.attn.q.bias", "layers.0.attn.k.bias",
    "layers.0.attn.v.bias",
  })
  lu.assertError(m.weight, m, "layers.2.attn.q")
  lu.assertError(m.tensor, m, "head")
end

function TestModel:test_one_file_is_as_good_as_shards()
  tiny_model.write(self.folder, { dtype = "bf16" })
  local wanted = H.logits(assert(model.open(self.folder)), H.IDS):string()
  local list = {}
  for i = 1, 2 do
    local path = ("%s/model-%05d-of-00002.safetensors"):format(self.folder, i)
    local file = assert(native.safetensors.open(path))
    for _, name in ipairs(file:names()) do
      list[#list + 1] = { name, file:tensor(name) }
    end
    os.remove(path)
  end
  os.remove(self.folder .. "/model.safetensors.index.json")
  assert(native.safetensors.write(self.folder .. "/model.safetensors", list))

  lu.assertTrue(H.logits(assert(model.open(self.folder)), H.IDS):string() == wanted)
end

function TestModel:test_a_tokenizer_json_serves_and_is_saved()
  local text = golden.read("golden/tokenizer/bpe_gpt2.json")
  H.skip_without("../shared/golden/tokenizer/bpe_gpt2.json")
  tiny_model.write(self.folder)
  os.remove(self.folder .. "/tokenizer.model")
  native.file.replace(self.folder .. "/tokenizer.json", text)
  local m = assert(model.open(self.folder))
  local ids = m.tokenizer:encode("Once upon a time"):table()
  assert(m:save(self.folder .. "/model.vise", { sync = false }))
  local again = assert(model.open(self.folder .. "/model.vise"))

  lu.assertEquals(again.tokenizer:kind(), "bpe")
  lu.assertEquals(again.tokenizer:encode("Once upon a time"):table(), ids)
  lu.assertEquals(again.tokenizer:decode(ids), "Once upon a time")
end

function TestModel:test_tied_places_hold_one_weight()
  tiny_model.write(self.folder, { tied = true })
  local m = assert(model.open(self.folder))
  local places = m:places()

  lu.assertTrue(m:weight("embed") == m:weight("head"))
  lu.assertEquals(places[#places].tied_to, "embed")
  lu.assertEquals(m:bytes(), 4 * m:parameters())
end

function TestModel:test_sequences_of_a_batch_do_not_feel_each_other()
  tiny_model.write(self.folder)
  local m = assert(model.open(self.folder))
  local ids = {}
  for i = 1, 60 do
    ids[i] = i * 7 % tiny_model.VOCAB
  end
  local batch = { ids = native.tensor.from("i32", { 60 }, ids), starts = { 1, 22 } }
  local alone = native.tensor.from("i32", { 39 }, { table.unpack(ids, 22) })

  local together = assert(m:hidden(batch)):narrow(1, 22, 39)
  local apart = assert(m:hidden({ ids = alone, starts = { 1 } }))

  lu.assertTrue(together:string() == apart:string())
end

function TestModel:test_threads_do_not_change_a_bit()
  tiny_model.write(self.folder)
  local before = native.core.threads()
  local results = {}
  for threads = 1, 3 do
    native.core.threads(threads)
    results[threads] = H.logits(assert(model.open(self.folder)), H.IDS):string()
  end
  native.core.threads(before)

  lu.assertTrue(results[1] == results[2] and results[2] == results[3])
end

function TestModel:test_too_long_a_sequence_is_refused()
  tiny_model.write(self.folder)
  local m = assert(model.open(self.folder))
  local batch = { ids = native.tensor.zeros("i32", { 257 }), starts = { 1 } }

  lu.assertErrorMsgContains("sequence has 257 tokens, expected at most the context of 256",
    m.hidden, m, batch)
end

function TestModel:test_a_cancelled_pass_says_so()
  tiny_model.write(self.folder)
  local m = assert(model.open(self.folder))
  native.core.cancel()
  local ids = native.tensor.zeros("i32", { 9 })
  local hidden, message, code = m:hidden({ ids = ids, starts = { 1 } })
  native.core.cancel_clear()

  lu.assertNil(hidden)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
end

function TestModel:test_a_saved_model_is_the_same_bit_for_bit()
  for _, options in ipairs({ { tied = true }, { arch = "qwen2", dtype = "bf16" } }) do
    local m = assert(model.open(tiny_model.write(self.folder, options)))
    local small = m:compress({
      { match = "head", method = "rtn", bits = 8 },
      { match = "mlp.*", method = "rtn", bits = 3, group = 32 },
    })
    local saved = assert(small:save(self.folder .. "/model.vise", { sync = false }))
    local again = assert(model.open(self.folder .. "/model.vise"))

    lu.assertTrue(H.logits(again, H.IDS):string() == H.logits(small, H.IDS):string())
    lu.assertEquals(again:bytes(), small:bytes())
    lu.assertEquals(again:disk_bytes(), saved.bytes)
    lu.assertEquals(again:parameters(), m:parameters())
    lu.assertEquals(#saved.ledger, #m:places() + #m:tensors() + 1)
    lu.assertEquals(again:generate("the", { tokens = 9 }), small:generate("the", { tokens = 9 }))
    lu.assertEquals(again:weight("layers.0.mlp.up"):describe(), "int3/g32")
    native.file.remove_tree(self.folder)
  end
end

function TestModel:test_saving_twice_gives_one_hash()
  local m = assert(model.open(tiny_model.write(self.folder)))
  local manifest = { recipe = { text = "x" } }
  local a = assert(m:save(self.folder .. "/a.vise", { sync = false, manifest = manifest }))
  local b = assert(assert(model.open(self.folder .. "/a.vise")):save(self.folder .. "/b.vise",
    { sync = false, manifest = manifest }))

  lu.assertEquals(a.hash, b.hash)
  lu.assertEquals(native.file.digest(self.folder .. "/a.vise"),
    native.file.digest(self.folder .. "/b.vise"))
end

function TestModel:test_a_run_directory_stands_for_its_model()
  local m = assert(model.open(tiny_model.write(self.folder)))
  assert(native.file.make_dirs(self.folder .. "/run"))
  assert(m:save(self.folder .. "/run/model.vise", { sync = false }))

  lu.assertEquals(assert(model.open(self.folder .. "/run")):parameters(), m:parameters())
end

function TestModel:test_saving_into_a_missing_folder_leaves_nothing()
  local m = assert(model.open(tiny_model.write(self.folder)))
  local result, message, code = m:save(self.folder .. "/none/model.vise")

  lu.assertNil(result)
  lu.assertStrContains(message, self.folder .. "/none")
  lu.assertEquals(code, "io")
end

function TestModel:test_an_artifact_without_a_part_is_refused()
  tiny_model.write(self.folder)
  local path = self.folder .. "/broken.vise"
  local writer = assert(native.artifact.create(path, { sync = false }))
  local config = native.json.decode(native.file.read(self.folder .. "/config.json"))
  assert(writer:commit(native.json.encode({ model = { config = config } })))
  H.expect_refusal(path, "format", path, "weight 'embed' is missing")

  writer = assert(native.artifact.create(path, { sync = false }))
  assert(writer:commit("{}"))
  H.expect_refusal(path, "format", path, "manifest has no model")
end

function TestModel:test_an_artifact_with_other_shapes_than_its_config_is_refused()
  local m = assert(model.open(tiny_model.write(self.folder, { tied = true })))
  local path = self.folder .. "/model.vise"
  local writer = assert(native.artifact.create(path, { sync = false }))
  for _, place in ipairs(m:places()) do
    assert(writer:add_weight(place.name, m:weight("layers.0.attn.q")))
  end
  for _, name in ipairs(m:tensors()) do
    assert(writer:add_tensor(name, m:tensor(name)))
  end
  assert(writer:commit(native.json.encode({ model = { config = m.config } })))
  local hidden, message, code = assert(model.open(path)):hidden({
    ids = native.tensor.zeros("i32", { 3 }), starts = { 1 } })

  lu.assertNil(hidden)
  lu.assertEquals({ message, code },
    { path .. ": 'embed' is [64, 64], expected [320, 64]", "format" })
end

function TestModel:test_paths_that_are_no_model_are_refused()
  H.expect_refusal(self.folder, "io", self.folder)
  assert(native.file.make_dirs(self.folder))
  H.expect_refusal(self.folder, "io", self.folder, "has neither config.json nor model.vise")
  native.file.replace(self.folder .. "/config.json", "{]")
  H.expect_refusal(self.folder, "format", self.folder .. "/config.json")
  native.file.replace(self.folder .. "/config.json", "{}")
  H.expect_refusal(self.folder, "io", self.folder .. "/model.safetensors")
end

function TestModel:test_an_unknown_architecture_lists_the_known()
  H.change_config(tiny_model.write(self.folder), { model_type = "gpt2" })
  H.expect_refusal(self.folder, "unsupported", self.folder .. "/config.json",
    "unknown architecture 'gpt2' (known: convnet, llama, mistral, mlp, qwen2)")
end

function TestModel:test_quantized_folders_are_refused()
  H.change_config(tiny_model.write(self.folder),
    { quantization_config = { quant_method = "gptq", bits = 4 } })
  H.expect_refusal(self.folder, "unsupported", self.folder .. "/config.json",
    "quantization_config is there (gptq)")
end

function TestModel:test_a_missing_shard_is_named()
  tiny_model.write(self.folder)
  os.remove(self.folder .. "/model-00002-of-00002.safetensors")
  H.expect_refusal(self.folder, "io", self.folder .. "/model-00002-of-00002.safetensors")
end

function TestModel:test_an_index_that_lies_is_refused()
  tiny_model.write(self.folder)
  local index = self.folder .. "/model.safetensors.index.json"
  native.file.replace(index, native.json.encode({ weight_map = { ["x.weight"] = "../x" } }))
  H.expect_refusal(self.folder, "format", index, "'../x', expected a name without folders")
  native.file.replace(index, native.json.encode({ weight_map = {
    ["x.weight"] = "model-00001-of-00002.safetensors" } }))
  H.expect_refusal(self.folder, "format", index,
    "tensor 'x.weight' is not in model-00001-of-00002.safetensors")
end

function TestModel:test_missing_extra_and_odd_tensors_are_named()
  tiny_model.write(self.folder)
  local first = self.folder .. "/model-00001-of-00002.safetensors"
  local index = self.folder .. "/model.safetensors.index.json"
  local map = native.json.decode(native.file.read(index))
  H.change_shard(self.folder, 1, function(list)
    list[#list + 1] = { "extra.weight", native.tensor.zeros("f32", { 2 }) }
  end)
  H.expect_refusal(self.folder, "format", first,
    "tensor 'extra.weight' is no part of the architecture")

  H.change_shard(self.folder, 1, function(list)
    for i, entry in ipairs(list) do
      if entry[1] == "extra.weight" then
        table.remove(list, i)
      elseif entry[1] == "model.embed_tokens.weight" then
        entry[2] = native.tensor.zeros("f32", { 319, 64 })
      end
    end
  end)
  H.expect_refusal(self.folder, "format", first,
    "tensor 'model.embed_tokens.weight' is [319, 64], expected [320, 64]")

  H.change_shard(self.folder, 1, function(list)
    for i, entry in ipairs(list) do
      if entry[1] == "model.embed_tokens.weight" then
        entry[2] = native.tensor.zeros("i32", { 320, 64 })
        map.weight_map[entry[1]] = "model-00001-of-00002.safetensors"
        list[i] = entry
      end
    end
  end)
  H.expect_refusal(self.folder, "format", first, "tensor 'model.embed_tokens.weight' is i32")

  H.change_shard(self.folder, 1, function(list)
    for i = #list, 1, -1 do
      if list[i][1] == "model.embed_tokens.weight" then
        table.remove(list, i)
      end
    end
  end)
  map.weight_map["model.embed_tokens.weight"] = nil
  native.file.replace(index, native.json.encode(map))
  H.expect_refusal(self.folder, "format", self.folder,
    "tensor 'model.embed_tokens.weight' (embed) is missing")
end

function TestModel:test_a_model_without_a_tokenizer_still_runs()
  tiny_model.write(self.folder)
  os.remove(self.folder .. "/tokenizer.model")
  local m = assert(model.open(self.folder))

  lu.assertNil(m.tokenizer)
  lu.assertEquals(H.logits(m, H.IDS):shape(), { 10, tiny_model.VOCAB })
  lu.assertErrorMsgContains("has no tokenizer", m.generate, m, "the")
end

os.exit(lu.LuaUnit.run())
