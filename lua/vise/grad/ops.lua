-- SPDX-License-Identifier: Apache-2.0
--- The operations of a transformer, for tensors and for values on a tape alike.
-- The arithmetic is C (native/nn), forward and back.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local must = refusal.must

local M = {}
local H = {}

--- x W'. The weight is a value (a parameter [m, k]), a tensor, or a vise.Weight of any kind, which
--- has no derivative itself but passes on that of x; or a table whose `matmul(x)` says what it
--- does.
---@param x vise.Tensor|vise.Value [t, k]
---@param w vise.Weight|vise.Tensor|vise.Value|{matmul: fun(self, x): any} [m, k]
---@return vise.Tensor|vise.Value [t, m]
function M.linear(x, w)
  local weight = data(w)
  if type(weight) == "table" then
    return weight:matmul(x)
  end
  if not H.is_weight(weight) then
    local y = must(native.grad.matmul(data(x), weight))
    return record(y, { x, w }, { x, w }, function(d_y, a, b)
      if tape.is_value(w) then
        give(w, must(native.grad.matmul_w(d_y, a)))
      end
      if tape.is_value(x) then
        give(x, must(native.grad.matmul_x(d_y, b)))
      end
    end)
  end
  return record(must(weight:matmul(data(x))), { x }, {}, function(d_y)
    give(x, must(weight:matmul_t(d_y)))
  end)
end

--- A weight with a learned product beside it (LoRA): x W' + scale (x A') B'. A weight for `linear`.
---@param w vise.Weight|vise.Tensor|vise.Value [m, k]
---@param a vise.Value [r, k]
---@param b vise.Value [m, r]; zero at first
---@param scale? number 1 if absent
---@return {matmul: fun(self, x): any}
function M.adapted(w, a, b, scale)
  return {
    matmul = function(_, x)
      local inner = M.linear(x, a)
      local more = M.linear(inner, b)
      local y = M.add(M.linear(x, w), M.scale(more, scale or 1.0))
      inner:close()
      more:close()
      return y
    end,
  }
end

--- Rows of a matrix by token id.
---@param w vise.Weight|vise.Tensor|vise.Value [m, k]
---@param ids vise.Tensor [n] i32, from 0
---@return vise.Tensor|vise.Value [n, k]
function M.rows(w, ids)
  local matrix = data(w)
  if H.is_weight(matrix) then
    return must(matrix:rows(ids))
  end
  local weight <close> = native.weight.dense(matrix)
  local m = matrix:shape()[1]
  return record(must(weight:rows(ids)), { w }, { ids }, function(d_y, kept)
    give(w, must(native.grad.gather(d_y, kept, m)))
  end)
end

---@param x vise.Tensor|vise.Value [t, d]
---@param gain vise.Tensor|vise.Value [d]
---@param eps number
---@return vise.Tensor|vise.Value [t, d]
function M.rmsnorm(x, gain, eps)
  local y = must(native.nn.rmsnorm(data(x), data(gain), eps))
  return record(y, { x, gain }, { x, gain }, function(d_y, a, b)
    local d_x, d_gain = must(native.grad.rmsnorm(d_y, a, b, eps))
    give(x, d_x)
    give(gain, d_gain)
  end)
end

---@param x vise.Tensor|vise.Value [t, m]
---@param b vise.Tensor|vise.Value [m]
---@return vise.Tensor|vise.Value [t, m]
function M.bias(x, b)
  return record(must(native.nn.bias(data(x), data(b))), { x, b }, {}, function(d_y)
    if tape.is_value(b) then
      give(b, must(native.grad.bias(d_y)))
    end
    give(x, tape.share(d_y))
  end)
end

--- x + y: tensors of one shape, or numbers.
function M.add(x, y)
  local a, b = data(x), data(y)
  local sum = type(a) == "number" and a + b or must(native.nn.add(a, b))
  return record(sum, { x, y }, {}, function(d)
    give(x, tape.share(d))
    give(y, tape.share(d))
  end)
end

--- a x, of a tensor or a number.
---@param x vise.Tensor|vise.Value|number
---@param a number
function M.scale(x, a)
  return record(H.scaled(data(x), a), { x }, {}, function(d)
    give(x, H.scaled(d, a))
  end)
end

--- silu(gate) * up.
---@param gate vise.Tensor|vise.Value
---@param up vise.Tensor|vise.Value
---@return vise.Tensor|vise.Value
function M.swiglu(gate, up)
  local y = must(native.nn.swiglu(data(gate), data(up)))
  return record(y, { gate, up }, { gate, up }, function(d_y, a, b)
    local d_gate, d_up = must(native.grad.swiglu(d_y, a, b))
    give(gate, d_gate)
    give(up, d_up)
  end)
end

--- Heads turned by the angles of their tokens' positions.
---@param x vise.Tensor|vise.Value [t, heads * 2 n]
---@param angles vise.Tensor [p, 2 n], of nn.rope_table
---@param positions vise.Tensor [t] i32
---@return vise.Tensor|vise.Value
function M.rope(x, angles, positions)
  local y = must(native.nn.rope(data(x), angles, positions))
  return record(y, { x }, { angles, positions }, function(d_y, ...)
    give(x, must(native.grad.rope(d_y, ...)))
  end)
end

--- Causal attention of packed sequences; options as of native.nn.attention.
---@param q vise.Tensor|vise.Value [t, heads * d]
---@param k vise.Tensor|vise.Value [t, kv_heads * d]
---@param v vise.Tensor|vise.Value [t, kv_heads * d]
---@param options table {heads, kv_heads, window, starts}
---@return vise.Tensor|vise.Value [t, heads * d]
function M.attention(q, k, v, options)
  local y = must(native.nn.attention(data(q), data(k), data(v), options))
  return record(y, { q, k, v }, { q, k, v }, function(d_y, a, b, c)
    local d_q, d_k, d_v = must(native.grad.attention(d_y, a, b, c, options))
    give(q, d_q)
    give(k, d_k)
    give(v, d_v)
  end)
end

--- fn(x), with nothing recorded but x: on the way back fn is computed again, then its derivatives.
--- So a sweep over many such blocks holds one of them at a time.
---@param fn fun(x): any a function of `x` and of parameters that always does the same
---@param x vise.Tensor|vise.Value
---@return vise.Tensor|vise.Value
function M.checkpoint(fn, x)
  local input = data(x)
  local shared <close> = tape.share(input)
  local y = tape.unrecorded(fn, shared)
  if not tape.is_recording() then
    return y
  end
  return tape.push(y, { x }, function(d_y, kept)
    local inner <close> = tape.open()
    local again = tape.parameter(kept)
    local out <close> = fn(again)
    inner:backward(out, d_y)
    give(x, again.grad)
  end)
end

function H.is_weight(x)
  return x.shape == native.weight.methods.shape
end

function H.scaled(x, a)
  return type(x) == "number" and x * a or must(native.nn.scale(x, a))
end

return M
