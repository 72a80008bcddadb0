-- SPDX-License-Identifier: Apache-2.0
--- vise convert and .gguf files as models: the same weights and numbers on the other side.
local lu = require("luaunit")
local bpe = require("vise.model.gguf.bpe")
local model = require("vise.model")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

local DATA <const> = "../shared/data/"

local function path_of(name)
  return program.folder() .. "/" .. name
end

local function convert(from, to, name, ...)
  local path = path_of(name)
  native.file.remove_tree(path)
  return program.json({ "convert", from, "--to", to, "--out", path, "--json", ... })
end

local function refusal(argv)
  local _, code, errors = program.run(argv)
  lu.assertEquals(code, 1)
  return errors
end

local function tiny(name, options)
  return tiny_model.write(path_of(name), options)
end

local function hash(weight)
  return native.core.tree_hash(assert(weight:dense()))
end

--- Every weight and tensor of two models has the same values.
local function assert_same(a, b)
  for _, place in ipairs(a:places()) do
    lu.assertEquals(hash(assert(b:weight(place.name))), hash(assert(a:weight(place.name))),
      place.name)
  end
  lu.assertEquals(b:tensors(), a:tensors())
  for _, name in ipairs(a:tensors()) do
    lu.assertEquals(b:vector(name):table(), a:vector(name):table(), name)
  end
end

local function hidden(m)
  local ids = m.tokenizer:encode("Once upon a time, there was a cat.", true)
  return native.core.tree_hash(assert(m:hidden({ ids = ids, starts = { 1 } })))
end

TestConvert = {}

function TestConvert:test_gguf_there_and_back_keeps_every_bit()
  for name, options in pairs({ plain = {}, tied = { tied = true }, half = { dtype = "bf16" },
    biases = { arch = "qwen2" } }) do
    local folder = tiny(name, options)
    local file = convert(folder, "gguf", name .. ".gguf").path
    local back = convert(file, "hf", name .. "-hf").path
    local sealed = convert(file, "vise", name .. ".vise").path

    local original = assert(model.open(folder))
    for _, path in ipairs({ file, back, sealed }) do
      local m = assert(model.open(path))
      assert_same(original, m)
      lu.assertEquals(hidden(m), hidden(original), path)
      lu.assertEquals(m:parameters(), original:parameters())
      lu.assertEquals(m.context, original.context)
      lu.assertEquals(m.tokenizer:eos(), original.tokenizer:eos())
    end
  end
end

function TestConvert:test_the_stories_of_gguf_are_those_of_the_folder()
  local file, folder = DATA .. "stories260K/stories260K.gguf", DATA .. "stories260K"
  if not native.file.stat(file) then
    lu.skip("no " .. file)
  end
  local from_file, from_folder = assert(model.open(file)), assert(model.open(folder))

  assert_same(from_folder, from_file)
  lu.assertEquals(hidden(from_file), hidden(from_folder))
  lu.assertEquals(from_file.config.rms_norm_eps, 1e-5)
  local strings = native.json.decode(native.file.read("../shared/golden/tokenizer/strings.json"))
  for _, entry in ipairs(strings) do
    if entry.text then
      lu.assertEquals(from_file.tokenizer:encode(entry.text, true):table(),
        from_folder.tokenizer:encode(entry.text, true):table())
    end
  end
end

function TestConvert:test_blocks_keep_their_bits_and_lie_in_the_file()
  local folder = tiny("blocks")
  local small = assert(model.open(folder)):compress({
    { match = "mlp.down", method = "rtn", format = "int", bits = 8 },
    { match = "*", method = "rtn", format = "q8_0" },
  })
  assert(small:save(path_of("blocks.vise")))
  local file = convert(path_of("blocks.vise"), "gguf", "blocks.gguf", "--type", "f32")

  lu.assertEquals(file.types, { q8_0 = 14, f32 = 7 })
  local m = assert(model.open(file.path))
  assert_same(small, m)
  lu.assertEquals(m:weight("layers.1.attn.q"):describe(), "q8_0")
  lu.assertEquals(m:weight("layers.1.mlp.down"):describe(), "f32")
  lu.assertEquals(m:weight("layers.1.attn.v"):tree().parts.blocks:string(),
    small:weight("layers.1.attn.v"):tree().parts.blocks:string())
end

function TestConvert:test_what_has_no_type_is_refused_and_leaves_nothing()
  local folder = tiny("whole")
  local small = assert(model.open(folder)):compress({ { match = "*", method = "rtn", bits = 4 } })
  assert(small:save(path_of("int4.vise")))
  local argv = { "convert", path_of("int4.vise"), "--to", "gguf", "--out", path_of("no.gguf") }

  lu.assertStrContains(refusal(argv),
    "embed: is int4/g64, which GGUF has no type for, expected --type f32, f16 or bf16")
  argv[4] = "hf"
  lu.assertStrContains(refusal(argv), "which a Hugging Face folder has no type for")
  for _, name in ipairs(native.file.list(program.folder())) do
    lu.assertNil(name:match("^no%.gguf"), name)
  end
  argv[4], argv[6] = "hf", folder
  lu.assertStrContains(refusal(argv), "is a folder, expected a new name")
  lu.assertStrContains(refusal({ "convert", path_of("int4.vise"), "--to", "vise", "--out",
    path_of("int4.vise") }), "is the model itself, expected another name")
  lu.assertStrContains(refusal({ "convert", folder, "--to", "vise", "--type", "f16", "--out",
    path_of("no.vise") }), "a .vise file keeps every weight as it is")
end

function TestConvert:test_values_are_rounded_to_the_type_asked_for()
  local folder = tiny("rounded")
  local original = assert(model.open(folder))
  for _, type in ipairs({ "f16", "bf16" }) do
    for _, to in ipairs({ "gguf", "hf" }) do
      local m = assert(model.open(convert(folder, to, type .. "." .. to, "--type", type).path))

      lu.assertEquals(m:weight("layers.0.attn.k"):tensor():string(),
        original:weight("layers.0.attn.k"):tensor():convert(type):string())
      lu.assertEquals(m:tensor("norm"):dtype(), "f32")
    end
  end
end

function TestConvert:test_bpe_there_and_back_gives_the_same_ids()
  for name, rule in pairs({ bpe_gpt2 = "gpt-2", bpe_llama3 = "llama-bpe" }) do
    local text = native.file.read("../shared/golden/tokenizer/" .. name .. ".json")
    if text == nil then
      lu.skip("no ../shared/golden")
    end
    local original = assert(native.tokenizer.bpe(text))
    local keys = {}
    for _, key in ipairs(bpe.decode(text, original:size())) do
      keys[key[1]:match("^tokenizer%.ggml%.(.*)$")] = key[3]
    end
    keys.bos_token_id, keys.add_bos_token = original:bos(), original:bos() ~= nil
    local made = assert(native.tokenizer.bpe(bpe.encode(function(key)
      return keys[key]
    end)))

    lu.assertEquals(keys.pre, rule)
    local strings = native.json.decode(native.file.read("../shared/golden/tokenizer/strings.json"))
    for _, entry in ipairs(strings) do
      local input = entry.text or entry.hex:gsub("%x%x", function(byte)
        return string.char(tonumber(byte, 16))
      end)
      lu.assertEquals(made:encode(input, true):table(), original:encode(input, true):table(), input)
    end
  end
end

function TestConvert:test_a_bpe_tokenizer_goes_with_its_model()
  local text = native.file.read("../shared/golden/tokenizer/bpe_gpt2.json")
  if text == nil then
    lu.skip("no ../shared/golden")
  end
  local spec = native.json.decode(text)
  for token, id in pairs(spec.model.vocab) do
    spec.model.vocab[token] = id < 300 and id or nil -- ids are in the order of their merges
  end
  spec.model.merges = table.move(spec.model.merges, 1, 300 - 257, 1, native.json.array({}))
  local folder = tiny("bpe", { arch = "qwen2" })
  os.remove(folder .. "/tokenizer.model")
  assert(native.file.replace(folder .. "/tokenizer.json", native.json.encode(spec)))
  local file = convert(folder, "gguf", "bpe.gguf").path
  local back = convert(file, "hf", "bpe-hf").path

  local sample = native.file.read("share/text/sample.txt")
  local expected = assert(model.open(folder)).tokenizer:encode(sample, true):table()
  for _, path in ipairs({ file, back }) do
    lu.assertEquals(assert(model.open(path)).tokenizer:encode(sample, true):table(), expected)
  end
end

function TestConvert:test_rotary_scalings_are_kept_or_refused()
  local folder = tiny("rope")
  local config = native.json.decode(native.file.read(folder .. "/config.json"))
  local function with(scaling)
    config.rope_scaling = scaling
    assert(native.file.replace(folder .. "/config.json", native.json.encode(config)))
    return assert(model.open(folder))
  end
  for _, scaling in ipairs({
    { rope_type = "linear", factor = 2.5 },
    { rope_type = "yarn", factor = 4.0, original_max_position_embeddings = 64 },
    { rope_type = "llama3", factor = 32.0, low_freq_factor = 1.0, high_freq_factor = 4.0,
      original_max_position_embeddings = 8192 },
  }) do
    local expected = hidden(with(scaling))
    local file = convert(folder, "gguf", scaling.rope_type .. ".gguf").path

    local m = assert(model.open(file))
    lu.assertEquals(m.config.rope_scaling, scaling)
    lu.assertEquals(hidden(m), expected)
  end
  with({ rope_type = "dynamic", factor = 2.0 })
  lu.assertStrContains(refusal({ "convert", folder, "--to", "gguf", "--out", path_of("no.gguf") }),
    "rope_scaling.rope_type is 'dynamic', expected default, linear, llama3 or yarn")
end

function TestConvert:test_an_altered_header_is_refused_or_sound()
  local data = native.file.read(convert(tiny("altered"), "gguf", "altered.gguf").path)
  local path, seed = path_of("altered.gguf"), 7
  local refused = 0
  for _ = 1, 200 do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    local at = seed % 9000 + 1
    assert(native.file.replace(path, data:sub(1, at - 1) .. string.char(seed >> 16 & 255)
      .. data:sub(at + 1)))
    local m, message = model.open(path) -- never an error of Lua
    local ok, problem = pcall(function()
      return m and m.tokenizer
    end)
    lu.assertTrue(ok or type(problem) == "table", tostring(problem))
    lu.assertStrContains(message or path, path)
    refused = refused + ((m and ok) and 0 or 1)
  end
  lu.assertTrue(refused > 50)
end

function TestConvert:test_the_public_reader_reads_what_is_written()
  local python = os.getenv("VISE_PYTHON")
  local has_gguf = python and os.execute(python .. " -c 'import gguf' 2>/dev/null")
  if not has_gguf then
    lu.skip("no Python with the package gguf: VISE_PYTHON")
  end
  local folder = tiny("public", { tied = true })
  local small = assert(model.open(folder)):compress({
    { match = "mlp.gate", method = "rtn", format = "q4_0" },
    { match = "embed", method = "rtn", format = "q5_1" } })
  assert(small:save(path_of("public.vise")))
  local file = convert(path_of("public.vise"), "gguf", "public.gguf")
  local process <close> = assert(native.process.spawn({ capture = true, argv = { python,
    "tests/support/read_gguf.py", file.path, "token_embd.weight", "blk.1.ffn_gate.weight",
    "blk.0.attn_v.weight" } }))
  local seen = assert(native.json.decode(process:read_line()))
  lu.assertEquals(process:wait(), 0)

  lu.assertEquals(seen.fields["general.architecture"], "llama")
  lu.assertEquals(seen.fields["llama.block_count"], 2)
  lu.assertEquals(seen.fields["tokenizer.ggml.tokens"][2], "<s>")
  lu.assertEquals(seen.tensors["blk.0.ffn_down.weight"].shape, { 172, 64 })
  for name, place in pairs({ ["token_embd.weight"] = "embed",
    ["blk.1.ffn_gate.weight"] = "layers.1.mlp.gate",
    ["blk.0.attn_v.weight"] = "layers.0.attn.v" }) do
    local weight = small:weight(place)
    lu.assertEquals(seen.tensors[name].type, weight:describe())
    local values = weight:dense():table()
    for i, value in ipairs(seen.tensors[name].values) do
      lu.assertEquals(value, values[i], name)
    end
  end
end

function TestConvert:test_a_gguf_file_is_named_where_it_cannot_be_taken()
  local file = convert(tiny("named"), "gguf", "named.gguf").path

  lu.assertStrContains(refusal({ "verify", file }), "is a GGUF file, which has no hashes")
  local output = program.run({ "inspect", file })
  lu.assertStrContains(output, "layers.*.mlp.down")
  assert(native.file.replace(file, native.file.read(file):sub(1, 3000)))
  lu.assertStrContains(refusal({ "inspect", file }), file .. ": ")
end

function TestConvert:tearDown()
  collectgarbage()
end

os.exit(lu.LuaUnit.run())
