-- SPDX-License-Identifier: Apache-2.0
--- `help` and help(x) of the REPL.

local check = require("vise.check")
local reference = require("vise.repl.reference")

local M = {}
local H = {}

H.general = [[
vise.model.open("FOLDER")   opens a model; `vise repl FOLDER` has it as m
m:weight("layers.0.mlp.down")   a weight; m:places() lists them all
w:quantize { method = "rtn", bits = 3, group = 32 }   a compressed one
q:error(w)   what it lost; q:histogram() shows it
m:compress { { match = "mlp.*", method = "rtn", bits = 4, group = 32 } }   a compressed model
vise.metric.evaluate(m, { text = TEXT, protocol = "nll-256" })   measures one

help(x)   what x can do: a model, a weight, a tensor, or a function of theirs
help "rtn"   a method of compression, or any function by its name
quit   ends; so does Ctrl-D. Tab completes, and share/doc/repl.md has a whole session.]]

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

function H.row(call, doc)
  return ("  %-34s  %s"):format(call, doc)
end

--- Everything of that name: methods of the classes, a method of compression.
function H.named(name)
  local method = require("vise.method")
  local lines, known = {}, {}
  for _, class in ipairs(reference.classes) do
    for _, row in ipairs(class.methods) do
      known[row.name] = true
      if row.name == name then
        lines[#lines + 1] = row.call .. "  " .. row.doc
      end
    end
  end
  for _, descriptor in ipairs(method.list()) do
    known[descriptor.name] = true
    if descriptor.name == name then
      lines[#lines + 1] = ("%s: %s"):format(name, descriptor.summary)
      for _, row in ipairs(method.params(name)) do
        local doc = ("%s; %s (default %s)"):format(row.doc, check.expected(row),
          check.plain(row.default))
        lines[#lines + 1] = H.row(row.name, doc)
      end
      lines[#lines + 1] = ('w:quantize { method = "%s", ... }'):format(name)
    end
  end
  if #lines == 0 then
    local hint = check.suggest(name, check.sorted_keys(known))
    check.fail("help: nothing is called '%s' (%s)", name, hint or "`help` tells what there is")
  end
  return table.concat(lines, "\n")
end

--- A function of a class, known by being the same one.
function H.fn(fn)
  for _, class in ipairs(reference.classes) do
    for _, row in ipairs(class.methods) do
      if rawequal(class.find(row.name), fn) then
        return row.call .. "  " .. row.doc
      end
    end
  end
  return tostring(fn) .. "; share/doc/ describes the modules"
end

function H.fields(t)
  local mt = getmetatable(t)
  local names = {}
  for _, name in ipairs(type(mt) == "table" and mt.fields or check.sorted_keys(t)) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  return "a table of: " .. table.concat(names, ", ")
end

return M
