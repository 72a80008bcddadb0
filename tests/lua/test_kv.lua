-- SPDX-License-Identifier: Apache-2.0
-- Caches of keys and values in few bits, against attention written out as nn/kv_packed.h says.
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local runtime = require("vise.model.runtime")
local tiny_model = require("support.tiny_model")

local H = {}

local HEADS <const>, KV_HEADS <const>, DIM <const> = 4, 2, 20

function H.random(t, columns, name)
  return native.core.random_tensor("f32", { t, columns }, 3, name)
end

function H.f16(x)
  return native.tensor.from("f32", { 1 }, { x }):convert("f16"):get(1)
end

function H.e4m3(x)
  return native.tensor.from("f32", { 1 }, { x }):convert("f8_e4m3"):get(1)
end

--- Nearest integer, ties to even.
function H.round(x)
  local floor = math.floor(x)
  local rest = x - floor
  return (rest > 0.5 or rest == 0.5 and floor % 2 == 1) and floor + 1 or floor
end

--- What a list of numbers becomes.
function H.coded(list, format)
  local low, high = math.min(table.unpack(list)), math.max(table.unpack(list))
  local top = format == "int4" and 15 or 255
  local from = format == "fp8" and 0 or H.f16(low)
  local step = H.f16(format == "fp8" and math.max(-low, high) / 448 or (high - low) / top)
  local out = {}
  for i, x in ipairs(list) do
    local u = (x - from) / step
    u = format == "fp8" and H.e4m3(u) or math.max(0, math.min(top, H.round(u)))
    out[i] = from + step * u
  end
  return out
end

--- Rows [t][columns] of one sequence with whole groups of keys, and all values, coded.
function H.packed(rows, is_key, format)
  local out = {}
  for t in ipairs(rows) do
    out[t] = {}
  end
  for first = 1, #rows, is_key and 32 or 1 do
    for c = 1, KV_HEADS * DIM, is_key and 1 or DIM do
      local list = {}
      for i = 0, (is_key and 32 or DIM) - 1 do
        list[#list + 1] = is_key and (rows[first + i] or {})[c] or not is_key and rows[first][c + i]
          or nil
      end
      for i, x in ipairs(H.coded(list, format)) do
        if is_key then
          out[first + i - 1][c] = x
        else
          out[first][c + i - 1] = x
        end
      end
    end
  end
  return out
end

function H.rows(x)
  local list, columns = {}, x:shape()[2]
  local all = x:table()
  for t = 1, x:shape()[1] do
    list[t] = { table.unpack(all, (t - 1) * columns + 1, t * columns) }
  end
  return list
end

--- Attention of one sequence with `recent` tokens as they were.
function H.attention(q, k, v, format, recent, window)
  local late = { k = H.rows(k), v = H.rows(v) }
  local early = { k = H.packed(late.k, true, format), v = H.packed(late.v, false, format) }
  local out = {}
  for i, row in ipairs(H.rows(q)) do
    local before = math.max(0, (i - recent) // 32 * 32)
    for h = 0, HEADS - 1 do
      local g, scores, sum, mixed = h // (HEADS // KV_HEADS), {}, 0, {}
      local first = window > 0 and math.max(1, i - window + 1) or 1
      for j = first, i do
        local key, dot = (j <= before and early or late).k[j], 0
        for d = 1, DIM do
          dot = dot + row[h * DIM + d] * key[g * DIM + d]
        end
        scores[j] = math.exp(dot / math.sqrt(DIM))
        sum = sum + scores[j]
      end
      for d = 1, DIM do
        mixed[d] = 0
        for j = first, i do
          mixed[d] = mixed[d] + scores[j] / sum * (j <= before and early or late).v[j][g * DIM + d]
        end
        out[#out + 1] = mixed[d]
      end
    end
  end
  return out
end

function H.assert_close(is, expected, bound)
  local most, greatest = 0, 0
  for i, x in ipairs(expected) do
    most, greatest = math.max(most, math.abs(x - is[i])), math.max(greatest, math.abs(x))
  end
  lu.assertEquals(#is, #expected)
  lu.assertTrue(most <= bound * greatest, ("%g of %g"):format(most, greatest))
end

TestKV = {}

function TestKV:test_attention_is_that_of_the_definition()
  local t <const> = 107
  local q, k = H.random(t, HEADS * DIM, "q"), H.random(t, KV_HEADS * DIM, "k")
  local v = H.random(t, KV_HEADS * DIM, "v")
  for _, format in ipairs({ "int8", "int4", "fp8" }) do
    for _, recent in ipairs({ 0, 7, 40 }) do
      local window = recent == 7 and 50 or 0
      local options = { heads = HEADS, kv_heads = KV_HEADS, window = window, starts = { 1 } }
      local y = native.kv.attention(q, k, v, options, format, recent)
      H.assert_close(y:table(), H.attention(q, k, v, format, recent, window), 2e-6)
    end
  end
end

-- Bit for bit, however many tokens come at once and whatever else is in the batch.
function TestKV:test_a_cache_gives_the_same_in_any_portions()
  local t <const> = 150
  local q, k = H.random(t, HEADS * DIM, "q"), H.random(t, KV_HEADS * DIM, "k")
  local v = H.random(t, KV_HEADS * DIM, "v")
  local options = { heads = HEADS, kv_heads = KV_HEADS, starts = { 1 } }
  local expected = native.kv.attention(q, k, v, options, "int4", 20):table()
  for _, portion in ipairs({ 1, 13, 64, 150 }) do
    local cache <close> = native.kv.new(t, KV_HEADS, DIM, "int4", 20)
    local is = {}
    for first = 1, t, portion do
      local n = math.min(portion, t - first + 1)
      local y = cache:attention(q:narrow(1, first, n), k:narrow(1, first, n), v:narrow(1, first, n),
        options)
      table.move(y:table(), 1, n * HEADS * DIM, #is + 1, is)
    end
    lu.assertEquals(is, expected)
    lu.assertEquals(cache:length(), t)
  end
  options.starts = { 1, 61 }
  local both = native.kv.attention(q, k, v, options, "int4", 20):table()
  lu.assertEquals({ table.unpack(both, 1, 60 * HEADS * DIM) },
    { table.unpack(expected, 1, 60 * HEADS * DIM) })
end

function TestKV:test_what_is_held_is_what_the_codes_take()
  local capacity <const>, heads <const>, dim <const> = 4096, 2, 64
  local plain <close> = native.nn.kv(capacity, heads, dim)
  lu.assertEquals(plain:bytes(), 2 * 4 * capacity * heads * dim)
  for format, bits in pairs({ int8 = 8, int4 = 4, fp8 = 8 }) do
    local cache <close> = native.kv.new(capacity, heads, dim, format, 32)
    local codes = 2 * capacity * heads * dim * bits // 8
    local ends = 4 * capacity * heads * (dim // 32 + 1) -- low and step of keys' groups, of values
    local late = 2 * 4 * (32 + 64) * heads * dim
    lu.assertEquals(cache:bytes(), codes + ends + late)
  end
end

function TestKV:test_wrong_calls_say_what_is_wrong()
  lu.assertErrorMsgContains("expected numbers above 0", native.kv.new, 0, 2, 8, "int8", 0)
  lu.assertErrorMsgContains("invalid option 'int3'", native.kv.new, 8, 2, 8, "int3", 0)
  local cache <close> = native.kv.new(4, KV_HEADS, DIM, "int8", 0)
  local q, k = H.random(5, HEADS * DIM, "q"), H.random(5, KV_HEADS * DIM, "k")
  lu.assertErrorMsgContains("room for 4 tokens, 5 are new", cache.attention, cache, q, k, k,
    { heads = HEADS, kv_heads = KV_HEADS })
end

TestRuntime = {}

function H.logits(m)
  local ids = {}
  for i = 1, 60 do
    ids[i] = i * 37 % 320
  end
  local batch = { ids = native.tensor.from("i32", { #ids }, ids), starts = { 1 } }
  return assert(m:logits(assert(m:hidden(batch)))):table()
end

function H.distance(a, b)
  local sum, norm = 0, 0
  for i, x in ipairs(a) do
    sum, norm = sum + (x - b[i]) ^ 2, norm + x * x
  end
  return math.sqrt(sum / norm)
end

function TestRuntime:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  tiny_model.write(self.folder, {})
  self.model = assert(model.open(self.folder))
end

function TestRuntime:tearDown()
  native.file.remove_tree(self.folder)
end

-- Each bit less is about twice the error: 8 bits are near, 4 bits some 16 times as far.
function TestRuntime:test_eight_bits_are_near_and_four_are_not()
  local plain, far = H.logits(self.model), {}
  for _, format in ipairs({ "int8", "fp8", "int4" }) do
    local m = runtime.apply(self.model, { kv = format, kv_recent = 0 })
    far[format] = H.distance(plain, H.logits(m))
  end
  lu.assertTrue(far.int8 > 0 and far.int8 < 0.01, far.int8)
  lu.assertTrue(far.fp8 > far.int8 and far.fp8 < 0.05, far.fp8)
  lu.assertTrue(far.int4 > 8 * far.int8 and far.int4 < 0.3, far.int4)
  local activations = runtime.apply(self.model, { activations = "int8" })
  local distance = H.distance(plain, H.logits(activations))
  lu.assertTrue(distance > 0 and distance < 0.05, distance)
  lu.assertIs(runtime.apply(self.model, {}), self.model)
end

function TestRuntime:test_a_saved_model_keeps_what_it_is_run_with()
  local m = self.model:compress({ { method = "kv", format = "int4", recent = 0 },
    { method = "activations" } })
  local path = self.folder .. "/m.vise"
  assert(m:save(path))
  local opened = assert(model.open(path))
  lu.assertEquals(opened.config.vise_kv_format, "int4")
  lu.assertEquals(H.logits(opened), H.logits(m))
  lu.assertEquals(opened:weight("layers.0.mlp.down"):kind(), "input")
  lu.assertTrue(opened:cache_bytes(4096) < 0.3 * self.model:cache_bytes(4096))
  local undone = runtime.apply(opened, { kv = "f32" })
  lu.assertEquals(undone:cache_bytes(256), self.model:cache_bytes(256))
end

function TestRuntime:test_generation_takes_them_too()
  local _, plain = self.model:generate("a", { tokens = 8 })
  local _, packed = self.model:generate("a", { tokens = 8, kv = "int8", kv_recent = 0 })
  lu.assertEquals(packed.tokens, plain.tokens)
  lu.assertTrue(packed.cache_bytes > 0)
  lu.assertErrorMsgContains("kv is 'int3', expected one of model, f32, int8, int4, fp8",
    self.model.generate, self.model, "a", { kv = "int3" })
end

os.exit(lu.LuaUnit.run())
