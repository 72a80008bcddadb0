-- SPDX-License-Identifier: Apache-2.0
--- How the learning rate goes from step to step: a linear warm-up, then constant, linear or cosine
--- down to a share of the greatest rate.

local M = {}
local H = {}

---@class vise.ScheduleOptions
---@field schedule "constant"|"linear"|"cosine"
---@field rate number the greatest
---@field warmup number share of the steps that the rate takes to rise to `rate`
---@field floor number share of `rate` that the last step has, but for "constant"

--- The rate of step `step` of `steps`, from 1.
---@param step integer
---@param steps integer
---@param o vise.ScheduleOptions
---@return number
function M.rate(step, steps, o)
  local rising = math.ceil(steps * o.warmup)
  if step <= rising then
    return o.rate * step / rising
  elseif o.schedule == "constant" then
    return o.rate
  end
  local done = steps > rising and (step - rising) / (steps - rising) or 1.0
  local share = o.schedule == "linear" and 1 - done or (1 + H.cosine(math.pi * done)) / 2
  return o.rate * (o.floor + (1 - o.floor) * share)
end

--- cos x for 0 <= x <= pi, by its series: the bits of a C library's depend on the machine.
function H.cosine(x)
  local sum = 1.0
  for i = 30, 2, -2 do
    sum = 1 - sum * x * x / (i * (i - 1))
  end
  return sum
end

return M
