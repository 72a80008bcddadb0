-- SPDX-License-Identifier: Apache-2.0
--- Statistics of what one weight of a model multiplies.

local calibration = require("vise.calibration")
local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local walk = require("vise.model.walk")

local M = {}
local H = {}

--- See vise.Model:statistics.
---@param model vise.Model
---@param place string
---@param plan vise.Calibration
---@return vise.Moments|nil moments
---@return string? message
---@return string? code "cancelled"
function M.run(model, place, plan)
  if not calibration.is(plan) then
    check.fail("statistics: the plan is %s, expected vise.calibration.new { text = ... }",
      check.quote(plan))
  end
  local owner = model:_owner(place)
  return refusal.protect(H.run, model, owner, plan)
end

function H.run(model, owner, plan)
  local index, site = H.find(model, owner)
  local moments
  local steps = walk.new(model, plan, function(name)
    return refusal.must(model:weight(name))
  end)
  for at = 1, index do
    steps:pass(at == index and { [site.name] = true } or {}, function(_, seen)
      moments = native.stats.from_parts(seen:count(), seen:parts()) -- it is closed behind us
    end)
  end
  steps:close()
  return moments
end

--- The block and the site at which the inputs of a weight are seen.
function H.find(model, owner)
  for index, sites in ipairs(walk.sites(model)) do
    for _, site in ipairs(sites) do
      for _, name in ipairs(site.places) do
        if model:_owner_of(name) == owner then
          return index, site
        end
      end
    end
  end
  check.fail("statistics: '%s' has no inputs: an embedding looks rows up", owner)
end

return M
