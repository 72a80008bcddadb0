--- The choice of methods within a budget, against all choices tried one by one.
local calibration = require("vise.calibration")
local fit = require("vise.fit")
local knapsack = require("vise.fit.knapsack")
local lu = require("luaunit")
local model = require("vise.model")
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

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

TestFit = {}

function TestFit:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  tiny_model.write(self.folder, { tied = true })
  self.model = assert(model.open(self.folder))
end

function TestFit:tearDown()
  native.file.remove_tree(self.folder)
end

function H.fit(m, folder, candidates)
  local text = assert(native.file.read("share/text/sample.txt")):sub(1, 2000)
  return fit.new(m, {
    candidates = candidates, folder = folder .. "/fit", tokens = 300,
    stats = calibration.new({ text = text, protocol = "nll-128", tokens = 256 }),
  }, { seed = 0 })
end

function TestFit:test_a_candidate_stands_where_it_matches()
  local fitted = H.fit(self.model, self.folder, {
    { method = "rtn", bits = 2, group = 16 },
    { match = "mlp.*", method = "rtn", bits = 8, group = 16 },
  })
  local rules, rows, expected = fitted:choose(1 << 30)
  for i, row in ipairs(rows) do
    lu.assertEquals(row.candidate, row.place:find("mlp", 1, true) and 2 or 1)
    lu.assertEquals(rules[i].match, row.place)
    lu.assertEquals(rules[i].bits, row.candidate == 2 and 8 or 2)
  end
  lu.assertErrorMsgContains("candidate 1: match is 7, expected a pattern", H.fit, self.model,
    self.folder, { { match = 7, method = "rtn" } })

  local kl = fitted:measure(self.model:compress(rules), expected.sum)
  local _, _, again = fitted:choose(1 << 30)
  lu.assertEquals(expected.loss, expected.sum)
  lu.assertEquals(again.sum, expected.sum)
  lu.assertAlmostEquals(again.loss, kl, 1e-12)
end

os.exit(lu.LuaUnit.run())
