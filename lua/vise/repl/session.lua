-- SPDX-License-Identifier: Apache-2.0
--- What was typed in a session, as a recipe: files become parameters, models are opened, measured
-- and saved by the job. What a recipe cannot do stays as a comment, and so does what rests on it.

local check = require("vise.check")
local lexer = require("vise.repl.lexer")
local model = require("vise.model")
local native = require("vise.native")
local recipe = require("vise.recipe")

local M = {}
local Writer = {}
Writer.__index = Writer
local H = {}

---@class vise.TypedChunk
---@field text string that was run without an error
---@field is_expression boolean its value was printed

--- Write the chunks of a session as a recipe. Raises if it cannot be one.
---@param path string a new file; ".lua" is added
---@param chunks vise.TypedChunk[]
---@param opened? string path of the model that the session has as `m`
---@return string summary what to type to run it
function M.save(path, chunks, opened)
  path = path:match("%.lua$") and path or path .. ".lua"
  if native.file.stat(path) then
    check.fail("%s: is there already, expected the name of a new file", path)
  end
  local text, writer = M.recipe(chunks, opened)
  local loaded, message = recipe.load(text, path)
  if loaded == nil then
    check.fail("save session: %s", message)
  end
  local ok, problem = native.file.replace(path, text)
  if not ok then
    check.fail("%s", problem)
  end
  local words = {}
  for _, input in ipairs(writer.inputs) do
    words[#words + 1] = not input.default and (" %s=%s"):format(input.name, input.path) or nil
  end
  local left = writer.n_left > 0
    and ("; %d left as comments: a recipe has not what they use"):format(writer.n_left) or ""
  return ("%s: %d of %d chunks%s\nvise run %s%s"):format(path, #chunks - writer.n_left, #chunks,
    left, path, table.concat(words))
end

--- The recipe's text.
---@param chunks vise.TypedChunk[]
---@param opened? string
---@return string text
---@return table writer {inputs, n_left}
function M.recipe(chunks, opened)
  local writer = setmetatable({
    inputs = {}, -- {name, kind, path, default}
    n_left = 0,
    _lines = {},
    _lost = {}, -- names whose values a recipe has not
    _texts = {}, -- names that stand for texts
    _seen = {}, -- names in earlier chunks
    _last_save = 0, -- the one that the run keeps
  }, Writer)
  for i, chunk in ipairs(chunks) do
    writer._last_save = chunk.text:find(":%s*save%f[%W]") and i or writer._last_save
  end
  if opened then
    writer:_add(("local m = job:open(p.%s)"):format(writer:_input("model", opened)))
    writer._seen.m = true
  end
  for i, chunk in ipairs(chunks) do
    writer:_chunk(i, chunk)
  end
  return writer:_text(), writer
end

function Writer:_chunk(i, chunk)
  local tokens = {}
  for _, token in ipairs(lexer.run(chunk.text)) do
    tokens[#tokens + 1] = token.kind ~= "comment" and token or nil
  end
  local code = chunk.text:sub(1, tokens[#tokens].to) -- a comment would hide what comes behind it
  local reason = self:_problem(i, tokens)
  local text
  if reason == nil then
    text, reason = self:_translate(code, tokens)
  end
  local targets = H.targets(tokens)
  for _, name in ipairs(targets) do
    self._lost[name] = reason ~= nil or nil
  end
  if chunk.is_expression and #tokens == 1 then
    return -- a look at a value
  end
  if reason then
    self.n_left = self.n_left + 1
    self:_add("-- " .. code:gsub("\n", "\n-- ") .. "   -- " .. reason)
  elseif chunk.is_expression and not text:match("^job:[ms][ae][av]") then
    self:_add("print(" .. text .. ")")
  else
    self:_add(H.declared(text, tokens, targets, self._seen))
  end
  for _, token in ipairs(tokens) do
    self._seen[token.text] = token.kind == "name" or nil
  end
end

--- Why a recipe cannot have a chunk, or nil.
function Writer:_problem(i, tokens)
  for at, token in ipairs(tokens) do
    local before, after = tokens[at - 1] or {}, tokens[at + 1] or {}
    local name = token.kind == "name" and token.text
    local is_field = before.text == "." or before.text == ":"
    if name and not is_field and self._lost[name] and after.text ~= "=" then
      return ("'%s' is not there"):format(name)
    elseif name and not is_field and H.absent[name] and after.text ~= "=" then
      return ("a recipe has no '%s'"):format(name)
    elseif name and (before.text == ":" and model.methods[name] and not H.of_handles[name]
      or before.text == "." and H.of_models[name]) then
      return ("a recipe's models have no '%s'"):format(name)
    elseif name == "save" and before.text == ":" and i ~= self._last_save then
      return "a run saves one model, the last"
    elseif name == "vise" and not is_field and not H.visible(tokens, at) then
      return ("a recipe has no vise.%s"):format((tokens[at + 2] or { text = "?" }).text)
    elseif self._texts[name] and not is_field and before.text ~= "=" and after.text ~= "=" then
      return "a recipe hands texts to the job and does not read them"
    end
  end
end

--- A chunk with the job's verbs in the place of the library's functions; nil and why not.
function Writer:_translate(text, tokens)
  local edits = {} -- {from, to, text}, in order
  local function edit(from, to, replacement)
    edits[#edits + 1] = { from = tokens[from].from, to = tokens[to].to, text = replacement }
  end
  for at, token in ipairs(tokens) do
    local path = H.path(tokens, at)
    local is_read = token.text == "read" and (tokens[at - 1] or {}).text ~= "."
      and (tokens[at - 1] or {}).text ~= ":"
    if path == "vise.model.open" or is_read then
      local first = is_read and at + 1 or at + 5
      local value, last = H.literal(tokens, first)
      if value == nil then
        return nil, "the name of a file is not written out"
      end
      local name = self:_input(is_read and "text" or "model", value)
      edit(at, last, is_read and "p." .. name or ("job:open(p.%s)"):format(name))
      if is_read and at == 3 and tokens[2].text == "=" then
        self._texts[tokens[1].text] = true
      end
    elseif path == "vise.metric.evaluate" then
      edit(at, at + 4, "job:measure")
    elseif path == "vise.calibration.new" then
      local first = tokens[at + 5] and tokens[at + 5].text == "(" and at + 6 or at + 5
      local last = H.closing(tokens, first)
      if last == nil then
        return nil, "the options of the calibration are not written out"
      end
      edit(at, first, ("job:calibrate(job:open(p.%s), {"):format(self:_input("model")))
      edit(last, first == at + 6 and last + 1 or last, "})")
    elseif token.text == "save" and (tokens[at - 1] or {}).text == ":" and at > 2 then
      local _, last = H.literal(tokens, at + 1)
      if last == nil or tokens[at - 2].kind ~= "name" then
        return nil, "save is not of a name and a path"
      end
      edit(at - 2, last, ("job:save(%s)"):format(tokens[at - 2].text))
    end
  end
  table.sort(edits, function(a, b)
    return a.from > b.from
  end)
  for _, one in ipairs(edits) do
    text = text:sub(1, one.from - 1) .. one.text .. text:sub(one.to + 1)
  end
  return text
end

--- The parameter for a file; without a path the first model's, whichever it is.
function Writer:_input(kind, path)
  local n = 0
  for _, input in ipairs(self.inputs) do
    n = n + (input.kind == kind and 1 or 0)
    if input.kind == kind and (path == nil or input.path == path) then
      return input.name
    end
  end
  local name = n == 0 and kind or kind .. n + 1
  local is_portable = path and not path:match("^/") and path ~= "."
    and not ("/" .. path .. "/"):find("/../", 1, true)
  self.inputs[#self.inputs + 1] = { name = name, kind = kind, path = path or "MODEL",
    default = is_portable and path or nil }
  return name
end

function Writer:_add(line)
  self._lines[#self._lines + 1] = line and "    " .. line:gsub("\n", "\n    ") or nil
end

function Writer:_text()
  local params = {}
  for i, input in ipairs(self.inputs) do
    params[i] = ("    %s = vise.param.%s%s,\n"):format(input.name, input.kind,
      input.default and (" { %q }"):format(input.default) or "()")
  end
  return ([[
local vise = require "vise"

return vise.recipe {
  recipe_api = %d,
  about = "a session at the REPL",
  params = {
%s  },
  run = function(p, job)
%s
  end,
}
]]):format(recipe.API, table.concat(params), table.concat(self._lines, "\n"))
end

--- Names that a chunk sets, if it is a plain assignment.
function H.targets(tokens)
  local names = {}
  for at = 1, #tokens, 2 do
    local after = tokens[at + 1] and tokens[at + 1].text
    if tokens[at].kind ~= "name" or after ~= "," and after ~= "=" then
      return {}
    end
    names[#names + 1] = tokens[at].text
    if after == "=" then
      return names
    end
  end
  return {}
end

--- A first assignment is a local; locals of a chunk end with it.
function H.declared(text, tokens, targets, seen)
  local is_new = #targets > 0
  for _, name in ipairs(targets) do
    is_new = is_new and not seen[name]
  end
  for _, token in ipairs(tokens) do
    if token.text == "local" then
      return "do\n  " .. text:gsub("\n", "\n  ") .. "\nend"
    end
  end
  return (is_new and "local " or "") .. text
end

--- "vise.model.open" if that begins at a token.
function H.path(tokens, at)
  if tokens[at].text ~= "vise" or tokens[at + 4] == nil then
    return nil
  end
  local words = {}
  for i = at, at + 4 do
    words[#words + 1] = tokens[i].text
  end
  return table.concat(words)
end

function H.visible(tokens, at)
  local name = tokens[at + 2] and tokens[at + 2].text
  return H.translated[H.path(tokens, at)] or check.nearest(name, recipe.visible) == name
end

H.translated = { ["vise.model.open"] = true, ["vise.metric.evaluate"] = true,
  ["vise.calibration.new"] = true }

--- The text of an argument "..." or ("..."), and the token at which it ends.
function H.literal(tokens, at)
  local is_call = tokens[at] and tokens[at].text == "("
  local token = tokens[is_call and at + 1 or at]
  if token == nil or token.kind ~= "string" or is_call and (tokens[at + 2] or {}).text ~= ")" then
    return nil
  end
  return lexer.value(token), is_call and at + 2 or at
end

--- The token that closes a brace.
function H.closing(tokens, at)
  if tokens[at] == nil or tokens[at].text ~= "{" then
    return nil
  end
  local depth = 0
  for i = at, #tokens do
    local text = tokens[i].kind == "symbol" and tokens[i].text
    depth = depth + (text == "{" and 1 or text == "}" and -1 or 0)
    if depth == 0 then
      return i
    end
  end
end

--- Globals of a session that a recipe has not.
H.absent = { _ = true, collectgarbage = true, coroutine = true, debug = true, dofile = true,
  help = true, hist = true, io = true, load = true, loadfile = true, os = true, package = true,
  plot = true, require = true, spectrum = true, warn = true, xpcall = true }

--- Fields of models that handles have not.
H.of_models = { arch = true, context = true, fallbacks = true, notes = true, tokenizer = true,
  vocabulary = true }

--- Methods of models that the handles of a recipe have, or that are translated.
H.of_handles = { bytes = true, compress = true, generate = true,
  parameters = true, places = true, save = true, tensor = true, tensors = true, weight = true }

return M
