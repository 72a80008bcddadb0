-- SPDX-License-Identifier: Apache-2.0
--- Tells a tale: chooses a plot of the book, fills its roles, and writes its beats out.
--
-- A beat of a plot is
--   a text                  a paragraph in the words of template.lua
--   a list                  its beats, one after the other
--   any = {...}             one of these beats; what is chosen decides what follows inside it
--   maybe = beat            or not
--   set = "name"            remember; `when = "name", beat, ...` are told only then, `unless =`
--                           only if not
-- A text that begins with "+ " goes on in the same paragraph.

local cast = require("vise.corpus.cast")
local chances = require("vise.corpus.chance")
local template = require("vise.corpus.template")

local M = {}
local H = {}

--- A tale: a line of title, an empty line, paragraphs.
---@param book table the words, rules and plots of share/text/tales
---@param seed integer
---@param name string of the tale: another name, another tale
---@return string
function M.tell(book, seed, name)
  local chance = chances.new(seed, name)
  local plot = chance:pick(book.plots)
  local setting = chance:pick(plot.settings or book.settings)
  local season = chance:pick(plot.seasons or book.seasons)
  local t = {
    book = book,
    plot = plot,
    chance = chance,
    kinds = { setting, season },
    roles = cast.choose(book, plot, chance),
    bound = {},
    flags = {},
    constant = {},
    used = {},
    named = {},
    at = {},
    length = 0,
    paragraphs = {},
  }
  t.roles.place = { pronoun = "it", noun = book.place[setting], adjective = "" }
  t.title = H.titled(H.write(t, chance:pick(plot.titles)))
  t.named, t.at = {}, {}
  H.beat(t, "{open}")
  H.beat(t, plot.beats)
  H.ending(t, chance:pick(plot.moral))
  return t.title .. "\n\n" .. table.concat(t.paragraphs, "\n") .. "\n"
end

function H.beat(t, beat)
  if type(beat) == "string" then
    H.paragraph(t, beat)
  elseif beat.any then
    H.beat(t, H.unused(t, beat.any, beat.any))
  elseif beat.maybe then
    if t.chance:is(0.5) then
      H.beat(t, beat.maybe)
    end
  elseif not (beat.when and not t.flags[beat.when] or beat.unless and t.flags[beat.unless]) then
    if beat.set then
      t.flags[beat.set] = true
    end
    for _, part in ipairs(beat) do
      H.beat(t, part)
    end
  end
end

--- A moral, a closing sentence, or both.
function H.ending(t, moral)
  local way = t.chance:below(5)
  if way == 1 then
    H.beat(t, "{close}")
  elseif way == 2 then
    H.beat(t, "{saying} " .. moral .. ".")
  elseif way == 3 then
    H.beat(t, moral .. ".")
  elseif way == 4 then
    H.beat(t, moral .. ". {close}")
  else
    H.beat(t, "{close} {saying} " .. moral .. ".")
  end
end

function H.paragraph(t, text)
  local is_more = text:sub(1, 2) == "+ "
  local n = #t.paragraphs
  local written = H.finished(H.write(t, is_more and text:sub(3) or text))
  if written == "" then
    return
  elseif is_more and n > 0 then
    t.paragraphs[n] = t.paragraphs[n] .. " " .. written
  else
    t.paragraphs[n + 1] = written
  end
end

function H.write(t, text)
  local out = {}
  H.expand(t, template.read(text), out)
  return table.concat(out)
end

function H.expand(t, tree, out)
  for _, node in ipairs(tree) do
    if type(node) == "string" then
      H.put(t, out, node)
    elseif node.alternatives then
      H.expand(t, t.chance:pick(node.alternatives), out)
    elseif node.is_capital then
      local part = {}
      H.slot(t, node, part)
      out[#out + 1] = H.capital(table.concat(part))
    else
      H.slot(t, node, out)
    end
  end
end

function H.put(t, out, text)
  out[#out + 1] = text
  t.length = t.length + #text
end

function H.slot(t, slot, out)
  local role = H.role(t, slot.name)
  if role then
    H.put(t, out, cast.form(t, role, slot.field))
    return
  end
  local outer = t.bound
  local bound = { x = outer.x, y = outer.y }
  for i, arg in ipairs(slot.args) do
    bound[i == 1 and "x" or "y"] = assert(H.role(t, arg), arg)
  end
  local rule = H.rule(t, slot, bound)
  local text = t.constant[slot.name] or H.unused(t, rule, rule)
  if t.book.constant[slot.name] then
    t.constant[slot.name] = text
  end
  local part = slot.field == "low" and {} or out
  t.bound = bound
  H.expand(t, template.read(text), part)
  t.bound = outer
  if part ~= out then
    out[#out + 1] = table.concat(part):gsub("^%u", string.lower)
  end
end

function H.role(t, name)
  return t.bound[name] or t.roles[name]
end

--- The alternatives of a rule: those of its own, of this setting, of this season, and, for one that
--- tells of somebody, of that one's trait.
function H.rule(t, slot, bound)
  local rules, name = t.book.rules, slot.name
  if slot.field == "by" then
    return assert(rules[name .. "_" .. bound.x.trait], "no rule " .. name .. "_" .. bound.x.trait)
  end
  local key = name .. " " .. t.kinds[1] .. " " .. t.kinds[2]
  local known = H.joined[t.book] or {}
  H.joined[t.book] = known
  local joined = known[key]
  if joined == nil then
    joined = {}
    for _, one in ipairs({ name, name .. "_" .. t.kinds[1], name .. "_" .. t.kinds[2] }) do
      table.move(rules[one] or {}, 1, #(rules[one] or {}), #joined + 1, joined)
    end
    assert(#joined > 0, "no rule or role '" .. name .. "'")
    known[key] = joined
  end
  return joined
end

H.joined = setmetatable({}, { __mode = "k" }) -- by book

--- One of a list that this tale has not had from it; all over again when it has had them all.
function H.unused(t, list, key)
  local used = t.used[key]
  if used == nil or used.count == #list then
    used = { count = 0 }
    t.used[key] = used
  end
  local k = t.chance:below(#list - used.count)
  for i = 1, #list do
    if not used[i] then
      k = k - 1
      if k == 0 then
        used[i], used.count = true, used.count + 1
        return list[i]
      end
    end
  end
end

--- Articles and capitals put in.
function H.finished(text)
  text = text:gsub("(%f[%a'][Aa]) (\"?%a+)", H.article)
  text = text:gsub("  +", " "):gsub(" ([,.;:!?])", "%1"):gsub("^ +", ""):gsub(" +$", "")
  text = text:gsub("^(\"?)(%l)", H.upper)
  text = text:gsub("([.!?] \"?)(%l)", H.upper)
  return (text:gsub("(%.\" \"?)(%l)", H.upper))
end

function H.article(article, word)
  local lower = word:lower()
  local is_vowel = lower:find("^\"?[aeiou]")
  for _, start in ipairs(H.a_words) do
    is_vowel = is_vowel and not lower:find("^\"?" .. start)
  end
  for _, start in ipairs(H.an_words) do
    is_vowel = is_vowel or lower:find("^\"?" .. start)
  end
  return article .. (is_vowel and "n " or " ") .. word
end

H.a_words = { "one", "use", "uni", "usual" }
H.an_words = { "hour", "honest", "heir", "honour" }

function H.upper(before, letter)
  return before .. letter:upper()
end

function H.capital(text)
  return (text:gsub("^(%W*)(%l)", H.upper))
end

--- As titles are written.
function H.titled(text)
  text = H.finished(text)
  return (text:gsub("(%f[%a'])(%a)([%a']*)", function(_, first, rest)
    local word = first .. rest
    return H.small[word] and word or first:upper() .. rest
  end):gsub("^%l", string.upper))
end

H.small = { a = true, an = true, ["and"] = true, at = true, by = true, ["for"] = true, from = true,
  ["in"] = true, of = true, on = true, that = true, the = true, to = true, under = true,
  who = true, with = true, without = true, ["not"] = true, did = true }

return M
