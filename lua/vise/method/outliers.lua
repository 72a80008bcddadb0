-- SPDX-License-Identifier: Apache-2.0
--- Sparse outliers: the weights of greatest magnitude apart, so that the grids of the others are
-- fine.
--
--   W ~= Q + S      Q by another method from W without its greatest |w|; S, f16: W - Q there
--
-- So those weights are exact but for the rounding of S and the range of f16. Of a method with
-- feedback S is W there: what its Q has at those places makes up for errors of others.
--
-- Differs from the papers, which also set apart the weights of greatest sensitivity: these cost
-- another method little once it weighs its errors by the inputs.

local method = require("vise.method")
local weight = require("vise.weight")

local H = {}

function H.run(w, resolved, extra)
  local sparse, first, code = method.run("magnitude", w, {
    sparsity = 1 - resolved.fraction, per = "tensor", values = "f16",
  })
  if sparse == nil then
    return nil, first, code
  end
  local s <close> = sparse
  local rest <close> = w - s
  local rounded, second
  rounded, second, code = method.run_inner("outliers", rest, resolved, extra)
  if rounded == nil then
    return nil, second, code
  end
  local q <close> = rounded
  local notes = method.notes(first, second)
  if first or method.wants(resolved.rounding, "moments") then
    return q + s, notes
  end
  local missing <close> = w - q
  local values <close> = s:gather(missing)
  local exact <close> = s:with_values(weight.dense(values:convert("f16")))
  return q + exact, notes
end

---@type vise.Method
return {
  name = "outliers",
  family = "quant",
  summary = "the greatest weights in 16 bits, beside what another method makes of the rest",
  source = "Kim et al. 2024, arXiv:2306.07629 (SqueezeLLM); "
    .. "Dettmers et al. 2023, arXiv:2306.03078 (SpQR)",
  version = 2,
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
