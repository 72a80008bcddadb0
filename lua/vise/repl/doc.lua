-- SPDX-License-Identifier: Apache-2.0
--- What the source says of a function: the comment above it, its parameters, and the fields of the
--- classes that these are. Functions of C are described in lua/meta (vise.place.meta).

local native = require("vise.native")
local place = require("vise.place")
local text = require("vise.text")

local M = {}
local H = {}

---@class vise.DocRow
---@field name string
---@field type string as written: "integer", "vise.Rule[]"
---@field doc string
---@field is_optional boolean

---@class vise.Doc
---@field call? string "evaluate(model, options)"
---@field about string
---@field params vise.DocRow[] of a function
---@field fields vise.DocRow[] of a class
---@field returns string[]

--- What is written above a function; nil for one that is not in vise's source.
---@param fn function
---@return vise.Doc|nil
function M.of(fn)
  local info = debug.getinfo(fn, "S")
  local path = info.source:match("^@(.*/vise/.*)$")
  if path then
    return H.at(H.lines(path), info.linedefined)
  end
  return info.what == "C" and H.of_native(fn) or nil
end

--- The same for a function of a file by the line that begins it: "function H:calibrate(".
---@param module string "vise.run.job"
---@param begin string
---@return vise.Doc|nil
function M.found(module, begin)
  local lines = H.lines(package.searchpath(module, package.path))
  for i, line in ipairs(lines) do
    if line:sub(1, #begin) == begin then
      return H.at(lines, i)
    end
  end
end

--- The fields that a parameter of a function may have: those of its class, or written in its type.
---@param row vise.DocRow
---@return vise.DocRow[]
function M.fields(row)
  local fields = {}
  for name, mark, kind in row.type:gmatch("[{,]%s*([%a_][%w_]*)(%??):%s*([^,}]+)") do
    fields[#fields + 1] = { name = name, type = kind, doc = "", is_optional = mark == "?" }
  end
  for class in row.type:gmatch("vise%.[%w_]+") do
    local doc = H.is_options(class) and M.class(class)
    table.move(doc and doc.fields or {}, 1, doc and #doc.fields or 0, #fields + 1, fields)
  end
  return fields
end

--- What is written of a class, looked for in every file once.
---@param name string
---@return vise.Doc|nil
function M.class(name)
  if H.classes == nil then
    H.classes = {}
    for _, folder in ipairs({ H.root(), place.meta() }) do
      H.index(folder)
    end
  end
  return H.classes[name]
end

--- Tables that a caller writes; the others are values that he has.
function H.is_options(class)
  return class:match("Options$") or class:match("%.Rule$")
end

--- A description as text: the call, what it does, parameters and what they may hold.
---@param doc vise.Doc
---@param call string how it is called: "vise.metric.evaluate(model, options)"
---@return string
function M.text(doc, call)
  local lines = { call }
  for paragraph in doc.about:gmatch("[^\n]+") do
    lines[#lines + 1] = text.wrap(paragraph, 96)
  end
  for _, row in ipairs(doc.params) do
    lines[#lines + 1] = H.row(row, "  ")
    for _, field in ipairs(M.fields(row)) do
      lines[#lines + 1] = H.row(field, "    ")
    end
  end
  for i, line in ipairs(doc.returns) do
    lines[#lines + 1] = (i == 1 and "  gives " or "  or    ") .. text.wrap(line, 88, (" "):rep(8))
  end
  return table.concat(lines, "\n")
end

function H.row(row, indent)
  local name = ("%-16s "):format(row.name .. (row.is_optional and "?" or ""))
  local words = row.type:match("^{") and row.doc or row.type .. "  " .. row.doc
  return indent .. name .. text.wrap(words, 96 - #indent - #name, indent .. (" "):rep(#name))
end

--- The comment that ends above line `at`, and the call that is written there.
function H.at(lines, at)
  local first = at
  while first > 1 and lines[first - 1]:match("^%s*%-%-") do
    first = first - 1
  end
  local doc = H.parse(table.move(lines, first, at - 1, 1, {}))
  doc.call = lines[at]:match("function [%w_]+[.:]([%w_]+%b())") or lines[at]:match("([%w_]+%b())")
  return doc
end

--- Lines of a comment as a description.
function H.parse(comment)
  local doc = { about = "", params = {}, fields = {}, returns = {} }
  local about, last = {}, nil
  for _, line in ipairs(comment) do
    local tag, rest = line:match("^%s*%-%-%-@(%a+)%s*(.*)$")
    local words = line:match("^%s*%-%-%-?%s?(.-)%s*$")
    if tag == "param" or tag == "field" then
      last = H.parse_row(rest)
      if last.name ~= "self" then
        table.insert(tag == "param" and doc.params or doc.fields, last)
      end
    elseif tag == "return" then
      doc.returns[#doc.returns + 1] = rest
      last = nil
    elseif tag == nil and last then
      last.doc = last.doc .. " " .. words
    elseif tag == nil and #doc.returns > 0 then
      doc.returns[#doc.returns] = doc.returns[#doc.returns] .. " " .. words
    elseif tag == nil then
      about[#about + 1] = words
    end
  end
  doc.about = table.concat(about, " ")
  return doc
end

--- "bins? integer how many" as a row; a type has no space outside brackets, but for `fun(): type`.
function H.parse_row(rest)
  local name, mark, from = rest:match("^([%w_.]+)(%??)%s+()")
  if name == nil then
    return { name = rest, type = "", doc = "", is_optional = false }
  end
  local depth, at = 0, from
  while at <= #rest do
    local c = rest:sub(at, at)
    if c:match("[({<]") then
      depth = depth + 1
    elseif c:match("[)}>]") then
      depth = depth - 1
    elseif c == " " and depth == 0 and rest:sub(at - 1, at - 1) ~= ":" then
      break
    end
    at = at + 1
  end
  return { name = name, type = rest:sub(from, at - 1), doc = rest:sub(at + 1),
    is_optional = mark == "?" }
end

function H.index(folder)
  for _, name in ipairs(native.file.list(folder) or {}) do
    local path = folder .. "/" .. name
    if name:match("%.lua$") then
      local lines = H.lines(path)
      for i, line in ipairs(lines) do
        local class = line:match("^%-%-%-@class ([%w_.]+)")
        if class then
          local last = i
          while lines[last + 1] and lines[last + 1]:match("^%-%-%-") do
            last = last + 1
          end
          H.classes[class] = H.parse(table.move(lines, i + 1, last, 1, {}))
        end
      end
    elseif not name:find(".", 1, true) then
      H.index(path)
    end
  end
end

--- The folder of vise's Lua.
function H.root()
  return assert(package.searchpath("vise", package.path)):match("^(.*)/init%.lua$")
end

--- A function of C is known by being the same as one of a native table.
function H.of_native(fn)
  for module, functions in next, native do
    local tables = type(functions) == "table" and { functions, rawget(functions, "methods") } or {}
    for _, t in pairs(tables) do
      for name, value in next, t do
        if rawequal(value, fn) then
          return H.in_meta(module, name)
        end
      end
    end
  end
end

function H.in_meta(module, name)
  local path = ("%s/%s.lua"):format(place.meta(), module)
  local lines = native.file.stat(path) and H.lines(path) or {}
  for i, line in ipairs(lines) do
    if line:match("^function [%w_]+[.:]([%w_]+)%(") == name then
      return H.at(lines, i)
    end
  end
end

function H.lines(path)
  H.files = H.files or {}
  if H.files[path] == nil then
    local lines = {}
    for line in io.lines(path) do
      lines[#lines + 1] = line
    end
    H.files[path] = lines
  end
  return H.files[path]
end

return M
