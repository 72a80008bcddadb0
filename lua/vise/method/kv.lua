-- SPDX-License-Identifier: Apache-2.0
--- Keys and values kept in few bits: a property of the model, in its config, that generation and
--- evaluation follow and files keep.
--
-- Keys per channel in groups of 32 tokens, values per token, the newest tokens as they are
-- (native/nn/kv_packed.h says how). No weight changes.

local cache = require("vise.cache")
local check = require("vise.check")
local reshape = require("vise.model.reshape")

local H = {}

function H.run(model, resolved, extra)
  if not model._net.caches then
    check.fail("kv: model is of architecture '%s', which keeps no keys and values, expected llama",
      model.arch)
  end
  local key = model:_key_of_all({
    require("vise.method").identity("kv", resolved, extra.context.recipe), resolved,
  })
  return reshape.run(model, {
    config = reshape.config(model, {
      vise_kv_format = resolved.format,
      vise_kv_recent = resolved.recent,
    }),
    key = key and function(name)
      return cache.key({ key, name })
    end,
  })
end

---@type vise.Method
return {
  name = "kv",
  family = "quant",
  summary = "keys and values of attention kept in few bits; weights stay as they are",
  source = "Liu et al. 2024, arXiv:2402.02750 (KIVI), section 3",
  version = 1,
  scope = "model",
  needs = {},
  is_exact = true,
  params = {
    { name = "format", kind = "choice", default = "int4",
      choices = { "int8", "int4", "fp8", "f32" },
      doc = "how they are coded; fp8 is E4M3, f32 undoes it" },
    { name = "recent", kind = "int", default = 32, min = 0, max = 1 << 20,
      doc = "so many newest tokens stay f32, and up to 31 more until a group of 32 is whole" },
  },
  run = H.run,
}
