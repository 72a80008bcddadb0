--- A small random convolutional network in a folder as other programs write it, what it says of
-- images by plain loops over those files' tensors in f64, and small sets of images.
local native = require("vise.native")

local M = {}
local H = {}

M.CONFIG = {
  model_type = "convnet", image_size = 7, num_channels = 2, num_labels = 4, hidden_sizes = { 3, 5 },
  depths = { 2, 1 }, stem_stride = 1, image_mean = 0.25, image_std = 0.5,
}

--- Write a folder with random tensors of a config.
---@param folder string
---@param changes? table of the config
---@return table config
function M.write(folder, changes)
  local config = {}
  for key, value in pairs(M.CONFIG) do
    config[key] = value
  end
  for key, value in pairs(changes or {}) do
    config[key] = value
  end
  local items = {}
  local function add(name, shape, scale, shift)
    local values = {}
    local count = 1
    for _, n in ipairs(shape) do
      count = count * n
    end
    for i = 1, count do
      values[i] = shift + scale * native.core.normal(1, name, i)
    end
    items[#items + 1] = { name, native.tensor.from("f32", shape, values) }
  end
  local function conv(name, norm, size, k, m)
    add(name .. ".weight", { m, k, size, size }, (2 / (k * size * size)) ^ 0.5, 0)
    add(norm .. ".weight", { m }, 0.1, 1)
    add(norm .. ".bias", { m }, 0.3, 0)
    add(norm .. ".running_mean", { m }, 0.2, 0)
    add(norm .. ".running_var", { m }, 0.05, 0.7)
  end
  local before = config.hidden_sizes[1]
  conv("conv1", "bn1", 3, config.num_channels, before)
  for stage, width in ipairs(config.hidden_sizes) do
    for block = 0, config.depths[stage] - 1 do
      local at = ("layer%d.%d."):format(stage, block)
      conv(at .. "conv1", at .. "bn1", 3, before, width)
      conv(at .. "conv2", at .. "bn2", 3, width, width)
      if stage > 1 and block == 0 then
        conv(at .. "downsample.0", at .. "downsample.1", 1, before, width)
      end
      before = width
    end
  end
  add("fc.weight", { config.num_labels, before }, 0.6, 0)
  add("fc.bias", { config.num_labels }, 0.2, 0)
  assert(native.file.make_dirs(folder))
  assert(native.file.replace(folder .. "/config.json", native.json.encode(config)))
  assert(native.safetensors.write(folder .. "/model.safetensors", items, {}))
  return config
end

--- The logits of images, one list each: conv by conv as the formula says.
---@param folder string
---@param config table
---@param images integer[][] pixels 0 .. 255 as [h][w][c], flat
---@return number[][]
function M.logits(folder, config, images)
  local file <close> = assert(native.safetensors.open(folder .. "/model.safetensors"))
  local all = {}
  for i, pixels in ipairs(images) do
    all[i] = H.logits(function(name)
      return file:tensor(name):table()
    end, config, pixels)
  end
  return all
end

function H.logits(get, config, pixels)
  local size, c = config.image_size, config.num_channels
  local x = { h = size, c = c }
  for ch = 1, c do
    x[ch] = {}
    for i = 0, size * size - 1 do
      x[ch][i] = (pixels[i * c + ch] / 255 - config.image_mean) / config.image_std
    end
  end
  x = H.relu(H.conv(get, x, "conv1", "bn1", 3, config.stem_stride))
  for stage in ipairs(config.hidden_sizes) do
    for block = 0, config.depths[stage] - 1 do
      local at = ("layer%d.%d."):format(stage, block)
      local is_first = stage > 1 and block == 0
      local stride = is_first and 2 or 1
      local y = H.relu(H.conv(get, x, at .. "conv1", at .. "bn1", 3, stride))
      y = H.conv(get, y, at .. "conv2", at .. "bn2", 3, 1)
      local around = is_first and H.conv(get, x, at .. "downsample.0", at .. "downsample.1", 1, 2)
        or x
      for ch = 1, y.c do
        for i = 0, y.h * y.h - 1 do
          y[ch][i] = y[ch][i] + around[ch][i]
        end
      end
      x = H.relu(y)
    end
  end
  local weight, bias, out = get("fc.weight"), get("fc.bias"), {}
  for class = 1, config.num_labels do
    out[class] = bias[class]
    for ch = 1, x.c do
      local sum = 0
      for i = 0, x.h * x.h - 1 do
        sum = sum + x[ch][i]
      end
      out[class] = out[class] + weight[(class - 1) * x.c + ch] * sum / (x.h * x.h)
    end
  end
  return out
end

--- Channel by channel: the sum over channels in and pixels of a window, then the norm.
function H.conv(get, x, name, norm, size, stride)
  local weight, gain, bias = get(name .. ".weight"), get(norm .. ".weight"), get(norm .. ".bias")
  local mean, variance = get(norm .. ".running_mean"), get(norm .. ".running_var")
  local pad = (size - 1) // 2
  local y = { h = (x.h + 2 * pad - size) // stride + 1, c = #gain }
  for m = 1, y.c do
    y[m] = {}
    for row = 0, y.h - 1 do
      for column = 0, y.h - 1 do
        local sum = 0
        for k = 1, x.c do
          for dr = 0, size - 1 do
            for dc = 0, size - 1 do
              local i, j = row * stride + dr - pad, column * stride + dc - pad
              if i >= 0 and i < x.h and j >= 0 and j < x.h then
                sum = sum + x[k][i * x.h + j]
                  * weight[(((m - 1) * x.c + k - 1) * size + dr) * size + dc + 1]
              end
            end
          end
        end
        y[m][row * y.h + column] = (sum - mean[m]) / (variance[m] + 1e-5) ^ 0.5 * gain[m] + bias[m]
      end
    end
  end
  return y
end

function H.relu(x)
  for c = 1, x.c do
    for i = 0, x.h * x.h - 1 do
      x[c][i] = math.max(0, x[c][i])
    end
  end
  return x
end

--- Images of a config, of random bytes: lists, and the batch of them.
function M.images(config, count)
  local size = config.image_size * config.image_size * config.num_channels
  local lists, all = {}, {}
  for i = 1, count do
    lists[i] = {}
    for j = 1, size do
      lists[i][j] = math.floor(256 * native.core.uniform(3, "image " .. i, j))
      all[#all + 1] = lists[i][j]
    end
  end
  local n = config.image_size
  return lists, { images = native.tensor.from("u8", { count, n, n, config.num_channels }, all) }
end

--- Write a split of idx files: those images, the label of each i * 7 % classes.
---@param labels? integer[] instead
function M.write_images(folder, split, config, count, labels)
  local _, batch = M.images(config, count)
  local n, bytes = config.image_size, {}
  for i = 1, count do
    bytes[i] = string.char(labels and labels[i] or i * 7 % config.num_labels)
  end
  assert(native.file.make_dirs(folder))
  assert(native.file.replace(("%s/%s-images-idx3-ubyte"):format(folder, split),
    string.pack(">I4I4I4I4I4", 0x804, count, n, n, config.num_channels) .. batch.images:string()))
  assert(native.file.replace(("%s/%s-labels-idx1-ubyte"):format(folder, split),
    string.pack(">I4I4", 0x801, count) .. table.concat(bytes)))
end

return M
