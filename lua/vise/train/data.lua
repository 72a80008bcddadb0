-- SPDX-License-Identifier: Apache-2.0
--- Data loaders: batch `step` of an endless sequence of epochs, each in its own seeded order. A
-- batch depends on its number and the seed alone, so that a resumed run goes on with the same ones.

local check = require("vise.check")
local native = require("vise.native")

local M = {}
local H = {}

---@class vise.Loader
---@field count integer items an epoch goes through: windows, images, rows
---@field tokens integer units of a batch, for the speed shown
---@field unit string what they are called: "tokens"
---@field key string what the data are, for the checkpoint
---@field batch fun(self, step: integer): table a batch by its number, from 1

---@class vise.StreamOptions
---@field text? string with `tokenizer`, or else `ids`
---@field tokenizer? vise.Tokenizer
---@field ids? vise.Tensor [n] i32
---@field length? integer 256 if absent
---@field batch? integer 8 if absent
---@field seed? integer 0 if absent

--- Windows of a token stream: each has `length` tokens and, as targets, those one further on.
--- The last tokens that fill no window are left out.
---@param options vise.StreamOptions
---@return vise.Loader batches have ids and targets [batch * length] i32, and starts
function M.windows(options)
  check.names("windows", options, { "batch", "ids", "length", "seed", "text", "tokenizer" })
  local plain = { length = options.length, batch = options.batch, seed = options.seed }
  local o = check.options("windows", H.window_rows, plain)
  local ids = options.ids or options.tokenizer:encode(options.text, true)
  local stream = ids:string()
  local count = (ids:count() - 1) // o.length
  if count < 1 then
    check.fail("windows: the text has %d tokens, expected at least %d (one window and its target)",
      ids:count(), o.length + 1)
  end
  local loader = H.loader(count, o, "tokens", o.length)
  loader.key = ("windows %s of %d, %d a batch, seed %d"):format(native.core.sha256(stream),
    o.length, o.batch, o.seed)
  local starts = {}
  for i = 1, o.batch do
    starts[i] = (i - 1) * o.length + 1
  end
  function loader:batch(step)
    local inputs, targets = {}, {}
    for i, item in ipairs(self:_items(step)) do
      local at = item * o.length * 4
      inputs[i] = stream:sub(at + 1, at + o.length * 4)
      targets[i] = stream:sub(at + 5, at + o.length * 4 + 4)
    end
    return { ids = H.int32(inputs), targets = H.int32(targets), starts = starts }
  end
  return loader
end

--- Rows of arrays: the first dimension counts items.
---@param options {inputs: vise.Tensor, targets?: vise.Tensor, batch?: integer, seed?: integer}
---   inputs [n, ...], targets [n, ...] of any type; batch 32, seed 0
---@return vise.Loader batches have inputs and targets
function M.arrays(options)
  check.names("arrays", options, { "batch", "inputs", "seed", "targets" })
  local o = check.options("arrays", H.array_rows, { batch = options.batch, seed = options.seed })
  local inputs, targets = H.items(options.inputs), options.targets and H.items(options.targets)
  if targets and targets.count ~= inputs.count then
    check.fail("arrays: %d inputs and %d targets, expected as many", inputs.count, targets.count)
  elseif inputs.count < 1 then
    check.fail("arrays: no inputs")
  end
  local loader = H.loader(inputs.count, o, "items", 1)
  loader.key = ("arrays %s %s, %d a batch, seed %d"):format(native.core.sha256(inputs.bytes),
    targets and native.core.sha256(targets.bytes) or "", o.batch, o.seed)
  function loader:batch(step)
    local chosen = self:_items(step)
    return { inputs = inputs:rows(chosen), targets = targets and targets:rows(chosen) }
  end
  return loader
end

--- Labelled images, as `shift` says moved by up to so many pixels to any side.
---@param options {set: vise.ImageSet, batch?: integer, seed?: integer, shift?: integer} batch 64,
---   seed 0, shift 0
---@return vise.Loader batches have images and targets
function M.images(options)
  check.names("images", options, { "batch", "seed", "set", "shift" })
  local set = options.set
  local o = check.options("images", H.image_rows, { batch = options.batch, seed = options.seed,
    shift = options.shift })
  local shape = set.images:shape()
  local pixels, labels = H.items(set.images), H.items(set.labels)
  local loader = H.loader(set.count, o, "images", 1)
  loader.key = ("images %s, %d a batch, seed %d, shifted by up to %d"):format(set:digest(), o.batch,
    o.seed, o.shift)
  function loader:batch(step)
    local chosen, first = self:_items(step), (step - 1) * o.batch
    local images = pixels:rows(chosen, o.shift > 0 and function(image, i)
      local function pixel(name)
        local side = 2 * o.shift + 1
        return math.floor(native.core.uniform(o.seed, name, first + i) * side) - o.shift
      end
      return H.shifted(image, shape, pixel("down"), pixel("right"))
    end)
    return { images = images, targets = labels:rows(chosen) }
  end
  return loader
end

--- An image moved down and to the right, black where nothing comes from.
---@param bytes string
---@param shape integer[] {n, h, w, c}
function H.shifted(bytes, shape, down, right)
  local h, row = shape[2], shape[3] * shape[4]
  local rows, black, by = {}, ("\0"):rep(row), math.abs(right) * shape[4]
  for y = 0, h - 1 do
    local from = y - down
    local line = from >= 0 and from < h and bytes:sub(from * row + 1, from * row + row) or black
    rows[y + 1] = right < 0 and line:sub(by + 1) .. black:sub(1, by)
      or black:sub(1, by) .. line:sub(1, row - by)
  end
  return table.concat(rows)
end

H.image_rows = {
  { name = "batch", kind = "int", default = 64, min = 1, doc = "images of a step" },
  { name = "seed", kind = "int", default = 0, doc = "of the order and the moves" },
  { name = "shift", kind = "int", default = 0, min = 0, max = 64,
    doc = "pixels by which an image may be moved to each side" },
}
H.window_rows = {
  { name = "length", kind = "int", default = 256, min = 1, doc = "tokens of a window" },
  { name = "batch", kind = "int", default = 8, min = 1, doc = "windows of a step" },
  { name = "seed", kind = "int", default = 0, doc = "of the order" },
}
H.array_rows = {
  { name = "batch", kind = "int", default = 32, min = 1, doc = "items of a step" },
  { name = "seed", kind = "int", default = 0, doc = "of the order" },
}

--- A loader without its `batch`. Batches run on from one epoch into the next.
function H.loader(count, o, unit, tokens)
  local loader = { count = count, unit = unit, tokens = o.batch * tokens, epoch = nil }
  function loader:_items(step)
    local items = {}
    for i = 1, o.batch do
      local at = (step - 1) * o.batch + i - 1
      local epoch = at // count
      if self._epoch ~= epoch then
        self._epoch, self._order = epoch, H.order(count, o.seed, epoch)
      end
      items[i] = self._order[at % count + 1]
    end
    return items
  end
  return loader
end

--- 0 .. count - 1, shuffled (Fisher and Yates).
function H.order(count, seed, epoch)
  local order, name = {}, ("order %d"):format(epoch)
  for i = 1, count do
    order[i] = i - 1
  end
  for i = count, 2, -1 do
    local j = math.floor(native.core.uniform(seed, name, i) * i) + 1
    order[i], order[j] = order[j], order[i]
  end
  return order
end

--- A tensor as items that can be gathered.
function H.items(tensor)
  local shape = tensor:shape()
  local items = { bytes = tensor:string(), count = shape[1] or 0 }
  local size = #items.bytes // math.max(1, items.count)
  function items:rows(chosen, change)
    local parts = {}
    for i, item in ipairs(chosen) do
      parts[i] = self.bytes:sub(item * size + 1, (item + 1) * size)
      parts[i] = change and change(parts[i], i) or parts[i]
    end
    return native.tensor.from_bytes(tensor:dtype(), { #chosen, table.unpack(shape, 2) },
      table.concat(parts))
  end
  return items
end

function H.int32(parts)
  local bytes = table.concat(parts)
  return native.tensor.from_bytes("i32", { #bytes // 4 }, bytes)
end

return M
