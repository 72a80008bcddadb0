-- SPDX-License-Identifier: Apache-2.0
--- Images of handwritten digits, drawn by a pen that follows strokes.lua.
-- Every image bends, turns, slants and stretches the strokes of one way to write its digit, draws
-- them with ink of its own width and strength, and may add noise. Only exact operations and square
-- roots take part (turns are rational), so an image has the same bytes on every machine.

local chances = require("vise.corpus.chance")
local native = require("vise.native")
local pen = require("vise.corpus.pen")
local strokes = require("vise.corpus.strokes")

---@type vise.Corpus
local M = {
  name = "digits",
  summary = "images of handwritten digits, 28 x 28, a folder of idx files as MNIST has",
  items = "images",
  splits = { "train", "valid", "test" },
}
local H = {}

M.SIZE = 28

--- One image: its digit, and the rows of pixels from the top, 0 for paper and 255 for full ink.
---@param split string "train", "valid" or "test"
---@param number integer from 1
---@param seed? integer 0 if absent
---@return integer digit
---@return string pixels 784 bytes
function M.image(split, number, seed)
  local chance = chances.new(seed or 0, ("digits/%s/%d"):format(split, number))
  local digit = chance:below(10) - 1
  local canvas = pen.canvas(M.SIZE)
  local move = H.movement(chance)
  local radius = chance:between(0.7, 1.9)
  for _, stroke in ipairs(chance:pick(strokes[digit])) do
    pen.draw(canvas, M.SIZE, pen.path(H.shaken(stroke, chance), move),
      radius * chance:between(0.92, 1.08))
  end
  return digit, H.exposed(canvas, chance)
end

--- The first images of a split.
---@param split string
---@param count integer
---@param seed? integer
---@param on_progress? fun(done: integer, total: integer)
---@return vise.Tensor images u8 [count, 28, 28]
---@return vise.Tensor labels u8 [count]
function M.images(split, count, seed, on_progress)
  local images, labels = {}, {}
  for i = 1, count do
    local digit, pixels = M.image(split, i, seed)
    images[i], labels[i] = pixels, string.char(digit)
    if on_progress then
      on_progress(i, count)
    end
  end
  return native.tensor.from_bytes("u8", { count, M.SIZE, M.SIZE }, table.concat(images)),
    native.tensor.from_bytes("u8", { count }, table.concat(labels))
end

--- Write the first images of a split as two idx files, under the names that MNIST gives them.
---@param folder string made if it is not there
---@param opts vise.CorpusOptions
---@return vise.CorpusWritten|nil
---@return string? message
---@return string? code "io"
function M.write(folder, opts)
  local images, labels = M.images(opts.split, opts.count, opts.seed, opts.on_progress)
  local made, message, code = native.file.make_dirs(folder)
  if not made then
    return nil, message, code
  end
  local files = {}
  for i, file in ipairs({
    { "images-idx3-ubyte", string.pack(">I4I4I4I4", 0x803, opts.count, M.SIZE, M.SIZE), images },
    { "labels-idx1-ubyte", string.pack(">I4I4", 0x801, opts.count), labels },
  }) do
    local path = ("%s/%s-%s"):format(folder, H.split_names[opts.split], file[1])
    local content = file[2] .. file[3]:string()
    local ok, problem, kind = native.file.replace(path, content)
    if not ok then
      return nil, problem, kind
    end
    files[i] = { path = path, bytes = #content }
  end
  return { files = files }
end

H.split_names = { train = "train", valid = "valid", test = "t10k" }

--- The points of a stroke, each a little off its place.
function H.shaken(stroke, chance)
  local shaken = { line = stroke.line }
  for i = 1, #stroke do
    shaken[i] = stroke[i] + 0.06 * (chance:uniform() + chance:uniform() - 1)
  end
  return shaken
end

--- From the box of the strokes to pixels: stretched, slanted, turned, bent and put somewhere.
function H.movement(chance)
  local wide, high = chance:between(10, 20), chance:between(15, 21)
  local slant, bend = chance:between(-0.2, 0.5), chance:between(-0.4, 0.4)
  local sag = chance:between(-0.25, 0.25)
  local half = chance:between(-0.16, 0.16) -- tangent of half the angle
  local cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
  local left, top = M.SIZE / 2 + chance:between(-1.5, 1.5), M.SIZE / 2 + chance:between(-1.5, 1.5)
  return function(x, y)
    x, y = x - 0.5, y - 0.5
    x, y = x - slant * y + bend * (y * y - 0.1), y + sag * (x * x - 0.1)
    x, y = x * wide, y * high
    return left + cosine * x - sine * y, top + sine * x + cosine * y
  end
end

--- Ink as bytes: its strength, and in two images of five the noise of paper and pen.
function H.exposed(canvas, chance)
  local strength, noise = chance:between(205, 255), chance:is(0.4) and chance:between(5, 40) or 0
  local bytes = {}
  for i = 1, #canvas do
    local value = canvas[i] * strength
    if noise > 0 then
      value = value + noise * (chance:uniform() + chance:uniform() - 1)
    end
    bytes[i] = string.char(math.floor(math.max(0, math.min(255, value)) + 0.5))
  end
  return table.concat(bytes)
end

return M
