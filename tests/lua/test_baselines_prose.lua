-- SPDX-License-Identifier: Apache-2.0
-- tier: slow
-- The shortest of the three known numbers of prose15M (../shared/data/README.md);
-- share/doc/metrics.md has all three and how to repeat them.
local lu = require("luaunit")
local metric = require("vise.metric")
local model = require("vise.model")
local native = require("vise.native")

local DATA <const> = "../shared/data/"

TestBaselines = {}

function TestBaselines.test_prose15M_by_llama_cpp_256()
  local text = native.file.read(DATA .. "text/prose_valid.txt")
  if not text then
    lu.skip("no " .. DATA .. "text/prose_valid.txt")
  end
  local m = assert(model.open(DATA .. "prose15M"))

  local row = assert(metric.evaluate(m, { text = text, protocol = "llama.cpp-256" }))

  lu.assertEquals({ row.tokens, row.clusters }, { 67056, 528 })
  lu.assertAlmostEquals(row.nll, 3.25914, 0.0005)
end

os.exit(lu.LuaUnit.run())
