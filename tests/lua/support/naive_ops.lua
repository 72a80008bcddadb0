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

return M
