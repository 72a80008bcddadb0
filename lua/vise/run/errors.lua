-- SPDX-License-Identifier: Apache-2.0
--- How far each weight of a saved model is from the one it was made from.

local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}

--- Relative errors |saved - original| / |original| by place; none of a model that nothing changed.
--- Places that the original has not, or has in another shape, are left out.
---@param model vise.Model
---@param reader userdata of the artifact it was saved to
---@return table<string, number>
function M.measure(model, reader)
  local original, errors = model._original, {}
  if original == nil then -- opened and not compressed
    return errors
  end
  local was = {}
  for _, place in ipairs(original:places()) do
    was[place.name] = place
  end
  for _, place in ipairs(model:places()) do
    local old, shape = was[place.name], place.shape
    if old and not place.tied_to and old.shape[1] == shape[1] and old.shape[2] == shape[2] then
      errors[place.name] = H.error(original, place.name, reader)
    end
  end
  return errors
end

function H.error(original, name, reader)
  local before <close> = original:_own(name)
  local saved <close> = must(reader:weight(name))
  local squared, norm = must(before:difference(saved))
  return squared == 0 and 0.0 or math.sqrt(squared / norm)
end

return M
