-- SPDX-License-Identifier: Apache-2.0
--- The same numbers in other shapes, and parts of them.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local tape = require("vise.grad.tape")

local data, give, record = tape.data, tape.give, tape.record
local learn = native.learn
local must = refusal.must

local M = {}

--- Other dimensions, as many numbers.
---@param x vise.Tensor|vise.Value
---@param shape integer[]
function M.reshape(x, shape)
  local before = data(x):shape()
  return record(data(x):reshape(shape), { x }, {}, function(d_y)
    give(x, d_y:reshape(before))
  end)
end

--- Two dimensions swapped.
---@param x vise.Tensor|vise.Value
---@param a? integer 1 if absent
---@param b? integer 2 if absent
function M.transpose(x, a, b)
  return record(must(data(x):transpose(a, b):convert("f32")), { x }, {}, function(d_y)
    give(x, must(d_y:transpose(a, b):convert("f32")))
  end)
end

--- Indices start .. start + n - 1 of a dimension.
---@param x vise.Tensor|vise.Value
---@param dim integer from 1
---@param start integer from 1
---@param n integer
function M.slice(x, dim, start, n)
  local shape = data(x):shape()
  return record(must(data(x):narrow(dim, start, n):convert("f32")), { x }, {}, function(d_y)
    local d_x = native.tensor.zeros("f32", shape)
    must(learn.paste(d_x, d_y, dim, start))
    give(x, d_x)
  end)
end

--- One after the other along a dimension; the others are the same.
---@param list (vise.Tensor|vise.Value)[]
---@param dim integer from 1
function M.concat(list, dim)
  local shape = data(list[1]):shape()
  local starts, at = {}, 1
  for i, x in ipairs(list) do
    starts[i] = at
    at = at + data(x):shape()[dim]
  end
  shape[dim] = at - 1
  local y = native.tensor.zeros("f32", shape)
  for i, x in ipairs(list) do
    must(learn.paste(y, data(x), dim, starts[i]))
  end
  return record(y, list, {}, function(d_y)
    for i, x in ipairs(list) do
      local n = (starts[i + 1] or at) - starts[i]
      give(x, must(d_y:narrow(dim, starts[i], n):convert("f32")))
    end
  end)
end

--- Some columns of each row.
---@param x vise.Tensor|vise.Value [t, v]
---@param ids vise.Tensor [t, n] i32, from 0
---@return vise.Tensor|vise.Value [t, n]
function M.take(x, ids)
  local v = data(x):shape()[2]
  return record(must(learn.take(data(x), ids)), { x }, { ids }, function(d_y, columns)
    give(x, must(learn.take_back(d_y, columns, v)))
  end)
end

return M
