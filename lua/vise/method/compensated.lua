-- SPDX-License-Identifier: Apache-2.0
--- Error compensation: what another method lost of a weight, added as a product of two factors.
--
--   W ~= Q + B A      Q by the method `base`, B A the nearest of its rank to W - Q (method svd)
--
-- With statistics "nearest" is under the inputs, so the loss is the tail of the spectrum of
-- (W - Q) H^(1/2).

local method = require("vise.method")

local H = {}

function H.run(w, resolved, extra)
  local base, note, code = method.run_inner("compensated", w, resolved, extra)
  if base == nil then
    return nil, note, code
  end
  local q <close> = base
  local rest <close> = w - q
  local product, second
  product, second, code = method.run("svd", rest, H.factors(resolved), extra)
  if product == nil then
    return nil, second, code
  end
  local correction <close> = product
  return q + correction, method.notes(note, second)
end

function H.factors(resolved)
  return { rank = resolved.rank, values = resolved.factors }
end

---@type vise.Method
return {
  name = "compensated",
  family = "factor",
  summary = "another method, and its error as a product of two factors",
  source = "Zhang et al. 2024, arXiv:2410.06040 (QERA); Liu et al. 2024, arXiv:2410.21271 (EoRA)",
  version = 1,
  scope = "weight",
  needs = {},
  uses = { "moments" },
  is_exact = false,
  params = {
    { name = "rank", kind = "int", default = 8, min = 1, max = 1 << 20, doc = "of the product" },
    { name = "factors", kind = "choice", default = "f16",
      choices = { "f32", "f16", "bf16", "int8", "int4" }, doc = "how both factors are stored" },
  },
  inner = {
    option = "base", default = "rtn", doc = "the method that loses something",
    takes = function(other)
      -- one that aims at the outputs before compression leaves no error of the weight
      return other.family ~= "factor" and not method.wants(other.name, "cross")
    end,
  },
  check = function(m, k, resolved)
    method.check("svd", m, k, H.factors(resolved))
  end,
  run = H.run,
}
