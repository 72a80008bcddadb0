-- SPDX-License-Identifier: Apache-2.0
--- Rotary positions of a config: which frequencies, and the table of angles as long as needed.
-- Formulas: native/nn/rope.h.

local check = require("vise.check")
local native = require("vise.native")
local ops = require("vise.grad.ops")
local refusal = require("vise.model.refusal")

local nn = native.nn
local must = refusal.must

local M = {}
local H = {}

---@class vise.Rope
local Rope = {}
Rope.__index = Rope

--- Read rope_theta and rope_scaling (or rope_parameters, as newer configs call both together).
---@param config vise.ConfigReader
---@param head_dim integer
---@return vise.Rope
function M.new(config, head_dim)
  local scaling = config:table("rope_parameters") or config:table("rope_scaling")
  local kind = scaling and (scaling:get("rope_type") or scaling:get("type")) or "default"
  if H.kinds[kind] == nil then
    scaling:wrong(scaling:get("rope_type") and "rope_type" or "type",
      "one of default, dynamic, linear, llama3, yarn")
  end
  if config:positive("partial_rotary_factor", 1.0) ~= 1.0 then
    config:wrong("partial_rotary_factor", "1")
  end
  if head_dim % 2 ~= 0 then
    refusal.refuse_format("config: head_dim is %d, expected an even number", head_dim)
  end
  local theta = config:positive("rope_theta", 10000.0)
  local spec = scaling and H.kinds[kind](scaling, config) or { kind = "none" }
  spec.head_dim = head_dim
  spec.theta = scaling and scaling:positive("rope_theta", theta) or theta
  local ok, frequencies, scale = pcall(nn.rope_frequencies, spec)
  if not ok then
    refusal.refuse_format("config: %s", frequencies)
  end
  return setmetatable({ _frequencies = frequencies, _scale = scale, _length = 0 }, Rope)
end

--- Positions of the tokens of a batch in their sequences, and angles for all of them.
---@param batch table {ids, starts}
---@param first integer position of each sequence's first token, from 0
---@param context integer
---@return vise.Tensor [t] i32
function Rope:positions(batch, first, context)
  local values, longest, n = {}, 0, batch.ids:count()
  for s, start in ipairs(batch.starts) do
    local stop = batch.starts[s + 1] or n + 1
    for i = start, stop - 1 do
      values[i] = first + i - start
    end
    longest = math.max(longest, first + stop - start)
  end
  if longest > context then
    check.fail("sequence has %d tokens, expected at most the context of %d", longest, context)
  end
  self:extend(longest)
  return native.tensor.from("i32", { n }, values)
end

--- Heads of x turned by the angles of their tokens' positions.
---@param x vise.Tensor|vise.Value [t, heads * head_dim] f32
---@param positions vise.Tensor [t] i32
---@return vise.Tensor|vise.Value
function Rope:turn(x, positions)
  return ops.rope(x, self._table, positions)
end

function Rope:extend(length)
  if length > self._length then
    local rows = 256
    while rows < length do
      rows = rows * 2
    end
    self._table = must(nn.rope_table(self._frequencies, rows, self._scale))
    self._length = rows
  end
end

H.kinds = {
  default = function()
    return { kind = "none" }
  end,
  dynamic = function()
    return { kind = "dynamic" }
  end,
  linear = function(scaling)
    return { kind = "linear", factor = scaling:positive("factor") }
  end,
  llama3 = function(scaling)
    return {
      kind = "llama3",
      factor = scaling:positive("factor"),
      context = scaling:positive("original_max_position_embeddings"),
      low = scaling:positive("low_freq_factor"),
      high = scaling:positive("high_freq_factor"),
    }
  end,
  yarn = function(scaling, config)
    for _, name in ipairs({ "mscale", "mscale_all_dim" }) do
      if scaling:get(name) ~= nil then
        scaling:wrong(name, "none")
      end
    end
    local longest = config:positive("max_position_embeddings")
    local context = scaling:positive("original_max_position_embeddings", longest)
    return {
      kind = "yarn",
      factor = scaling:positive("factor", longest / context),
      context = context,
      low = scaling:positive("beta_slow", 1.0),
      high = scaling:positive("beta_fast", 32.0),
      scale = scaling:positive("attention_factor", 0.0),
      truncate = scaling:boolean("truncate", true),
    }
  end,
}

return M
