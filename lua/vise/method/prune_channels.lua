-- SPDX-License-Identifier: Apache-2.0
--- Channels of a convolutional network are removed, those of a stage from all of its blocks.
-- What goes is what the readers' outputs can do without best (Optimal Brain Surgeon on groups of
-- columns), and each reader becomes the least squares of its outputs on the channels that stay.

local channels = require("vise.model.channels")

---@type vise.Method
return {
  name = "prune_channels",
  family = "prune",
  summary = "a convnet with fewer channels, what reads them set to the least squares",
  source = "Kurtic et al. 2023, arXiv:2302.04852 (ZipLM); He et al. 2017, arXiv:1707.06168",
  version = 1,
  scope = "model",
  arch = "convnet",
  needs = { "data" },
  is_exact = true,
  params = {
    { name = "sparsity", kind = "real", default = 0.25, min = 0, max = 0.99,
      doc = "share of the channels that go from each stage and each block; one at least stays" },
    { name = "of", kind = "choice", default = "all", choices = { "all", "blocks", "stages" },
      doc = "channels within the blocks, those between them, or both" },
    { name = "damping", kind = "real", default = 0.01, min = 1e-6, max = 1,
      doc = "added to the diagonal of the covariance, in units of its mean" },
  },
  run = channels.run,
}
