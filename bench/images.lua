-- SPDX-License-Identifier: Apache-2.0
--- A step of training the convolutional net of recipes/digits.lua on 64 images, everything in it
--- (patches, norms, relu, AdamW), against OpenBLAS sgemm on its convolutions' products alone: each
--- forward, by the weight and by the patches.
local native = require("vise.native")
local vise = require("vise")

local BATCH = 64
local CONFIG = {
  model_type = "convnet", image_size = 28, num_labels = 10, hidden_sizes = { 16, 32, 64 },
  stem_stride = 2,
}
local H = {}

--- A step of vise.train.run as a function.
function H.step(network)
  local pixels = {}
  for i = 1, BATCH * 28 * 28 do
    pixels[i] = (i * i * 7 + i) % 256
  end
  local batch = { images = native.tensor.from("u8", { BATCH, 28, 28, 1 }, pixels),
    targets = native.tensor.zeros("i32", { BATCH }) }
  return coroutine.wrap(function()
    assert(vise.train.run({ parameters = network.parameters, steps = 1 << 20,
      schedule = "constant", warmup = 0.0,
      data = { batch = function()
        return batch
      end, tokens = BATCH, unit = "images" },
      loss = function(one)
        return network:loss(one)
      end,
      on_progress = coroutine.yield }))
  end)
end

--- The products of a step as a function, and its flops. The first convolution's patches have no
--- derivative.
function H.products(m)
  local products, flops = {}, 0
  local function add(t, k, n)
    local x = native.core.random_tensor("f32", { t, k }, 1, "x")
    local w = native.core.random_tensor("f32", { n, k }, 1, "w")
    local y = native.tensor.zeros("f32", { t, n })
    products[#products + 1] = function()
      native.linalg.blas_gemm(x, w, y)
    end
    flops = flops + 2 * t * k * n
  end
  local side = 14
  for _, place in ipairs(m:places()) do
    local n, k = place.shape[1], place.shape[2]
    if place.name:find("stages.[12].blocks.0.conv1") then
      side = (side + 1) // 2
    end
    if place.name ~= "head" then
      local t = BATCH * side * side
      add(t, k, n)
      add(n, t, k)
      if place.name ~= "stem" then
        add(t, n, k)
      end
    end
  end
  return function()
    for _, product in ipairs(products) do
      product()
    end
  end, flops
end

return function(bench)
  local before = native.linalg.blas_threads()
  native.linalg.blas_threads(native.core.threads())
  local m = assert(vise.model.new(CONFIG))
  local products, flops = H.products(m)
  local row = bench.compare({ name = "convnet training step", unit = "GFLOP/s", work = flops / 1e9,
    ours = H.step(vise.train.network(m)), rival = products, at_least = 0.4 })
  native.linalg.blas_threads(before)
  return { row }
end
