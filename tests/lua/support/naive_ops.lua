--- The operations of vise.grad as their formulas say, in f64 and plain loops over flat, row-major
-- arrays {n = columns, ...}: what gradient checks take their differences of.
local M = {}

--- Rows and columns of a flat array.
local function size(x)
  return #x // x.n, x.n
end

local function map(x, f)
  local y = { n = x.n }
  for i = 1, #x do
    y[i] = f(x[i], i)
  end
  return y
end

local function sigmoid(v)
  return 1 / (1 + math.exp(-v))
end

--- Of x[from], ..., x[to].
local function softmax(x, from, to)
  local top, sum, p = -math.huge, 0, {}
  for i = from, to do
    top = math.max(top, x[i])
  end
  for i = from, to do
    p[i] = math.exp(x[i] - top)
    sum = sum + p[i]
  end
  for i = from, to do
    p[i] = p[i] / sum
  end
  return p
end

function M.linear(x, w)
  local t, k = size(x)
  local m = size(w)
  local y = { n = m }
  for s = 0, t - 1 do
    for i = 0, m - 1 do
      local sum = 0
      for j = 1, k do
        sum = sum + x[s * k + j] * w[i * k + j]
      end
      y[s * m + i + 1] = sum
    end
  end
  return y
end

function M.rows(w, ids)
  local y = { n = w.n }
  for _, id in ipairs(ids) do
    table.move(w, id * w.n + 1, (id + 1) * w.n, #y + 1, y)
  end
  return y
end

function M.rmsnorm(x, gain, eps)
  local t, d = size(x)
  local y = { n = d }
  for s = 0, t - 1 do
    local sum = 0
    for j = 1, d do
      sum = sum + x[s * d + j] ^ 2
    end
    for j = 1, d do
      y[s * d + j] = x[s * d + j] / math.sqrt(sum / d + eps) * gain[j]
    end
  end
  return y
end

function M.bias(x, b)
  return map(x, function(v, i)
    return v + b[(i - 1) % x.n + 1]
  end)
end

function M.add(x, y)
  if type(x) == "number" then
    return x + y
  end
  return map(x, function(v, i)
    return v + y[i]
  end)
end

function M.scale(x, a)
  if type(x) == "number" then
    return a * x
  end
  return map(x, function(v)
    return a * v
  end)
end

function M.swiglu(gate, up)
  return map(gate, function(v, i)
    return v * sigmoid(v) * up[i]
  end)
end

--- Half-split pairs, angle p * theta^(-2 i / head_dim), theta 10000.
function M.rope(x, positions, head_dim)
  local t, d = size(x)
  local half, y = head_dim // 2, { n = d }
  for s = 0, t - 1 do
    for head = 0, d // head_dim - 1 do
      for i = 0, half - 1 do
        local a = s * d + head * head_dim + i + 1
        local angle = positions[s + 1] * 10000.0 ^ (-i / half)
        y[a] = x[a] * math.cos(angle) - x[a + half] * math.sin(angle)
        y[a + half] = x[a + half] * math.cos(angle) + x[a] * math.sin(angle)
      end
    end
  end
  return y
end

function M.attention(q, k, v, o)
  local t, width = size(q)
  local dim, group = width // o.heads, o.heads // o.kv_heads
  local y, first = { n = width }, 0
  for i = 0, t - 1 do
    for _, start in ipairs(o.starts) do
      first = start - 1 <= i and start - 1 or first
    end
    local oldest = (o.window or 0) > 0 and math.max(first, i - o.window + 1) or first
    for head = 0, o.heads - 1 do
      local scores = {}
      local kv = head // group * dim
      for j = oldest, i do
        local sum = 0
        for c = 1, dim do
          sum = sum + q[i * width + head * dim + c] * k[j * k.n + kv + c]
        end
        scores[j + 1] = sum / math.sqrt(dim)
      end
      local p = softmax(scores, oldest + 1, i + 1)
      for c = 1, dim do
        local sum = 0
        for j = oldest, i do
          sum = sum + p[j + 1] * v[j * v.n + kv + c]
        end
        y[i * width + head * dim + c] = sum
      end
    end
  end
  return y
end

function M.cross_entropy(logits, targets)
  local t, n = size(logits)
  local sum = 0
  for s = 0, t - 1 do
    sum = sum - math.log(softmax(logits, s * n + 1, s * n + n)[s * n + targets[s + 1] + 1])
  end
  return sum / t
end

function M.relu(x)
  return map(x, function(v)
    return math.max(v, 0)
  end)
end

function M.sigmoid(x)
  return map(x, sigmoid)
end

local function tanh(v)
  return 1 - 2 / (math.exp(2 * v) + 1)
end

function M.tanh(x)
  return map(x, tanh)
end

function M.silu(x)
  return map(x, function(v)
    return v * sigmoid(v)
  end)
end

--- x times the integral of the normal density up to x, from -12 on, by Simpson's rule.
function M.gelu(x)
  return map(x, function(v)
    local n, a = 800, -12.0
    local h, sum = (v - a) / n, 0
    for i = 0, n do
      local at = a + i * h
      local weight = (i == 0 or i == n) and 1 or i % 2 == 1 and 4 or 2
      sum = sum + weight * math.exp(-at * at / 2)
    end
    return v * sum * h / 3 / math.sqrt(2 * math.pi)
  end)
end

function M.gelu_tanh(x)
  return map(x, function(v)
    return 0.5 * v * (1 + tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ^ 3)))
  end)
end

function M.log_sigmoid(x)
  return map(x, function(v)
    return -math.log(1 + math.exp(-v))
  end)
end

function M.mul(x, y)
  return map(x, function(v, i)
    return v * y[i]
  end)
end

function M.div(x, y)
  return map(x, function(v, i)
    return v / y[i]
  end)
end

function M.softmax(x)
  local t, n = size(x)
  local y = { n = n }
  for s = 0, t - 1 do
    local p = softmax(x, s * n + 1, s * n + n)
    for i = s * n + 1, s * n + n do
      y[i] = p[i]
    end
  end
  return y
end

--- (x - mean) / sqrt(variance + eps), of the numbers at `from`, `from` + `step`, ...: `count` of
--- them.
local function normalise(y, x, from, step, count, eps)
  local mean, variance = 0, 0
  for i = 0, count - 1 do
    mean = mean + x[from + i * step] / count
  end
  for i = 0, count - 1 do
    variance = variance + (x[from + i * step] - mean) ^ 2 / count
  end
  for i = 0, count - 1 do
    y[from + i * step] = (x[from + i * step] - mean) / math.sqrt(variance + eps)
  end
end

local function affine(x, gain, bias)
  return map(x, function(v, i)
    local c = (i - 1) % x.n + 1
    return v * gain[c] + bias[c]
  end)
end

function M.layernorm(x, gain, bias, eps)
  local t, d = size(x)
  local y = { n = d }
  for s = 0, t - 1 do
    normalise(y, x, s * d + 1, 1, d, eps)
  end
  return affine(y, gain, bias)
end

function M.batchnorm(x, gain, bias, eps)
  local t, d = size(x)
  local y = { n = d }
  for c = 1, d do
    normalise(y, x, c, d, t, eps)
  end
  return affine(y, gain, bias)
end

function M.sum(x)
  local sum = 0
  for i = 1, #x do
    sum = sum + x[i]
  end
  return sum
end

function M.mean(x)
  return M.sum(x) / #x
end

function M.kl(p, q)
  local a, b, sum = M.softmax(p), M.softmax(q), 0
  for i = 1, #a do
    sum = sum + a[i] * math.log(a[i] / b[i])
  end
  return sum / (#a // a.n)
end

--- ids, log_p and log_tail: {{...}, ...}, {{...}, ...}, {...}.
function M.kl_top(logits, ids, log_p, log_tail)
  local q, sum = M.softmax(logits), 0
  for s, columns in ipairs(ids) do
    local rest = 1
    for i, id in ipairs(columns) do
      local at = (s - 1) * q.n + id + 1
      rest = rest - q[at]
      sum = sum + math.exp(log_p[s][i]) * (log_p[s][i] - math.log(q[at]))
    end
    sum = sum + math.exp(log_tail[s]) * (log_tail[s] - math.log(rest))
  end
  return sum / #ids
end

function M.mse(x, y)
  local sum = 0
  for i = 1, #x do
    sum = sum + (x[i] - y[i]) ^ 2
  end
  return sum / #x
end

function M.cosine(x, y)
  local t, d = size(x)
  local sum = 0
  for s = 0, t - 1 do
    local xy, xx, yy = 0, 0, 0
    for i = s * d + 1, s * d + d do
      xy, xx, yy = xy + x[i] * y[i], xx + x[i] ^ 2, yy + y[i] ^ 2
    end
    sum = sum + xy / math.sqrt(xx * yy)
  end
  return sum / t
end

function M.transpose(x)
  local t, n = size(x)
  local y = { n = t }
  for s = 0, t - 1 do
    for i = 0, n - 1 do
      y[i * t + s + 1] = x[s * n + i + 1]
    end
  end
  return y
end

--- Columns start .. start + n - 1.
function M.slice(x, start, n)
  local y = { n = n }
  for s = 0, #x // x.n - 1 do
    table.move(x, s * x.n + start, s * x.n + start + n - 1, #y + 1, y)
  end
  return y
end

function M.concat(x, other)
  local y = { n = x.n + other.n }
  for s = 0, #x // x.n - 1 do
    table.move(x, s * x.n + 1, (s + 1) * x.n, #y + 1, y)
    table.move(other, s * other.n + 1, (s + 1) * other.n, #y + 1, y)
  end
  return y
end

--- Columns ids[row][...] from 0.
function M.take(x, ids)
  local y = { n = #ids[1] }
  for s, columns in ipairs(ids) do
    for _, id in ipairs(columns) do
      y[#y + 1] = x[(s - 1) * x.n + id + 1]
    end
  end
  return y
end

--- Of images [n, h, w, c] in a flat array: fold(values, channel) of each window, pixels outside
--- nil.
local function windows(x, shape, o, fold)
  local n, h, w, c = table.unpack(shape)
  local oh = (h + 2 * o.pad - o.size) // o.stride + 1
  local ow = (w + 2 * o.pad - o.size) // o.stride + 1
  for image = 0, n - 1 do
    for at = 0, oh * ow - 1 do
      local values = {}
      for row = 0, o.size - 1 do
        for column = 0, o.size - 1 do
          local i = at // ow * o.stride - o.pad + row
          local j = at % ow * o.stride - o.pad + column
          local is_inside = i >= 0 and i < h and j >= 0 and j < w
          local from = ((image * h + i) * w + j) * c
          values[#values + 1] = is_inside and table.move(x, from + 1, from + c, 1, {}) or false
        end
      end
      fold(values)
    end
  end
end

function M.conv2d(x, weight, shape, o)
  local c, y = shape[4], { n = #weight // weight.n }
  windows(x, shape, o, function(values)
    for m = 0, #weight // weight.n - 1 do
      local sum = 0
      for pixel, channels in ipairs(values) do
        for i = 1, channels and c or 0 do
          sum = sum + channels[i] * weight[m * weight.n + (pixel - 1) * c + i]
        end
      end
      y[#y + 1] = sum
    end
  end)
  return y
end

function M.patches(x, shape, o)
  local c, y = shape[4], { n = o.size * o.size * shape[4] }
  windows(x, shape, o, function(values)
    for _, channels in ipairs(values) do
      for i = 1, c do
        y[#y + 1] = channels and channels[i] or 0
      end
    end
  end)
  return y
end

local function pool(x, shape, o, fold)
  local y = { n = shape[4] }
  windows(x, shape, o, function(values)
    for i = 1, shape[4] do
      local list = {}
      for _, channels in ipairs(values) do
        list[#list + 1] = channels and channels[i] or nil
      end
      y[#y + 1] = fold(list, #values)
    end
  end)
  return y
end

function M.max_pool(x, shape, o)
  return pool(x, shape, o, function(list)
    return math.max(table.unpack(list))
  end)
end

function M.mean_pool(x, shape, o)
  return pool(x, shape, o, function(list, count)
    local sum = 0
    for _, v in ipairs(list) do
      sum = sum + v
    end
    return sum / count
  end)
end

--- A rounding to nearest even that, once used in a first evaluation, adds in every later one what
--- it added there: the surrogate of which straight-through derivatives are those (algorithms.md,
--- A19). A clipping likewise clips what it clipped then: codes lie on the very limits, where it has
--- no derivative. Call begin() before each evaluation.
function M.surrogate()
  local added, at, clipped, clips, R = {}, 0, {}, 0, {}
  function R.begin()
    at, clips = 0, 0
  end
  function R.clip(v, low, high)
    clips = clips + 1
    if clipped[clips] == nil then
      clipped[clips] = v < low and low or v > high and high or false
    end
    return clipped[clips] or v
  end
  function R.round(v)
    at = at + 1
    if added[at] == nil then
      local below = math.floor(v)
      local rest = v - below
      local up = rest > 0.5 or (rest == 0.5 and below % 2 == 1)
      added[at] = below + (up and 1 or 0) - v
    end
    return v + added[at]
  end
  return R
end

function M.fake_quant(w, s, z, o, surrogate, v)
  local groups = math.ceil(w.n / o.group)
  return map(w, function(x, i)
    local row, column = (i - 1) // w.n, (i - 1) % w.n
    local group = row * groups + column // o.group + 1
    local zero, offset = z and z[group] or 0, v and v[i] or 0
    local code = surrogate.clip(surrogate.round(x / s[group] + offset) + zero, o.low, o.high)
    return s[group] * (code - zero)
  end)
end

--- f(list of numbers) of each group.
function M.groups(w, group, f)
  local y = { n = math.ceil(w.n / group) }
  for row = 0, #w // w.n - 1 do
    for first = 0, w.n - 1, group do
      local last = math.min(first + group, w.n)
      y[#y + 1] = f(table.move(w, row * w.n + first + 1, row * w.n + last, 1, {}))
    end
  end
  return y
end

return M
