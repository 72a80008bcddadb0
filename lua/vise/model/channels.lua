-- SPDX-License-Identifier: Apache-2.0
--- A convolutional network with fewer channels: of each stream of them, what its readers can do
-- without best. A stage's stream is written and read by all of its blocks, so its channels go
-- everywhere at once: rows of what writes them and their norms, taps of what reads them.
--
-- With C the covariance of what a reader's windows hold, P what went, S what stays (one column for
-- each channel and tap), the reader becomes the least squares of its outputs:
--
--   V = W_S + W_P C_PS (C_SS + damping)^-1       and a constant: W mean - V mean_S
--
-- which goes into its bias, or out of the mean of its norm. What goes first is what the sum over
-- readers of relative losses (Optimal Brain Surgeon on groups of columns) says, a quarter at a
-- time, so that of two channels that say the same one stays. Statistics are of the whole model.

local native = require("vise.native")
local refusal = require("vise.model.refusal")
local reshape = require("vise.model.reshape")
local walk = require("vise.model.walk")

local must = refusal.must

local M = {}
local H = {}

---@class vise.Stream channels that go together
---@field name string of the coupling
---@field size integer
---@field writers string[] places
---@field readers table[] {place, taps, m, w, c, mean}: f64, flat, channel by channel
---@field kept integer[] from 0, ascending
---@field dropped integer[]

--- The model with a share of the channels of every stream gone, one at least left.
---@param model vise.Model
---@param options { sparsity: number, of: string, damping: number }
---@param extra table as of a method of scope model
---@return vise.Model
function M.run(model, options, extra)
  local streams, changed = H.streams(model, options), false
  for _, stream in ipairs(streams) do
    changed = changed or stream.goal > 0
  end
  if not changed then
    return model
  end
  H.read(model, streams, extra.calibration)
  for _, stream in ipairs(streams) do
    H.reduce(stream, options.damping)
  end
  local calibration = require("vise.calibration")
  local key = model:_key_of_all({ "prune_channels 1", options, calibration.key(extra.calibration) })
  return H.assemble(model, streams, key)
end

function H.streams(model, options)
  local streams = {}
  for i, coupling in ipairs(model:coupled()) do
    local stream = { name = coupling.name, size = coupling.size, writers = {}, readers = {},
      kept = {}, dropped = {} }
    local kind = coupling.name:find("%.blocks%.") and "blocks" or "stages"
    stream.goal = (options.of == "all" or options.of == kind)
      and math.min(math.floor(options.sparsity * coupling.size + 1e-6), coupling.size - 1) or 0
    for channel = 0, coupling.size - 1 do
      stream.kept[channel + 1] = channel
    end
    for _, part in ipairs(coupling.parts) do
      if part.dim == 1 then
        table.insert(stream.writers, part.place)
      else
        table.insert(stream.readers, { place = part.place, taps = part.taps })
      end
    end
    streams[i] = stream
  end
  return streams
end

--- Give every reader its weight, and what its windows hold.
function H.read(model, streams, plan)
  local by_site, wanted = {}, {}
  for _, stream in ipairs(streams) do
    for _, reader in ipairs(stream.readers) do
      local tensor <close> = reshape.floats(model, reader.place):convert("f64")
      reader.m = tensor:shape()[1]
      reader.w = H.by_channel(tensor:table(), reader.m, stream.size, reader.taps)
      by_site[reader.place .. ".in"] = { reader = reader, size = stream.size }
      wanted[reader.place .. ".in"] = true
    end
  end
  local steps <close> = walk.new(model, plan, function(place)
    return must(model:weight(place))
  end)
  for _ = 1, #model:blocks() do
    steps:pass(wanted, function(site, moments)
      local reader, size = by_site[site.name].reader, by_site[site.name].size
      local second <close> = moments:second()
      local mean <close> = moments:mean()
      reader.mean = H.by_channel(mean:table(), 1, size, reader.taps)
      local order = H.by_channel(H.count(size * reader.taps), 1, size, reader.taps)
      reader.c = H.covariance(second:table(), mean:table(), order)
    end)
  end
end

--- Columns of pixel after pixel as channel after channel.
function H.by_channel(values, rows, size, taps)
  local turned = {}
  for row = 0, rows - 1 do
    for channel = 0, size - 1 do
      for tap = 0, taps - 1 do
        turned[#turned + 1] = values[row * size * taps + tap * size + channel + 1]
      end
    end
  end
  return turned
end

--- 1 .. n.
function H.count(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

function H.covariance(second, mean, order)
  local n, c = #order, {}
  for i = 1, n do
    local row = (order[i] - 1) * n
    for j = 1, n do
      c[#c + 1] = second[row + order[j]] - mean[order[i]] * mean[order[j]]
    end
  end
  return c
end

--- Choose what goes; every reader has `v`, `shift` after.
function H.reduce(stream, damping)
  local step = math.max(1, math.ceil(stream.goal / 4))
  while #stream.dropped < stream.goal do
    local scores = H.scores(stream, damping)
    local order = {}
    for i, channel in ipairs(stream.kept) do
      order[i] = { channel = channel, score = scores[i] }
    end
    table.sort(order, function(a, b)
      return a.score < b.score or a.score == b.score and a.channel < b.channel
    end)
    local n = math.min(step, stream.goal - #stream.dropped)
    stream.kept = {}
    for i, entry in ipairs(order) do
      table.insert(i <= n and stream.dropped or stream.kept, entry.channel)
    end
    table.sort(stream.kept)
    table.sort(stream.dropped)
    for _, reader in ipairs(stream.readers) do
      H.refit(reader, stream, damping)
    end
  end
end

--- What each channel that is there is worth.
function H.scores(stream, damping)
  local scores = {}
  for i = 1, #stream.kept do
    scores[i] = 0.0
  end
  for _, reader in ipairs(stream.readers) do
    local ids = H.columns(stream.kept, reader.taps)
    local c <close> = H.part(reader.c, stream.size * reader.taps, ids, ids)
    local v <close> = native.tensor.from("f32", { reader.m, #ids }, reader.v or reader.w)
    local losses <close>, norm = must(native.linalg.column_losses(v, c, reader.taps, damping))
    for i, loss in ipairs(losses:table()) do
      local is_counted = norm > 0 and H.varies(reader, stream.kept[i], stream.size)
      scores[i] = scores[i] + (is_counted and loss / norm or 0.0)
    end
  end
  return scores
end

--- Does a channel ever change? One that does not costs nothing, whatever damping makes of it.
function H.varies(reader, channel, size)
  local k = size * reader.taps
  for column = channel * reader.taps, (channel + 1) * reader.taps - 1 do
    if reader.c[column * k + column + 1] > 0 then
      return true
    end
  end
  return false
end

--- The columns, from 1, of channels.
function H.columns(channels, taps)
  local ids = {}
  for _, channel in ipairs(channels) do
    for tap = 1, taps do
      ids[#ids + 1] = channel * taps + tap
    end
  end
  return ids
end

--- Rows and columns of a matrix with n columns, as a tensor.
function H.part(values, n, rows, columns)
  local part = {}
  for _, row in ipairs(rows) do
    for _, column in ipairs(columns) do
      part[#part + 1] = values[(row - 1) * n + column]
    end
  end
  return native.tensor.from("f64", { #rows, #columns }, part)
end

--- The least squares of a reader on what its stream has kept.
function H.refit(reader, stream, damping)
  local k, rows = stream.size * reader.taps, H.count(reader.m)
  local s, p = H.columns(stream.kept, reader.taps), H.columns(stream.dropped, reader.taps)
  local kept <close> = H.part(reader.w, k, rows, s)
  local v = kept:table()
  local c <close> = H.part(reader.c, k, s, s)
  if H.trace(c:table(), #s) > 0 then
    local gone <close> = H.part(reader.w, k, rows, p)
    local between <close> = H.part(reader.c, k, s, p)
    local b <close> = must(native.linalg.gemm(gone, between))
    local l <close> = must(native.linalg.cholesky(c, damping))
    local half <close> = must(native.linalg.solve_triangular(l, b))
    local x <close> = must(native.linalg.solve_triangular(l, half, true))
    for i, more in ipairs(x:table()) do
      v[i] = v[i] + more
    end
  end
  reader.v, reader.shift = v, {}
  for row = 1, reader.m do
    local shift = 0.0
    for _, column in ipairs(p) do
      shift = shift + reader.w[(row - 1) * k + column] * reader.mean[column]
    end
    for i, column in ipairs(s) do
      local change = reader.w[(row - 1) * k + column] - v[(row - 1) * #s + i]
      shift = shift + change * reader.mean[column]
    end
    reader.shift[row] = shift
  end
end

function H.trace(c, n)
  local sum = 0.0
  for i = 1, n do
    sum = sum + c[(i - 1) * n + i]
  end
  return sum
end

function H.assemble(model, streams, key)
  local read, written, widths, inner = {}, {}, {}, {}
  for _, stream in ipairs(streams) do
    table.insert(stream.name:find("%.blocks%.") and inner or widths, #stream.kept)
    for _, reader in ipairs(stream.readers) do
      read[reader.place] = { reader = reader, kept = #stream.kept }
    end
    for _, place in ipairs(stream.writers) do
      written[place] = stream.kept
    end
  end
  return reshape.run(model, {
    config = reshape.config(model, { hidden_sizes = native.json.array(widths),
      inner_sizes = native.json.array(inner) }),
    key = key and function(name)
      return key .. " " .. name
    end,
    weight = function(place)
      return refusal.protect(H.weight, model, place, read[place], written[place])
    end,
    tensor = function(name)
      local place, part = name:match("^(.*)%.(%w+)$")
      return refusal.protect(H.vector, model, name, part, read[place], written[place])
    end,
  })
end

--- The weight of a place: refitted columns, and the rows that stay.
function H.weight(model, place, read, written)
  local old = reshape.floats(model, place)
  local m, tensor = old:shape()[1], old
  if read and read.reader.v then
    local reader, values = read.reader, {}
    for row = 0, m - 1 do -- pixel after pixel again
      for tap = 1, reader.taps do
        for channel = 0, read.kept - 1 do
          values[#values + 1] = reader.v[(row * read.kept + channel) * reader.taps + tap]
        end
      end
    end
    tensor = native.tensor.from(old:dtype(), { m, read.kept * reader.taps }, values)
  end
  return native.weight.dense(H.rows(tensor, written))
end

--- A norm's or bias's numbers of the rows that stay; what a refit changed by a constant goes in.
function H.vector(model, name, part, read, written)
  local old = must(model:tensor(name))
  local shift = read and read.reader.shift
  local is_mean = part == "mean"
  if shift and (is_mean or part == "bias" and not model._net.has_norm or name == "head.bias") then
    local values <close> = old:convert("f64")
    local moved = values:table()
    for i, by in ipairs(shift) do
      moved[i] = moved[i] + (is_mean and -by or by)
    end
    old = native.tensor.from(old:dtype(), { #moved }, moved)
  end
  local column <close> = old:reshape({ old:count(), 1 })
  local rows <close> = H.rows(column, written)
  return rows:reshape({ rows:count() })
end

--- The rows of a tensor that stay, numbers from 0; all of what no stream writes.
function H.rows(tensor, kept)
  if kept == nil then
    return tensor:reshape(tensor:shape())
  end
  local all <close> = native.weight.dense(tensor)
  local ids <close> = native.tensor.from("i32", { #kept }, kept)
  local rows <close> = must(all:rows(ids))
  return rows:convert(tensor:dtype())
end

return M
