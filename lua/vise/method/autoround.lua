-- SPDX-License-Identifier: Apache-2.0
--- Learned rounding, a block at a time: codes and scales are trained until the block gives what the
-- original gave for the inputs before compression, although its own come through compressed blocks.
--
--   W ~= s f (clip(round(W / (s f) + v) + z, 0, codes - 1) - z)
--
-- with an offset v for each weight and a factor f for each scale, from those of another method.
-- Steps go by the signs of the derivatives, shorter and shorter. What is trained is stored as the
-- other method's weights are, to the bit (vise.train.grid).
--
-- Differs from the paper: it begins with gptq, not with rounding to nearest, and goes a tenth as
-- far, which loses less (tales, 2 and 3 bits); clipping is the factor of the scale, of which zeros
-- do not move; offsets have no bound but the way that steps can go; and whether a block is better
-- for it is judged once, over all tokens, instead of at each step.

local check = require("vise.check")
local grad = require("vise.grad")
local grid = require("vise.train.grid")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local H = {}

---@param block vise.LearningBlock
---@param options table
---@return vise.Weight[]
function H.run(block, options)
  local grids, list, parameters = {}, {}, {}
  for i, place in ipairs(block.places) do
    local original = options.learn ~= "scales"
      and must(must(place.original:dense()):convert("f32")) or nil
    list[i] = grid.new(place.name, place.start, original, { scales = options.learn ~= "rounding" })
    grids[place.name] = list[i]
    table.move(list[i].parameters, 1, #list[i].parameters, #parameters + 1, parameters)
  end
  local ok, message, code = require("vise.train").run({
    parameters = parameters,
    data = H.loader(block, options),
    loss = function(batch)
      return H.loss(block, grids, batch)
    end,
    groups = { { match = "*scales", rate = options.scale_rate } },
    steps = options.steps, rate = options.rate > 0 and options.rate or 0.1 / options.steps,
    optimizer = "sign", schedule = "linear", warmup = 0, floor = 0, clip = 0,
  })
  must(ok, message, code)
  local packed = {}
  for i in ipairs(list) do
    packed[i] = list[i]:pack()
  end
  return packed
end

--- The error of the block's outputs for the batches of a step.
function H.loss(block, grids, batch)
  local sum
  for _, i in ipairs(batch) do
    local y <close> = block.output(i, function(place)
      return grids[place] and grids[place]:weight()
    end)
    local error = grad.scale(grad.mse(y, block.target(i)), 1 / #batch)
    sum = sum and grad.add(sum, error) or error
  end
  return sum
end

--- Batches in turn, in an order of the seed.
function H.loader(block, options)
  local order = {}
  for i = 1, block.count do
    order[i] = { i, native.core.uniform(block.seed, "autoround " .. block.name, i) }
  end
  table.sort(order, function(a, b)
    return a[2] < b[2]
  end)
  local loader = { unit = "batches", tokens = options.batch }
  function loader.batch(_, step)
    local chosen = {}
    for i = 1, options.batch do
      chosen[i] = order[((step - 1) * options.batch + i - 1) % block.count + 1][1]
    end
    return chosen
  end
  return loader
end

function H.check(_, _, options)
  local format = options.format
  if format ~= "int" and format ~= "ternary" or options.per == "tensor" then
    check.fail("autoround: %s is %s, expected int (per group or row) or ternary",
      options.per == "tensor" and "per" or "format", options.per == "tensor" and "tensor" or format)
  end
end

---@type vise.Method
return {
  name = "autoround",
  family = "quant",
  summary = "rounding and scales learned block by block from another method's",
  source = "Cheng et al. 2024, arXiv:2309.05516 (SignRound)",
  version = 1,
  scope = "block",
  needs = { "data" },
  uses = { "moments" },
  is_exact = true,
  params = {
    { name = "learn", kind = "choice", default = "both", choices = { "both", "rounding", "scales" },
      doc = "what is learned; scales: codes stay those of the start" },
    { name = "steps", kind = "int", default = 100, min = 1, max = 100000, doc = "of each block" },
    { name = "batch", kind = "int", default = 1, min = 1, max = 1024,
      doc = "of a step, in pieces of about a thousand tokens" },
    { name = "rate", kind = "real", default = 0, min = 0, max = 1,
      doc = "of the first step, in steps of the grid; 0: 1 / (10 steps)" },
    { name = "scale_rate", kind = "real", default = 0.2, min = 0, max = 100,
      doc = "the same for scales, as a part of the rate" },
  },
  inner = {
    option = "start", default = "gptq", doc = "the method whose codes and scales it begins with",
    takes = function(other)
      return other.takes_format
    end,
  },
  check = H.check,
  run = H.run,
}
