--- Training under masks: zeros stay, sparsities are those asked for, scores follow movement.
local grad = require("vise.grad")
local lu = require("luaunit")
local native = require("vise.native")
local small = require("support.small_training")
local vise = require("vise")

TestTrainPrune = {}

local H = {}

--- A model after so many steps under masks; also the masks.
function H.train(m, options, steps, changes)
  local masks = vise.train.prune(m, options, steps)
  local network = vise.train.network(m, { through = masks.through })
  local parameters = table.move(masks.parameters, 1, #masks.parameters, #network.parameters + 1,
    network.parameters)
  local given = {
    parameters = parameters, groups = masks.groups, key = masks.key, steps = steps, rate = 1e-2,
    data = vise.train.windows({ ids = small.ids(700), length = 16, batch = 3, seed = 5 }),
    loss = function(batch, step)
      masks.step = step
      return network:loss(batch)
    end,
  }
  for key, value in pairs(changes or {}) do
    given[key] = value
  end
  local result = vise.train.run(given)
  return result and assert(network:model("sparse")), result, masks
end

function H.fresh()
  return assert(vise.model.new(small.CONFIG, { seed = 3 }))
end

function H.digest(m)
  return small.digest({ parameters = { { data = m:weight("layers.1.mlp.up"):dense() } } })
end

function H.values(m, place)
  return m:weight(place):dense():table()
end

function H.zeros(values, from, to)
  local count = 0
  for i = from or 1, to or #values do
    count = count + (values[i] == 0 and 1 or 0)
  end
  return count
end

function TestTrainPrune:test_zeros_stay_and_the_rest_moves()
  for _, rule in ipairs({ { sparsity = 0.6 }, { pattern = "2:4" } }) do
    local sparse = H.fresh():compress({ { match = "*.*", method = "magnitude",
      sparsity = rule.sparsity, pattern = rule.pattern } })
    local trained, result = H.train(sparse, { by = "zeros" }, 12)
    lu.assertTrue(result.losses[12] < result.losses[1])
    for _, place in ipairs({ "layers.0.attn.q", "layers.1.mlp.down" }) do
      local before, after = H.values(sparse, place), H.values(trained, place)
      local moved = 0
      for i, value in ipairs(before) do
        lu.assertEquals(after[i] == 0, value == 0, place)
        moved = moved + (after[i] ~= value and 1 or 0)
      end
      lu.assertEquals(moved, #before - H.zeros(before))
    end
    lu.assertEquals(H.zeros(H.values(trained, "embed")), 0)
  end
end

function TestTrainPrune:test_the_end_has_the_sparsity_or_the_pattern()
  for _, by in ipairs({ "magnitude", "movement" }) do
    local some = H.train(H.fresh(), { by = by, sparsity = 0.75, match = "mlp.*" }, 12)
    local up = H.values(some, "layers.1.mlp.up")
    lu.assertEquals(H.zeros(up), 0.75 * #up)
    lu.assertEquals(H.zeros(H.values(some, "layers.1.attn.q")), 0)
    local pattern = H.train(H.fresh(), { by = by, pattern = "1:4" }, 4)
    local q = H.values(pattern, "layers.0.attn.q")
    for i = 1, #q, 4 do
      lu.assertEquals(H.zeros(q, i, i + 3), 3)
    end
  end
end

--- 1 - (1 - t)^3 of the sparsity, t from 0 to 1 in the first half of 100 steps.
function TestTrainPrune:test_the_sparsity_rises()
  local m = H.fresh()
  local masks = vise.train.prune(m, { by = "magnitude", sparsity = 0.8 }, 100)
  local w = m:weight("layers.0.mlp.gate"):dense()
  for step, share in pairs({ [10] = 1 - 0.8 ^ 3, [25] = 1 - 0.5 ^ 3, [50] = 1, [80] = 1 }) do
    masks.step = step
    local values = masks.through("layers.0.mlp.gate", w):table()
    lu.assertAlmostEquals(H.zeros(values) / #values, 0.8 * share, 1 / 1536)
  end
end

--- With L = sum c y: dL/dS = c w, so that plain descent leaves S = -rate c w, and what stays is
--- where c w is least: those that grow away from 0.
function TestTrainPrune:test_scores_move_as_weights_do()
  local m, name = H.fresh(), "layers.0.mlp.gate"
  local masks = vise.train.prune(m, { by = "movement", match = name, rise = 0 }, 2)
  local w = grad.parameter(m:weight(name):dense(), name)
  local c = native.core.random_tensor("f32", w:shape(), 1, "c")
  local before, slopes = w.data:table(), c:table()
  masks.step = 1
  do
    local tape <close> = grad.tape()
    tape:backward(grad.sum(grad.mul(masks.through(name, w), c)))
  end
  local score = masks.parameters[1]
  local gradient = score.grad:table()
  local products = {}
  for i = 1, #before do
    products[i] = slopes[i] * before[i]
    lu.assertAlmostEquals(gradient[i], products[i], 1e-7)
  end
  assert(native.grad.copy(score.data, assert(native.nn.scale(score.grad, -1.0))))
  masks.step = 2
  local left = masks.through(name, w):table()
  table.sort(products)
  local middle = (products[#products // 2] + products[#products // 2 + 1]) / 2
  for i = 1, #before do
    lu.assertEquals(left[i] ~= 0, slopes[i] * before[i] < middle, i)
  end
end

function TestTrainPrune:test_interrupted_it_goes_on_to_the_same_bits()
  local path = os.tmpname()
  os.remove(path)
  local options = { by = "movement", sparsity = 0.5 }
  local whole = H.train(H.fresh(), options, 12)
  local none = H.train(H.fresh(), options, 12, { path = path, every = 5, on_progress = function(p)
    if p.step == 7 then
      native.core.cancel()
    end
  end })
  native.core.cancel_clear()
  lu.assertTrue(none == nil)
  local rest, result = H.train(H.fresh(), options, 12, { path = path, every = 5 })
  lu.assertEquals(result.resumed, 5)
  lu.assertEquals(H.digest(rest), H.digest(whole))
  local again = H.train(H.fresh(), options, 12, { path = path, every = 5 }) -- nothing left to do
  lu.assertEquals(H.digest(again), H.digest(whole))
  os.remove(path)
end

function TestTrainPrune:test_what_does_not_fit_is_named()
  lu.assertErrorMsgContains("prune: no place matches 'mlp.upp'", vise.train.prune, H.fresh(),
    { match = "mlp.upp" }, 10)
  lu.assertErrorMsgContains("did you mean 'movement'", vise.train.prune, H.fresh(),
    { by = "movment" }, 10)
  lu.assertErrorMsgContains("pattern is '2:5'", H.train, H.fresh(),
    { by = "magnitude", pattern = "2:5" }, 2)
end

os.exit(lu.LuaUnit.run())
