-- SPDX-License-Identifier: Apache-2.0
--- Choices drawn from vise's counter-based generator: the same on every machine, keyed by name.

local core = require("vise.native").core

local Chance = {}
Chance.__index = Chance

local M = {}

---@class vise.Chance a stream of draws
---@field private seed integer
---@field private name string
---@field private drawn integer

--- A stream of its own, from its first draw on.
---@param seed integer
---@param name string streams of different names have nothing in common
---@return vise.Chance
function M.new(seed, name)
  return setmetatable({ seed = seed, name = name, drawn = 0 }, Chance)
end

--- A number in [0, 1).
---@return number
function Chance:uniform()
  local x = core.uniform(self.seed, self.name, self.drawn)
  self.drawn = self.drawn + 1
  return x
end

--- A number in [low, high).
---@param low number
---@param high number
---@return number
function Chance:between(low, high)
  return low + (high - low) * self:uniform()
end

--- An integer in 1 .. n.
---@param n integer
---@return integer
function Chance:below(n)
  return math.floor(self:uniform() * n) + 1
end

--- One of a list.
---@generic T
---@param list T[]
---@return T
function Chance:pick(list)
  return list[self:below(#list)]
end

--- True with probability p.
---@param p number
---@return boolean
function Chance:is(p)
  return self:uniform() < p
end

return M
