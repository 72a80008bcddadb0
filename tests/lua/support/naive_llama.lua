--- The llama forward pass the slow way: Lua numbers (f64), one token after the other.
-- Written from the definitions of the papers and of Hugging Face's configs, to judge the fast one
-- by. The rotary frequencies of each variant are formulas of their own here, with Lua's math.
local native = require("vise.native")

local M = {}
local H = {}

--- Logits of every token of one sequence.
---@param folder string a Hugging Face folder of several shards
---@param ids integer[]
---@param observe? fun(site: string, x: number[][]) sees the inputs of the weights
---@return number[][] logits [t][vocab]
function M.logits(folder, ids, observe)
  observe = observe or function() end
  local config = assert(native.json.decode(native.file.read(folder .. "/config.json")))
  local get = H.reader(folder)
  local x = {}
  local embed = get("model.embed_tokens.weight")
  for t, id in ipairs(ids) do
    x[t] = embed[id + 1]
  end
  for layer = 0, config.num_hidden_layers - 1 do
    local at = ("model.layers.%d."):format(layer)
    local n = H.norm(x, get(at .. "input_layernorm.weight"), config.rms_norm_eps)
    observe(("layers.%d.attn.in"):format(layer), n)
    x = H.sum(x, H.attention(config, get, at .. "self_attn.", n, layer, observe))
    n = H.norm(x, get(at .. "post_attention_layernorm.weight"), config.rms_norm_eps)
    observe(("layers.%d.mlp.in"):format(layer), n)
    x = H.sum(x, H.mlp(get, at .. "mlp.", n, layer, observe))
  end
  x = H.norm(x, get("model.norm.weight"), config.rms_norm_eps)
  observe("head", x)
  return H.times(config.tie_word_embeddings and embed or get("lm_head.weight"), x)
end

function H.attention(config, get, at, x, layer, observe)
  local heads, kv_heads, d = config.num_attention_heads, config.num_key_value_heads, config.head_dim
  local q = H.times(get(at .. "q_proj.weight"), x, get(at .. "q_proj.bias"))
  local k = H.times(get(at .. "k_proj.weight"), x, get(at .. "k_proj.bias"))
  local v = H.times(get(at .. "v_proj.weight"), x, get(at .. "v_proj.bias"))
  local frequencies, scale = M.frequencies(config)
  H.rotate(q, heads, d, frequencies, scale)
  H.rotate(k, kv_heads, d, frequencies, scale)
  local window = M.window(config, layer)
  local out = {}
  for i = 1, #x do
    out[i] = {}
    for h = 0, heads - 1 do
      local g = h // (heads // kv_heads)
      local p, total = {}, 0
      for j = math.max(1, i - window + 1), i do
        local s = 0
        for c = 1, d do
          s = s + q[i][h * d + c] * k[j][g * d + c]
        end
        p[j] = math.exp(s / math.sqrt(d))
        total = total + p[j]
      end
      for c = 1, d do
        local sum = 0
        for j, share in pairs(p) do
          sum = sum + share / total * v[j][g * d + c]
        end
        out[i][h * d + c] = sum
      end
    end
  end
  observe(("layers.%d.attn.out"):format(layer), out)
  return H.times(get(at .. "o_proj.weight"), out, get(at .. "o_proj.bias"))
end

function M.window(config, layer)
  if config.model_type == "qwen2"
    and not (config.use_sliding_window and layer >= config.max_window_layers) then
    return math.huge
  end
  return math.type(config.sliding_window) == "integer" and config.sliding_window or math.huge
end

function M.frequencies(config)
  local d, theta = config.head_dim, config.rope_theta
  local s = config.rope_scaling or { rope_type = "default" }
  local kind, f, scale = s.rope_type or s.type, {}, 1
  for i = 0, d // 2 - 1 do
    f[i + 1] = theta ^ (-2 * i / d)
  end
  for i = 0, d // 2 - 1 do
    local plain = f[i + 1]
    if kind == "linear" then
      f[i + 1] = plain / s.factor
    elseif kind == "llama3" then
      local wave = 2 * math.pi / plain
      local old = s.original_max_position_embeddings
      if wave > old / s.low_freq_factor then
        f[i + 1] = plain / s.factor
      elseif wave >= old / s.high_freq_factor then
        local smooth = (old / wave - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor)
        f[i + 1] = (1 - smooth) * plain / s.factor + smooth * plain
      end
    elseif kind == "yarn" then
      local function turns(r)
        return d * math.log(s.original_max_position_embeddings / (r * 2 * math.pi))
          / (2 * math.log(theta))
      end
      local low = math.max(math.floor(turns(s.beta_fast or 32)), 0)
      local high = math.min(math.ceil(turns(s.beta_slow or 1)), d - 1)
      local ramp = math.min(math.max((i - low) / (high - low), 0), 1)
      f[i + 1] = plain / s.factor * ramp + plain * (1 - ramp)
      scale = 0.1 * math.log(s.factor) + 1
    end
  end
  return f, scale
end

function H.rotate(x, heads, d, frequencies, scale)
  local half = d // 2
  for t = 1, #x do
    for h = 0, heads - 1 do
      for i = 1, half do
        local angle = (t - 1) * frequencies[i]
        local c, s = scale * math.cos(angle), scale * math.sin(angle)
        local a, b = x[t][h * d + i], x[t][h * d + half + i]
        x[t][h * d + i], x[t][h * d + half + i] = a * c - b * s, b * c + a * s
      end
    end
  end
end

function H.mlp(get, at, x, layer, observe)
  local gate = H.times(get(at .. "gate_proj.weight"), x, get(at .. "gate_proj.bias"))
  local up = H.times(get(at .. "up_proj.weight"), x, get(at .. "up_proj.bias"))
  for t = 1, #x do
    for i, g in ipairs(gate[t]) do
      up[t][i] = g / (1 + math.exp(-g)) * up[t][i]
    end
  end
  observe(("layers.%d.mlp.out"):format(layer), up)
  return H.times(get(at .. "down_proj.weight"), up, get(at .. "down_proj.bias"))
end

function H.norm(x, gain, eps)
  local out = {}
  for t = 1, #x do
    local sum = 0
    for _, value in ipairs(x[t]) do
      sum = sum + value * value
    end
    out[t] = {}
    for i, value in ipairs(x[t]) do
      out[t][i] = value / math.sqrt(sum / #x[t] + eps) * gain[i]
    end
  end
  return out
end

function H.times(w, x, bias)
  local out = {}
  for t = 1, #x do
    out[t] = {}
    for i, row in ipairs(w) do
      local sum = bias and bias[i] or 0
      for j, value in ipairs(x[t]) do
        sum = sum + row[j] * value
      end
      out[t][i] = sum
    end
  end
  return out
end

function H.sum(a, b)
  local out = {}
  for t = 1, #a do
    out[t] = {}
    for i, value in ipairs(a[t]) do
      out[t][i] = value + b[t][i]
    end
  end
  return out
end

--- A function that gives a tensor, by its name in the files, as a table or a table of rows, or nil.
function H.reader(folder)
  local found = {}
  for _, name in ipairs(assert(native.file.list(folder))) do
    if name:find("%.safetensors$") then
      local file = assert(native.safetensors.open(folder .. "/" .. name))
      for _, tensor in ipairs(file:names()) do
        found[tensor] = H.values(assert(file:tensor(tensor)))
      end
    end
  end
  return function(name)
    return found[name]
  end
end

function H.values(tensor)
  local flat, shape = tensor:table(), tensor:shape()
  if #shape == 1 then
    return flat
  end
  local rows = {}
  for i = 1, shape[1] do
    rows[i] = table.move(flat, (i - 1) * shape[2] + 1, i * shape[2], 1, {})
  end
  return rows
end

return M
