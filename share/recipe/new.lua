local vise = require "vise"

return vise.recipe {
  recipe_api = 1,
  about = "what this recipe shows, in one line",
  params = {
    model = vise.param.model { "share/models/tales", doc = "the model to compress" },
    text = vise.param.text { "share/text/tales.test.txt", doc = "the text to measure on" },
    bits = vise.param.enum { 4, 2, 3, 5, 6, 8, doc = "bits per weight" },
  },
  -- claims = { kl = { "<=", 0.02 } },   -- what you saw; every run says whether it holds
  run = function(p, job)
    local original = job:open(p.model)
    local small = job:compress(original, {
      { match = "*", method = "rtn", bits = p.bits, group = 32 },
    })
    job:measure(original, { name = "original", text = p.text, protocol = "nll-256" })
    job:measure(small, { name = "small", against = original, text = p.text, protocol = "nll-256" })
    job:save(small)
  end,
}
