-- SPDX-License-Identifier: Apache-2.0
-- Train the model in share/models/tales from a text alone; share/doc/corpus.md says where it is
-- from.
local vise = require "vise"

return vise.recipe {
  about = "a Llama of 2.9 million parameters learns to tell tales",
  params = {
    text = vise.param.text { "share/text/tales.train.txt", doc = "the text to learn" },
    test = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    steps = vise.param.int { 4000, min = 1, doc = "updates, each by `batch` windows" },
    batch = vise.param.int { 4, min = 1, doc = "windows of a step" },
    rate = vise.param.real { 0.003, min = 0, doc = "the greatest learning rate" },
    temperature = vise.param.real { 0.7, min = 0, doc = "of the sample" },
  },
  run = function(p, job)
    local tales = job:train {
      name = "tales",
      text = p.text,
      config = {
        architectures = { "LlamaForCausalLM" }, model_type = "llama",
        hidden_size = 256, intermediate_size = 512, num_hidden_layers = 4,
        num_attention_heads = 4, num_key_value_heads = 2, max_position_embeddings = 512,
        rms_norm_eps = 1e-5, rope_theta = 10000.0, hidden_act = "silu",
        tie_word_embeddings = true, bos_token_id = 0, eos_token_id = 0,
      },
      tokenizer = { size = 2048, special = { "<|endoftext|>" } },
      length = 512, batch = p.batch,
      steps = p.steps, rate = p.rate, warmup = 0.04, floor = 0.02, decay = 0.1,
    }
    job:measure(tales, { name = "tales", text = p.test, protocol = "nll-256" })
    job:log("%s", tales:generate("Once", { tokens = 80, seed = 1, temperature = p.temperature }))
    job:save(tales)
  end,
}
