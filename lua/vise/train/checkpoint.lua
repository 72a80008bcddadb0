-- SPDX-License-Identifier: Apache-2.0
--- All that a training run needs to go on from where it was, to the same bits, in one file of named
--- tensors that is replaced as a whole: share/doc/training.md says what is in it.

local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = { version = "1" }

---@class vise.TrainState
---@field parameters vise.Value[]
---@field optimizer vise.Optimizer
---@field step integer done so far
---@field losses number[] of all steps done

--- Replace the file.
---@param path string
---@param state vise.TrainState
---@param key string what the run is: options, data, shapes
function M.write(path, state, key)
  local items = {}
  for name, tensor in H.tensors(state) do
    items[#items + 1] = { name, tensor }
  end
  items[#items + 1] = { "losses", native.tensor.from("f64", { #state.losses }, state.losses) }
  must(native.safetensors.write(path, items,
    { vise_training = H.version, step = tostring(state.step), key = key }))
end

--- Put what the file holds into `state`, if there is a file. Refuses one of another run.
---@param path string
---@param state vise.TrainState changed
---@param key string
---@return boolean found
function M.read(path, state, key)
  if native.file.stat(path) == nil then
    return false
  end
  local file <close> = must(native.safetensors.open(path))
  local about = file:metadata()
  if about.vise_training ~= H.version then
    refusal.refuse_format("%s: is no checkpoint of training of version %s", path, H.version)
  elseif about.key ~= key then
    refusal.refuse_format("%s: is of another run: %s; expected a new name", path,
      H.difference(about.key or "", key))
  end
  for name, tensor in H.tensors(state) do
    must(native.grad.copy(tensor, must(file:tensor(name))))
  end
  state.step = must(math.tointeger(tonumber(about.step)), path .. ": step is missing", "format")
  state.losses = must(file:tensor("losses")):table()
  return true
end

--- Every tensor of a state, in order.
function H.tensors(state)
  return coroutine.wrap(function()
    for _, parameter in ipairs(state.parameters) do
      coroutine.yield("p " .. parameter.name, parameter.data)
      for _, mean in ipairs({ "m", "v" }) do
        local name = mean .. " " .. parameter.name
        if state.optimizer.state[name] then
          coroutine.yield(name, state.optimizer.state[name])
        end
      end
    end
  end)
end

--- The first line in which two keys differ.
function H.difference(is, expected)
  local lines = expected:gmatch("[^\n]+")
  for line in is:gmatch("[^\n]+") do
    local other = lines() or "nothing"
    if other ~= line then
      return ("it has %s, this one %s"):format(line, other)
    end
  end
  return "this one has " .. (lines() or "less")
end

return M
