local digits = require("vise.corpus.digits")
local lu = require("luaunit")
local native = require("vise.native")
local pen = require("vise.corpus.pen")
local strokes = require("vise.corpus.strokes")
local train = require("vise.train")

TestDigits = {}

local H = {}

--- Classes of images by their nearest neighbour in `known`, by the sum of squared differences.
function H.nearest(images, known, labels)
  local found = {}
  for i, image in ipairs(images) do
    local best, class = math.huge, nil
    for k, other in ipairs(known) do
      local sum = 0
      for p = 1, #image do
        local difference = image[p] - other[p]
        sum = sum + difference * difference
        if sum >= best then
          break
        end
      end
      if sum < best then
        best, class = sum, labels[k]
      end
    end
    found[i] = class
  end
  return found
end

--- Images at half size, each pixel the sum of four: enough to tell digits apart, and quick.
function H.halved(tensor)
  local values, shape, list = tensor:table(), tensor:shape(), {}
  for i = 1, shape[1] do
    local image = {}
    for y = 0, 13 do
      for x = 0, 13 do
        local at = (i - 1) * 784 + 2 * y * 28 + 2 * x + 1
        image[#image + 1] = values[at] + values[at + 1] + values[at + 28] + values[at + 29]
      end
    end
    list[i] = image
  end
  return list
end

function H.share_right(found, labels)
  local right = 0
  for i, class in ipairs(found) do
    right = right + (class == labels[i] and 1 or 0)
  end
  return right / #found
end

function TestDigits:test_images_are_decided_by_seed_split_and_number_alone()
  local digit, pixels = digits.image("train", 5)
  digits.image("test", 1)

  local again, same = digits.image("train", 5)

  lu.assertEquals(#pixels, 784)
  lu.assertEquals(again, digit)
  lu.assertTrue(same == pixels)
  lu.assertFalse(select(2, digits.image("valid", 5)) == pixels)
  lu.assertFalse(select(2, digits.image("train", 5, 1)) == pixels)
  local images, labels = digits.images("train", 5)
  lu.assertTrue(images:string():sub(-784) == pixels)
  lu.assertEquals(labels:get(5), digit)
end

function TestDigits:test_images_have_the_same_bytes_everywhere()
  -- Written down when the strokes were; a sum of products contracted or a sine would change it.
  local images = digits.images("train", 50)
  lu.assertEquals(native.core.sha256(images:string()), H.digest_of_fifty)
end

H.digest_of_fifty = "8e94bd054bb34828c4a0b89cd1184a3c11c3000d5b2d3bae05beb4fffb3b1c39"

function TestDigits:test_a_straight_stroke_is_ink_within_its_radius_and_paper_beyond()
  local stroke = { line = true, .5, .1, .5, .9 }
  local canvas = pen.canvas(28)
  pen.draw(canvas, 28, pen.path(stroke, function(x, y)
    return 28 * x, 28 * y
  end), 2)

  for column = 0, 27 do
    local distance = math.abs(column + 0.5 - 14) -- in row 14, half-way down
    local expected = math.max(0, math.min(1, 2.5 - distance))
    lu.assertAlmostEquals(canvas[14 * 28 + column + 1], expected, 1e-12, column)
  end
  for row = 0, 27 do
    lu.assertTrue((canvas[row * 28 + 15] > 0) == (row + 0.5 > 0.3 and row + 0.5 < 27.7), row)
  end
end

function TestDigits:test_a_curve_goes_through_its_points()
  local stroke = { .1, .2, .4, .9, .8, .3 }
  local path = pen.path(stroke, function(x, y)
    return x, y
  end)

  lu.assertEquals(#path, 17)
  for i = 1, 3 do
    lu.assertAlmostEquals(path[8 * i - 7][1], stroke[2 * i - 1], 1e-12)
    lu.assertAlmostEquals(path[8 * i - 7][2], stroke[2 * i], 1e-12)
  end
end

function TestDigits:test_every_way_to_write_a_digit_fits_its_box()
  for digit = 0, 9 do
    lu.assertTrue(#strokes[digit] >= 3, digit)
    for _, way in ipairs(strokes[digit]) do
      for _, stroke in ipairs(way) do
        lu.assertEquals(#stroke % 2, 0)
        lu.assertTrue(#stroke >= 4)
        for _, place in ipairs(stroke) do
          lu.assertTrue(place > 0 and place < 1)
        end
      end
    end
  end
end

--- Nearest neighbours in pixels, the simplest of classifiers, tell what the digits are; guessing
--- would be right in 10 of 100.
function TestDigits:test_digits_can_be_told_apart()
  local known, labels = digits.images("train", 600)
  local images, expected = digits.images("test", 100)

  local found = H.nearest(H.halved(images), H.halved(known), labels:table())

  lu.assertTrue(H.share_right(found, expected:table()) >= 0.75)
end

function TestDigits:test_files_are_idx_under_the_names_of_mnist()
  local folder = os.tmpname()
  os.remove(folder)
  local written = assert(digits.write(folder, { split = "test", count = 3, seed = 2 }))

  lu.assertEquals(written.files, {
    { path = folder .. "/t10k-images-idx3-ubyte", bytes = 16 + 3 * 784 },
    { path = folder .. "/t10k-labels-idx1-ubyte", bytes = 8 + 3 },
  })
  local images, labels = digits.images("test", 3, 2)
  local read = assert(train.idx(written.files[1].path))
  lu.assertEquals(read:shape(), { 3, 28, 28 })
  lu.assertTrue(read:string() == images:string())
  lu.assertEquals(assert(train.idx(written.files[2].path)):table(), labels:table())
  native.file.remove_tree(folder)
end

os.exit(lu.LuaUnit.run())
