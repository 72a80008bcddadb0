-- SPDX-License-Identifier: Apache-2.0
--- Attention heads are removed, each key-value head with the query heads that share it: rows of q,
-- k and v, columns of o. What goes is what o's outputs can do without best (Optimal Brain Surgeon
-- on groups of columns), and o becomes the least squares of its outputs on the heads that stay.

local narrow = require("vise.model.narrow")

local H = {
  kind = {
    method = "prune_heads",
    coupling = "attn.heads",
    config = function(net, counts)
      local heads = {}
      for layer, count in ipairs(counts) do
        heads[layer] = count * (net.heads[layer] // net.kv_heads[layer])
      end
      return { num_attention_heads = heads, num_key_value_heads = counts, head_dim = net.head_dim }
    end,
  },
}

function H.run(model, options, extra)
  return narrow.run(model, options, extra, H.kind)
end

---@type vise.Method
return {
  name = "prune_heads",
  family = "prune",
  summary = "a model with fewer key-value heads and their queries, o set to the least squares",
  source = "Kurtic et al. 2023, arXiv:2302.04852 (ZipLM), section 3",
  version = 2,
  scope = "model",
  arch = "llama",
  needs = { "data" },
  is_exact = true,
  params = narrow.params("key-value heads"),
  run = H.run,
}
