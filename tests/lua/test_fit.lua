--- The choice of methods within a budget, against all choices tried one by one.
local knapsack = require("vise.fit.knapsack")
local lu = require("luaunit")
local native = require("vise.native")

TestKnapsack = {}

local H = {}

--- Items with choices whose losses fall about as real ones do, by a seed.
function H.items(seed, n, n_choices, scale)
  local items = {}
  for i = 1, n do
    items[i] = {}
    for c = 1, n_choices do
      local name = ("%d.%d"):format(i, c)
      local bits = 1 + 7 * native.core.uniform(seed, name, 0)
      items[i][c] = {
        bytes = math.floor(scale * bits * (1 + native.core.uniform(seed, "size" .. i, 0))),
        loss = 4 ^ -bits * native.core.uniform(seed, "cost" .. i, 0),
      }
    end
  end
  return items
end

function H.bytes(items, chosen)
  local sum = 0
  for i, index in ipairs(chosen) do
    sum = sum + items[i][index].bytes
  end
  return sum
end

--- The least loss within the budget, by trying everything.
function H.brute(items, budget)
  local best = math.huge
  local function go(i, bytes, loss)
    if bytes > budget then
      return
    elseif i > #items then
      best = math.min(best, loss)
      return
    end
    for _, choice in ipairs(items[i]) do
      go(i + 1, bytes + choice.bytes, loss + choice.loss)
    end
  end
  go(1, 0, 0)
  return best
end

function TestKnapsack:test_the_choice_is_the_best_of_all()
  for seed = 1, 40 do
    local items = H.items(seed, 6, 5, 1000)
    local least = select(2, knapsack.solve(items, 0))
    for _, room in ipairs({ 0, 2000, 10000, 30000, 10 ^ 9 }) do
      local budget = least + room
      local chosen, bytes = knapsack.solve(items, budget)
      lu.assertEquals(bytes, H.bytes(items, chosen))
      lu.assertTrue(bytes <= budget)
      lu.assertAlmostEquals(knapsack.loss(items, chosen), H.brute(items, budget), 1e-15)
    end
  end
end

--- No choice of any size within the budget has a loss below that of the relaxed problem.
function TestKnapsack:test_many_items_come_within_a_thousandth_of_the_bound()
  local items = H.items(7, 120, 12, 1e6)
  local least = select(2, knapsack.solve(items, 0))
  local budget = math.floor(least * 1.7)
  local chosen, bytes = knapsack.solve(items, budget)
  local bound = -math.huge
  for step = 0, 400 do
    local price, sum = 10 ^ (-16 + step / 40), 0
    for _, choices in ipairs(items) do
      local best = math.huge
      for _, choice in ipairs(choices) do
        best = math.min(best, choice.loss + price * choice.bytes)
      end
      sum = sum + best
    end
    bound = math.max(bound, sum - price * budget)
  end
  lu.assertTrue(bytes <= budget)
  local loss = knapsack.loss(items, chosen)
  lu.assertTrue(loss >= bound * (1 - 1e-9))
  lu.assertTrue(loss <= bound * 1.001, ("%g above %g"):format(loss, bound))
end

function TestKnapsack:test_a_budget_below_the_smallest_choice_is_no_choice()
  local items = { { { bytes = 10, loss = 1 }, { bytes = 20, loss = 0 } },
    { { bytes = 5, loss = 1 } } }
  lu.assertEquals({ knapsack.solve(items, 14) }, { nil, 15 })
  lu.assertEquals({ knapsack.solve(items, 15) }, { { 1, 1 }, 15 })
  lu.assertEquals({ knapsack.solve(items, 25) }, { { 2, 1 }, 25 })
end

os.exit(lu.LuaUnit.run())
