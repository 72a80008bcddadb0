-- SPDX-License-Identifier: Apache-2.0
--- SmoothQuant: the range of the inputs is shared between inputs and weights.
--
--   W x = (W diag(s)) (x / s)      s_j = max|x_j|^alpha / max|W_:j|^(1 - alpha)
--
-- so that x / s loses little when it is rounded too: to `input`, of which each token has its own
-- scale, or all have one, that of the greatest |x / s| in the text. 1 / s is stored with the weight
-- instead of folded into what comes before. Columns whose inputs or weights are always 0 stand in
-- the middle.

local columns = require("vise.columns")
local weight = require("vise.weight")

local H = {}

function H.run(w, resolved, extra)
  local greatest, message, code = w:column_max()
  if greatest == nil then
    return nil, message, code
  end
  local s = extra.moments:max_abs():table()
  for j, of_weights in ipairs(greatest:table()) do
    local is_dead = s[j] == 0 or of_weights == 0
    s[j] = is_dead and 0 or s[j] ^ resolved.alpha / of_weights ^ (1 - resolved.alpha)
  end
  local scales = columns.scales(s)
  local rounded = resolved.input ~= "none" and function(q)
    return weight.input(q, { format = resolved.input, per = resolved.input_per,
      scale = resolved.input_per == "tensor" and H.input_scale(scales, resolved, extra) or nil })
  end or nil
  return columns.run("smoothquant", w, scales, resolved, extra, rounded)
end

--- The one scale that no input of the text goes beyond.
function H.input_scale(scales, resolved, extra)
  local right, greatest = scales.inputs:table(), 0
  for j, x in ipairs(extra.moments:max_abs():table()) do
    greatest = math.max(greatest, x * right[j])
  end
  return greatest > 0 and greatest / H.reach[resolved.input] or 1
end

H.reach = { int8 = 127, fp8 = 448 }

---@type vise.Method
return {
  name = "smoothquant",
  family = "quant",
  summary = "columns scaled so that weights and inputs both round well",
  source = "Xiao et al. 2023, arXiv:2211.10438, equation 4",
  version = 2,
  scope = "weight",
  needs = { "moments" },
  is_exact = true,
  params = {
    { name = "alpha", kind = "real", default = 0.5, min = 0, max = 1,
      doc = "how much of the inputs' range the weights take" },
    { name = "input", kind = "choice", default = "int8", choices = { "int8", "fp8", "none" },
      doc = "what inputs are rounded to" },
    { name = "input_per", kind = "choice", default = "token", choices = { "token", "tensor" },
      doc = "whether each token has its own scale, or all have that of the text" },
  },
  inner = {
    option = "rounding", default = "rtn", doc = "the method that rounds",
    defaults = { bits = 8, per = "row" },
    takes = function(other)
      return other.takes_format
    end,
  },
  run = H.run,
}
