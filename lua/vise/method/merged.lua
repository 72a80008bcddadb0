-- SPDX-License-Identifier: Apache-2.0
--- A weight of any kind as plain floats: W + B A becomes one matrix, codes become their values.

local native = require("vise.native")

---@type vise.Method
return {
  name = "merged",
  family = "factor",
  summary = "what a weight stands for, as plain floats",
  source = "Hu et al. 2021, arXiv:2106.09685, section 4.1",
  version = 1,
  scope = "weight",
  needs = {},
  is_exact = true,
  params = {
    { name = "values", kind = "choice", default = "bf16", choices = { "f32", "bf16" },
      doc = "type of the floats" },
  },
  run = function(w, resolved)
    w:check_finite()
    local dense, message, code = w:dense()
    if dense == nil then
      return nil, message, code
    end
    return native.weight.dense(resolved.values == "f32" and dense or dense:convert(resolved.values))
  end,
}
