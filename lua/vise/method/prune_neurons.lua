-- SPDX-License-Identifier: Apache-2.0
--- Inner neurons of the MLPs are removed: a row of gate and up, a column of down. What goes is what
-- down's outputs can do without best (Optimal Brain Surgeon on columns, a sixteenth at a time),
-- and down becomes the least squares of its outputs on the neurons that stay.

local narrow = require("vise.model.narrow")

local H = {
  kind = {
    method = "prune_neurons",
    coupling = "mlp.neurons",
    config = function(_, counts)
      return { intermediate_size = counts }
    end,
  },
}

function H.run(model, options, extra)
  return narrow.run(model, options, extra, H.kind)
end

---@type vise.Method
return {
  name = "prune_neurons",
  family = "prune",
  summary = "a model with fewer inner neurons, down set to the least squares of its outputs",
  source = "Kurtic et al. 2023, arXiv:2302.04852 (ZipLM), section 3",
  version = 2,
  scope = "model",
  arch = "llama",
  needs = { "data" },
  is_exact = true,
  params = narrow.params("neurons"),
  run = H.run,
}
