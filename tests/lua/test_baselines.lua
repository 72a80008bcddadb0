-- SPDX-License-Identifier: Apache-2.0
-- tier: slow
-- Known numbers of real models, from ../shared/data/README.md.
local lu = require("luaunit")
local metric = require("vise.metric")
local model = require("vise.model")
local native = require("vise.native")

local DATA <const> = "../shared/data/"

local function evaluate(model_name, text_name, protocol)
  local text = native.file.read(DATA .. "text/" .. text_name)
  if not text then
    lu.skip("no " .. DATA .. "text/" .. text_name)
  end
  local m = assert(model.open(DATA .. model_name))
  return assert(metric.evaluate(m, { text = text, protocol = protocol }))
end

TestBaselines = {}

function TestBaselines.test_stories260K_by_stories_512()
  local row = evaluate("stories260K", "stories_test.txt", "stories-512")

  lu.assertEquals({ row.tokens, row.clusters }, { 81655, 202 })
  lu.assertAlmostEquals(row.nll, 1.5974, 0.0002)
  lu.assertAlmostEquals(row.perplexity, 4.9402, 0.001)
end

os.exit(lu.LuaUnit.run())
