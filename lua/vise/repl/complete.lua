-- SPDX-License-Identifier: Apache-2.0
--- What Tab may make of a word: globals, fields, methods, the options of the call around it; inside
-- quotes what may be written there: places, tensors, methods, choices, files.

local check = require("vise.check")
local lexer = require("vise.repl.lexer")
local method = require("vise.method")
local native = require("vise.native")
local options = require("vise.repl.options")
local reference = require("vise.repl.reference")
local scope = require("vise.repl.scope")

local M = {}
local H = {}

--- All words that begin as `word` does.
---@param env table the session's globals
---@param before string what was typed up to the word, earlier lines of the chunk included
---@param word string "m:wei", "vise.mod", "layers.0."
---@return string[] words sorted
function M.run(env, before, word)
  local tokens = lexer.run(before)
  local last = tokens[#tokens]
  if last and last.kind == "open" then
    tokens[#tokens] = nil
    return H.inside_quotes(env, tokens, last.text, word)
  elseif last and last.kind == "comment" and last.to == #before then
    return {}
  end
  local path, separator = word:match("^(.*)([.:])[%w_]*$")
  if path then
    local names = scope.members(scope.value(env, path), separator)
    return H.beginning(names, path .. separator, word)
  end
  if last and (last.text == "{" or last.text == ",") then
    local names = {}
    for i, option in ipairs(H.options(env, tokens)) do
      names[i] = option.name
    end
    local found = H.beginning(names, "", word)
    if #found > 0 then
      return found
    end
  end
  return H.beginning(scope.globals(env), "", word)
end

--- Names with `prefix` before them that begin as `word` does, each once.
function H.beginning(names, prefix, word)
  local found = {}
  for _, name in ipairs(names) do
    if (prefix .. name):sub(1, #word) == word then
      found[prefix .. name] = true
    end
  end
  return check.sorted_keys(found)
end

--- `written` stands between the quote and the word, which begins behind a space, a "-" or the like.
function H.inside_quotes(env, tokens, written, word)
  local names = H.texts(env, tokens)
  local found = {}
  for _, whole in ipairs(H.beginning(names or H.files(written .. word), "", written .. word)) do
    found[#found + 1] = whole:sub(#written + 1)
  end
  return found
end

--- What may be written in quotes behind these tokens; nil: the name of a file.
function H.texts(env, tokens)
  local last, before = tokens[#tokens], tokens[#tokens - 1]
  if last and last.text == "=" and before and before.kind == "name" then
    local key = before.text
    if H.keys[key] then
      return H.keys[key](env)
    end
    for _, option in ipairs(H.options(env, table.move(tokens, 1, #tokens - 2, 1, {}))) do
      if option.name == key then
        return option.choices or {}
      end
    end
    return {}
  end
  local path = H.path(tokens, last and last.text == "(" and #tokens - 1 or #tokens)
  local verb = path and path:match("([%w_]+)$")
  if H.file_verbs[verb] then
    return nil
  elseif verb == "tensor" or verb == "vector" then
    return H.of_models(env, "tensors")
  end
  local names = H.of_models(env, "places")
  return table.move(H.keys.method(), 1, #method.list(), #names + 1, names)
end

H.file_verbs = { open = true, read = true, save = true, idx = true }

H.keys = {
  method = function()
    local names = {}
    for i, descriptor in ipairs(method.list()) do
      names[i] = descriptor.name
    end
    return names
  end,
  match = function(env)
    return { "*", "*.*", "attn.*", "mlp.*", table.unpack(H.of_models(env, "places")) }
  end,
  protocol = function()
    return { "gptq-2048", "llama.cpp-512", "nll-256", "stories-512" }
  end,
}

--- Names of all places or tensors of the session's models.
function H.of_models(env, what)
  local names = {}
  for _, value in next, env do
    local class = reference.class(value)
    if class and class.name == "vise.model" then
      for _, part in ipairs(value[what](value)) do
        names[type(part) == "table" and part.name or part] = true
      end
    end
  end
  return check.sorted_keys(names)
end

--- Paths that go on from one that was begun.
function H.files(path)
  local folder = path:match("^.*/") or ""
  local is_hidden, files = path:match("[^/]*$"):match("^%."), {}
  for _, name in ipairs(native.file.list(folder == "" and "." or folder) or {}) do
    local info = native.file.stat(folder .. name)
    if is_hidden or not name:match("^%.") then
      files[#files + 1] = folder .. name .. (info and info.kind == "folder" and "/" or "")
    end
  end
  return files
end

--- The options that the table takes in which the text ends; none if it is no argument of a call.
function H.options(env, tokens)
  local open = {}
  for i, token in ipairs(tokens) do
    if token.kind == "symbol" and token.text:match("^[({[]$") then
      open[#open + 1] = i
    elseif token.kind == "symbol" and token.text:match("^[)}%]]$") then
      open[#open] = nil
    end
  end
  local depth, at = 0, open[#open]
  while at and tokens[at].text == "{" do
    depth = depth + 1
    local path = H.path(tokens, at - 1)
    if path then
      return H.options_of(env, path, depth, H.given(tokens, open[#open]))
    end
    table.remove(open)
    local is_within = #open > 0 and tokens[open[#open]].text == "("
    at = open[#open]
    if is_within then
      path = H.path(tokens, at - 1)
      return path and H.options_of(env, path, depth, H.given(tokens, H.last_brace(tokens))) or {}
    end
  end
  return {}
end

--- The innermost brace that is open at the end.
function H.last_brace(tokens)
  local depth = 0
  for i = #tokens, 1, -1 do
    local text = tokens[i].kind == "symbol" and tokens[i].text
    depth = depth + (text == "}" and 1 or text == "{" and -1 or 0)
    if depth < 0 then
      return i
    end
  end
end

function H.options_of(env, path, depth, given)
  local fn = scope.value(env, path)
  local verb = path:match("[:.]?([%w_]+)$")
  for _, class in ipairs(type(fn) == "function" and {} or reference.classes) do
    for _, row in ipairs(class.methods) do
      fn = row.name == verb and class.find(verb) or fn
    end
  end
  return type(fn) == "function" and options.of(fn, depth, given) or {}
end

--- Texts that are set in the table which begins at a token: { method = "gptq" }.
function H.given(tokens, from)
  local given = {}
  for i = from + 1, #tokens - 2 do
    local value = tokens[i + 2]
    if tokens[i].kind == "name" and tokens[i + 1].text == "=" and value.kind == "string" then
      given[tokens[i].text] = lexer.value(value)
    end
  end
  return given
end

--- The path that ends at a token: "m:compress", "vise.model.open"; ":quantize" behind a call.
function H.path(tokens, last)
  local first = last
  if not tokens[last] or tokens[last].kind ~= "name" then
    return nil
  end
  while tokens[first - 1] and tokens[first - 1].text:match("^[.:]$") do
    first = first - 1
    if tokens[first - 1] and tokens[first - 1].kind == "name" then
      first = first - 1
    else
      break
    end
  end
  local words = {}
  for i = first, last do
    words[#words + 1] = tokens[i].text
  end
  return table.concat(words)
end

return M
