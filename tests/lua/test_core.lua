--- native.core: versions, clocks, memory, hashes and random numbers as Lua sees them.
local core = require("vise.native").core
local tensor = require("vise.native").tensor
local lu = require("luaunit")

TestCore = {}

function TestCore:test_every_library_has_a_version()
  local version = core.version()
  for _, name in ipairs({ "vise", "lua", "zstd", "jansson", "pcre2", "openssl", "sqlite" }) do
    lu.assertStrMatches(version[name], "%d+%.%d+.*")
  end
  lu.assertStrContains(version.openblas, "OpenBLAS")
  lu.assertNotNil(version.openblas_core)
  lu.assertTrue(({ ref = true, avx2 = true, avx512 = true })[version.cpu])
end

function TestCore:test_threads_are_set_and_told()
  local before = core.threads()
  lu.assertEquals(core.threads(3), 3)
  lu.assertEquals(core.threads(), 3)
  lu.assertErrorMsgContains("expected 1 to 256 threads", core.threads, 0)
  core.threads(before)
end

function TestCore:test_sleep_takes_its_time_and_ends_when_cancelled()
  local begin = core.clock()
  lu.assertTrue(core.sleep(0.05))
  lu.assertTrue(core.clock() - begin >= 0.05)

  core.cancel()
  local answer = { core.sleep(60) }
  core.cancel_clear()
  lu.assertEquals(answer, { nil, "interrupted", "cancelled" })
end

function TestCore:test_clocks_and_memory_are_plausible()
  local a = core.clock()
  lu.assertTrue(core.clock() >= a)
  lu.assertTrue(math.abs(core.time() - os.time()) < 60)
  lu.assertTrue(core.peak_rss() > 1 << 20 and core.peak_rss() < 1 << 34)
end

function TestCore:test_memory_counts_tensors()
  collectgarbage()
  local before = core.memory()
  local t = tensor.zeros("f32", { 1000 })
  lu.assertEquals(core.memory().live_bytes > before.live_bytes + 4000, true)
  t:close()
  lu.assertEquals(core.memory().live_blocks, before.live_blocks)
end

function TestCore:test_the_collector_learns_of_dropped_tensors()
  -- 256 tensors of 2 MiB: without telling it, Lua sees as many small handles and collects none.
  for _ = 1, 256 do
    tensor.zeros("f32", { 1 << 19 })
  end
  lu.assertTrue(core.memory().live_bytes < 1 << 28)
end

function TestCore:test_hashes_are_those_of_the_bytes()
  -- FIPS 180-2, appendix B.1
  lu.assertEquals(core.sha256("abc"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  local t = tensor.from("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6 })
  lu.assertEquals(core.tree_hash(t), core.tree_hash(t:string()))
  local turned = t:transpose()
  lu.assertEquals(core.tree_hash(turned), core.tree_hash(string.pack("<ffffff", 1, 4, 2, 5, 3, 6)))
  lu.assertErrorMsgContains("vise.tensor expected", core.tree_hash, {})
end

function TestCore:test_tree_hash_is_what_its_definition_says()
  local function bytes(hex)
    return (hex:gsub("..", function(h) return string.char(tonumber(h, 16)) end))
  end
  local data = ("abcdefg"):rep(200000)
  local leaves = bytes(core.sha256(data:sub(1, 1 << 20)))
    .. bytes(core.sha256(data:sub((1 << 20) + 1)))
  lu.assertEquals(core.tree_hash(data), core.sha256(leaves .. string.pack("<I8", #data)))
  lu.assertEquals(core.tree_hash(""), core.sha256(string.pack("<I8", 0)))
end

function TestCore:test_random_numbers_depend_on_seed_name_and_index_only()
  local a = core.uniform(1, "a", 5)
  core.uniform(1, "a", 6)
  lu.assertEquals(core.uniform(1, "a", 5), a)
  lu.assertNotEquals(core.uniform(2, "a", 5), a)
  lu.assertNotEquals(core.uniform(1, "b", 5), a)
  local t = core.random_tensor("f64", { 10 }, 3, "w", 2)
  lu.assertAlmostEquals(t:get(8), 2 * core.normal(3, "w", 7), 1e-6)
end

function TestCore:test_random_numbers_have_the_moments_of_their_distribution()
  local n = 20000
  local sum, squares, uniform = 0, 0, 0
  for i = 0, n - 1 do
    local x = core.normal(1, "moments", i)
    sum, squares = sum + x, squares + x * x
    uniform = uniform + core.uniform(1, "moments", i)
  end
  -- four standard errors: 1 / sqrt(n), sqrt(2 / n), sqrt(1 / 12 / n)
  lu.assertAlmostEquals(sum / n, 0, 4 / math.sqrt(n))
  lu.assertAlmostEquals(squares / n, 1, 4 * math.sqrt(2 / n))
  lu.assertAlmostEquals(uniform / n, 0.5, 4 * math.sqrt(1 / 12 / n))
end

function TestCore:test_cancel_stops_native_work_until_cleared()
  core.cancel()
  local result = { core.random_tensor("f32", { 1 << 20 }, 1, "x") }
  local is_up = core.cancelled()
  core.cancel_clear()
  lu.assertEquals(result, { nil, "interrupted", "cancelled" })
  lu.assertTrue(is_up)
  lu.assertFalse(core.cancelled())
end

os.exit(lu.LuaUnit.run())
