-- SPDX-License-Identifier: Apache-2.0
--- Checks of what a person wrote: names with a suggestion, typed and ranged options.
-- A row describes one option: the same rows come from C (methods), from recipes (parameters) and
-- from the commands (their flags), so one check serves them all. Messages carry no source
-- position: whoever prints them knows better where the mistake stands.

local M = {}
local H = {}

---@class vise.OptionRow
---@field name string
---@field kind "int"|"real"|"bool"|"choice"|"string"
---@field default? any
---@field min? number smallest value allowed
---@field max? number greatest value allowed
---@field choices? (string|number)[] the values of a choice
---@field doc string

--- Raise a message made by string.format, without a source position.
---@param format string
function M.fail(format, ...)
  error(string.format(format, ...), 0)
end

--- The known name nearest to `name`, when it is near enough to be a slip of the hand.
---@param name string
---@param known string[]
---@return string|nil nearest
function M.nearest(name, known)
  local best, best_distance
  for _, candidate in ipairs(known) do
    local distance = H.distance(tostring(name):lower(), candidate:lower())
    if best == nil or distance < best_distance then
      best, best_distance = candidate, distance
    end
  end
  local shorter = math.min(best and #best or 0, #tostring(name))
  if best and best_distance <= math.max(1, shorter // 3)
    and (best_distance == 0 or shorter > 1) then
    return best
  end
end

--- "did you mean 'bits'?", or nil.
---@param name string
---@param known string[]
---@return string|nil
function M.suggest(name, known)
  local nearest = M.nearest(name, known)
  return nearest and ("did you mean '%s'?"):format(nearest)
end

--- The message for a name that is not there:
--- "unknown method 'gtpq' (did you mean 'gptq'? known: ...)".
---@param what string the sort of thing: "method", "option", ...
---@param name string
---@param known string[]
---@return string
function M.unknown(what, name, known)
  local names = { table.unpack(known) }
  table.sort(names)
  local list = #names == 0 and "none is known" or "known: " .. table.concat(names, ", ")
  local hint = M.suggest(name, names)
  return ("unknown %s '%s' (%s%s)"):format(what, tostring(name), hint and hint .. " " or "", list)
end

--- Make the fields of a class's methods that do not exist errors with a suggestion.
---@param class string as messages name it: "vise.weight"
---@param methods table<string, function> the `__index` of the class; changed
function M.guard(class, methods)
  setmetatable(methods, {
    __index = function(_, name)
      error(("%s: %s"):format(class, M.unknown("method", name, M.sorted_keys(methods))), 2)
    end,
  })
end

--- What a row accepts, in words: "an integer in [2, 8]", "one of 4, 2, 3".
---@param row vise.OptionRow
---@return string
function M.expected(row)
  if row.kind == "choice" then
    local words = {}
    for i, choice in ipairs(row.choices) do
      words[i] = tostring(choice)
    end
    return (#words == 1 and "" or "one of ") .. table.concat(words, ", ")
  elseif row.kind == "bool" then
    return "true or false"
  elseif row.kind == "string" then
    return "a text"
  end
  local noun = row.kind == "int" and "an integer" or "a number"
  local low, high = row.min, row.max
  if low and high then
    return ("%s in [%s, %s]"):format(noun, M.plain(low), M.plain(high))
  elseif low then
    return ("%s, at least %s"):format(noun, M.plain(low))
  elseif high then
    return ("%s, at most %s"):format(noun, M.plain(high))
  end
  return noun
end

--- What a row means, accepts and defaults to.
---@param row vise.OptionRow
---@return string
function M.describe(row)
  local doc = row.doc
  if row.kind == "choice" or row.min or row.max then
    doc = doc .. "; " .. M.expected(row)
  end
  if row.default ~= nil and row.default ~= false and row.default ~= "" then
    doc = ("%s (default %s)"):format(doc, M.plain(row.default))
  end
  return doc
end

--- One value against its row.
---@param row vise.OptionRow
---@param value any
---@return any|nil value as the row wants it: integers as integers, choices as written in the row
---@return string|nil expected what the row accepts, when the value is refused
function M.value(row, value)
  local accepted = H.accept[row.kind](row, value)
  if accepted == nil then
    return nil, M.expected(row) .. H.hint(row, value)
  end
  return accepted
end

--- The same for a value written as text, as on a command line: "4", "true", "bf16".
---@param row vise.OptionRow
---@param text string
---@return any|nil value
---@return string|nil expected
function M.parse(row, text)
  local value = text
  if row.kind == "int" or row.kind == "real" then
    value = text:find("^%s*[-+.%d]") and tonumber(text) or text
  elseif row.kind == "bool" then
    value = H.truth[text]
  elseif row.kind == "choice" then
    for _, choice in ipairs(row.choices) do
      value = M.plain(choice) == M.plain(tonumber(text) or text) and choice or value
    end
  end
  return M.value(row, value)
end

--- All options of `given` against `rows`, defaults filled in.
--- Raises for an unknown name and for a value of the wrong type or out of range.
---@param who string begins the message: "rtn: bits is 9, expected an integer in [2, 8]"
---@param rows vise.OptionRow[]
---@param given table<string, any>
---@return table<string, any> resolved one value for each row that has one
function M.options(who, rows, given)
  H.check_table(who, given)
  local by_name, names = {}, {}
  for i, row in ipairs(rows) do
    by_name[row.name], names[i] = row, row.name
  end
  for name in M.sorted_pairs(given) do
    if by_name[name] == nil then
      M.fail("%s: %s", who, M.unknown("option", name, names))
    end
  end
  local resolved = {}
  for _, row in ipairs(rows) do
    if given[row.name] == nil then
      resolved[row.name] = row.default
    else
      local value, expected = M.value(row, given[row.name])
      if value == nil then
        local is_quoted = type(given[row.name]) == "string"
          and M.parse(row, given[row.name]) ~= nil
        M.fail("%s: %s is %s, expected %s%s", who, row.name, M.quote(given[row.name]), expected,
          is_quoted and ", without the quotes" or "")
      end
      resolved[row.name] = value
    end
  end
  return resolved
end

--- Raise for a key of `options` that is not in `known`.
---@param who string begins the message
---@param options table<string, any>
---@param known string[]
function M.names(who, options, known)
  H.check_table(who, options)
  local given = {}
  for key in pairs(options) do -- of a frozen table, too
    given[key] = true
  end
  for key in M.sorted_pairs(given) do
    if M.nearest(tostring(key), known) ~= key then
      M.fail("%s: %s", who, M.unknown("option", tostring(key), known))
    end
  end
end

--- A value as messages show it: texts in single quotes, tables by their type.
---@param value any
---@return string
function M.quote(value)
  if type(value) == "string" then
    return "'" .. value .. "'"
  elseif type(value) == "table" or type(value) == "function" then
    return "a " .. type(value)
  end
  return M.plain(value)
end

--- A number without a needless ".0"; anything else by tostring.
---@param value any
---@return string
function M.plain(value)
  return tostring(type(value) == "number" and math.tointeger(value) or value)
end

--- `pairs` in the order of the keys (numbers before texts), the same in every process.
---@param t table
---@return function iterator of key, value
function M.sorted_pairs(t)
  local keys, i = M.sorted_keys(t), 0
  return function()
    i = i + 1
    if keys[i] ~= nil then
      return keys[i], t[keys[i]]
    end
  end
end

--- The keys of a table, numbers first, then by their text.
---@param t table
---@return any[]
function M.sorted_keys(t)
  local keys = {}
  for key in next, t do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) == "number" and type(b) == "number" then
      return a < b
    elseif type(a) ~= type(b) then
      return type(a) == "number" or (type(b) ~= "number" and type(a) < type(b))
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

--- Take our own source position ("/path/vise/model/init.lua:12: ") off a message.
---@param message any
---@return string
function M.strip_position(message)
  local text = tostring(message)
  local position = text:match("^[^\n]-vise/[%w_/]+%.lua:%d+: ()")
    or text:match('^%[string "[^\n]-"%]:%d+: ()')
  return position and text:sub(position) or text
end

--- " (did you mean 'int'?)" for a text that is nearly one of a row's, or "".
function H.hint(row, value)
  local texts = {}
  for _, choice in ipairs(type(value) == "string" and row.choices or {}) do
    texts[#texts + 1] = type(choice) == "string" and choice or nil
  end
  local hint = M.suggest(value, texts)
  return hint and " (" .. hint .. ")" or ""
end

H.truth = { ["true"] = true, ["false"] = false, yes = true, no = false, on = true, off = false }

H.accept = {
  int = function(row, value)
    local integer = type(value) == "number" and math.tointeger(value)
    return integer and H.in_range(row, integer) and integer or nil
  end,
  real = function(row, value)
    if type(value) == "number" and value == value and H.in_range(row, value) then
      return value
    end
  end,
  bool = function(_, value)
    if type(value) == "boolean" then
      return value
    end
  end,
  string = function(_, value)
    return type(value) == "string" and value or nil
  end,
  choice = function(row, value)
    for _, choice in ipairs(row.choices) do
      if value == choice then
        return choice
      end
    end
  end,
}

function H.in_range(row, value)
  return (row.min == nil or value >= row.min) and (row.max == nil or value <= row.max)
end

--- Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
function H.distance(a, b)
  local before, previous, row = {}, {}, {}
  for j = 0, #b do
    previous[j] = j
  end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + cost)
      local is_swap = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      if is_swap then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, previous, row = previous, row, before
  end
  return previous[#b]
end

function H.check_table(who, options)
  if type(options) ~= "table" then
    M.fail("%s: options are %s, expected a table", who, M.quote(options))
  end
end

return M
