local cast = require("vise.corpus.cast")
local chances = require("vise.corpus.chance")
local lu = require("luaunit")
local native = require("vise.native")
local tales = require("vise.corpus.tales")
local teller = require("vise.corpus.teller")

TestTales = {}

local H = {}

--- A book of one plot, so that what it tells can be worked out by hand.
function H.book(beats, extra)
  return {
    names = { he = { "Tom", "Ben" }, she = { "Ann", "Eva" }, pets = { "Pip" } },
    kinds = {
      boy = { is_named = true, he = { "miller", "baker" }, adjectives = { "old" } },
      girl = { is_named = true, she = { "weaver", "cook" }, adjectives = { "young" } },
    },
    kin = { mother = "she" }, traits = { "kind" },
    things = { fruit = { "ripe,red apple" }, gloves = { "warm,thick gloves pl" } },
    rules = { open = { "" }, close = { "the end." }, saying = { "" }, tree = { "oak" },
      asks = { "{x} asked {y}." }, wet_winter = { "snow" }, wet_summer = { "rain" } },
    settings = { "village" }, seasons = { "winter" }, place = { village = "village" },
    constant = {},
    plots = { {
      titles = { "a title" }, moral = { "the end" }, beats = beats,
      cast = extra and extra.cast
        or { a = { "boy", pronoun = "he" }, b = { "girl", pronoun = "she" } },
      things = { o = "fruit", p = "gloves" },
    } },
  }
end

function H.tell(beats, extra)
  local text = teller.tell(H.book(beats, extra), 1, "x")
  return text:match("^A Title\n\n(.-)\nThe end%.[^\n]*\n$")
end

--- The text with the names that chance has chosen replaced by their roles.
function H.plain(text)
  return (text:gsub("Tom", "A"):gsub("Ben", "A"):gsub("Ann", "B"):gsub("Eva", "B")
    :gsub("the miller", "A"):gsub("the baker", "A"):gsub("the weaver", "B"):gsub("the cook", "B"))
end

function TestTales:test_a_pronoun_stands_only_where_the_last_one_named_is_meant()
  local text = H.tell({ "{a.name} took {a.his} hat. {b.name} saw {a.him}. {b.he} laughed." })
  lu.assertEquals(H.plain(text), "A took his hat. B saw him. She laughed.")
  local boys = { cast = { a = { "boy", pronoun = "he" }, b = { "boy", pronoun = "he" } } }
  text = H.tell({ "{a.name} saw {b.name}. {a.he} laughed at {b.him}." }, boys)
  local first, second = text:match("^(%a+) saw (%a+)%.")
  lu.assertNotEquals(first, second)
  lu.assertNotStrContains(text, "He laughed") -- it would be the second
end

function TestTales:test_a_pronoun_does_not_reach_back_too_far()
  local long = ("So it was. "):rep(cast.REACH // 10)
  lu.assertNotStrContains(H.tell({ "{a.name} slept. " .. long .. "{a.he} woke." }), "He woke")
end

function TestTales:test_articles_and_capitals_fit_the_next_word()
  local text = H.tell({ "a {tree}, a {wet} man, a hour, a one-eyed cat. {tree}! \"no!\" said he." })
  lu.assertEquals(text, "An oak, a snow man, an hour, a one-eyed cat. Oak! \"No!\" said he.")
end

function TestTales:test_plurals_agree()
  lu.assertEquals(H.tell({ "{p} {p.was} there. {p.he} {p.is} his." }),
    "The gloves were there. They are his.")
end

function TestTales:test_what_is_set_decides_what_is_told_later()
  local told = H.tell({ { set = "wet", "one." }, { when = "wet", "two." },
    { when = "dry", "three." }, { unless = "dry", "+ four." } })
  lu.assertEquals(told, "One.\nTwo. Four.")
end

function TestTales:test_a_rule_is_not_repeated_before_all_its_alternatives_were_used()
  local book = H.book({ "{n} {n} {n}" })
  book.rules.n = { "p", "q", "r" }
  local seen = {}
  for word in teller.tell(book, 1, "x"):match("\n\n(.*)"):lower():gmatch("%a+") do
    lu.assertNil(seen[word])
    seen[word] = true
  end
end

function TestTales:test_a_template_that_is_malformed_is_named()
  for _, bad in ipairs({ "{a", "[x|y", "x]", "{1}" }) do
    lu.assertErrorMsgContains(bad, H.tell, { bad })
  end
  lu.assertErrorMsgContains("no rule or role 'nobody'", H.tell, { "{nobody}" })
end

function TestTales:test_committed_splits_are_what_the_generator_writes()
  for split, count in pairs({ train = 700, valid = 100, test = 100 }) do
    local text = assert(native.file.read(("share/text/tales.%s.txt"):format(split)))
    lu.assertTrue(tales.text(split, count) == text, split) -- no megabyte in a message
  end
end

function TestTales:test_tales_are_decided_by_seed_split_and_number_alone()
  local first = tales.tale("train", 7)
  tales.tale("valid", 3)
  lu.assertEquals(tales.tale("train", 7), first)
  lu.assertNotEquals(tales.tale("train", 7, 1), first)
  lu.assertNotEquals(tales.tale("valid", 7), first)
  lu.assertStrContains(tales.text("train", 7), first)
end

function TestTales:test_nothing_of_the_grammar_shows_in_a_tale()
  local text = tales.text("test", 300)
  lu.assertNil(text:gsub("<|endoftext|>\n", ""):find("[%[%]{}|<>~_]"))
  lu.assertNil(text:find("  ", 1, true))
  lu.assertNil(text:find("%f[%a][Aa] [aeiAEI]%a"))
  lu.assertNil(text:find("[.!?] %l%l+[^\"\n]*%.\n%l"))
  for line in text:gmatch("[^\n]+") do
    local _, quotes = line:gsub('"', "")
    lu.assertEquals(quotes % 2, 0, line)
    lu.assertTrue(line:find("^[\"%u<]") ~= nil, line)
  end
end

--- Counted over 1,000 tales, 1.6 million characters: a book of few templates repeats itself.
function TestTales:test_tales_are_varied()
  local text = tales.text("train", 1000):gsub("<|endoftext|>\n", "")
  local words, types, n_types = {}, {}, 0
  for word in text:gmatch("[%a']+") do
    words[#words + 1] = word
    if not types[word:lower()] then
      types[word:lower()], n_types = true, n_types + 1
    end
  end
  local grams, distinct = {}, 0
  for i = 1, #words - 3 do
    local gram = table.concat(words, " ", i, i + 3)
    if not grams[gram] then
      grams[gram], distinct = true, distinct + 1
    end
  end
  lu.assertTrue(n_types >= 2900, n_types)
  lu.assertTrue(distinct / #words >= 0.25, distinct / #words)
end

function TestTales:test_every_draw_of_a_stream_is_in_range()
  local chance = chances.new(3, "draws")
  local counts = { 0, 0, 0 }
  for _ = 1, 3000 do
    local k = chance:below(3)
    counts[k] = counts[k] + 1
  end
  for k = 1, 3 do -- 1000 expected, standard deviation 26
    lu.assertTrue(math.abs(counts[k] - 1000) < 130, counts[k])
  end
end

os.exit(lu.LuaUnit.run())
