-- SPDX-License-Identifier: Apache-2.0
--- The training loop: losses down, step by step, the same bits for any number of threads and
--- however often it was killed and started again. share/doc/training.md explains it.

local check = require("vise.check")
local checkpoint = require("vise.train.checkpoint")
local data = require("vise.train.data")
local distill = require("vise.train.distill")
local grad = require("vise.grad")
local idx = require("vise.idx")
local native = require("vise.native")
local network = require("vise.train.network")
local optimizer = require("vise.train.optimizer")
local packed = require("vise.train.packed")
local prune = require("vise.train.prune")
local refusal = require("vise.model.refusal")
local schedule = require("vise.train.schedule")
local text = require("vise.text")
local watch = require("vise.watch")

local M = {}
local H = {}

M.network = network.new
M.packed = packed.new
M.windows = data.windows
M.arrays = data.arrays
M.images = data.images
M.idx = idx.read
M.distill = distill.new
M.prune = prune.new

---@class vise.TrainOptions the rows of vise.train.rows, and:
---@field parameters vise.Value[] with names, changed in place
---@field data vise.Loader
---@field loss fun(batch: table, step: integer): vise.Value of one number, built from the batch and
--- the parameters; the step, from 1
---@field groups? table[] {match, decay, rate}: see vise.train.optimizer
---@field path? string file of checkpoints; if it is there, the run goes on from it
---@field on_progress? fun(info: vise.TrainProgress) after each step
---@field key? string what else the result depends on: a checkpoint of another key is refused

---@class vise.TrainProgress one line by tostring
---@field step integer
---@field steps integer
---@field loss number of this step
---@field rate number
---@field norm number of the gradients, before clipping
---@field per_s number units (tokens, items) a second, over the last steps
---@field unit string
---@field seconds_left number

M.rows = {
  { name = "steps", kind = "int", min = 1, doc = "updates" },
  { name = "rate", kind = "real", default = 1e-3, min = 0.0, doc = "the greatest learning rate" },
  { name = "schedule", kind = "choice", choices = { "cosine", "linear", "constant" },
    default = "cosine", doc = "how it goes down after the warm-up" },
  { name = "warmup", kind = "real", default = 0.03, min = 0.0, max = 1.0,
    doc = "share of the steps in which it rises" },
  { name = "floor", kind = "real", default = 0.1, min = 0.0, max = 1.0,
    doc = "share of it that the last step has" },
  { name = "accumulate", kind = "int", default = 1, min = 1, doc = "batches of an update" },
  { name = "every", kind = "int", default = 200, min = 1, doc = "steps between checkpoints" },
  table.unpack(optimizer.rows),
}

--- Train. Raises for wrong options and for a loss or gradients that are not finite: parameters are
--- then those before the step, and the checkpoint stays the last that was written.
---@param options vise.TrainOptions
---@return {losses: number[], seconds: number, resumed: integer}|nil result losses of all steps,
--- also of those before it was resumed; seconds of this time; the step it went on from
---@return string? message
---@return string? code "cancelled", "io", "format"
function M.run(options)
  local given = {}
  for key, value in next, options do
    if not H.others[key] then
      given[key] = value
    end
  end
  local o = check.options("train", M.rows, given)
  if o.steps == nil or #options.parameters == 0 then
    check.fail("train: %s", o.steps and "there are no parameters" or "steps is missing")
  end
  H.check_names(options.parameters)
  return refusal.protect(H.run, options, o)
end

--- Checkpoints and the states of an optimizer know parameters by their names.
function H.check_names(parameters)
  local seen = {}
  for i, parameter in ipairs(parameters) do
    local name = parameter.name
    if name == nil or seen[name] then
      check.fail("train: parameter %d %s, expected names that differ", i,
        name and ("is named '%s' as one before"):format(name) or "has no name")
    end
    seen[name] = true
  end
end

function H.run(options, o)
  local state = {
    parameters = options.parameters,
    optimizer = optimizer.new(options.parameters, o, options.groups),
    step = 0,
    losses = {},
  }
  local key = H.key(options, o)
  if options.path then
    checkpoint.read(options.path, state, key)
  end
  local resumed, begin = state.step, native.core.clock()
  local memory <close> = setmetatable({}, H.Memory) -- luacheck: no unused
  native.core.keep_freed(true) -- steps allocate the same again and again
  local speed, watched = H.speed(options.data, o), watch.stage(nil, "train", "steps")
  while state.step < o.steps do
    local step = state.step + 1
    local loss = H.differentiate(options, o, step)
    local norm = state.optimizer:norm()
    H.check_finite(options.path, o.every, state, step, loss, norm)
    local rate = schedule.rate(step, o.steps, o)
    state.optimizer:step(step, rate, norm)
    state.step, state.losses[step] = step, loss
    if options.path and (step % o.every == 0 or step == o.steps) then
      checkpoint.write(options.path, state, key)
    end
    if options.on_progress then
      options.on_progress(speed(step, loss, rate, norm))
    else
      watched(step, o.steps)
    end
  end
  return { losses = state.losses, seconds = native.core.clock() - begin, resumed = resumed }
end

H.Memory = {
  __close = function()
    native.core.keep_freed(false)
  end,
}

--- The gradients of one update; its loss, the mean over its batches.
function H.differentiate(options, o, step)
  local sum = 0.0
  for i = 1, o.accumulate do
    local batch = options.data:batch((step - 1) * o.accumulate + i)
    local tape <close> = grad.tape()
    local loss = grad.scale(options.loss(batch, step), 1 / o.accumulate)
    if not grad.is_value(loss) then
      check.fail("train: the loss depends on no parameter, expected one of the parameters in it")
    end
    sum = sum + loss.data
    if not H.is_finite(sum) then
      return sum
    end
    tape:backward(loss)
  end
  return sum
end

function H.check_finite(path, every, state, step, loss, norm)
  local what = H.is_finite(loss) and "the norm of the gradients" or "loss"
  local value = H.is_finite(loss) and norm or loss
  if not H.is_finite(value) then
    local saved = step - 1 - (step - 1) % every
    for _, parameter in ipairs(state.parameters) do
      parameter.grad = nil
    end
    check.fail("train: %s is %s at step %d, expected a finite number%s; a lower rate or a longer "
      .. "warm-up may help", what, value, step, path and saved > 0
      and (", the checkpoint of step %d stays in %s"):format(saved, path) or "")
  end
end

function H.is_finite(x)
  return x == x and x > -math.huge and x < math.huge
end

--- What a checkpoint must have been made by to be gone on from: one fact a line.
function H.key(options, o)
  local lines = { options.key or "", options.data.key or "" }
  for _, row in ipairs(M.rows) do
    if row.name ~= "every" then
      lines[#lines + 1] = ("%s %s"):format(row.name, o[row.name])
    end
  end
  for _, group in ipairs(options.groups or {}) do
    lines[#lines + 1] = ("group %s decay %s rate %s"):format(group.match, group.decay, group.rate)
  end
  for _, parameter in ipairs(options.parameters) do
    lines[#lines + 1] = ("%s [%s]"):format(parameter.name, table.concat(parameter:shape(), ", "))
  end
  return table.concat(lines, "\n")
end

--- A function that makes the progress of a step; speed is over the last steps.
function H.speed(loader, o)
  local times = { [0] = native.core.clock() }
  local n = 0
  return function(step, loss, rate, norm)
    n = n + 1
    times[n] = native.core.clock()
    local first = math.max(0, n - H.steps_of_speed)
    local per_step = (times[n] - times[first]) / (n - first)
    return setmetatable({ step = step, steps = o.steps, loss = loss, rate = rate, norm = norm,
      unit = loader.unit or "items", per_s = (loader.tokens or 1) * o.accumulate / per_step,
      seconds_left = per_step * (o.steps - step) }, H.Progress)
  end
end

H.steps_of_speed = 20

H.Progress = { __name = "vise.progress" }

function H.Progress.__tostring(p)
  return ("step %d of %d: loss %.4f, %s %s/s, %s left"):format(p.step, p.steps, p.loss,
    text.count(math.floor(p.per_s)), p.unit, text.duration(p.seconds_left))
end

H.others = { parameters = true, data = true, loss = true, groups = true, path = true,
  on_progress = true, key = true }

return M
