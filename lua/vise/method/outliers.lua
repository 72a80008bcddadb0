-- SPDX-License-Identifier: Apache-2.0
--- Sparse outliers: the weights of greatest magnitude apart, so that the grids of the others are
-- fine.
--
--   W ~= S + Q      S the greatest |w| of the tensor, f16; Q by another method from W - S
--
-- Differs from the papers, which also set apart the weights of greatest sensitivity: these cost
-- another method little once it weighs its errors by the inputs.

local method = require("vise.method")

local H = {}

function H.run(w, resolved, extra)
  local sparse, message, code = method.run("magnitude", w, {
    sparsity = 1 - resolved.fraction, per = "tensor", values = "f16",
  })
  if sparse == nil then
    return nil, message, code
  end
  local s <close> = sparse
  local rest <close> = w - s
  local rounded, note
  rounded, note, code = method.run_inner("outliers", rest, resolved, extra)
  if rounded == nil then
    return nil, note, code
  end
  local q <close> = rounded
  return q + s, note
end

---@type vise.Method
return {
  name = "outliers",
  family = "quant",
  summary = "the greatest weights in 16 bits, beside what another method makes of the rest",
  source = "Kim et al. 2024, arXiv:2306.07629 (SqueezeLLM); "
    .. "Dettmers et al. 2023, arXiv:2306.03078 (SpQR)",
  version = 1,
  scope = "weight",
  needs = {},
  uses = { "moments" },
  is_exact = true,
  params = {
    { name = "fraction", kind = "real", default = 0.005, min = 0.001, max = 0.5,
      doc = "of the weights that are set apart" },
  },
  inner = {
    option = "rounding", default = "rtn", doc = "the method of the others",
    takes = function(other)
      -- one that aims at the outputs before compression leaves no error of the weight
      return (other.takes_format or other.family == "share")
        and not method.wants(other.name, "cross")
    end,
  },
  run = H.run,
}
