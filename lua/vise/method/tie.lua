-- SPDX-License-Identifier: Apache-2.0
--- Tied weights: places of the same role in different layers hold one weight where theirs are near
-- enough, which a file then stores once. With error = 0 only equal ones: duplicates.
--
-- Layers are taken in order; each weight is compared with those that stay, and takes the nearest
-- one's place if |W - W_other| <= error |W|.

local cache = require("vise.cache")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local H = {}

function H.run(model, resolved, extra)
  local target = H.targets(model, resolved.error)
  local identity = require("vise.method").identity("tie", resolved, extra.context.recipe)
  local notes = {}
  for place, found in pairs(target) do
    if found.place ~= place then
      notes[#notes + 1] = { place = place,
        text = ("holds the weight of %s, relative error %.3g"):format(found.place, found.error) }
    end
  end
  table.sort(notes, function(a, b)
    return a.place < b.place
  end)
  H.tell(notes, extra.context.on_note)
  return model:_derive({
    _make = function(place)
      return refusal.protect(model._own, model, target[place].place)
    end,
    _key = function(name)
      local key = model:_key_of(target[name] and target[name].place or name)
      return key and cache.key({ identity, key })
    end,
    fallbacks = model.fallbacks,
    notes = table.move(notes, 1, #notes, #model.notes + 1, { table.unpack(model.notes) }),
  })
end

--- Say what was tied.
function H.tell(notes, on_note)
  for _, note in ipairs(on_note and notes or {}) do
    on_note(note.place, note.text)
  end
  if on_note and #notes == 0 then
    on_note("tie", "no two weights of one role are near enough")
  end
end

--- Whose weight each place holds: {[place] = {place, error}}.
function H.targets(model, limit)
  local target, staying, hashes = {}, {}, {}
  for _, place in ipairs(model:places()) do
    if place.tied_to == nil then
      local role = ("%s %d %d"):format(place.name:gsub("^layers%.%d+", "layers"), place.shape[1],
        place.shape[2])
      staying[role] = staying[role] or {}
      local w <close> = model:_own(place.name)
      local found = limit == 0 and H.equal(hashes, role, w)
        or H.nearest(model, staying[role], w, limit)
      if limit == 0 and found == nil then
        hashes[role .. H.digest(w)] = place.name
      end
      target[place.name] = found or { place = place.name, error = 0 }
      if found == nil then
        table.insert(staying[role], place.name)
      end
    end
  end
  return target
end

function H.equal(hashes, role, w)
  local other = hashes[role .. H.digest(w)]
  return other and { place = other, error = 0 }
end

function H.digest(w)
  local values <close> = must(w:dense())
  return native.core.tree_hash(values)
end

--- The place among `others` whose weight is nearest to `w` and near enough.
function H.nearest(model, others, w, limit)
  local best
  for _, name in ipairs(others) do
    local other <close> = model:_own(name)
    local lost = must(other:error(w))
    if lost <= limit and (best == nil or lost < best.error) then
      best = { place = name, error = lost }
    end
  end
  return best
end

---@type vise.Method
return {
  name = "tie",
  family = "share",
  summary = "weights of one role that are equal, or nearly, are held once",
  source = "Lan et al. 2020, arXiv:1909.11942 (ALBERT), section 3.1",
  version = 1,
  scope = "model",
  needs = {},
  is_exact = true,
  params = {
    { name = "error", kind = "real", default = 0, min = 0, max = 2,
      doc = "greatest relative difference of weights that are tied; 0: none" },
  },
  run = H.run,
}
