-- SPDX-License-Identifier: Apache-2.0
--- vise.run.claims: what a recipe's author saw against what was measured.
local lu = require("luaunit")
local claims = require("vise.run.claims")

TestClaims = {}

function TestClaims:test_a_claim_is_judged_by_the_last_row_that_has_its_number()
  local rows = { { nll = 1.0 }, { nll = 1.5, kl = 0.25 } }

  local results = claims.judge({ kl = { "<=", 0.25 }, nll = { "<", 1.5 }, top1 = { ">", 0 } }, rows)

  lu.assertEquals(claims.text(results[1]), "claim kl <= 0.25: met (0.25)")
  lu.assertEquals(claims.text(results[2]), "claim nll < 1.5: NOT met (1.5)")
  lu.assertEquals(claims.text(results[3]), "claim top1 > 0: NOT met (not measured)")
end

function TestClaims:test_unknown_numbers_and_bounds_that_are_none_are_refused()
  lu.assertStrContains(claims.problem("kll", { "<", 1 }), "did you mean 'kl'?")
  for _, claim in ipairs({ { "<", 0 / 0 }, { "<", math.huge }, { "=", 1 }, { "<" }, "kl < 1" }) do
    lu.assertStrContains(claims.problem("kl", claim), 'expected NAME = { "<=", NUMBER }')
  end
  lu.assertNil(claims.problem("kl", { ">=", 0 }))
end

function TestClaims.test_standard_errors_may_be_claimed_and_times_not()
  lu.assertNil(claims.problem("kl_p99_se", { "<", 1 }))
  lu.assertNil(claims.problem("nll_byte_se", { "<", 1 }))
  lu.assertStrContains(claims.problem("tokens_per_s", { ">", 1 }), "unknown number 'tokens_per_s'")
end

os.exit(lu.LuaUnit.run())
