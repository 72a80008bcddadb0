-- SPDX-License-Identifier: Apache-2.0
--- A walk of calibration tokens through a model, block by block.
-- In every block the tokens stop at each site whose statistics are wanted. When all of them are
-- there the statistics are handed out, and what is computed after the site goes through the weights
-- as they are then: compressed ones, if they were made meanwhile. Memory: what one block computes.

local calibration = require("vise.calibration")
local native = require("vise.native")
local refusal = require("vise.model.refusal")

local must = refusal.must

local M = {}
local H = {}
local Walk = {}
Walk.__index = Walk
local View = {}
View.__index = View

---@class vise.Walk
---@field at integer index of the block that comes next

--- A walk before its first block.
---@param model vise.Model gives vectors and the network
---@param plan vise.Calibration
---@param weight_of fun(place: string): vise.Weight the weight to compute with, as it is now
---@param original_of? fun(place: string): vise.Weight those of the model before compression, which
--- the tokens pass, too
---@param has_cross? boolean statistics have the cross moments of both
---@return vise.Walk
function M.new(model, plan, weight_of, original_of, has_cross)
  local walk = setmetatable({ at = 1, _net = model._net, _sites = M.sites(model),
    _has_cross = has_cross or false }, Walk)
  walk._batches = calibration.batches(plan, model)
  walk._streams = walk:_start(model, weight_of)
  walk._originals = original_of and walk:_start(model, original_of)
  return walk
end

--- The sites of each block, in the order in which its tokens meet them: lists of {name, places}.
---@param model vise.Model
---@return table[][]
function M.sites(model)
  local block_of, list = {}, {}
  for index, block in ipairs(model:blocks()) do
    list[index] = {}
    for _, place in ipairs(block.places) do
      block_of[place] = index
    end
  end
  for _, site in ipairs(model:sites()) do
    local of_block = list[block_of[site.places[1]]]
    of_block[#of_block + 1] = site
  end
  return list
end

--- Go through the next block.
---@param wanted table<string, true> names of sites
---@param on_site fun(site: table, moments: vise.Moments) called at each; the moments are closed
--- after
function Walk:pass(wanted, on_site)
  local threads = self:_threads(self._streams, wanted)
  local originals = self._originals and self:_threads(self._originals, wanted)
  while true do
    local site, moments
    for i, thread in ipairs(threads) do
      local x, y
      site, x = thread()
      if originals then
        local _
        _, y = originals[i]()
      end
      if site then
        moments = moments or native.stats.moments(x:shape()[2], self._has_cross)
        must(moments:add(x, self._has_cross and y or nil))
      end
    end
    if site == nil then
      break
    end
    local given <close> = moments
    on_site(site, given)
  end
  self.at = self.at + 1
end

--- What comes into the next block, to be closed: handles of the caller's own.
---@return vise.Tensor[]
function Walk:inputs()
  local inputs = {}
  for i, stream in ipairs(self._streams) do
    inputs[i] = H.handle(stream.x)
  end
  return inputs
end

--- Go through the block before the next one again, from its inputs, through its weights as they are
--- now.
---@param inputs vise.Tensor[]
function Walk:again(inputs)
  for i, stream in ipairs(self._streams) do
    stream.x:close()
    stream.x = self:output(inputs, i, stream.view)
  end
end

--- What the block before the next one makes of input i.
---@param inputs vise.Tensor[]
---@param i integer
---@param view table {weight(self, place), vector(self, name)}
---@return vise.Value|vise.Tensor
function Walk:output(inputs, i, view)
  view._stops = {}
  return self._net:block(view, self.at - 1, H.handle(inputs[i]), self._streams[i].sequence)
end

--- What the block before the next one should have made of input i: what the original did.
---@param i integer
---@return vise.Tensor
function Walk:target(i)
  return self._originals[i].x
end

--- The mean squared difference between what the block before the next one made and should have.
---@return number
function Walk:error()
  local sum = 0
  for i, stream in ipairs(self._streams) do
    sum = sum + must(native.distance.mse(stream.x, self._originals[i].x))
  end
  return sum / #self._streams
end

--- Let the activations go.
function Walk:close()
  for _, streams in ipairs({ self._streams, self._originals }) do
    for _, stream in ipairs(streams) do
      if stream.x then
        stream.x:close()
      end
    end
  end
end

Walk.__close = Walk.close

function Walk:_start(model, weight_of)
  local streams = {}
  for i, batch in ipairs(self._batches) do
    streams[i] = {
      sequence = self._net:sequence(batch),
      view = setmetatable({ _model = model, _weight_of = weight_of }, View),
    }
  end
  return streams
end

--- One function a stream; each call goes on to the next wanted site and gives it and its input, or
--- nil at the end of the block.
function Walk:_threads(streams, wanted)
  local stops, last = {}, #self._sites
  for _, site in ipairs(self._sites[self.at]) do
    stops[site.places[1]] = wanted[site.name] and site or nil
  end
  local threads = {}
  for i, stream in ipairs(streams) do
    local thread = coroutine.create(function()
      stream.view._stops = stops
      stream.x = self._net:block(stream.view, self.at, stream.x, stream.sequence)
      local head = self.at == last and self._sites[last][1]
      if head and wanted[head.name] then
        coroutine.yield(head, stream.x)
      end
    end)
    threads[i] = function()
      local ok, site, x = coroutine.resume(thread)
      if not ok then
        error(site, 0)
      end
      return site, x
    end
  end
  return threads
end

--- Another handle of a tensor.
function H.handle(x)
  return x:reshape(x:shape())
end

--- What stands for the model while a block is computed.
function View:weight(place)
  return self._weight_of(place)
end

function View:vector(name)
  return self._model:vector(name)
end

function View:reach(place, x)
  if self._stops[place] then
    coroutine.yield(self._stops[place], x)
  end
end

return M
