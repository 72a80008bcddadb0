-- SPDX-License-Identifier: Apache-2.0
--- One step of training a Llama of ten million parameters on 8 x 256 tokens: forward, back and
--- AdamW, as a share of the rate of multithreaded OpenBLAS sgemm in the same rounds; with all
--- activations kept, and with those of layers computed again. 6 flops per weight and token, plus
--- attention's.
local native = require("vise.native")
local vise = require("vise")

local LENGTH, BATCH, ROUNDS = 256, 8, 5
local CONFIG = {
  model_type = "llama", hidden_size = 320, intermediate_size = 768, num_hidden_layers = 8,
  num_attention_heads = 5, num_key_value_heads = 5, vocab_size = 4096,
  max_position_embeddings = LENGTH, tie_word_embeddings = true,
}
local SIZE = 2048 -- of the square matrices of sgemm
local H = {}

--- A step of vise.train.run as a function, and the network it trains.
function H.trainer(recompute)
  local ids = {}
  for i = 1, LENGTH * BATCH + 1 do
    ids[i] = (i * i * 7 + i) % CONFIG.vocab_size
  end
  local network = vise.train.network(assert(vise.model.new(CONFIG)), { recompute = recompute })
  local data = vise.train.windows({ ids = native.tensor.from("i32", { #ids }, ids),
    length = LENGTH, batch = BATCH })
  local step = coroutine.wrap(function()
    assert(vise.train.run({ parameters = network.parameters, data = data, steps = 1 << 20,
      schedule = "constant", warmup = 0.0,
      loss = function(batch)
        return network:loss(batch)
      end,
      on_progress = coroutine.yield }))
  end)
  return step, network
end

--- Numbers in all parameters, and flops of a step.
function H.work(network)
  local count = 0
  for _, parameter in ipairs(network.parameters) do
    count = count + parameter.data:count()
  end
  local tokens, layers, width = LENGTH * BATCH, CONFIG.num_hidden_layers, CONFIG.hidden_size
  local attention = layers * 12 * width * (LENGTH + 1) / 2
  return count, (6 * count + attention) * tokens
end

--- Bytes that training with recomputation may take: 16 a parameter, one activation a block
--- boundary, one and a half times what a block keeps for its way back.
function H.allowed(parameters)
  local d, inner = CONFIG.hidden_size, CONFIG.intermediate_size
  local activation = 4 * LENGTH * BATCH * d
  local block = 4 * LENGTH * BATCH * (8 * d + 3 * inner)
  return 16 * parameters + (CONFIG.num_hidden_layers + 1) * activation + 1.5 * block
end

function H.sgemm()
  local x = native.core.random_tensor("f32", { SIZE, SIZE }, 1, "x")
  local y = native.tensor.zeros("f32", { SIZE, SIZE })
  return function()
    native.linalg.blas_gemm(x, x, y)
  end
end

return function(bench)
  local before = native.linalg.blas_threads()
  native.linalg.blas_threads(native.core.threads())
  local sgemm = H.sgemm()
  local rows = {}
  for _, case in ipairs({ { true, 0.45 }, { false, 0.60 } }) do
    local recompute, bar = table.unpack(case)
    collectgarbage()
    local live = native.core.memory().live_bytes
    local step, network = H.trainer(recompute)
    native.core.peak_reset()
    step()
    local parameters, flops = H.work(network)
    local shares = {}
    for round = 1, ROUNDS do
      local rate = flops / bench.time(step)
      sgemm()
      shares[round] = rate / (2 * SIZE ^ 3 / bench.time(sgemm))
      bench.pause()
    end
    local how = recompute and "recomputing layers" or "keeping activations"
    rows[#rows + 1] = bench.absolute({ name = "training step, " .. how, unit = "of sgemm",
      values = shares, against = bar })
    if recompute then
      rows[#rows + 1] = bench.absolute({ name = "training memory, " .. how, unit = "MB",
        values = { (native.core.memory().peak_bytes - live) / 1e6 },
        against = H.allowed(parameters) / 1e6, is_limit = true })
    end
  end
  native.linalg.blas_threads(before)
  return rows
end
