-- SPDX-License-Identifier: Apache-2.0
--- A compressed model as it is trained, and the compressed model that it becomes.
-- Weights on a grid learn on it (vise.train.grid), or every compressed weight stays and learns a
-- product of two factors beside it; norms and biases learn as they are, plain weights stay. What is
-- evaluated afterwards is to the bit what was trained, but for adapters, whose sums are the same
-- numbers added in another order.

local check = require("vise.check")
local grad = require("vise.grad")
local grid = require("vise.train.grid")
local native = require("vise.native")
local network = require("vise.train.network")
local places = require("vise.model.places")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.PackedOptions the rows of vise.train.packed.rows, and:
---@field original? vise.Model learn = "weights": what was compressed, whose weights are rounded
--- anew; the compressed numbers themselves if absent

M.rows = {
  { name = "learn", kind = "choice", choices = { "weights", "scales", "adapters" },
    default = "weights", doc = "weights: codes and scales of packed weights; scales: scales alone; "
      .. "adapters: products of few factors beside compressed weights" },
  { name = "rank", kind = "int", default = 8, min = 1, doc = "of adapters" },
  { name = "seed", kind = "int", default = 0, doc = "of adapters" },
  { name = "offsets", kind = "real", default = 10.0, min = 0.0,
    doc = "weights: how far they go in an update, in steps of their grids, by the rate" },
}

--- A network whose `model` is compressed, and the groups of its parameters for vise.train.run.
---@param m vise.Model
---@param options vise.PackedOptions
---@param patterns? string[] of the places and tensors that learn; all if absent
---@return vise.TrainedNetwork
---@return table[] groups
function M.new(m, options, patterns)
  local given = {}
  for key, value in pairs(options) do
    given[key] = key ~= "original" and value or nil
  end
  local o = check.options("train: compressed", M.rows, given)
  local learned = {}
  local trained = network.new(m, { train = H.tensors(m, patterns), through = function(name, w)
    return learned[name] and learned[name]:weight(w) or w
  end })
  for _, place in ipairs(m:places()) do
    local packed = place.tied_to == nil and H.is_chosen(place.name, patterns)
      and H.packed(m, place.name)
    if packed then
      local one = o.learn == "adapters" and H.adapter(place, packed, o)
        or H.grid(place, packed, o, options.original)
      learned[place.name] = one
      table.move(one.parameters, 1, #one.parameters, #trained.parameters + 1, trained.parameters)
    end
  end
  if next(learned) == nil then
    check.fail("train: compressed: no weight of '%s' is compressed, expected a model of "
      .. "job:compress", m.name)
  end
  function trained.model(_, name)
    return H.model(m, name, trained, learned)
  end
  return trained, { { match = "*offsets", rate = o.offsets } }
end

--- Tensors that are trained, as patterns.
function H.tensors(m, patterns)
  local names = {}
  for _, name in ipairs(m:tensors()) do
    if H.is_chosen(name, patterns) then
      names[#names + 1] = name
    end
  end
  return names
end

function H.is_chosen(name, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if places.matches(pattern, name) then
      return true
    end
  end
  return patterns == nil
end

--- The weight of a place, unless it is plain.
function H.packed(m, name)
  local w = must(m:weight(name))
  return w:kind() ~= "dense" and w or nil
end

function H.grid(place, packed, o, original)
  local from = o.learn == "weights"
    and must((original and must(original:weight(place.name)) or packed):dense()) or nil
  local ok, made = pcall(grid.new, place.name, packed, from)
  if not ok then
    check.fail("%s: %s", place.name, check.strip_position(made))
  end
  return made
end

--- x W' + (x A') B', both factors as they are stored: f16. B is zero at first.
function H.adapter(place, packed, o)
  local m, k = place.shape[1], place.shape[2]
  local noise <close> = native.core.random_tensor("f32", { o.rank, k }, o.seed,
    place.name .. " adapter")
  local a = grad.parameter(must(native.nn.scale(noise, 1 / math.sqrt(k))), place.name .. " a")
  local b = grad.parameter(native.tensor.zeros("f32", { m, o.rank }), place.name .. " b")
  return {
    parameters = { a, b },
    weight = function(_, w)
      return grad.adapted(w, grad.stored(a, "f16"), grad.stored(b, "f16"))
    end,
    pack = function()
      local factors = {}
      for i, x in ipairs({ b, a }) do
        factors[i] = native.weight.dense(must(x.data:convert("f16")))
      end
      return packed + factors[1] * factors[2]
    end,
  }
end

--- The model with what was learned packed.
function H.model(m, name, trained, learned)
  local weights, tensors = {}, {}
  for place, one in pairs(learned) do
    weights[place] = one:pack()
  end
  for _, parameter in ipairs(trained.parameters) do
    if m._is_tensor[parameter.name] then
      tensors[parameter.name] = must(parameter.data:convert("f32"))
    end
  end
  return m:_derive({
    name = name or m.name,
    _vectors = {},
    _make = function(place)
      return weights[place] and weights[place]:handle() or m:_own(place)
    end,
    _read = function(part)
      return tensors[part] or must(m:tensor(part))
    end,
  })
end

return M
