-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- recipes/train-tales.lua on very little: job:train from a recipe to a saved model.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

TestTrainRecipe = {}

local H = {}

--- A run of a few steps on a few tales, with a cache of its own.
function H.train(out, more)
  local folder = program.folder()
  local text = folder .. "/few.txt"
  local tales = assert(native.file.read("share/text/tales.valid.txt"))
  assert(native.file.replace(text, tales:sub(1, 9000)))
  local argv = { "run", "recipes/train-tales.lua", "text=" .. text, "test=" .. text, "steps=3",
    "batch=1", "--json", "--out", folder .. "/" .. out }
  table.move(more or {}, 1, #(more or {}), #argv + 1, argv)
  return program.json(argv, { VISE_CACHE = folder .. "/cache" })
end

function H.log(result)
  return assert(native.file.read(result.run .. "/log.txt"))
end

function TestTrainRecipe:test_a_recipe_trains_and_saves_a_model()
  local result = H.train("first")

  lu.assertStrContains(H.log(result), "train: step 3 of 3: loss ")
  local record = native.json.decode(native.file.read(result.run .. "/run.json"))
  local points = record.losses[1].points
  lu.assertEquals({ #record.losses, #points, points[3][1] }, { 1, 3, 3 })
  local logged = tonumber(H.log(result):match("step 3 of 3: loss ([%d.]+)"))
  lu.assertAlmostEquals(points[3][2], logged, 6e-5) -- the log has four digits
  -- Less than the 7.2 nats of no knowledge of fewer than 1,400 tokens, after three steps.
  lu.assertTrue(result.rows[1].nll < 7, result.rows[1].nll)
  local output, code, errors = program.run({ "generate", result.run, "--prompt", "Once", "--tokens",
    "5" })
  lu.assertEquals(code, 0, errors)
  lu.assertStrContains(output, "Once")
end

function TestTrainRecipe:test_what_was_trained_is_not_trained_again_and_has_the_same_bytes()
  local first = H.train("one", { "rate=0.002" })

  local again = H.train("two", { "rate=0.002" })

  lu.assertEquals(again.artifact.hash, first.artifact.hash)
  lu.assertStrContains(H.log(again), "train: went on from step 3")
  lu.assertNil(H.log(again):find("train: step ", 1, true))
  local function losses(result)
    return native.json.decode(native.file.read(result.run .. "/run.json")).losses
  end
  lu.assertEquals(losses(again), losses(first))
  lu.assertNotEquals(H.train("other", { "--seed", "1", "rate=0.002" }).artifact.hash,
    first.artifact.hash)
end

function TestTrainRecipe:test_options_that_are_none_are_named()
  local path = program.folder() .. "/wrong.lua"
  assert(native.file.replace(path, [[
local vise = require "vise"
return vise.recipe {
  params = { text = vise.param.text "share/text/tales.valid.txt" },
  run = function(p, job) job:train { text = p.text, step = 3 } end,
}]]))

  local _, code, errors = program.run({ "run", path, "--out", program.folder() .. "/wrong" })

  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, "train: unknown option 'step' (did you mean 'steps'?")
end

--- The record of a run of a recipe whose body is `text`; W is a small config.
function H.recipe(name, text)
  local path = program.folder() .. "/" .. name .. ".lua"
  assert(native.file.replace(path, ([[
local vise = require "vise"
local function W(layers, inner)
  return { model_type = "llama", hidden_size = 32, intermediate_size = inner,
    num_hidden_layers = layers, num_attention_heads = 2, max_position_embeddings = 64,
    tie_word_embeddings = true }
end
return vise.recipe {
  params = { text = vise.param.text "share/text/sample.txt" },
  run = function(p, job)
    local first = job:train { text = p.text, config = W(2, 48), tokenizer = { size = 300 },
      steps = 3, batch = 2, length = 32, name = "first" }
    %s
  end,
}]]):format(text)))
  local run = program.json({ "run", path, "--json", "--out", program.folder() .. "/" .. name })
  return native.json.decode(native.file.read(run.run .. "/run.json")), run
end

function TestTrainRecipe:test_a_model_is_trained_on_and_a_smaller_one_has_its_tokenizer()
  local record, run = H.recipe("on", [[
    local function measure(m)
      return job:measure(m, { name = m.name, text = p.text, protocol = "gptq-32" })
    end
    local norms = job:train { model = first, text = p.text, train = { "*.norm" }, steps = 2,
      length = 32, rate = 0.1, name = "norms" }
    local small = job:train { config = W(1, 16), tokenizer = first, text = p.text, steps = 2,
      length = 32, name = "small" }
    measure(first) measure(norms) measure(small)
    job:log("same %s %s", tostring(norms:weight("embed"):dense():string()
      == first:weight("embed"):dense():string()), small:weight("embed"):shape()[1])
    job:save(small)]])

  lu.assertEquals({ record.losses[1].name, record.losses[2].name, record.losses[3].name },
    { "first", "norms", "small" })
  lu.assertStrContains(H.log(run), "same true 300")
  lu.assertNotEquals(run.rows[2].nll, run.rows[1].nll)
  lu.assertTrue(run.rows[3].bytes < run.rows[1].bytes)
end

function TestTrainRecipe:test_a_student_learns_from_a_teacher_that_is_kept()
  local record, run = H.recipe("student", [[
    local function student(name, distill)
      return job:train { name = name, config = W(1, 16), tokenizer = first, text = p.text,
        steps = 4, batch = 2, length = 32, distill = distill }
    end
    local few = student("few", { teacher = first, top = 20 })
    local all = student("all", { teacher = first, hidden = 1, attention = 1, relations = 2 })
    local again = student("again", { teacher = first, top = 20 })
    for _, m in ipairs { few, all, again } do
      job:measure(m, { name = m.name, text = p.text, protocol = "gptq-32", against = first })
    end
    job:save(all)]])

  local points = {}
  for i, curve in ipairs(record.losses) do
    points[i] = curve.points
  end
  lu.assertEquals(#points, 4)
  lu.assertEquals(points[4], points[2])
  lu.assertTrue(points[2][4][2] < 0.5, points[2][4][2]) -- a divergence, where text has 5.7
  lu.assertEquals(run.rows[3].kl, run.rows[1].kl)
  lu.assertNotEquals(run.rows[2].kl, run.rows[1].kl)
  lu.assertStrContains(H.log(run), "train: went on from step 4")
end

function TestTrainRecipe:test_a_student_that_diverges_stops_and_keeps_its_checkpoint()
  local ok, message = pcall(H.recipe, "diverging", [[
    job:train { name = "lost", model = first, text = p.text, steps = 9,
      distill = { teacher = first, share = 0.5 }, length = 32, rate = 1e30,
      schedule = "constant", warmup = 0, every = 1 }]])

  lu.assertFalse(ok)
  lu.assertStrContains(message, "train: loss is ")
  lu.assertStrContains(message, "nan at step 2, expected a finite number, the checkpoint of step 1 "
    .. "stays in ")
  local path = message:match("stays in (%S+%.checkpoint)")
  local file <close> = assert(native.safetensors.open(path))
  lu.assertEquals(file:metadata().step, "1")
end

function TestTrainRecipe:test_what_was_pruned_stays_pruned_in_training()
  local record = H.recipe("masked", [[
    local sparse = job:compress(first, { { match = "*.*", method = "magnitude", pattern = "2:4" } })
    local again = job:train { name = "again", model = sparse, text = p.text, prune = {},
      steps = 2, length = 32 }
    local moved = job:train { name = "moved", model = first, text = p.text, steps = 2, length = 32,
      prune = { by = "movement", sparsity = 0.75, match = "mlp.*" } }
    local function zeros(m, place)
      local count = 0
      for _, value in ipairs(m:weight(place):dense():table()) do
        count = count + (value == 0 and 1 or 0)
      end
      return count
    end
    job:log("%d %d %d", zeros(again, "layers.0.attn.q"), zeros(moved, "layers.1.mlp.up"),
      zeros(moved, "layers.0.attn.q"))
    if zeros(again, "layers.0.attn.q") ~= 512 or zeros(moved, "layers.1.mlp.up") ~= 1152
      or zeros(moved, "layers.0.attn.q") ~= 0 then error("other zeros") end]])
  lu.assertEquals(#record.losses, 3)
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
