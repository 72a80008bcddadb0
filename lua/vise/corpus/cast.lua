-- SPDX-License-Identifier: Apache-2.0
--- The persons, animals, things and places of a tale, and the forms in which a text names them.
-- A pronoun is used only where the last one named of its kind is the one meant; elsewhere its place
-- is taken by a name. So pronouns agree, and say who is meant.

local M = {}
local H = {}

---@class vise.Role
---@field pronoun "he"|"she"|"it"|"they"
---@field name? string of a person or a pet
---@field noun string "miller", "fox", "lantern"
---@field adjective string
---@field trait? string of a person
---@field owner? vise.Role of a relative: "his mother" names the owner too
---@field is_known? boolean it was named before

--- How far back, in bytes, a pronoun may reach.
M.REACH = 240

--- Fill the roles that a plot asks for.
---@param book table kinds of persons and animals, lists of things and places, names
---@param plot table cast: role -> kind or {kind, trait =, pronoun =}; things: role -> list
---@param chance vise.Chance
---@return table<string, vise.Role>
function M.choose(book, plot, chance)
  local roles, taken = {}, {}
  for _, role in ipairs(H.sorted(plot.cast)) do
    local wish = plot.cast[role]
    wish = type(wish) == "string" and { wish } or wish
    if not wish.of then
      roles[role] = H.being(book, wish, chance, taken)
    end
  end
  for _, role in ipairs(H.sorted(plot.cast)) do
    local wish = plot.cast[role]
    if type(wish) == "table" and wish.of then
      roles[role] = { pronoun = book.kin[wish[1]], noun = wish[1], adjective = "",
        owner = roles[wish.of] }
    end
  end
  for _, role in ipairs(H.sorted(plot.things or {})) do
    roles[role] = H.thing(book, plot.things[role], chance, taken)
  end
  return roles
end

--- A role in one of its forms; `text` so far tells how long ago it was named.
---@param state table named (pronoun -> role), at (role -> length of the text then), length, chance
---@param role vise.Role
---@param field? string nil for the name
---@return string
function M.form(state, role, field)
  local form = H.forms[field or "plain"]
  assert(form, "cast: no form '" .. tostring(field) .. "'")
  local text, is_naming = form(state, role)
  if is_naming ~= false then
    state.named[role.pronoun], state.at[role] = role, state.length
    role.is_known = true
  end
  return text
end

function H.sorted(t)
  local keys = {}
  for key in next, t do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- One of `list` whose key is not taken, which it then is.
function H.fresh(list, chance, taken, key)
  for _ = 1, 60 do
    local item = chance:pick(list)
    local name = key(item)
    if not taken[name] then
      taken[name] = true
      return item
    end
  end
  error("cast: every one of a list is taken")
end

function H.being(book, wish, chance, taken)
  local kind = assert(book.kinds[wish[1]], "cast: no kind " .. tostring(wish[1]))
  local pronoun = wish.pronoun or (chance:is(0.5) and "he" or "she")
  local nouns = kind[pronoun] or kind.nouns
  local noun = H.fresh(nouns, chance, taken, function(item)
    return item
  end)
  local being = { pronoun = pronoun, noun = noun, trait = wish.trait or chance:pick(book.traits),
    adjective = chance:pick(kind.adjectives), is_animal = kind.is_animal }
  if kind.is_named then
    being.name = H.fresh(kind.is_animal and book.names.pets or book.names[pronoun], chance, taken,
      function(item)
        return item:sub(1, 1) -- no two names begin alike
      end)
  end
  return being
end

--- A row of a list of things is "noun", "adjective,adjective noun" or, plural, "noun pl". A noun
--- after "the " has no indefinite article.
function H.thing(book, list, chance, taken)
  local row = H.fresh(assert(book.things[list], "cast: no list " .. list), chance, taken,
    function(item)
      return item
    end)
  local adjectives, noun = row:match("^(%S*,%S*) (.+)$")
  noun = noun or row
  local plural = noun:match("^(.+) pl$")
  local choices = {}
  for word in (adjectives or ""):gmatch("[^,]+") do
    choices[#choices + 1] = word
  end
  return { pronoun = plural and "they" or "it", noun = plural or noun,
    adjective = choices[1] and chance:pick(choices) or "" }
end

function H.described(role, noun)
  return role.adjective == "" and noun or role.adjective .. " " .. noun
end

--- Would a pronoun be understood?
function H.is_clear(state, role)
  return state.named[role.pronoun] == role and state.length - state.at[role] <= M.REACH
end

function H.plain(state, role)
  if role.owner then
    local owner = H.is_clear(state, role.owner) and H.words.his[role.owner.pronoun]
      or H.possessive(H.plain(state, role.owner))
    return owner .. " " .. role.noun
  elseif role.name then
    local is_epithet = role.is_known and not role.is_animal and state.chance:is(0.2)
    return is_epithet and "the " .. role.noun or role.name
  end
  return "the " .. role.noun
end

function H.possessive(name)
  return name .. "'s"
end

function H.indefinite(role)
  if role.pronoun == "they" then
    return "some " .. H.described(role, role.noun)
  end
  return "a " .. H.described(role, role.noun)
end

H.words = {
  he = { he = "he", she = "she", it = "it", they = "they" },
  him = { he = "him", she = "her", it = "it", they = "them" },
  his = { he = "his", she = "her", it = "its", they = "their" },
  himself = { he = "himself", she = "herself", it = "itself", they = "themselves" },
  was = { he = "was", she = "was", it = "was", they = "were" },
  is = { he = "is", she = "is", it = "is", they = "are" },
  has = { he = "has", she = "has", it = "has", they = "have" },
  boy = { he = "boy", she = "girl" },
  man = { he = "man", she = "woman" },
  brother = { he = "brother", she = "sister" },
}

--- Forms that are read off a table by the pronoun and name nobody.
function H.word(form)
  return function(_, role)
    return H.words[form][role.pronoun], false
  end
end

--- Pronouns that give way to a name where they would not be understood.
function H.pronoun(form)
  return function(state, role)
    if H.is_clear(state, role) then
      state.at[role] = state.length
      return H.words[form][role.pronoun], false
    end
    local name = H.plain(state, role)
    return form == "his" and H.possessive(name) or name
  end
end

H.forms = {
  plain = H.plain,
  he = H.pronoun("he"),
  him = H.pronoun("him"),
  his = H.pronoun("his"),
  himself = H.word("himself"),
  s = function(state, role)
    return H.possessive(H.plain(state, role))
  end,
  name = function(_, role)
    return role.name or "the " .. role.noun
  end,
  noun = function(_, role)
    return role.noun, false
  end,
  the = function(_, role)
    return "the " .. role.noun
  end,
  trait = function(_, role)
    return role.trait, false
  end,
  adjective = function(_, role)
    return role.adjective, false
  end,
  --- "an old brass lantern", "a young miller called Ada", "his mother"
  a = function(state, role)
    if role.owner then
      return H.plain(state, role)
    end
    local text = H.indefinite(role)
    return role.name and ("%s %s %s"):format(text, state.chance:pick({ "called", "named" }),
      role.name) or text
  end,
  --- the same without the name
  an = function(_, role)
    return H.indefinite(role)
  end,
  --- "the old brass lantern"
  full = function(_, role)
    return "the " .. H.described(role, role.noun)
  end,
  title = function(_, role)
    return "the " .. role.noun, false
  end,
  another = function(_, role)
    return "another " .. role.noun, false
  end,
}
for _, form in ipairs({ "was", "is", "has", "man", "boy", "brother" }) do
  H.forms[form] = H.word(form)
end

return M
