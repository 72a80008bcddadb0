-- SPDX-License-Identifier: Apache-2.0
--- What the numbers of a measured row are: the reference that `vise explain` shows.
-- share/doc/metrics.md defines each exactly.

local M = {}
local H = {}

--- All numbers, in the order in which they are read: {name, summary}.
---@return {name: string, summary: string}[]
function M.list()
  return H.rows
end

H.rows = {
  { name = "tokens", summary = "scored tokens" },
  { name = "clusters", summary = "stories or windows with a scored token; errors are over these" },
  { name = "images", summary = "scored images" },
  { name = "accuracy", summary = "share of images whose class is the one put first" },
  { name = "accuracy_low", summary = "where its interval at 95 % begins (Wilson)" },
  { name = "accuracy_high", summary = "where its interval at 95 % ends" },
  { name = "nll", summary = "mean negative log-likelihood of a token, or of an image, in nats" },
  { name = "nll_se", summary = "standard error of nll, clustered" },
  { name = "nll_byte", summary = "nats per byte of text: compares models of other tokenizers" },
  { name = "nll_byte_se", summary = "standard error of nll_byte, clustered" },
  { name = "perplexity", summary = "e^nll" },
  { name = "perplexity_se", summary = "standard error of perplexity" },
  { name = "kl", summary = "mean KL divergence of a token from the original, in nats; 0 is equal" },
  { name = "kl_se", summary = "standard error of kl, clustered" },
  { name = "kl_median", summary = "median KL divergence of a token" },
  { name = "kl_median_se", summary = "standard error of kl_median, clustered" },
  { name = "kl_p99", summary = "99th percentile of the KL divergence of a token" },
  { name = "kl_p99_se", summary = "standard error of kl_p99, clustered" },
  { name = "top1", summary = "share of tokens where both models put the same token first" },
  { name = "top1_se", summary = "standard error of top1, clustered" },
  { name = "nll_delta", summary = "nll less that of the original, paired token by token" },
  { name = "nll_delta_se", summary = "standard error of nll_delta, clustered" },
  { name = "bytes", summary = "of the file or files on disk, in a recipe also of one not saved" },
  { name = "bits_per_weight", summary = "8 x bytes / parameters, tied places counted once" },
  { name = "text_bytes", summary = "bytes of the text that the scored tokens stand for" },
  { name = "seconds", summary = "time in forward passes, head and loss of the measured model" },
  { name = "images_per_s", summary = "images / seconds" },
  { name = "tokens_per_s", summary = "tokens / seconds" },
}

return M
