-- SPDX-License-Identifier: Apache-2.0
--- The loss of a student that learns from a teacher, and from the text as far as `share` leaves:
--
--   share T^2 KL(teacher / T || student / T) + (1 - share) nll      KL of predictions, by logits
--   + hidden  mean over layers of |W h - h'|^2 / |h'|^2   h, h': states of student, teacher
--   + cosine  (1 - cos(W h, h'))                                     of the last layer
--   + attention  mean over q, k, v of KL(of h' || of h)   MiniLMv2: rows of softmax(x x' / sqrt d)
--
-- W is learned with the student, one a layer; layer i of n has layer i N / n of the teacher's N,
-- rounded up. Relations are those of the last layers, causal, of as many heads as one likes.
-- Sources: Hinton et al. 2015, arXiv:1503.02531; Sanh et al. 2019, arXiv:1910.01108; Jiao et al.
-- 2019, arXiv:1909.10351; Wang et al. 2020, arXiv:2012.15828; Gu et al. 2023, arXiv:2306.08543.
-- Differs: states are measured relative to the teacher's, so that weights of terms mean the same in
-- every model.

local cache = require("vise.cache")
local check = require("vise.check")
local grad = require("vise.grad")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local teacher = require("vise.train.teacher")

local must = refusal.must

local M = {}
local H = {}

---@class vise.DistillOptions the rows of vise.train.distill.rows, and:
---@field teacher vise.Model of the student's vocabulary
---@field cache? string a folder where what `top` asks for is kept

---@class vise.Distillation
---@field parameters vise.Value[] the student's and the W
---@field key string|nil what the loss is, for a checkpoint; nil if nobody knows what the teacher is
---@field loss fun(batch: table): vise.Value

M.rows = {
  { name = "temperature", kind = "real", default = 1.0, min = 0.01, max = 100,
    doc = "both logits are divided by it, the divergence multiplied by its square" },
  { name = "share", kind = "real", default = 1.0, min = 0.0, max = 1.0,
    doc = "of the divergence in the loss; the rest is the text's" },
  { name = "direction", kind = "choice", choices = { "forward", "reverse" }, default = "forward",
    doc = "KL(teacher || student), or KL(student || teacher), which seeks one of its modes" },
  { name = "top", kind = "int", default = 0, min = 0,
    doc = "greatest probabilities of a token that are kept of the teacher; 0: all, computed anew" },
  { name = "hidden", kind = "real", default = 0.0, min = 0.0,
    doc = "weight of the distance of projected states of layers" },
  { name = "cosine", kind = "real", default = 0.0, min = 0.0,
    doc = "weight of 1 - cosine of the last ones" },
  { name = "attention", kind = "real", default = 0.0, min = 0.0,
    doc = "weight of the divergence of attention relations" },
  { name = "relations", kind = "int", default = 4, min = 1, doc = "heads these are cut into" },
}

--- The loss of a network that learns from a teacher.
---@param network vise.TrainedNetwork
---@param options vise.DistillOptions
---@return vise.Distillation
function M.new(network, options)
  local given = {}
  for key, value in pairs(options) do
    given[key] = key ~= "teacher" and key ~= "cache" and value or nil
  end
  local o = check.options("distill", M.rows, given)
  o.teacher, o.cache = options.teacher, options.cache and cache.open(options.cache)
  H.check(network, o)
  local identity = o.teacher:_identity()
  local self = {
    o = o, network = network, parameters = table.move(network.parameters, 1,
    #network.parameters, 1, {}), projections = {}, masks = {},
  }
  self.key = identity and H.key(o, identity)
  if o.hidden > 0 or o.cosine > 0 then
    H.project(self)
  end
  function self.loss(batch)
    return H.loss(self, batch)
  end
  return self
end

function H.check(network, o)
  local t, net = o.teacher, network._model._net
  if t == nil then
    check.fail("distill: teacher is missing, expected a model")
  elseif t.vocabulary ~= network.vocabulary then
    check.fail("distill: the teacher has %d tokens, expected %d as the student has: a tokenizer of "
      .. "both", t.vocabulary, network.vocabulary)
  elseif t.image and (H.looks_inside(o) or o.top > 0) then
    check.fail("distill: top, hidden, cosine and attention are for models of tokens, expected none "
      .. "for those of images")
  elseif o.top > 0 and o.direction == "reverse" then
    check.fail("distill: top is %d, expected 0: the reverse direction needs all of the teacher's "
      .. "predictions", o.top)
  elseif o.top >= t.vocabulary then
    check.fail("distill: top is %d, expected fewer than the %d tokens", o.top, t.vocabulary)
  elseif H.looks_inside(o) and network._recompute then
    check.fail("distill: hidden, cosine and attention are not for a network that recomputes")
  elseif H.looks_inside(o) and not (H.site(net) and H.site(t._net)) then
    check.fail("distill: hidden, cosine and attention are for models with attention, expected 0")
  end
  for _, of in ipairs(o.attention > 0 and { net, t._net } or {}) do
    for _, place in ipairs(H.site(of).places) do
      local width = H.width(of, place)
      if width % o.relations ~= 0 then
        check.fail("distill: relations is %d, expected a divisor of the width %d of %s",
          o.relations, width, place)
      end
    end
  end
end

function H.key(o, identity)
  local lines = { "distill " .. identity }
  for _, row in ipairs(M.rows) do
    lines[#lines + 1] = ("distill %s %s"):format(row.name, o[row.name])
  end
  return table.concat(lines, "\n")
end

function H.looks_inside(o)
  return o.hidden > 0 or o.cosine > 0 or o.attention > 0
end

--- Learned matrices from the student's states to the teacher's; the identity where both are equally
--- wide, else random.
function H.project(self)
  local student, wide = self.network._model._net, self.o.teacher._net.width
  for layer = self.o.hidden > 0 and 1 or student.n_layers, student.n_layers do
    local name, shape = ("distill.%d"):format(layer - 1), { wide, student.width }
    local w = wide == student.width and H.identity(wide)
      or native.core.random_tensor("f32", shape, 0, name, 1 / math.sqrt(student.width))
    self.projections[layer] = grad.parameter(w, name)
    self.parameters[#self.parameters + 1] = self.projections[layer]
  end
end

function H.identity(n)
  local values = {}
  for i = 1, n * n do
    values[i] = (i - 1) % (n + 1) == 0 and 1.0 or 0.0
  end
  return native.tensor.from("f32", { n, n }, values)
end

function H.loss(self, batch)
  local o, network = self.o, self.network
  if not H.looks_inside(o) then
    local hidden <close> = network:hidden(batch)
    return H.predictions(self, batch, hidden)
  end
  local net, teacher_net = network._model._net, o.teacher._net
  local has_site = o.attention > 0
  local is = teacher.inside(net, network, batch, has_site and H.site(net))
  local aim = teacher.inside(teacher_net, o.teacher, batch, has_site and H.site(teacher_net))
  local loss = grad.add(H.predictions(self, batch, is.hidden), H.states(self, is, aim))
  if has_site then
    local relations = H.attention(self, batch, is, aim)
    loss = grad.add(loss, grad.scale(relations, o.attention))
  end
  for _, list in ipairs({ { is.hidden, is.inputs }, is.states, { aim.hidden, aim.inputs },
    aim.states }) do
    for _, x in pairs(list) do
      x:close()
    end
  end
  return loss
end

--- The divergence of predictions and what the text says.
function H.predictions(self, batch, hidden)
  local o = self.o
  local logits <close> = self.network:logits(hidden)
  local loss
  if o.share < 1 then
    loss = grad.scale(grad.cross_entropy(logits, batch.targets), 1 - o.share)
  end
  if o.share > 0 then
    local kl = grad.scale(H.divergence(o, batch, logits), o.share * o.temperature ^ 2)
    loss = loss and grad.add(loss, kl) or kl
  end
  return loss
end

function H.divergence(o, batch, logits)
  local scaled = o.temperature == 1.0 and logits or grad.scale(logits, 1 / o.temperature)
  local loss
  if o.top > 0 then
    local known = teacher.top(o.teacher, batch, o.top, o.temperature, o.cache)
    loss = grad.kl_top(scaled, known.ids, known.log_p, known.log_tail)
    for _, tensor in pairs(known) do
      tensor:close()
    end
  else
    local aim <close> = teacher.logits(o.teacher, batch, o.temperature)
    loss = o.direction == "forward" and grad.kl(aim, scaled) or grad.kl(scaled, aim)
  end
  if scaled ~= logits then
    scaled:close()
  end
  return loss
end

--- Distances of states, or nothing: 0.
function H.states(self, is, aim)
  local o, loss = self.o, 0.0
  local n = #is.states
  for layer = o.hidden > 0 and 1 or n, o.hidden + o.cosine > 0 and n or 0 do
    local target = aim.states[math.ceil(layer * #aim.states / n)]
    local projected <close> = grad.linear(is.states[layer], self.projections[layer])
    if o.hidden > 0 then
      local size = must(native.grad.squares(target)) / target:count()
      loss = grad.add(grad.scale(grad.mse(projected, target), o.hidden / (n * size)), loss)
    end
    if o.cosine > 0 and layer == n then
      local far = grad.add(grad.scale(grad.cosine(projected, target), -o.cosine), o.cosine)
      loss = grad.add(far, loss)
    end
  end
  return loss
end

--- The mean divergence of the relations of what the last attention's places give.
function H.attention(self, batch, is, aim)
  local student, of_teacher = self.network, self.o.teacher
  local sites = { H.site(student._model._net), H.site(of_teacher._net) }
  local sum = 0.0
  for i, place in ipairs(sites[1].places) do
    local x <close> = H.at(student, place, is.inputs)
    local y <close> = H.at(of_teacher, sites[2].places[i], aim.inputs)
    sum = grad.add(H.relations(self, batch, x, y), sum)
  end
  return grad.scale(sum, 1 / #sites[1].places)
end

--- KL of the relations of tokens with those before them, the mean over heads and tokens.
function H.relations(self, batch, x, y)
  local heads, t, sum = self.o.relations, batch.ids:count(), 0.0
  for i, start in ipairs(batch.starts) do
    local n = (batch.starts[i + 1] or t + 1) - start
    local future = H.mask(self.masks, n)
    for head = 1, heads do
      local p <close> = H.relation(y, start, n, head, heads, future)
      local q <close> = H.relation(x, start, n, head, heads, future)
      sum = grad.add(grad.scale(grad.kl(p, q), n / (t * heads)), sum)
    end
  end
  return sum
end

function H.relation(x, start, n, head, heads, future)
  local d = x:shape()[2] // heads
  local rows <close> = grad.slice(x, 1, start, n)
  local part <close> = grad.slice(rows, 2, (head - 1) * d + 1, d)
  local products <close> = grad.linear(part, part)
  local scaled <close> = grad.scale(products, 1 / math.sqrt(d))
  return grad.add(scaled, future)
end

--- Added to relations: nothing, or for tokens to come what leaves them no probability.
function H.mask(masks, n)
  if masks[n] == nil then
    local values = {}
    for i = 1, n do
      for j = 1, n do
        values[#values + 1] = j > i and -1e5 or 0.0
      end
    end
    masks[n] = native.tensor.from("f32", { n, n }, values)
  end
  return masks[n]
end

--- What a place gives, before it is turned by positions.
function H.at(model, place, x)
  local y = grad.linear(x, must(model:weight(place)))
  local bias = model:vector(place .. ".bias")
  if bias == nil then
    return y
  end
  local product <close> = y
  return grad.bias(product, bias)
end

--- The site of the last layer's attention.
function H.site(net)
  for i = #net.sites, 1, -1 do
    if net.sites[i].name:find("%.attn%.in$") then
      return net.sites[i]
    end
  end
end

function H.width(net, name)
  for _, place in ipairs(net.places) do
    if place.name == name then
      return place.shape[1]
    end
  end
end

return M
