-- SPDX-License-Identifier: Apache-2.0
--- The table of bits per weight in share/doc/weights.md is what the program stores.
local lu = require("luaunit")
local native = require("vise.native")
local weight = require("vise.weight")

local M <const>, K <const> = 256, 4096

TestWeightPage = {}
local H = {}

--- A matrix whose rows have a one in each first of `every` columns.
function H.pruned(every)
  local row = string.pack("<f", 1) .. ("\0\0\0\0"):rep(every - 1)
  row = row:rep(K // every + 1):sub(1, 4 * K)
  return native.tensor.from_bytes("f32", { M, K }, row:rep(M))
end

function TestWeightPage:test_bits_per_weight_of_every_kind_and_format_are_those_of_the_page()
  local env = {
    W = weight.dense(native.core.random_tensor("f32", { M, K }, 1, "W")),
    weight = weight,
    HALF = H.pruned(2),
    TENTH = H.pruned(10),
    INDICES = native.tensor.zeros("i32", { M, K }),
    TABLES = native.tensor.zeros("f16", { M, 16, 1 }),
  }
  local page = native.file.read("share/doc/weights.md"):match("\n## Bits per weight\n.-\n## ")
  local seen = {}
  for code, description, bits in page:gmatch("\n| `([^`]+)` | ([^|]+) | ([%d.]+) |%f[\n]") do
    H.check(env, code, description, bits, seen)
  end
  for _, kind in ipairs({ "dense", "quant", "sparse", "codebook", "lowrank", "sum", "scaled",
    "rotated", "input" }) do
    lu.assertTrue(seen[kind], kind)
  end
  for _, format in ipairs(native.format.list()) do
    lu.assertTrue(seen[format.name], format.name)
  end
end

function H.check(env, code, description, bits, seen)
  local w <close> = assert(load("return " .. code, "=" .. code, "t", env))()
  lu.assertEquals({ w:describe(), ("%.5g"):format(8 * w:bytes() / (M * K)) },
    { description, bits }, code)
  seen[w:kind()] = true
  seen[w:tree().attributes.format or ""] = true
end

os.exit(lu.LuaUnit.run())
