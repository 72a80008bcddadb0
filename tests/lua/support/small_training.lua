--- A training run of a second: 50 steps of a tiny llama on numbers that repeat with a pattern.
-- As a program (lua5.4 small_training.lua PATH) it prints each step, and in the end the digest of
-- its parameters; tests kill it in between.
local native = require("vise.native")
local vise = require("vise")

local M = {}

M.CONFIG = {
  model_type = "llama", hidden_size = 32, intermediate_size = 48, num_hidden_layers = 2,
  num_attention_heads = 4, num_key_value_heads = 2, vocab_size = 40,
  max_position_embeddings = 32, tie_word_embeddings = true,
}

--- Token i of the text.
function M.ids(count)
  local ids = {}
  for i = 1, count do
    ids[i] = (11 * i + i // 50) % 37
  end
  return native.tensor.from("i32", { count }, ids)
end

---@param changes? table of the options of vise.train.run
---@param network_options? table
---@return table result of vise.train.run
---@return vise.TrainedNetwork
function M.run(changes, network_options)
  local m = assert(vise.model.new(M.CONFIG, { seed = 3 }))
  local network = vise.train.network(m, network_options)
  local options = {
    parameters = network.parameters,
    data = vise.train.windows({ ids = M.ids(700), length = 16, batch = 3, seed = 5 }),
    loss = function(batch)
      return network:loss(batch)
    end,
    steps = 50,
    rate = 1e-2,
    every = 10,
  }
  for key, value in pairs(changes or {}) do
    options[key] = value
  end
  return assert(vise.train.run(options)), network
end

--- What all parameters are, bit for bit.
function M.digest(network)
  local parts = {}
  for i, parameter in ipairs(network.parameters) do
    parts[i] = parameter.data:string()
  end
  return native.core.sha256(table.concat(parts))
end

if arg and arg[1] and arg[0]:find("small_training%.lua$") then
  local _, network = M.run({ path = arg[1], on_progress = function(p)
    print(p.step)
    io.stdout:flush()
  end })
  print(M.digest(network))
end

return M
