--- Every variant of the llama architecture on a tiny random model, against a slow pass in f64.
local lu = require("luaunit")
local model = require("vise.model")
local naive = require("support.naive_llama")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

TestArch = {}

local H = {}

-- Logits of the tiny models are a few units; f32 sums of up to 172 terms through two layers leave
-- errors of some 1e-6, which a wrong formula (1e-2 and more) exceeds by far.
H.TOLERANCE = 5e-5
H.IDS = {}
for i = 1, 40 do
  H.IDS[i] = (i * 73 + i * i) % tiny_model.VOCAB
end

function TestArch:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
end

function TestArch:tearDown()
  assert(native.file.remove_tree(self.folder))
end

--- A tiny model whose config has `changes`; fields of value false are taken out.
function H.write(folder, options, changes)
  tiny_model.write(folder, options)
  local path = folder .. "/config.json"
  local config = native.json.decode(native.file.read(path))
  for key, value in pairs(changes or {}) do
    config[key] = value or nil
  end
  native.file.replace(path, native.json.encode(config))
end

function H.expect_naive(folder)
  local m = assert(model.open(folder))
  local wanted = naive.logits(folder, H.IDS)
  local ids = native.tensor.from("i32", { #H.IDS }, H.IDS)
  local logits = assert(m:logits(assert(m:hidden({ ids = ids, starts = { 1 } }))))
  local greatest = 0
  for t, row in ipairs(wanted) do
    for i, value in ipairs(row) do
      greatest = math.max(greatest, math.abs(value - logits:get(t, i)))
    end
  end
  lu.assertTrue(greatest <= H.TOLERANCE, ("differs by %g"):format(greatest))
end

function TestArch:test_llama_untied_and_tied()
  for _, tied in ipairs({ false, true }) do
    H.write(self.folder, { tied = tied })
    H.expect_naive(self.folder)
    native.file.remove_tree(self.folder)
  end
end

function TestArch:test_llama_in_bf16()
  H.write(self.folder, { dtype = "bf16" })
  H.expect_naive(self.folder)
end

function TestArch:test_qwen2_has_biases_on_q_k_v()
  H.write(self.folder, { arch = "qwen2" })
  H.expect_naive(self.folder)
end

--- Put a bias beside each of the named projections of every layer, in a shard of its own.
function H.add_biases(folder, names)
  local list = {}
  local path = folder .. "/model.safetensors.index.json"
  local index = native.json.decode(native.file.read(path))
  for layer = 0, tiny_model.LAYERS - 1 do
    for name, m in pairs(names) do
      local full = ("model.layers.%d.%s.bias"):format(layer, name)
      list[#list + 1] = { full, native.core.random_tensor("f32", { m }, 1, full, 0.3) }
      index.weight_map[full] = "biases.safetensors"
    end
  end
  assert(native.safetensors.write(folder .. "/biases.safetensors", list))
  native.file.replace(path, native.json.encode(index))
end

function TestArch:test_llama_may_have_biases_everywhere()
  local d, kv = tiny_model.DIM, tiny_model.DIM // tiny_model.HEADS * tiny_model.KV_HEADS
  H.write(self.folder, {}, { attention_bias = true, mlp_bias = true })
  H.add_biases(self.folder, {
    ["self_attn.q_proj"] = d, ["self_attn.k_proj"] = kv, ["self_attn.v_proj"] = kv,
    ["self_attn.o_proj"] = d, ["mlp.gate_proj"] = tiny_model.FFN, ["mlp.up_proj"] = tiny_model.FFN,
    ["mlp.down_proj"] = d,
  })
  H.expect_naive(self.folder)
end

function TestArch:test_qwen2_uses_its_window_from_a_layer_on()
  H.write(self.folder, { arch = "qwen2" },
    { use_sliding_window = true, sliding_window = 9, max_window_layers = 1 })
  H.expect_naive(self.folder)
end

function TestArch:test_mistral_sees_a_window()
  H.write(self.folder, { arch = "mistral" }, { sliding_window = 7 })
  H.expect_naive(self.folder)
end

function TestArch:test_a_window_of_null_is_none()
  H.write(self.folder, { arch = "mistral" }, { sliding_window = native.json.null })
  H.expect_naive(self.folder)
end

function TestArch:test_rope_scaling_linear()
  H.write(self.folder, {}, { rope_scaling = { type = "linear", factor = 4.0 } })
  H.expect_naive(self.folder)
end

function TestArch:test_rope_scaling_dynamic_is_plain_within_the_window()
  H.write(self.folder, {}, { rope_scaling = { type = "dynamic", factor = 4.0 } })
  H.expect_naive(self.folder)
end

function TestArch:test_rope_scaling_llama3()
  H.write(self.folder, {}, {
    rope_theta = 500.0,
    rope_scaling = {
      rope_type = "llama3", factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0,
      original_max_position_embeddings = 64,
    },
  })
  H.expect_naive(self.folder)
end

function TestArch:test_rope_scaling_yarn()
  H.write(self.folder, {}, {
    rope_scaling = { type = "yarn", factor = 4.0, original_max_position_embeddings = 2048 },
  })
  H.expect_naive(self.folder)
end

function TestArch:test_newer_configs_keep_theta_with_the_scaling()
  H.write(self.folder, {}, { rope_theta = 100.0 })
  local old = assert(model.open(self.folder)):generate("the", { tokens = 8 })
  H.write(self.folder, {}, {
    rope_theta = false,
    rope_parameters = { rope_type = "default", rope_theta = 100.0 },
  })

  lu.assertEquals((assert(model.open(self.folder)):generate("the", { tokens = 8 })), old)
end

function TestArch:test_what_is_not_implemented_is_refused_by_name()
  for _, case in ipairs({
    { { rope_scaling = { type = "longrope", factor = 2.0 } },
      "rope_scaling.type is 'longrope', expected one of default, dynamic, linear, llama3, yarn" },
    { { rope_scaling = { rope_type = "yarn", factor = 2.0, mscale = 0.7 } },
      "rope_scaling.mscale is 0.7, expected none" },
    { { rope_scaling = { type = "linear" } },
      "rope_scaling.factor is missing, expected a number above 0" },
    { { rope_scaling = { type = "linear", factor = 0.5 } }, "factor is 0.5, expected 1 or more" },
    { { hidden_act = "gelu" }, "hidden_act is 'gelu', expected 'silu'" },
    { { partial_rotary_factor = 0.5 }, "partial_rotary_factor is 0.5, expected 1" },
    { { num_key_value_heads = 3 }, "num_key_value_heads is 3, expected a divisor of the 4 heads" },
    { { hidden_size = "64" }, "hidden_size is '64', expected an integer in [1, 2147483648]" },
    { { num_hidden_layers = false }, "num_hidden_layers is missing" },
    { { num_hidden_layers = 1 << 30 },
      "num_hidden_layers is 1073741824, expected an integer in [1, 4096]" },
    { { head_dim = 15 }, "head_dim is 15, expected an even number" },
  }) do
    H.write(self.folder, {}, case[1])
    local m, message, code = model.open(self.folder)
    lu.assertNil(m)
    lu.assertStrContains(message, self.folder .. "/config.json: ")
    lu.assertStrContains(message, case[2])
    lu.assertEquals(code, "format")
  end
end

function TestArch:test_sites_blocks_and_couplings_name_places()
  H.write(self.folder, {})
  local m = assert(model.open(self.folder))
  local known = {}
  for _, place in ipairs(m:places()) do
    known[place.name] = place
  end
  lu.assertEquals(m:sites()[1], { name = "layers.0.attn.in",
    places = { "layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v" } })
  local seen = 0
  for _, block in ipairs(m:blocks()) do
    for _, place in ipairs(block.places) do
      lu.assertNotNil(known[place])
      seen = seen + 1
    end
  end
  lu.assertEquals(seen, #m:places())
  for _, coupling in ipairs(m:coupled()) do
    for _, part in ipairs(coupling.parts) do
      lu.assertEquals(known[part.place].shape[part.dim], coupling.size * part.times)
    end
  end
end

os.exit(lu.LuaUnit.run())
