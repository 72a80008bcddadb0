-- SPDX-License-Identifier: Apache-2.0
--- `help`, help(x) and `?name` of the REPL: what `vise explain` tells, the reference of the
-- classes, and what the source says of a function.

local check = require("vise.check")
local doc = require("vise.repl.doc")
local method = require("vise.method")
local options = require("vise.repl.options")
local reference = require("vise.repl.reference")
local scope = require("vise.repl.scope")
local text = require("vise.text")
local topics = require("vise.topics")

local M = {}
local H = {}

H.general = [[
vise.model.open "FOLDER"   opens a model; `vise repl FOLDER` has it as m
m:weight "layers.0.mlp.down"   a weight; m:places() lists them all
w:quantize { method = "rtn", bits = 3, group = 32 }   a compressed one
q:error(w)   what it lost
m:compress { { match = "mlp.*", method = "rtn", bits = 4, group = 32 } }   a compressed model
vise.metric.evaluate(m, { text = read "FILE", protocol = "nll-256" })   measures one
hist(w), spectrum(w), plot(y), plot(x, y)   draw

?NAME   what a method, metric, function or value is: ?gptq, ?kl, ?m:compress, ?stats; help(x) too
_   the last result
save session FILE   writes what was typed as a recipe
quit   ends; so does Ctrl-D. Tab completes names, options and, in quotes, places, methods and
files; Ctrl-C stops what runs. `vise help repl` has a whole session.]]

H.words = {
  calibrate = [[
calibrate: say over which tokens of a text statistics are taken; nothing is computed yet.
  in a recipe   stats = job:calibrate(m, { text = p.text, tokens = 16384 })
  at the REPL   stats = vise.calibration.new { text = read "FILE", tokens = 16384 }
  then          m:compress { { match = "*.*", method = "gptq", bits = 3, stats = stats } }
?vise.calibration.new has the options.]],
  stats = [[
stats: what a method knows of the numbers that a weight multiplies; gptq, awq, wanda and others
need it, rtn with search = "mse" uses it.
  of a rule      the plan of vise.calibration.new (job:calibrate in recipes); statistics are
                 taken when a weight is made:
                 m:compress { { match = "*.*", method = "gptq", stats = plan } }
  of one weight  s = m:statistics("layers.0.mlp.down", plan)
                 q = w:quantize { method = "gptq", bits = 3, stats = s }
                 q:error(w, s) is the error of its outputs, q:error(w) that of the weight
?calibrate says how to make a plan.]],
  rules = [[
rules: a list for m:compress; the first whose pattern matches a place decides, other places stay.
  { match = PATTERN, method = NAME, its options ..., stats = PLAN, otherwise = RULE }
Patterns are globs of whole components: "attn.*", "layers.0.mlp.down", "*.*" for all layers, "*" for
embedding and head too. ?NAME has the options of a method, ?stats tells of PLAN.]],
}
H.words.match, H.words.rule = H.words.rules, H.words.rules

--- The global `help`: prints by itself, and explains what it is called with.
M.command = setmetatable({}, {
  __name = "vise.help",
  __tostring = function()
    return H.general
  end,
  __call = function(_, ...)
    return select("#", ...) == 0 and H.general or M.text((...))
  end,
})

--- What `?name` tells: of a value of the session, or by a name. Raises for a name that nothing has.
---@param env table the session's globals
---@param name string may be empty
---@return string
function M.about(env, name)
  name = name:match("^%s*(.-)%s*$"):gsub("^([\"'])(.*)%1$", "%2")
  if name == "" then
    return H.general
  end
  local value = name:match("^[%w_.:]+$") and scope.value(env, name)
  if type(value) == "function" then
    return H.fn(value, name)
  elseif value ~= nil and value ~= false then
    return M.text(value)
  end
  return H.named(name)
end

--- What can be said of a value. Raises for a name that nothing has.
---@param x any
---@return string
function M.text(x)
  local class = reference.class(x)
  if class then
    return tostring(x) .. "\n" .. H.class(class)
  elseif rawequal(x, M.command) then
    return H.general
  elseif type(x) == "string" then
    return H.named(x)
  elseif type(x) == "function" then
    return H.fn(x)
  elseif type(x) == "table" then
    return H.fields(x)
  end
  return ("a %s: %s"):format(type(x), tostring(x))
end

function H.class(class)
  local lines = {}
  for _, row in ipairs(class.fields) do
    lines[#lines + 1] = H.row(class.letter .. "." .. row.name, row.doc)
  end
  for _, row in ipairs(class.methods) do
    lines[#lines + 1] = H.row(row.call, row.doc)
  end
  return table.concat(lines, "\n")
end

function H.row(call, words)
  return ("  %-34s  %s"):format(call, words)
end

--- Everything of that name: what can be explained, methods of the classes, verbs of a job.
function H.named(name)
  local all, parts, known = topics.list(), {}, {}
  parts[1] = H.words[name]
  for _, topic in ipairs(topics.find(all, name)) do
    parts[#parts + 1] = topics.text(topic)
  end
  for _, class in ipairs(reference.classes) do
    for _, row in ipairs(class.methods) do
      known[row.name] = true
      if row.name == name then
        parts[#parts + 1] = H.fn(class.find(name))
      end
    end
  end
  for _, verb in ipairs(require("vise.run.job").verbs) do
    known[verb] = true
    local found = verb == name and doc.found("vise.run.job", "function H:" .. verb .. "(")
    if found then
      parts[#parts + 1] = "in a recipe: " .. doc.text(found, "job:" .. found.call)
    end
  end
  if #parts == 0 then
    for _, names in ipairs({ topics.names(all), check.sorted_keys(H.words) }) do
      for _, one in ipairs(names) do
        known[one] = true
      end
    end
    local hint = check.suggest(name, check.sorted_keys(known))
    check.fail("help: nothing is called '%s' (%s)", name, hint or "`help` tells what there is")
  end
  return (table.concat(parts, "\n\n"):gsub("\n\n\n+", "\n\n"):gsub("\n$", ""))
end

--- A function, known by being the same as one of a class, or by its source.
---@param fn function
---@param name? string as it was asked for
function H.fn(fn, name)
  local found = doc.of(fn)
  local call = found and (name and name .. (found.call or ""):match("%b()") or found.call) or name
  local lines = {}
  for _, class in ipairs(reference.classes) do
    for _, row in ipairs(class.methods) do
      if rawequal(class.find(row.name), fn) then
        lines[1], call = row.call .. "  " .. row.doc, class.letter .. ":" .. row.name
      end
    end
  end
  if found then
    local body = doc.text(found, call)
    lines[#lines + 1] = lines[1] and body:match("\n(.*)") or body
  end
  local rows, default = options.rows(fn), options.default_method(fn)
  if default then
    rows = method.params(default)
    lines[#lines + 1] = H.beside(default)
  end
  for i, row in ipairs(rows) do
    lines[#lines + 1] = (i == 1 and "options:\n" or "")
      .. text.entry(row.name, check.describe(row))
  end
  return #lines > 0 and table.concat(lines, "\n") or tostring(fn)
end

--- Which methods a verb takes beside the one that it takes if it is told none.
function H.beside(name)
  local family, names = method.find(name).family, {}
  for _, descriptor in ipairs(method.list()) do
    if descriptor.family == family and descriptor.scope == "weight" then
      names[#names + 1] = descriptor.name
    end
  end
  return ("methods: %s; ?NAME has the options of each, here are those of %s"):format(
    table.concat(names, ", "), name)
end

--- The fields of a table, functions with the first sentence of what they do.
function H.fields(t)
  local lines = {}
  local class = getmetatable(t) and doc.class(getmetatable(t).__name or "")
  for _, row in ipairs(class and class.fields or {}) do
    lines[#lines + 1] = H.row(row.name, row.doc ~= "" and row.doc or row.type)
  end
  if #lines > 0 then
    return table.concat(lines, "\n")
  end
  for _, name in ipairs(scope.members(t, ".")) do
    local value = t[name]
    local found = type(value) == "function" and doc.of(value)
    local about = found and found.about:match("^(.-[.:])%s") or found and found.about
    lines[#lines + 1] = about and H.row(found.call, (about:gsub(":$", ""))) or "  " .. name
  end
  return table.concat(lines, "\n")
end

return M
