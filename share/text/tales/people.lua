-- SPDX-License-Identifier: Apache-2.0
--- Who may play in a tale: kinds of persons and animals, their names and traits.
-- A kind has nouns for each pronoun, or one list for both; `adjectives` go before the noun when the
-- tale first names somebody.
local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = (word:gsub("_", " "))
  end
  return list
end

return {
  names = {
    he = words [[
      Adam Albin Anders Anton Arlo Balint Barnaby Bastian Benno Bram Caspar Cedric Colm Cosmo Dario
      Davin Dominic Edmund Elias Emil Ewan Felix Fergus Finn Florian Gabriel Gareth Gregor Gustav
      Hamish Harald Henrik Hugo Ignaz Ilya Ivo Jasper Joachim Jonas Jory Kaspar Kester Konrad Lars
      Lennart Leo Lorenz Magnus Marek Matthias Milo Nathan Nico Nils Odo Olaf Orson Osric Pascal Pavel
      Piers Quentin Quill Rafael Ralf Robin Rufus Sandor Simon Stefan Sven Tadeo Theo Tobias Tomas
      Ulric Umar Uri Valentin Viktor Vito Walter Wendel Wilmot Yannick Yorick Yusuf Zacharias Zeno]],
    she = words [[
      Ada Agnes Alma Anneke Astrid Beatrix Berta Birgit Bridie Celia Clara Cordula Dagmar Della Dora
      Edith Elin Elsa Erika Esther Fenna Flora Frida Gerda Gisela Greta Gudrun Hanna Hazel Hedda Helga
      Ida Ilse Imogen Ingrid Isolde Jana Jessamy Johanna Judith Juno Katrin Kirsten Klara Lena Lotte
      Louisa Ludmila Mabel Magda Maren Marta Mina Nadia Nell Nora Odile Olga Oriel Ottilie Paula
      Perdita Petra Philippa Queenie Ragna Rosa Rowena Ruth Sabine Sigrid Sofia Svenja Tamsin Thea
      Tilda Tova Una Ursula Uta Vera Viola Vivi Wanda Wilma Winifred Ylva Yolanda Yrsa Zelda Zora]],
    pets = words [[
      Acorn Apple Bramble Button Cinder Clover Cobble Dapple Dumpling Ember Fennel Flint Ginger Goblin
      Hazelnut Inky Jackdaw Juniper Kettle Lentil Marble Mustard Nettle Nutmeg Oatmeal Pebble Pepper
      Quince Ragwort Rusty Smudge Soot Tansy Thimble Tumble Umber Velvet Whisker Whistle Yarrow Zigzag]],
  },

  traits = words [[
    brave proud lazy greedy curious kind shy clever stubborn honest careless patient boastful gentle
    merry]],

  kin = {
    mother = "she", father = "he", grandmother = "she", grandfather = "he", aunt = "she", uncle = "he",
    sister = "she", brother = "he",
  },

  kinds = {
    child = {
      is_named = true,
      he = words [[boy shepherd_boy fisher_boy stable_boy kitchen_boy farm_boy orphan_boy ferry_boy]],
      she = words [[girl goose_girl shepherd_girl kitchen_girl farm_girl orphan_girl ferry_girl]],
      adjectives = words [[small young quick freckled barefoot thin red-haired bright-eyed quiet
        curly-haired long-legged sunburnt serious]],
    },
    adult = {
      is_named = true,
      he = words [[miller baker blacksmith weaver fisherman farmer cobbler tailor potter carpenter
        innkeeper ferryman woodcutter beekeeper mason cooper thatcher gardener shepherd saddler
        tinker glazier ropemaker charcoal_burner clockmaker basket_maker candlemaker bookbinder
        wheelwright goatherd cheesemaker dyer]],
      she = words [[miller baker weaver fisherwoman farmer seamstress potter spinner innkeeper
        ferrywoman beekeeper dairymaid gardener washerwoman lacemaker cook basket_maker candlemaker
        herb_gatherer bookbinder goatherd cheesemaker midwife dyer button_maker schoolmistress
        toymaker clockmaker soapmaker]],
      adjectives = words [[tall stout young thin cheerful grey-eyed broad-shouldered tidy poor busy
        hard-working plump sturdy lonely well-liked soft-spoken]],
    },
    rich = {
      is_named = true,
      he = words [[merchant landlord mayor banker moneylender squire wool_merchant wine_merchant]],
      she = words [[merchant landlady mayor moneylender baroness silk_merchant spice_merchant]],
      adjectives = words [[rich wealthy well-fed fine important powerful silk-clad]],
    },
    elder = {
      is_named = true,
      he = words [[hermit old_sailor old_soldier old_shepherd widower watchman bell_ringer
        old_schoolmaster lighthouse_keeper old_fiddler]],
      she = words [[healer old_midwife widow old_nurse wise_woman old_weaver fortune_teller
        old_schoolmistress storyteller]],
      adjectives = words [[bent white-haired wrinkled half-blind slow-footed kindly sharp-tongued
        toothless stooping silver-haired]],
    },
    ruler = {
      is_named = true,
      he = words [[king prince duke emperor sultan]],
      she = words [[queen princess duchess empress]],
      adjectives = words [[young old vain restless bored wise just solemn hot-tempered]],
    },
    wanderer = {
      is_named = true,
      he = words [[pedlar fiddler soldier sailor juggler puppeteer piper pilgrim drummer storyteller
        knife_grinder map_maker]],
      she = words [[pedlar fiddler singer dancer juggler puppeteer piper pilgrim harpist storyteller
        fortune_teller map_maker]],
      adjectives = words [[wandering ragged dusty footsore grey-cloaked travelling weather-beaten
        thin one-eyed smiling]],
    },
    thief = {
      is_named = true,
      he = words [[pickpocket thief robber poacher smuggler horse_thief]],
      she = words [[pickpocket thief robber poacher smuggler swindler]],
      adjectives = words [[nimble hungry ragged light-fingered cunning thin masked]],
    },
    small_animal = {
      is_animal = true,
      nouns = words [[mouse shrew hedgehog squirrel wren sparrow frog mole dormouse robin rabbit
        lizard field_mouse snail cricket bee tortoise bat toad newt]],
      adjectives = words [[small tiny little young brown grey plump timid]],
    },
    middle_animal = {
      is_animal = true,
      nouns = words [[fox hare badger otter cat goose rooster hen duck crow magpie jay stoat polecat
        owl heron goat piglet weasel raven]],
      adjectives = words [[young lean sleek red black sly handsome restless grey]],
    },
    big_animal = {
      is_animal = true,
      nouns = words [[wolf bear stag boar bull lynx horse ox eagle wild_boar elk]],
      adjectives = words [[great huge old grey shaggy mighty black fierce]],
    },
    farm_animal = {
      is_animal = true,
      nouns = words [[donkey cow mule ox sheep goat horse pig ram mare]],
      adjectives = words [[old patient stout brown spotted tired strong]],
    },
    bird = {
      is_animal = true,
      nouns = words [[swallow starling blackbird thrush finch lark dove jackdaw nightingale gull
        kestrel linnet wagtail cuckoo crane stork swift rook]],
      adjectives = words [[young small bright-eyed speckled grey thin quick glossy]],
    },
    hunter = {
      is_animal = true,
      nouns = words [[wolf fox lynx hawk wildcat stoat weasel eagle]],
      adjectives = words [[hungry lean old sly swift grey sharp-eyed]],
    },
    pet = {
      is_animal = true, is_named = true,
      nouns = words [[dog cat donkey pony kid lamb goose calf puppy kitten foal hound]],
      adjectives = words [[small brown black spotted shaggy white clumsy faithful]],
    },
    giant = {
      is_animal = true,
      he = words [[giant troll dragon ogre river_spirit mountain_spirit]],
      she = words [[giantess troll dragon ogress river_spirit mountain_spirit]],
      adjectives = words [[enormous sleepy moss-covered lonely grumbling ancient terrible]],
    },
  },
}
