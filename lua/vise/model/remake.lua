-- SPDX-License-Identifier: Apache-2.0
--- The weights of a compressed model, made when they are asked for.
-- A weight whose method wants statistics is made during a walk of the calibration tokens through
-- the blocks before it, together with its block. What a cache has is not made again; without one
-- all that a walk has made is kept, with one only what the current block made.

local cache = require("vise.cache")
local calibration = require("vise.calibration")
local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local M = {}
local Remake = {}
Remake.__index = Remake
local H = {}

--- The model with the weights that `steps` make of its own.
---@param model vise.Model
---@param steps table<string, {method: string, options: table, stats?: vise.Calibration}> by place
---@param plan vise.Calibration|nil that of the steps which have one
---@param context vise.CompressContext
---@param fallbacks table[]
---@return vise.Model
function M.run(model, steps, plan, context, fallbacks)
  local remake = setmetatable({
    _model = model,
    _steps = steps,
    _plan = plan,
    _context = context,
    _results = {}, -- place -> weight, made by the walk
    _keys = {}, -- place -> key or false
    _parts = {}, -- place -> what its key is made of, by the words for it
    _notes = table.move(model.notes, 1, #model.notes, 1, {}),
    _site_of = H.sites(model),
  }, Remake)
  for _, step in next, steps do
    remake._has_blocks = remake._has_blocks or step.is_block
  end
  if plan then
    remake:_find_blocks()
  end
  return model:_derive({
    _make = function(place)
      return refusal.protect(remake.weight, remake, place)
    end,
    _key = context.cache and function(name)
      return remake:_key(name) or nil
    end,
    fallbacks = fallbacks,
    notes = remake._notes,
  })
end

--- fn(...), with `who` before the message if it raises. Refusals of the world pass as they are.
---@param who string
---@param fn function
function M.named(who, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if not result[1] then
    if refusal.is(result[2]) then
      error(result[2], 0)
    end
    check.fail("%s: %s", who, check.strip_position(result[2]))
  end
  return table.unpack(result, 2, result.n)
end

--- The weight of a place (an owner), which the caller closes.
function Remake:weight(place)
  local step = self._steps[place]
  if step == nil then
    return self._model:_own(place)
  elseif self._results[place] then
    return self._results[place]:handle()
  end
  local found = self:_cached(place)
  if found then
    return found
  elseif step.stats == nil then
    return self:_apply(place, step, {})
  elseif self._is_early[place] then
    self:_advance_early(place)
  else
    self:_advance(self._block_of[place])
  end
  return self._results[place]:handle()
end

--- An embedding that is the head too: tokens pass it before they come to the head as its inputs, so
--- its statistics are those of the original model.
function Remake:_advance_early(place)
  local site = self._site_of[place]
  local weights = self:_weights(true)
  local walk = require("vise.model.walk").new(self._model, self._plan, weights,
    self:_wants_cross() and weights or nil, self:_wants_cross())
  for index in ipairs(self._sites) do
    self._walk_block = index
    walk:pass({ [site.name] = true }, function(_, moments)
      self:_compress(site, moments)
    end)
    self:_drop_pages(index)
  end
  walk:close()
end

--- Make all of a block that is not there yet.
function Remake:_advance(index)
  local wanted = self:_missing(index)
  if next(wanted) == nil then
    return
  end
  if self._plan.sequential or not self:_by_kept_moments(index, wanted) then
    self:_walk_to(index)
    local learning = self:_learning(index)
    local inputs = learning[1] and self._walk:inputs()
    self:_pass(index, wanted, function(site, moments)
      self:_keep_moments(site, moments)
      self:_compress(site, moments)
    end)
    if inputs then
      self:_learn(index, learning, inputs)
    end
    if self._walk.at > #self._sites then
      self._walk:close()
      self._walk = nil
    end
  end
end

--- The places of a block that learn together.
function Remake:_learning(index)
  local list = {}
  for _, site in ipairs(self._sites[index]) do
    for _, name in ipairs(site.places) do
      local place = self._model:_owner_of(name)
      local step = self._steps[place]
      if step and step.is_block and not self._is_early[place] then
        list[#list + 1] = place
      end
    end
  end
  return list
end

--- The weights of a block begin as they are and learn what the original made of its inputs; they
--- stay as they are where that brings nothing.
function Remake:_learn(index, learning, inputs)
  local method, walk = require("vise.method"), self._walk
  local block = { name = self._model:blocks()[index].name, places = {}, count = #inputs,
    seed = self._context.seed or 0 }
  for i, place in ipairs(learning) do
    local step = self._steps[place]
    block.places[i] = { name = place, method = step.method, options = step.options,
      original = self._model:_own(place), start = self._results[place] }
  end
  local fixed = self:_weights(false)
  function block.output(i, weight_of)
    return walk:output(inputs, i, {
      weight = function(_, name)
        return weight_of(self._model:_owner_of(name)) or fixed(name)
      end,
      vector = function(_, name)
        return self._model:vector(name)
      end,
    })
  end
  function block.target(i)
    return walk:target(i)
  end
  local before, begin = walk:error(), native.core.clock()
  local learned = M.named(block.name, method.run_block, block)
  for i, place in ipairs(learning) do
    self._results[place] = learned[i]
  end
  walk:again(inputs)
  local after = walk:error()
  if after >= before then
    for i, place in ipairs(learning) do
      self._results[place] = block.places[i].start
    end
    walk:again(inputs)
  end
  for _, input in ipairs(inputs) do
    input:close()
  end
  local seconds = native.core.clock() - begin
  for i, place in ipairs(learning) do
    block.places[i].original:close()
    self:_keep(place, self._results[place], seconds / #learning,
      i == 1 and H.learned_note(before, after) or nil)
  end
end

--- The sites of a block at which something has to be made: {[name] = true}.
function Remake:_missing(index)
  local wanted = {}
  for _, place in ipairs(self:_learning(index)) do
    self._results[place] = self._results[place] or self:_cached(place)
    if self._results[place] == nil then -- what learns together begins together
      for _, other in ipairs(self:_learning(index)) do
        self._results[other] = nil
      end
      break
    end
  end
  for _, site in ipairs(self._sites[index]) do
    for _, name in ipairs(site.places) do
      local place = self._model:_owner_of(name)
      local step = self._steps[place]
      if step and step.stats and not self._results[place] and not self._is_early[place] then
        self._results[place] = self:_cached(place)
        wanted[site.name] = wanted[site.name] or self._results[place] == nil or nil
      end
    end
  end
  return wanted
end

--- Bring the tokens before block `index`.
function Remake:_walk_to(index)
  if self._walk and self._walk.at > index then
    self._walk:close()
    self._walk = nil
  end
  if self._walk == nil then
    local walk = require("vise.model.walk")
    local has_cross = self:_wants_cross()
    self._walk = walk.new(self._model, self._plan, self:_weights(not self._plan.sequential),
      (has_cross or self._has_blocks) and self:_weights(true) or nil, has_cross)
  end
  while self._walk.at < index do
    local at = self._walk.at
    if self._plan.sequential then
      self:_advance(at)
    end
    if self._walk.at == at then
      self:_pass(at, {}, function() end)
    end
  end
end

--- Go through one block. What fails leaves the tokens within it: the next walk is another one.
function Remake:_pass(index, wanted, on_site)
  self:_forget(index)
  local walk = self._walk
  self._walk = nil
  walk:pass(wanted, on_site)
  self._walk = walk
  self:_drop_pages(index)
end

--- Gives the weights to walk with, each made once a block: the original ones, or those that are
--- there.
function Remake:_weights(are_original)
  local kept, block = {}, nil
  return function(name)
    local place = self._model:_owner_of(name)
    if block ~= self._walk_block then
      for _, weight in next, kept do
        weight:close()
      end
      kept, block = {}, self._walk_block
    end
    local result = not are_original and self._results[place]
    if result then
      return result
    elseif kept[place] == nil then
      kept[place] = are_original and self._model:_own(place) or self:weight(place)
    end
    return kept[place]
  end
end

--- A block begins: what a cache has of the results so far need not stay.
function Remake:_forget(index)
  self._walk_block = index
  if self._context.cache then
    for place, weight in check.sorted_pairs(self._results) do
      if self._block_of[place] ~= index and self:_key(place) then
        weight:close()
        self._results[place] = nil
      end
    end
  end
end

function Remake:_compress(site, moments)
  for _, name in ipairs(site.places) do
    local place = self._model:_owner_of(name)
    local step = self._steps[place]
    if step and step.stats and not self._results[place] then
      local extra = require("vise.method").extra(step.method, moments)
      self._results[place] = self:_apply(place, step, extra)
    end
  end
end

--- Run a step's method on the original weight of a place.
function Remake:_apply(place, step, extra)
  local original <close> = self._model:_own(place)
  extra.name, extra.seed = place, self._context.seed or 0
  local start = native.core.clock()
  local method = require("vise.method")
  if step.is_block then -- this is its beginning: see _learn
    return (refusal.must(M.named(place, method.run_inner, step.method, original, step.options,
      extra)))
  end
  local result, note = refusal.must(M.named(place, method.run, step.method, original, step.options,
    extra))
  local seconds = native.core.clock() - start
  self:_keep(place, result, seconds, note,
    step.stats or seconds * H.bytes_per_second > result:bytes())
  return result
end

--- A weight is made; that took so many seconds.
function Remake:_keep(place, result, seconds, note, is_dear)
  self:_note(place, note)
  local key = self:_key(place)
  if key and is_dear ~= false then
    self._context.cache:put_weight(key, result, { note = note })
  end
  self:_done(place, false, seconds)
end

--- The weight that the cache has for a place.
function Remake:_cached(place)
  local key = self:_key(place)
  local weight, about
  if key then
    weight, about = self._context.cache:weight(key)
  end
  if weight == nil then
    return nil
  end
  self:_note(place, about.note)
  self:_done(place, true, 0.0)
  return weight
end

--- What the content of a place or tensor is known by; nil if it cannot be said.
function Remake:_key(name)
  if self._context.cache == nil then
    return nil
  end
  if self._keys[name] == nil then
    self._keys[name] = self:_make_key(name) or false
  end
  return self._keys[name] or nil
end

function Remake:_make_key(name)
  local parent = self._model:_key_of(name)
  local step = self._steps[name]
  if step == nil or parent == nil then
    return parent
  end
  local method = require("vise.method")
  local identity = method.identity(step.method, step.options, self._context.recipe)
  local stats = step.stats and (step.is_block and self:_block_key(name) or self:_stats_key(name))
  if identity == nil or step.stats and stats == nil then
    return nil
  end
  self._parts[name] = { ["original weight"] = parent, method = step.method,
    ["version of the method"] = identity, options = step.options, statistics = stats or "",
    seed = self._context.seed or 0 }
  return cache.key({ "compress", parent, identity, step.options, stats or "",
    self._context.seed or 0 })
end

--- What decides what a block learns: all that comes to it, and all that is in it.
function Remake:_block_key(place)
  local index, method = self._block_of[place], require("vise.method")
  local parts = { self:_stats_key(place, self._sites[index][1]) }
  for _, name in ipairs(self._model:blocks()[index].places) do
    local owner = self._model:_owner_of(name)
    local step = self._steps[owner]
    parts[#parts + 1] = self._model:_key_of(owner)
    parts[#parts + 1] = step
      and { method.identity(step.method, step.options, self._context.recipe) or {}, step.options }
  end
  return parts[1] and cache.key(parts)
end

--- What decides the statistics of a place's site: all that the tokens pass before it.
function Remake:_stats_key(place, before)
  local site = before or self._site_of[place]
  local is_sequential = self._plan.sequential and not self._is_early[place]
  local parts = { calibration.key(self._plan), site and site.name or "", self:_wants_cross() }
  for _, name in ipairs(self._model:tensors()) do
    parts[#parts + 1] = self._model:_key_of(name)
  end
  for _, name in ipairs(self._model:blocks()[1].places) do
    local owner = self._model:_owner_of(name)
    parts[#parts + 1] = is_sequential and self:_key(owner) or self._model:_key_of(owner) or ""
  end
  for _, block in ipairs(self._sites) do
    for _, other in ipairs(block) do
      if other == site and is_sequential then
        return cache.key(parts)
      end
      for _, name in ipairs(other.places) do
        local owner = self._model:_owner_of(name)
        local key = is_sequential and self:_key(owner) or self._model:_key_of(owner)
        if key == nil then
          return nil
        end
        parts[#parts + 1] = key
      end
    end
  end
  return cache.key(parts)
end

--- What a block has learned, in a line.
function H.learned_note(before, after)
  return ("mean squared error of the block %.4g, %.4g before it learned%s"):format(
    math.min(before, after), before, after < before and "" or ": nothing was learned")
end

--- Does a method look at the inputs before compression?
function Remake:_wants_cross()
  if self._has_cross == nil then
    self._has_cross = false
    local method = require("vise.method")
    for _, step in next, self._steps do
      self._has_cross = self._has_cross or step.stats
        and method.wants(step.method, "cross", step.options) or false
    end
  end
  return self._has_cross
end

--- Statistics of the original model do not depend on what is compressed, so they are kept.
function Remake:_keep_moments(site, moments)
  local key = self:_moments_key(site)
  if key then
    self._context.cache:put_tensors(key, moments:parts(), { count = moments:count() })
  end
end

--- Compress a block by statistics that are kept; false if some are missing.
function Remake:_by_kept_moments(index, wanted)
  local all = {}
  for _, site in ipairs(self._sites[index]) do
    if wanted[site.name] then
      local key = self:_moments_key(site)
      local parts, about
      if key then
        parts, about = self._context.cache:tensors(key)
      end
      if parts == nil then
        return false
      end
      all[#all + 1] = { site = site, parts = parts, count = about.count }
    end
  end
  self:_forget(index)
  for _, entry in ipairs(all) do
    local moments <close> = native.stats.from_parts(entry.count, entry.parts)
    self:_compress(entry.site, moments)
  end
  self:_drop_pages(index)
  return true
end

function Remake:_moments_key(site)
  if self._context.cache == nil or self._plan.sequential then
    return nil
  end
  local stats = self:_stats_key(site.places[1])
  return stats and cache.key({ "moments", site.name, stats })
end

--- The block in which each place is made, the sites of each block, and which places the first block
--- has though their inputs are known later.
function Remake:_find_blocks()
  self._sites = require("vise.model.walk").sites(self._model)
  self._block_of, self._is_early = {}, {}
  for _, name in ipairs(self._model:blocks()[1].places) do
    self._is_early[name] = self._site_of[name] ~= nil
  end
  for index, sites in ipairs(self._sites) do
    for _, site in ipairs(sites) do
      for _, name in ipairs(site.places) do
        self._block_of[self._model:_owner_of(name)] = index
      end
    end
  end
end

--- Mapped weights of a block that has been passed need no memory.
function Remake:_drop_pages(index)
  for _, name in ipairs(self._model:blocks()[index].places) do
    local weight <close> = self._model:_own(name)
    local tensor = weight:tensor()
    if tensor then
      tensor:drop_pages()
    end
  end
end

function Remake:_note(place, text)
  if text and text ~= "" then
    self._notes[#self._notes + 1] = { place = place, text = text }
    if self._context.on_note then
      self._context.on_note(place, text)
    end
  end
end

function Remake:_done(place, is_cached, seconds)
  if self._context.on_result then
    self._context.on_result(place, is_cached, self._parts[place], seconds)
  end
end

function H.sites(model)
  local site_of = {}
  for _, site in ipairs(model:sites()) do
    for _, name in ipairs(site.places) do
      site_of[model:_owner_of(name)] = site
    end
  end
  return site_of
end

--- What is made faster than this is made again instead of kept, unless a walk had to come before.
H.bytes_per_second = 200e6

return M
