-- SPDX-License-Identifier: Apache-2.0
--- What is recorded on the way forward, so that derivatives can be found on the way back.
-- A value stands for a tensor, or a number, that a derivative is wanted of. Operations
-- (vise.grad.ops) take tensors and values alike: with a tape open and a value among its arguments
-- an operation gives a value and records how its derivative goes on; otherwise it gives a plain
-- tensor or number.

local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

---@class vise.Value
---@field data vise.Tensor|number closed once nothing on the tape needs it
---@field grad vise.Tensor|number|nil the loss's derivative by it: after the sweep, of parameters
---@field name? string of a parameter
local Value = {}
Value.__index = Value
Value.__name = "vise.grad.value"

---@class vise.Tape to be closed; the innermost open one records
local Tape = {}
Tape.__index = Tape
Tape.__name = "vise.grad.tape"

--- A value without a past, whose `grad` stays after the sweep. It keeps the tensor.
---@param tensor vise.Tensor f32, of its own memory if an optimizer is to change it
---@param name? string
---@return vise.Value
function M.parameter(tensor, name)
  return setmetatable({ data = tensor, name = name, _is_parameter = true, _keepers = 0 }, Value)
end

--- Begin to record.
---@return vise.Tape
function M.open()
  local tape = setmetatable({ _nodes = {}, _outer = H.current }, Tape)
  H.current = tape
  return tape
end

--- What an operation works on: the tensor or number of a value, or what is none.
---@param x vise.Value|vise.Tensor|number
---@return vise.Tensor|number
function M.data(x)
  return getmetatable(x) == Value and x.data or x
end

---@return boolean is `x` a value, so that a derivative is wanted?
function M.is_value(x)
  return getmetatable(x) == Value
end

--- The result of an operation. If it is recorded, `backward` is given the derivative by it, which
--- it may share but not close, and the tensors kept for it, and gives derivatives on.
---@param out vise.Tensor|number
---@param inputs any[] values among them are what derivatives are wanted of
---@param kept any[] values and tensors that `backward` reads
---@param backward fun(d_out: vise.Tensor|number, ...: vise.Tensor|number)
---@return vise.Value|vise.Tensor|number
function M.record(out, inputs, kept, backward)
  if H.current == nil then
    return out
  end
  for _, input in ipairs(inputs) do
    if getmetatable(input) == Value then
      return M.push(out, kept, backward)
    end
  end
  return out
end

--- The same for an operation of which a derivative is surely wanted; a tape is open.
function M.push(out, kept, backward)
  local held = {}
  for i, input in ipairs(kept) do
    if getmetatable(input) == Value then
      input._keepers = input._keepers + 1
      held[i] = input.data
    else
      held[i] = M.share(input) -- whose owner may close it before the sweep
    end
  end
  local value = setmetatable({ data = out, _keepers = 0 }, Value)
  table.insert(H.current._nodes, { value = value, kept = kept, held = held, backward = backward })
  return value
end

--- Add to the derivative by `x`, if one is wanted. `grad` belongs to the value from now on.
---@param x any
---@param grad vise.Tensor|number
function M.give(x, grad)
  if getmetatable(x) ~= Value then
    H.close(grad)
  elseif x.grad == nil then
    x.grad = grad
  elseif type(grad) == "number" then
    x.grad = x.grad + grad
  else
    local before <close> = x.grad
    local more <close> = grad
    x.grad = must(native.nn.add(before, more))
  end
end

--- May the operation that is swept write over what it kept of `x`? Then nothing else needs it.
---@return boolean
function M.is_spent(x)
  return getmetatable(x) == Value and not x._is_parameter and x._is_closed and x._keepers == 1
end

--- Another handle of a tensor, to be closed on its own; numbers as they are.
function M.share(x)
  return type(x) == "number" and x or x:reshape(x:shape())
end

--- Call `fn` with nothing recorded.
---@return any result
function M.unrecorded(fn, ...)
  local tape = H.current
  H.current = nil
  local result = table.pack(pcall(fn, ...))
  H.current = tape
  if not result[1] then
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

---@return boolean is an open tape recording?
function M.is_recording()
  return H.current ~= nil
end

--- Sweep back from `root`: parameters have their `grad` afterwards, everything else is let go as
--- soon as it is done with. The tape is empty then.
---@param root vise.Value
---@param grad? vise.Tensor the derivative by root; 1 if absent, for a number
function Tape:backward(root, grad)
  assert(grad or type(root.data) == "number", "backward: the root is no number, expected its grad")
  M.give(root, grad and M.share(grad) or 1.0)
  for i = #self._nodes, 1, -1 do
    local node = self._nodes[i]
    local value = node.value
    if value.grad then
      M.unrecorded(node.backward, value.grad, table.unpack(node.held))
      H.close(value.grad)
      value.grad = nil
    end
    H.let_go(node)
    if value ~= root then
      H.close(value.data)
    end
    self._nodes[i] = nil
  end
end

--- Stop recording and let go of what was recorded.
function Tape:close()
  for _, node in ipairs(self._nodes) do
    H.let_go(node)
    H.close(node.value.data)
    H.close(node.value.grad)
  end
  self._nodes = {}
  local tape = H.current
  while tape and tape ~= self do
    tape = tape._outer
  end
  if tape then
    H.current = self._outer
  end
end

Tape.__close = Tape.close

---@return integer[]
function Value:shape()
  return type(self.data) == "number" and {} or self.data:shape()
end

--- The forward pass is done with it: what the way back does not need is let go now.
function Value:close()
  self._is_closed = true
  if not self._is_parameter and self._keepers == 0 then
    H.close(self.data)
  end
end

Value.__close = Value.close

function Value:__tostring()
  return ("vise.grad.value %s"):format(self.data)
end

--- Close what the tape itself holds for a node.
function H.let_go(node)
  for i, input in ipairs(node.kept) do
    if getmetatable(input) == Value then
      input._keepers = input._keepers - 1
      if input._is_closed then
        input:close()
      end
    else
      H.close(node.held[i])
    end
  end
end

function H.close(x)
  if type(x) == "userdata" then
    x:close()
  end
end

return M
