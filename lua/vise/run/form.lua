-- SPDX-License-Identifier: Apache-2.0
--- The form of run.json and ledger.json. A run directory may come from anybody, so whatever reads
--- one has it checked here first, and says in the terms of the file what is wrong.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local text = require("vise.text")

local M = {}
local H = {}

--- Refuse a decoded run.json that is not of the form. Raises for refusal.protect.
---@param path string
---@param record any
---@return table record
function M.record(path, record)
  H.check(path, "the record", record, H.record)
  return record
end

--- The same of ledger.json.
---@param path string
---@param ledger any
---@return table[] ledger
function M.ledger(path, ledger)
  H.check(path, "the ledger", ledger, H.ledger)
  return ledger
end

--- Forms: `is` with `expected` of a plain value, `list` and `map` of many of a form (a map of at
--- most `most`), `fields` of named ones.
function H.check(path, at, value, form)
  local is_fit = type(value) == "table"
  if form.is then
    is_fit = form.is(value)
  end
  if not is_fit then
    refusal.refuse_format("%s: %s is %s, expected %s", path, text.printable(at),
      text.printable(check.quote(value)), form.expected or "a table")
  elseif form.fields then
    at = at:find("^the ") and "" or at .. "."
    for name, field in check.sorted_pairs(form.fields) do
      if value[name] ~= nil or not field.is_optional then
        H.check(path, at .. name, value[name], field)
      end
    end
  elseif not form.is then
    H.check_many(path, at, value, form)
  end
end

function H.check_many(path, at, value, form)
  local n = 0
  for key, item in check.sorted_pairs(value) do
    n = n + 1
    if type(key) ~= (form.list and "number" or "string") or n > (form.most or math.huge) then
      local most = form.most and ("at most %d names"):format(form.most)
      local expected = form.list and "a list" or most
      refusal.refuse_format("%s: %s: has %s, expected %s", path, at,
        text.printable(check.quote(key)), expected or "names")
    end
    H.check(path, ("%s[%s]"):format(at, key), item, form.list or form.map)
  end
end

function H.plain(expected, is)
  return { expected = expected, is = is }
end

--- The same form of a field that may be missing.
function H.optional(form)
  local copy = { is_optional = true }
  for key, value in pairs(form) do
    copy[key] = value
  end
  return copy
end

local string = H.plain("a text", function(value)
  return type(value) == "string"
end)
local number = H.plain("a number", function(value)
  return type(value) == "number"
end)
local count = H.plain("an integer, at least 0", function(value)
  return math.type(value) == "integer" and value >= 0
end)
local scalar = H.plain("a text, a number, true or false", function(value)
  return type(value) ~= "table" and value ~= native.json.null and value ~= nil
end)
local scalars = { map = scalar, most = 1000 }

--- A measured row: numbers under any name, null for NaN.
local TEXTS <const> = { against = true, data = true, method = true, name = true, protocol = true }
local row = H.plain("a measured row", function(value)
  if type(value) ~= "table" or type(value.name) ~= "string" or type(value.protocol) ~= "string" then
    return false
  end
  for name, item in pairs(value) do
    local is_fit = TEXTS[name] and type(item) == "string"
      or name == "options" and H.is_flat(item)
      or not TEXTS[name] and (type(item) == "number" or item == native.json.null)
    if type(name) ~= "string" or not is_fit then
      return false
    end
  end
  return true
end)

function H.is_flat(options)
  for name, value in pairs(type(options) == "table" and options or { false }) do
    if type(name) ~= "string" or not scalar.is(value) then
      return false
    end
  end
  return type(options) == "table"
end

local include = { fields = { path = string, sha256 = string, text = string } }
local point = H.plain("a pair of numbers", function(value)
  return type(value) == "table" and number.is(value[1]) and number.is(value[2])
end)

H.record = { fields = {
  artifact = H.optional({ fields = { bytes = count, bits_per_weight = number, hash = string } }),
  claims = H.optional({ list = { fields = { bound = number, comparison = string,
    name = string } } }),
  errors = H.optional({ map = number }),
  inputs = { map = { fields = { given = string, kind = string, sha256 = string } }, most = 1000 },
  losses = H.optional({ list = { fields = { name = string, points = { list = point } } } }),
  machine = H.optional({ fields = { cpu_level = string, cpu_model = string,
    libraries = H.optional(scalars), threads = count } }),
  parameters = scalars,
  recipe = { fields = { includes = H.optional({ list = include }), name = string, path = string,
    sha256 = string, text = string } },
  rows = { list = row },
  seconds = number,
  seed = count,
  share = H.optional(number),
  started = string,
} }

H.ledger = { list = { fields = { coded = count, description = string, name = string } } }

return M
