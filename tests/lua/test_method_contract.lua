-- SPDX-License-Identifier: Apache-2.0
-- The contract of methods of scope weight that are written in Lua, over the registry; those from C
-- have tests/c/test_method.c. Options that name another method are left at their defaults.
local lu = require("luaunit")
local method = require("vise.method")
local native = require("vise.native")
local weight = require("vise.weight")

local H = {}

--- Every such method at its defaults, and with each choice and lower bound of its own options.
function H.variants()
  local of_native, list = {}, {}
  for _, row in ipairs(native.method.list()) do
    of_native[row.name] = true
  end
  for _, found in ipairs(method.list()) do
    if found.scope == "weight" and not of_native[found.name] then
      list[#list + 1] = { name = found.name, options = {} }
      for _, row in ipairs(found.params) do
        for _, value in ipairs(row.choices or { row.min }) do
          list[#list + 1] = { name = found.name, options = { [row.name] = value } }
        end
      end
    end
  end
  return list
end

function H.weight(m, k, fill)
  local values = native.core.random_tensor("f32", { m, k }, 1, "contract"):table()
  for i, x in ipairs(values) do
    values[i] = fill and fill(x, i) or x
  end
  return weight.dense(native.tensor.from("f32", { m, k }, values))
end

function H.extra(k)
  local x <close> = native.core.random_tensor("f32", { 64, k }, 2, "contract inputs")
  return { moments = native.stats.moments(k, true):add(x, x), name = "layers.0.x", seed = 1 }
end

--- fn(variant, extra, w), for those that take [m, k].
function H.each(m, k, fill, fn)
  local n = 0
  for _, variant in ipairs(H.variants()) do
    local extra = H.extra(k)
    if pcall(method.check, variant.name, m, k, variant.options, extra) then
      local w <close> = H.weight(m, k, fill)
      fn(variant, extra, w)
      n = n + 1
    end
    extra.moments:close()
  end
  return n
end

function H.run(variant, w, extra)
  return assert(method.run(variant.name, w, variant.options, extra))
end

TestContract = {}

function TestContract:test_results_are_finite_and_survive_an_artifact()
  local path <const> = os.tmpname()
  local cases <const> = {
    { 20, 172 }, { 9, 64, function() return -0.7 end }, { 1, 300 }, { 12, 9 },
    { 9, 64, function(x, i) return i % 50 == 3 and 1e4 or x end },
    { 9, 70, function(x) return x * 1e-37 end }, { 9, 70, function(x) return x * 1e37 end },
  }
  for i, case in ipairs(cases) do
    local n = H.each(case[1], case[2], case[3], function(variant, extra, w)
      local before = w:dense():string()
      local q <close> = H.run(variant, w, extra)
      q:check_finite()
      lu.assertEquals(w:dense():string(), before)
      local writer = assert(native.artifact.create(path, { coder = "raw" }))
      writer:add_weight("w", q)
      assert(writer:commit("{}"))
      local again <close> = assert(native.artifact.open(path)):weight("w")
      lu.assertEquals(again:dense():string(), q:dense():string())
      lu.assertEquals(again:describe(), q:describe())
    end)
    lu.assertTrue(n > 0 or i == 3)
  end
  os.remove(path)
end

function TestContract:test_zero_stays_zero()
  H.each(9, 100, function() return 0 end, function(variant, extra, w)
    local q <close> = H.run(variant, w, extra)
    for _, x in ipairs(q:dense():table()) do
      lu.assertTrue(x == 0)
    end
  end)
end

function TestContract:test_nan_and_infinity_are_refused_with_their_place()
  for _, bad in ipairs({ 0 / 0, math.huge, -math.huge }) do
    local function with_bad(x, i)
      return i >= 2 * 70 + 67 and bad or x
    end
    H.each(9, 70, with_bad, function(variant, extra, w)
      lu.assertErrorMsgContains("row 2, column 66", H.run, variant, w, extra)
    end)
  end
end

function TestContract:test_threads_change_nothing()
  local threads = native.core.threads()
  H.each(70, 172, nil, function(variant, extra, w)
    local hashes = {}
    for n = 1, 3 do
      native.core.threads(n)
      local q <close> = H.run(variant, w, extra)
      hashes[n] = native.core.tree_hash(q:dense())
    end
    lu.assertEquals({ hashes[2], hashes[3] }, { hashes[1], hashes[1] }, variant.name)
  end)
  native.core.threads(threads)
end

--- A digest of what the exact methods write.
function H.digest()
  local hashes = {}
  H.each(70, 172, nil, function(variant, extra, w)
    if method.find(variant.name).is_exact then
      local q <close> = H.run(variant, w, extra)
      hashes[#hashes + 1] = native.core.tree_hash(q:dense())
    end
  end)
  return native.core.sha256(table.concat(hashes))
end

-- Levels above the machine's are those of the machine.
function TestContract:test_levels_of_the_processor_change_nothing_of_exact_methods()
  local first
  for _, level in ipairs({ "ref", "avx2", "avx512" }) do
    local process <close> = assert(native.process.spawn({
      argv = { arg[-1] or "lua5.4", arg[0], "--digest" }, env = { VISE_CPU = level },
      capture = true,
    }))
    local digest = process:read_line()
    lu.assertEquals(process:wait(), 0)
    lu.assertEquals(#digest, 64)
    first = first or digest
    lu.assertEquals(digest, first, level)
  end
end

function TestContract:test_a_cancelled_run_gives_nothing()
  H.each(9, 64, nil, function(variant, extra, w)
    native.core.cancel()
    local result, _, code = method.run(variant.name, w, variant.options, extra)
    native.core.cancel_clear()
    lu.assertNil(result)
    lu.assertEquals(code, "cancelled")
  end)
end

function TestContract:test_statistics_of_other_columns_are_refused()
  H.each(9, 64, nil, function(variant, extra, w)
    local other = H.extra(63)
    local message = "statistics are of 63 columns, expected 64"
    lu.assertErrorMsgContains(message, method.run, variant.name, w, variant.options, other)
    extra.moments:close()
  end)
end

if arg[1] == "--digest" then
  print(H.digest())
  os.exit(0)
end

os.exit(lu.LuaUnit.run())
