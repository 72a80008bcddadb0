local lu = require("luaunit")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

TestTinyModel = {}

local H = {}

function H.folder()
  local folder = os.tmpname()
  os.remove(folder)
  H.made[#H.made + 1] = folder
  return folder
end

function TestTinyModel:setUp()
  H.made = {}
end

function TestTinyModel:tearDown()
  for _, folder in ipairs(H.made) do
    assert(native.file.remove_tree(folder))
  end
end

function TestTinyModel:test_the_same_arguments_write_the_same_bytes()
  local a = tiny_model.write(H.folder(), { seed = 7, dtype = "bf16" })
  local b = tiny_model.write(H.folder(), { seed = 7, dtype = "bf16" })

  local names = native.file.list(a)
  lu.assertEquals(names, native.file.list(b))
  lu.assertEquals(#names, 5)
  for _, name in ipairs(names) do
    lu.assertTrue(native.file.read(a .. "/" .. name) == native.file.read(b .. "/" .. name), name)
  end
end

function TestTinyModel:test_the_index_names_the_tensors_of_both_shards()
  for _, arch in ipairs({ "llama", "mistral", "qwen2" }) do
    local folder = tiny_model.write(H.folder(), { arch = arch, tied = arch == "llama" })
    local index = native.json.decode(native.file.read(folder .. "/model.safetensors.index.json"))
    local n = 0
    for name, file in pairs(index.weight_map) do
      local f <close> = assert(native.safetensors.open(folder .. "/" .. file))
      lu.assertEquals((f:info(name)), "f32")
      n = n + 1
    end
    lu.assertEquals(n, ({ llama = 20, mistral = 21, qwen2 = 27 })[arch])
  end
end

function TestTinyModel:test_its_tokenizer_merges_the_best_piece_first()
  local t = assert(native.tokenizer.sentencepiece(tiny_model.tokenizer()))

  local ids = t:encode("the hand \u{e9}", true):table()

  local pieces = {}
  for i, id in ipairs(ids) do
    pieces[i] = t:piece(id)
  end
  lu.assertEquals(pieces, {
    "<s>", "\u{2581}the", "\u{2581}h", "an", "d", "\u{2581}", "<0xC3>", "<0xA9>",
  })
  lu.assertEquals(t:decode(ids), "the hand \u{e9}")
  lu.assertEquals({ t:size(), t:bos(), t:eos() }, { 320, 1, 2 })
end

os.exit(lu.LuaUnit.run())
