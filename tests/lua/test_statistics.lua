-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local statistics = require("vise.metric.statistics")

TestStatistics = {}

function TestStatistics.test_mean_and_se_of_a_case_worked_by_hand()
  -- Two clusters {1, 3} and {5}: mean 3, residuals 4 - 6 = -2 and 5 - 3 = 2,
  -- se = sqrt(2 / 1 * (4 + 4)) / 3 = 4 / 3.
  local mean, se = statistics.mean({ 1, 3, 5 }, { 2, 1 })

  lu.assertEquals(mean, 3.0)
  lu.assertAlmostEquals(se, 4 / 3, 1e-15)
end

function TestStatistics.test_clusters_of_one_value_give_the_textbook_standard_error()
  -- 2, 4, 4, 4, 5, 5, 7, 9: mean 5, sum of squares 32, se = sqrt(32 / 7 / 8).
  local mean, se = statistics.mean({ 2, 4, 4, 4, 5, 5, 7, 9 }, { 1, 1, 1, 1, 1, 1, 1, 1 })

  lu.assertEquals(mean, 5.0)
  lu.assertAlmostEquals(se, math.sqrt(32 / 7 / 8), 1e-15)
end

function TestStatistics.test_values_equal_within_clusters_count_as_one_draw_each()
  -- Each of four draws repeated 25 times: the error is that of four draws, not of a hundred.
  local draws, values, counts = { 1, 2, 3, 6 }, {}, {}
  for d, draw in ipairs(draws) do
    counts[d] = 25
    for _ = 1, 25 do
      values[#values + 1] = draw
    end
  end

  local _, se = statistics.mean(values, counts)
  local _, expected = statistics.mean(draws, { 1, 1, 1, 1 })

  lu.assertAlmostEquals(se, expected, 1e-14)
end

function TestStatistics.test_se_agrees_with_a_slow_sum_over_pairs_of_one_cluster()
  -- The same formula, written as sums of products of residuals over all pairs inside a cluster.
  math.randomseed(7)
  local values, counts, of = {}, {}, {}
  for d = 1, 40 do
    counts[d] = math.random(1, 30)
    local lean = math.random()
    for _ = 1, counts[d] do
      values[#values + 1] = lean + math.random()
      of[#values] = d
    end
  end
  local total = 0
  for _, value in ipairs(values) do
    total = total + value
  end
  local variance = 0
  for i = 1, #values do
    for j = 1, #values do
      if of[i] == of[j] then
        variance = variance + (values[i] - total / #values) * (values[j] - total / #values)
      end
    end
  end

  local mean, se = statistics.mean(values, counts)

  lu.assertAlmostEquals(mean, total / #values, 1e-13)
  lu.assertAlmostEquals(se, math.sqrt(40 / 39 * variance) / #values, 1e-13)
end

function TestStatistics.test_one_cluster_has_no_standard_error()
  local mean, se = statistics.mean({ 0.1, 0.2, 0.4 }, { 3 })

  lu.assertAlmostEquals(mean, 0.7 / 3, 1e-15)
  lu.assertIsNaN(se)
end

function TestStatistics.test_a_ratio_and_its_se_worked_by_hand()
  -- Sums 4 and 5 over sizes 1 and 2: ratio 3, residuals 4 - 3 = 1 and 5 - 6 = -1,
  -- se = sqrt(2 / 1 * (1 + 1)) / 3 = 2 / 3.
  local ratio, se = statistics.ratio({ 1, 3, 5 }, { 2, 1 }, { 1, 2 })

  lu.assertEquals(ratio, 3.0)
  lu.assertAlmostEquals(se, 2 / 3, 1e-15)
end

function TestStatistics.test_the_se_of_a_ratio_is_the_spread_over_simulated_texts()
  -- 50 clusters whose sums follow their sizes: over many such texts, the mean of the squared errors
  -- is the variance of the ratio. Were the sizes taken as fixed, it would be much more.
  math.randomseed(13)
  local n, sum, squares, variance = 400, 0, 0, 0
  for _ = 1, n do
    local values, counts, sizes = {}, {}, {}
    for d = 1, 50 do
      counts[d] = math.random(5, 20)
      sizes[d] = 0
      for _ = 1, counts[d] do
        local bytes = math.random(1, 9)
        sizes[d] = sizes[d] + bytes
        values[#values + 1] = bytes * (0.5 + math.random())
      end
    end
    local ratio, se = statistics.ratio(values, counts, sizes)
    sum, squares, variance = sum + ratio, squares + ratio ^ 2, variance + se ^ 2 / n
  end

  local expected = (squares - sum ^ 2 / n) / (n - 1)

  lu.assertTrue(variance / expected > 0.75 and variance / expected < 1.33, variance / expected)
end

function TestStatistics.test_a_paired_difference_drops_what_both_share()
  local a, b = { 101, 5, 33 }, { 100, 4, 32 }

  local mean, se = statistics.difference(a, b, { 1, 1, 1 })

  lu.assertEquals(mean, 1.0)
  lu.assertEquals(se, 0.0)
end

function TestStatistics.test_quantiles_are_linear_between_neighbours()
  -- As numpy.quantile does by default: of 10, 20, 30, 40 the median is 25 and 0.9 is at 3.7: 37.
  local values = { 40, 10, 30, 20 }

  local low, median, high, top = statistics.quantiles(values, { 0, 0.5, 0.9, 1 })

  lu.assertEquals({ low, median, top }, { 10.0, 25.0, 40.0 })
  lu.assertAlmostEquals(high, 37, 1e-12)
  lu.assertEquals(values, { 40, 10, 30, 20 })
end

function TestStatistics.test_a_single_value_is_every_quantile()
  lu.assertEquals({ statistics.quantiles({ 3.5 }, { 0, 0.5, 0.99, 1 }) }, { 3.5, 3.5, 3.5, 3.5 })
end

function TestStatistics.test_se_of_a_quantile_is_the_spread_over_simulated_texts()
  -- 60 clusters of 20 values, a lean of each cluster plus noise: over many such texts, the mean of
  -- the squared errors is the variance of the quantile. Counting tokens as independent gives a
  -- quarter or less.
  math.randomseed(11)
  for _, level in ipairs({ 0.5, 0.95 }) do
    local n, sum, squares, variance = 200, 0, 0, 0
    for _ = 1, n do
      local values, counts = {}, {}
      for d = 1, 60 do
        local lean = math.random()
        counts[d] = 20
        for _ = 1, 20 do
          values[#values + 1] = lean + math.random()
        end
      end
      local quantile = statistics.quantiles(values, { level })
      sum, squares = sum + quantile, squares + quantile ^ 2
      variance = variance + statistics.quantile_error(values, counts, level) ^ 2 / n
    end

    local ratio = variance / ((squares - sum ^ 2 / n) / (n - 1))

    lu.assertTrue(ratio > 0.7 and ratio < 1.4, ("level %g: ratio %.3f"):format(level, ratio))
  end
end

function TestStatistics.test_se_of_a_quantile_of_one_cluster_is_nan()
  local se = statistics.quantile_error({ 1, 2, 3 }, { 3 }, 0.5)

  lu.assertNotEquals(se, se)
end

os.exit(lu.LuaUnit.run())
