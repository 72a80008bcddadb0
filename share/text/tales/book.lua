-- SPDX-License-Identifier: Apache-2.0
--- The book of tales: what lua/vise/corpus/teller.lua tells from. `load` reads a file beside this one.
return function(load)
  local people, words, rules = load("people"), load("words"), load("rules")
  for name, list in next, words.words do
    rules[name] = list
  end
  local plots = {}
  for _, file in ipairs({ "kindness", "cleverness", "pride", "courage", "home", "work" }) do
    table.move(load("plots_" .. file), 1, #load("plots_" .. file), #plots + 1, plots)
  end
  return {
    names = people.names, kinds = people.kinds, kin = people.kin, traits = people.traits,
    things = words.things, rules = rules, plots = plots,
    settings = { "village", "coast", "forest", "mountain", "town", "river", "island", "moor", "plain" },
    seasons = { "spring", "summer", "autumn", "winter" },
    place = { village = "village", coast = "village", forest = "forest", mountain = "valley", town = "town",
      river = "village", island = "village", moor = "hamlet", plain = "village" },
    constant = { land = true }, -- chosen once in a tale
  }
end
