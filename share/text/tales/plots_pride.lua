-- SPDX-License-Identifier: Apache-2.0
--- Plots of boasting, greed and lies, and what came of them.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "the race",
  titles = { "the race", "{a.title} against {b.title}", "the fastest in the land" },
  cast = { a = { "middle_animal", trait = "boastful" }, b = { "small_animal", trait = "patient" }, c = "bird" },
  things = { o = "prize" },
  beats = {
    "\"I am the fastest,\" said {a} every morning, and every evening {a.he} said it again. \"[The wind asks me to wait|When I blink, I am already there|I once outran my own shadow].\"",
    "{b.a} was tired of hearing it. \"I will race you,\" said {b}. {mock a}",
    "\"[To the old {treename} and back|Three times round the pond|As far as the mill],\" said {b}, \"and the winner gets {o.a}.\" {c.a} was to be the judge.",
    { any = {
      { "At the signal {a} was off like a shot. Halfway there {a.he} looked back, and saw nobody. So {a.he} stopped to [tell a family of ducks how fast {a.he} was|look at {a.himself} in a puddle|collect flowers for the winner].",
        "{a} told it once, and because the others listened so well, {a.he} told it again. Meanwhile {b} put one foot before the other, and did not stop." },
      { "At the signal {a} ran so fast that {a.he} ran past the turning, through a hedge, and into [a bog|a henhouse|a field of nettles]. By the time {a.he} had found out where {a.he} was, {a.he} was somewhere else.",
        "{b} knew every bend, for {b.he} had walked that path every day of {b.his} life. {b} did not hurry, and took the right turn." },
      { "They had not gone far when a voice cried for help. {c} had [a thorn in the foot|flown into a web|fallen into the brook]. \"I have no time,\" shouted {a}, and ran on. {b} stopped, although it cost {b.him} half the race.",
        "{a} came in first, by a long way. But the judge was not there to see it." },
    } },
    { any = {
      "When {a} came round the last bend, {b} was sitting on the line, eating a strawberry. \"{^o} {o.is} mine,\" said {b}, \"but you may tell everyone how fast you are.\"",
      "{c} gave {o} to {b}. \"That is not fair!\" cried {a}. \"I am faster!\" \"You are,\" said {b} kindly. \"It is only that you were not here.\"",
    } },
    "{a} was silent for {number} whole days. When {a.he} began to speak again, it was about the weather.",
  },
  moral = { "speed is no use to those who forget where they are going", "slow steps arrive", "the one who boasts at the start is out of breath at the end" },
}

plot {
  name = "the magic thing",
  titles = { "the wishing {o.noun}", "{a.title} who wanted more", "enough" },
  cast = { a = { "adult", trait = "greedy" }, b = "wanderer", c = { "sister", of = "a" } },
  things = { o = "magic" },
  beats = {
    "{one_day} {a} [helped {b.a} out of a ditch|let {b.a} sleep in the barn|gave {b.a} a cup of {drink}], because there was nobody about to laugh at {a.him} for it. In thanks {a.he} got {o.a}.",
    "\"It will give you what you need,\" said {b}. \"But mind, what you need, and not a spoonful more. When you have enough, say thank you, and put it away.\"",
    "{a} put {o} on the table and said, \"I need {food}.\" And there it stood, steaming. \"I need a new roof,\" said {a}, and the rain stopped dripping on the bed. \"Now say thank you,\" said {c}, who had come in. But {a} was already thinking of the next thing.",
    "\"I need [silver spoons|a coach|a velvet coat|a chest of gold],\" said {a}. \"I need [{number} servants|a house with towers|a bigger chest|a garden with peacocks].\" All of it came, though each time a little more slowly.",
    "\"What for?\" asked {c}. \"[You have only one mouth|You cannot sleep in two beds|There is no more room to walk].\" \"You do not understand,\" said {a}. \"The {place.noun} is full of people who have more.\"",
    { any = {
      "{at_last} {a} said, \"I need to be [the richest in the world|as great as the king|master of the sun].\" There was a small dry sound, like a twig. {o} had cracked from top to bottom.",
      "{night} {a} said, \"I need another {o.noun}, for this one is too slow.\" And it came, and was just the same in every way but one: it took.",
      "{at_last} {a} said, \"I need everything.\" \"Everything?\" asked a voice that sounded like {b}. \"Then there will be nothing left to put it in.\"",
    } },
    "One after another things vanished: first the [peacocks|servants|towers], then the [coach|silver spoons|coat], and last of all the roof. {a} sat in the rain with a cold stone where {a.his} heart should be.",
    "{c} sat down beside {a.him}. \"Move over,\" she said, and held her shawl over both of them. \"I have half a loaf. Is it enough?\" {think a}",
    "\"It is enough,\" said {a}, \"and thank you.\" It was the first time in {a.his} life that {a.he} had said it, and the rain stopped.",
  },
  moral = { "enough is a feast", "whoever cannot say thank you will never have enough", "a wish without end ends in nothing" },
}

plot {
  name = "the false alarm",
  titles = { "the false alarm", "{a.title} who cried fire", "the {a.noun} and the bell" },
  cast = { a = { "child", trait = "merry" }, b = "adult", c = "elder" },
  beats = {
    "It was {a.s} task to sit on the hill and watch, and to ring the little bell if [fire broke out|the river rose|strange ships came]. But nothing ever happened there, and the days were long.",
    "{one_day} {a} was so bored that {a.he} rang the bell, only to see what would happen. {b.a} came running with a bucket, and behind {b.him} came {many} others, out of breath. {laugh a} \"It was only a joke,\" {a.he} said.",
    { any = {
      "\"A joke!\" said {b}, and threw {b.his} bucket down. \"My bread is burning in the oven for your joke.\"",
      "\"My feet have no laughter left in them,\" said {c.a}, who was the last to arrive.",
    } },
    "{later} {a} did it again. This time only half of them came. \"Twice is not funny,\" said {b}.",
    "Then came a {season} night with a strong wind. {a} saw [a red glow behind the barn|black water creeping over the meadow|three dark sails close to the shore]. {afraid a} {a.he} rang and rang, until {a.his} arms hurt. Nobody came. \"The {a.boy} is playing again,\" they said, and turned over in bed.",
    { any = {
      { "{a} ran down and beat on the doors with {a.his} fists. Nobody opened. At the last house lived {c}, who was nearly deaf and had never heard the bell at all. {c} looked at {a.s} face. \"You are not laughing,\" said {c}, and took {c.his} stick, and went with {a.him} from door to door.",
        "For {c} they got up. It was almost too late. They saved the people and the animals, but [the barn|the mill|the bridge] was lost." },
      { "So {a} did alone what {a.he} could. {a.he} [opened the stables and drove out the cows|carried the smallest children to the hill|let down the boats and cut the nets], back and forth, until {a.he} fell down from weariness. By then the others had seen it with their own eyes.",
        "Nobody was hurt. But it took {number} years to build up again what that night had taken." },
    } },
    "{a} helped with every plank. \"You rang for nothing, and we came,\" said {b}. \"You rang in need, and we did not. Whose fault was it?\" {a} knew the answer. {ashamed a}",
    { maybe = "Much later they gave {a} the big bell to look after, the one in the tower. It has never once rung for nothing." },
  },
  moral = { "who jokes with a warning will have no warning left", "trust is a bridge that burns quickly and is built slowly",
    "a lie rings loudest when you speak the truth" },
}

plot {
  name = "the big fish",
  titles = { "the biggest fish", "{a.title} and {a.his} fish", "a fish that grew" },
  cast = { a = { "adult", trait = "boastful" }, b = "adult", c = { "child", trait = "honest" } },
  things = { o = "fish" },
  settings = { "coast", "river", "island", "village" },
  beats = {
    "{one_day} {a} caught {o.a}. It was as long as a hand. {evening} at the inn {a} said that it had been as long as an arm. {later} it was as long as a man, and it had pulled the boat for {number} miles.",
    "\"You should have seen its eyes,\" said {a}. \"Like plates! And it spoke to me.\" \"What did it say?\" asked {b.a}. \"It said: you are too strong for me,\" said {a}.",
    "{c.a} had been in the boat, and remembered it otherwise. \"It was about so big,\" {c.he} said, and showed it with two fingers. Everyone laughed, and {a} was angry. \"Then I will catch its mother,\" {a.he} said, \"and you shall all come and look.\"",
    { any = {
      { "{morning} the whole {place.noun} stood on the bank. {a} threw the line and waited. {at_last} something pulled. It was heavy, it was dark, it was enormous. \"Look!\" cried {a}, and heaved. It was [an old door|a drowned tree|somebody's mattress].",
        "{laugh b} \"Like plates,\" they said, \"and it speaks!\" From that day the door hung in the inn, and under it was written: caught by {a.name}." },
      { "{a} rowed out alone, further than anyone goes. And there something took the hook, something truly big. It pulled the boat in circles, it pulled it through the reeds, and in the end {a} cut the line and was glad to be alive.",
        "When {a} came home and told it, nobody believed a word. \"As long as a man,\" they said, \"of course, of course.\" Only {c} had seen the broken rod. \"This time it is true,\" said {c}. And because it was {c} who said it, they believed it." },
    } },
    "{moral_frame} {a} said of every fish exactly how long it was, and held up a ruler.",
  },
  moral = { "a story that is stretched too far will snap", "one honest witness is worth ten loud mouths",
    "who lies about small fish is not believed about great ones" },
}

plot {
  name = "the proud tree",
  titles = { "{o.title} and {p.title}", "the proud {o.noun}", "the night of the storm" },
  cast = { a = "bird", b = "small_animal" },
  things = { o = "tree", p = "plant" },
  settings = { "forest", "moor", "river", "mountain", "plain" },
  beats = {
    "Near {a.s} nest stood {o.a}, and at its foot grew {p.a}. \"[How can you live so near the ground|Poor thing, you have never seen the sea|I hold up the sky, and what do you do]?\" said the tall one.",
    "\"I hold the soil,\" said {p}, \"and when you are noisy in the night, I listen.\" The tall one laughed, so that {number} dead leaves came down.",
    "{a} was friends with both. \"{^b.a} lives down there with seven young,\" {a.he} said, \"and up here I can see three counties. I should not like to miss either.\"",
    "In {season} the great storm came. It came at night, from the sea, and it [tore off roofs|threw boats into the fields|made the church bell ring by itself]. \"I do not bow to anyone,\" cried {o}, and stood stiff and straight.",
    { any = {
      "{^p.full} bent down until it lay flat on the ground, and let the wind go over it. {o} did not bend. Toward morning there was a crack that was heard for miles.",
      "Little by little the wind loosened the earth. Only where {p} held on with a thousand thin roots did it stay. \"Bend a little,\" called {p}, \"I cannot hold you alone.\" For the first time in {many} years {o} bowed.",
    } },
    { any = {
      "{morning} {a} looked for {a.his} branch, and it was lying in the grass. Where the tall one had stood there was a great deal of light. {^p.full} stretched, and drank it, and grew. In the hollow trunk {b} had a house with {number} rooms.",
      "{morning} both were still standing, one a little crooked and the other a little crushed. \"You held me,\" said {o}. \"You kept the hail off me,\" said {p}. And {a} built {a.his} next nest exactly halfway between them.",
    } },
  },
  moral = { "it is better to bend than to break", "the high need the low to stand on", "a storm does not ask who is tall" },
}

plot {
  name = "the ruler in disguise",
  titles = { "the {b.noun} in rags", "{a.title} and the beggar", "the {b.noun} who wanted to know" },
  cast = { a = { "adult", trait = "honest" }, b = { "ruler", trait = "curious" }, c = { "rich", trait = "proud" } },
  beats = {
    "{b.a} ruled the land, and everyone told {b.him} that all was well. \"[The people are happy|Nobody is hungry|The roads are paved with cheese],\" said the ministers. {b} wished to see it. {one_day} {b.he} put on rags, rubbed {b.his} face with ashes and went out by the kitchen door.",
    "The first house was {c.s}. {c.a} sent the dogs. \"[Work, if you want to eat|I pay taxes so that I need not look at you|Go to the {b.noun}, if you are hungry]!\" {c} shouted from the window.",
    "{walk b} It began to rain. {evening} {b} knocked at {a.s} door. \"Come in,\" said {a}. \"It drips a little, but only in three places.\" {meal}",
    "\"How do you live?\" asked {b}. \"We live,\" said {a}. \"Half of what I earn goes to {c} for the rent, and half of what is left goes to the {b.noun}. They say that {b.he} is kind. [But who tells {b.him} about us|I think that {b.he} has never been cold|Perhaps {b.he} cannot count].\" {b} put down the spoon, and could not eat any more.",
    "{morning} {b} was gone. {later} soldiers came with a golden coach. {crowd} \"You are to come to the castle,\" they told {a}, \"and {c} too.\" {c} put on {c.his} best coat and all {c.his} rings. {a} brushed {a.his} shoes and was afraid.",
    "On the throne sat somebody in silk. \"Do you know me?\" asked {b}. {c} bowed to the floor. \"Who would not know the {b.noun}!\" \"You did not know me when I was hungry,\" said {b}. {ashamed c}",
    { any = {
      "Then {b} turned to {a}. \"You said that I could not count. Sit here beside me and teach me.\" So {a} became a minister, the only one who said what was true, and the rent was halved.",
      "\"What do you wish for?\" {b} asked {a}. \"Three slates for my roof,\" said {a}, \"and that you will come again.\" {b} came every {season}, in old clothes, and after a time there was no house in the land in which it dripped.",
    } },
    "And {c} had to [live for a year in the house where it dripped|open {c.his} door to every beggar for {number} years|carry the slates up the ladder]. They say that it did {c.him} good.",
  },
  moral = { "who wants to hear the truth must go where it lives", "a person is known by how he treats a beggar",
    "it is easy to bow to silk" },
}

plot {
  name = "the peacock's feathers",
  titles = { "the painted {a.noun}", "{a.title} who wanted to be another", "borrowed feathers" },
  cast = { a = { "bird", trait = "proud" }, b = "small_animal", c = "middle_animal" },
  beats = {
    "{a} was plain, and knew it. {one_day} {a.he} found [a heap of bright feathers behind the palace|pots of paint that somebody had left outside|ribbons and glass beads on a scarecrow]. \"Now they will look at me,\" said {a}, and put on as much as {a.he} could carry.",
    "And they did look. \"Who is this?\" asked {b.a}. \"A prince from a far country,\" said {a}. \"I do not speak to mice and frogs and such people.\" {b}, who had been {a.his} friend, went away without a word.",
    "{c.a} invited {a} to dinner, and so did others. They asked for songs from the far country. {a} did not dare to sing, for everyone knew {a.his} voice. They asked {a.him} to fly. {a} did not dare to fly, because things might come loose.",
    { any = {
      "Then it rained. It rained only for a little while. Blue ran down, and red ran down, and a small wet {a.noun} stood in a puddle of many colours. {laugh c}",
      "Then a gust of wind came. First one feather went, then three, then all. {c} looked from the feathers to {a}. \"The far country,\" said {c}, \"seems to be the next tree but one.\"",
      "Then came a cat, who likes bright things. {a} tried to rise, but was too heavy. {b} saw it. {b.he} bit through the ribbons, one, two, three, and {a} flew up and left the finery between the claws.",
    } },
    "{a} hid in the ivy for {number} days. Nobody came, except {b}. \"Are you still a prince?\" asked {b}. \"No,\" said {a}. \"I am nobody.\" \"That is a pity,\" said {b}. \"I was looking for a {a.noun} I know. {^a.he} has brown feathers and sings so that I forget to be afraid of the dark.\"",
    "{a} was quiet for a while. Then {a.he} sang. It was not a song from a far country, but everyone in the {place.noun} stopped to hear it.",
  },
  moral = { "borrowed feathers fall out in the rain", "a true friend knows your real colour", "a plain song sung true is worth more than a painted one" },
}

plot {
  name = "the accusation",
  titles = { "the missing {o.noun}", "{a.title} who was blamed", "what the magpie took" },
  cast = { a = { "child", trait = "honest" }, b = { "rich", trait = "proud" }, c = "adult" },
  things = { o = "treasure" },
  beats = {
    "{a} worked in the house of {b.a}. {one_day} {o.a} was missing. {b} had [laid it on the window sill|taken it off to wash|worn it at breakfast]. \"Nobody was in the room but you,\" said {b} to {a}.",
    "\"I did not take it,\" said {a}. \"Who else?\" said {b}. \"[You are poor, and it shines|I saw you look at it|People like you are all the same]. Go, and do not come back.\"",
    "{cry a} In the {place.noun} people whispered. Some crossed the road. Only {c.a} did not. \"I have known you since you were as high as a bucket,\" said {c}. \"You may help me with {chore}.\"",
    "So the {season} went by. {b} had a new lock put on every door, and slept badly.",
    { any = {
      "Then the storm broke the old {treename} in front of the house. In the top there was a magpie's nest, and in the nest, between a teaspoon and a thimble, lay {o}.",
      "Then {b} had the sweep in. Out of the chimney fell soot, and a dead starling, and a jackdaw's nest, and out of the nest rolled {o}.",
      "Then {b} took out {b.his} {season} coat. There was a hole in the pocket, and in the lining, deep down, {b.his} fingers met something small and hard. It was {o}.",
    } },
    "{b} stood still for a long time. It would have been easy to say nothing. Nobody knew. {think b}",
    { any = {
      { "{morning} {b} went on foot through the whole {place.noun}, so that everyone could see it, and knocked at {c.s} door. {sorry b}",
        "\"You never asked,\" said {a}. \"You only knew.\" \"Yes,\" said {b}. \"It is a thing I shall not do again.\" {forgive a}" },
      { "On Sunday, when everyone was in the square, {b} climbed on a bench. \"I called somebody a thief,\" {b} said in a loud voice, \"and the only thing that was stolen here was a good name. I stole it.\"",
        "{crowd} Then {a} came up to the bench and gave {b} a hand, for it was a high one to get down from." },
    } },
  },
  moral = { "ask before you judge", "a good name is easily taken and hard to give back", "it is never too late to say: I was wrong" },
}

return plots
