-- SPDX-License-Identifier: Apache-2.0
--- Plots in which somebody thinks.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "the vanishing food",
  titles = { "who ate the {o.noun}?", "the {o.noun} thief", "{a.title} and the missing {o.noun}" },
  cast = { a = { "child", trait = "clever" }, b = "adult", c = "middle_animal", d = "pet" },
  things = { o = "dish" },
  beats = {
    "{b.a} had made {o.a} and set it on the window sill to cool. When {b.he} came back, the sill was empty. \"Thief!\" cried {b}. {crowd}",
    "\"It was {d},\" said one, for {d.a} was just licking {d.his} lips. \"It was the children,\" said another. \"It was [the tinker|a ghost|the wind],\" said a third. Only {a} said nothing, and looked at the ground.",
    "{evening} {a} sprinkled [flour|ashes|fine sand] under the window. {morning} another {o.noun} was gone, and in the [white|grey] dust there was a line of footprints.",
    "\"These are not {d.s} feet,\" said {a}. \"And they are not a child's. Whoever it was [had a limp|carried something heavy on the way back|has one short leg|was in a hurry].\"",
    "{a} followed the tracks [through the hedge|along the ditch|over the stile], as far as [a hollow {treename}|an old drain|a heap of stones]. There sat {c.a}, and around {c.him} were {number} little ones with crumbs on their noses.",
    { any = {
      "\"I know it was wrong,\" said {c}. \"But they cried all night, and my foot is hurt, so I cannot hunt.\"",
      "\"Do not tell,\" begged {c}. \"The hunters took their father, and there was nothing else.\"",
      "{c} put {c.himself} in front of the little ones. {c.he} was shaking, but {c.he} did not run.",
    } },
    "{think a} Then {a.he} went home and told {b} exactly what {a.he} had seen.",
    { any = {
      "{b} opened {b.his} mouth to shout, and closed it again. \"{^number} little ones?\" {b.he} asked. The next day there was a bowl of scraps behind the hedge, and nothing was ever stolen from the sill again.",
      "\"A thief is a thief,\" said {b}. \"Then let {c.him} pay,\" said {a}. \"The mice eat more of your flour in a night than {c} took in a week.\" So {c} became the watchman of the mill, and was paid in {o.noun}.",
      "{b} packed a basket and asked {a} to lead the way. And to {d} {b.he} gave a large bone, and said that {b.he} was sorry.",
    } },
  },
  moral = { "look before you accuse", "footprints tell the truth, if you ask them kindly", "behind many a theft there is a hungry child" },
}

plot {
  name = "three riddles",
  titles = { "the three riddles", "{a.title} before the {b.noun}", "the {b.noun} who asked" },
  cast = { a = { "child", trait = "clever" }, b = "ruler", c = "rich" },
  beats = {
    "{b.a} ruled that land, [could not sleep|was often bored|trusted nobody], and asked everyone riddles. Whoever could answer three was to [have a wish|sit at the high table|be paid in gold]; whoever could not had to [sweep the stairs for a year|leave the land|give up hat and shoes].",
    "{c.a} had tried, with a book under each arm, and was now sweeping stairs. \"If I could not do it,\" said {c}, \"nobody can.\" But {a} had [a sick mother|a leaking roof|a brother in prison], and went up to the castle.",
    { any = {
      "\"What runs and has no legs?\" asked {b}. \"Water,\" said {a}, \"and noses in winter.\"",
      "\"What grows when you take away from it?\" asked {b}. \"A hole,\" said {a}. \"I have one in each stocking.\"",
      "\"What can you keep only after you have given it?\" asked {b}. \"My word,\" said {a}.",
      "\"What has teeth and cannot bite?\" asked {b}. \"A comb,\" said {a}, \"and my grandfather's saw.\"",
    } },
    { any = {
      "\"What is heavier when it is empty?\" \"A stomach,\" said {a}, who had had no breakfast.",
      "\"What goes through a window and does not break it?\" \"Light,\" said {a}. \"Also the smell of your kitchen.\"",
      "\"What do you break when you name it?\" {a} put a finger to {a.his} lips and said nothing. It was silence.",
      "\"What gets wet while it dries?\" \"A towel,\" said {a}, \"and it never complains.\"",
    } },
    "Then {b} leaned forward. The room grew quiet. {afraid a}",
    { any = {
      "\"And the last,\" said {b}. \"What am I thinking at this moment?\" \"You think,\" said {a}, \"that a child cannot know it.\" {b} was silent, for that was just what {b.he} had been thinking.",
      "\"And the last,\" said {b}. \"How many stars are there?\" \"As many as there are hairs in your fur mantle,\" said {a}. \"If you do not believe me, count them.\"",
      "\"And the last,\" said {b}. \"How far is it from luck to misfortune?\" \"One night,\" said {a}. \"Yesterday {c} was a great {c.man}, and today {c} has a broom.\"",
      "\"And the last,\" said {b}. \"What does the whole world weigh?\" \"I do not know,\" said {a}. {c} laughed aloud. But {b} stood up. \"You are the first,\" {b.he} said, \"who was clever enough to say so.\"",
    } },
    "\"What do you wish for?\" asked {b}. \"[A doctor for my mother|Dry straw for the roof|My brother's freedom],\" said {a}, \"and that {c} may put down the broom.\" So it was done.",
    { maybe = "And {b}? {b.he} slept that night for the first time in {number} weeks, and in the morning asked for {food} instead of riddles." },
  },
  moral = { "a clear head opens more doors than a heavy purse", "it is wise to know, and wiser to know what you do not know",
    "an honest answer is the best riddle" },
}

plot {
  name = "the wolf at the fold",
  titles = { "{b.title} and the clever {a.noun}", "how the {a.noun} fooled the {b.noun}", "the {b.noun}'s dinner" },
  cast = { a = { "farm_animal", trait = "clever" }, b = { "hunter", trait = "greedy" }, c = "middle_animal" },
  beats = {
    "{one_day} {a} [stayed behind to eat one more thistle|took the short way home|did not hear the bell]. There, in the middle of the path, stood {b.a}. \"Good evening,\" said {b}. \"I was just thinking of dinner.\"",
    "{afraid a} But {a.he} had learned that {a.his} head was quicker than {a.his} feet. \"You are right to eat me,\" said {a}. \"Only it would be a pity to do it today.\"",
    { any = {
      { "\"Why a pity?\" asked {b}. \"Because I have a nail in my hoof,\" said {a}. \"It would stick in your throat. Pull it out first, and then dine in peace.\"",
        "{b} bent down to look. {a} waited until {b.he} was quite close, and kicked. {b} flew [over the hedge|into the pond|through a bramble bush], and saw stars, although it was not yet dark." },
      { "\"Why a pity?\" asked {b}. \"Tomorrow is my birthday,\" said {a}, \"and they always feed me {food} and as much oats as I can hold. Tonight I am skin and bone.\"",
        "{b} looked at {a.s} ribs and swallowed. \"Then come here tomorrow,\" {b.he} said, \"and do not be late.\" {a} promised to be there as surely as it snows in July.",
        "{morning} {b} waited, and the next day too. {b} may be waiting still." },
      { "\"Why a pity?\" asked {b}. \"Because you have not sung,\" said {a}. \"My last master always sang before meals. It is the custom among fine people.\"",
        "{b} wished to be fine. {b.he} put back {b.his} head and sang, so loudly that {c.a} woke, and the dogs woke, and the farmer woke and took the stick from behind the door." },
      { "\"Why a pity?\" asked {b}. \"Because there is a bigger one behind me,\" said {a}. \"My {a.brother} is twice as fat and twice as slow.\" {b}, who was greedy, let {a.him} pass and sat down to wait.",
        "By and by {b} heard heavy steps and jumped without looking. It was not {a.s} {a.brother}. It was the farmer's wife, with {number} dogs." },
    } },
    "{a} trotted home with {a.his} tail in the air. \"You are late,\" said {c}. \"I was asked to dinner,\" said {a}, \"but I could not stay.\"",
  },
  moral = { "a cool head is better than fast legs", "greed is a poor hunter", "when you cannot be strong, be calm" },
}

plot {
  name = "the moon in the pond",
  titles = { "the moon in the pond", "{a.title} and the moon", "{b.title} who wanted the moon" },
  cast = { a = "middle_animal", b = { "middle_animal", trait = "greedy" }, c = "small_animal" },
  beats = {
    "{night} {a} came to the pond to drink, and there in the water lay something round and yellow. \"A cheese!\" said {a}. \"[Somebody has dropped it|It must be enormous|And nobody is watching it].\"",
    "{b.a} heard it. \"[I saw it first|Everything in this pond is mine|Stand back],\" said {b}, although {b.he} had only just arrived. {b.he} jumped in with a great splash. The cheese broke into a hundred pieces, and each piece ran away.",
    "{b} came out wet and angry. When the water was still, the cheese was whole again. \"It is magic,\" whispered {a}. \"We must [drink the pond dry|catch it in a net|fetch a ladder].\"",
    { any = {
      "So they drank. They drank until their bellies were round and tight, and the pond was not a finger lower.",
      "So they made a net of reeds and pulled it through the water {number} times. They caught a boot, a newt and a cold.",
      "So {b} hung from a branch over the water, and {a} held {b.him} by the tail. The branch was a thin one. First there was a crack, and then there were two splashes.",
    } },
    "On the bank sat {c.a} and watched. \"What are you doing?\" asked {c}. When they had told {c.him}, {c.he} did not laugh. \"Look up,\" said {c}.",
    "They looked up. Over the {treename} stood the moon, round and yellow, and looked down on them.",
    { any = {
      "\"It has climbed out!\" cried {b}. \"It is quick.\" And {b} is still looking for a ladder that is long enough.",
      "{ashamed b} \"We wanted to take it away,\" said {a}, \"and it belongs to everyone.\" So they sat down beside {c}, all three, and looked at it until morning.",
      "\"Then what is the one in the pond?\" asked {a}. \"That is for those who look down all the time,\" said {c}, \"so that they may have one too.\"",
    } },
  },
  moral = { "not everything that shines can be eaten", "look up now and then", "who quarrels over a shadow gets wet" },
}

plot {
  name = "the ghost in the mill",
  titles = { "the ghost in the {o.noun}", "the {o.noun} at night", "{a.title} and the ghost" },
  cast = { a = { "child", trait = "brave" }, b = { "adult", trait = "boastful" }, c = { "brother", of = "a" } },
  things = { o = "building", p = "light" },
  beats = {
    "Outside the {place.noun} stood {o.a}. At night there were noises in it: [a moan, then a rattle, then a long sigh|footsteps that went up and never came down|something that dripped and something that laughed]. Nobody went near it after dark.",
    "\"I am not afraid,\" said {b.a}. \"I have fought {number} ghosts at once.\" \"Then go in,\" said {a}. \"[My knee hurts tonight|I have to wash my hair|Ghosts do not come out when I am there],\" said {b}.",
    "\"Do not do it,\" begged {c}. But {a} could not sleep for wondering. {night} {a.he} took {p.a} and went. {walk a}",
    "The door creaked. {afraid a} In the dark something [moaned|breathed|scraped over the floor]. \"Who is there?\" asked {a}. \"Whoo,\" said the dark. \"Whoo.\"",
    "{a} held up {p}. [Two round yellow eyes|Four yellow eyes|Something large and white] looked down from the beam.",
    { any = {
      "It was an owl, with {number} chicks in a nest of straw. The rattle was a loose shutter, and the sigh was the wind in a broken pane.",
      "It was a barn owl with a chain of old bones under its perch. And in the corner, under a sack, lay a foundling kid that had cried for its mother.",
      "It was only an owl. But behind the owl there was a hole in the wall, and in the hole a tin box, with the savings that the old owner had hidden and forgotten.",
    } },
    "{morning} {a} led everyone to {o} and showed them. {crowd} \"I knew it all the time,\" said {b}. At that moment the owl said \"Whoo,\" and {b} was [out of the door|under the table|halfway home] before anyone could blink.",
    { maybe = "{laugh a} Since then the children go there on summer evenings, to hear the ghost feed its young." },
  },
  moral = { "most ghosts go away when you carry a light to them", "to be brave is to be afraid and to go in all the same",
    "fear has big eyes" },
}

plot {
  name = "the chain of bargains",
  titles = { "{a.title} who swapped", "from a {o.noun} to a {q.noun}", "the lucky swaps" },
  cast = { a = { "child", trait = "merry" }, b = "adult", c = "adult", d = "elder", e = { "mother", of = "a" } },
  things = { o = "toy", p = "pot", q = "clothes", r = "instrument" },
  beats = {
    "{e} sent {a} to market with the last thing they could sell, {o.a}. \"Bring back something useful,\" she said.",
    "On the way {b.a} sat with a crying child on {b.his} knee. The child saw {o} and stopped crying. \"I would give {p.a} for an hour of quiet,\" said {b}. \"Done,\" said {a}.",
    "A little further on {c.a} had broken the only jug in the house, and the guests were already on the road. \"Give me {p},\" said {c}, \"and take {q.an}. Guests come first, and I am warm enough.\" \"Done,\" said {a}.",
    "At the crossroads {d.a} shivered in the wind. \"I have nothing but {r.an},\" said {d}, \"and my fingers are too stiff to play it.\" {a} looked at {q}, which {q.was} worth ten times as much, and looked at {d.his} blue hands. \"Done,\" said {a}.",
    "So {a} came home with {r}. \"Useful!\" cried {e}. \"[Can we cook it|Will it keep out the rain|Can we wear it]?\" {cry e}",
    { any = {
      { "{evening} {a} sat on the doorstep and tried it. The first notes were dreadful. But {a} went on, day after day, and {later.low} people stopped to listen, and the {season} after that they paid.",
        "When {a} was grown, {a.he} played before queens and {number} kings, and {e} had a stove in every room." },
      { "But {night.low} they heard steps outside. Robbers had come to the {place.noun}. {a} was so frightened that {a.he} [blew|struck|banged] on {r} with all {a.his} might. Every dog barked, every window lit up, and the robbers ran.",
        "{morning} the neighbours brought what they could spare: {food}, {food}, a goat. \"Useful,\" said {e}, \"I will never say another word.\"" },
      { "Then there was a knock. It was {b}, with the child, which would not sleep without a song. Behind {b} stood {c} with all the guests, who wished to dance; and last of all came {d}, to hear the old tunes again. Everyone had brought something to eat.",
        "\"Well,\" said {e}, and wiped her eyes, \"I did ask for something useful.\"" },
    } },
  },
  moral = { "a good trade leaves both sides richer", "what is useful is not always what one expects",
    "music fills more than a stomach" },
}

plot {
  name = "the judge of the cheese",
  titles = { "two friends and one {o.noun}", "{c.title} who divided fairly", "the quarrel over the {o.noun}" },
  cast = { a = "middle_animal", b = "middle_animal", c = { "middle_animal", trait = "greedy" } },
  things = { o = "dish" },
  beats = {
    "{a} and {b.a} were friends and shared everything. {one_day} they found {o.a} [on the road, where a cart had lost it|under a picnic table|beside the mill]. \"I saw it first,\" said {a}. \"I smelled it before you saw it,\" said {b}.",
    "They argued until [noon|the sun went down|their throats were sore]. \"We need a judge,\" said {b}. Along came {c.a}, who had been listening behind a bush. \"I am known for my fairness,\" said {c}.",
    "{c} broke {o} in two. \"Oh dear,\" {c.he} said, \"this piece is bigger,\" and bit off a corner. \"Now the other one is bigger,\" and bit off a corner there. {a} and {b} nodded. They wanted it to be exact.",
    "{c} bit here and bit there, and the pieces grew smaller, and always one was a little bigger than the other. {at_last} there were two crumbs. \"And these,\" said {c}, \"are the judge's wages.\" {c.he} swallowed them, and wiped {c.his} mouth, and was gone.",
    { any = {
      "{a} looked at {b}, and {b} looked at {a}. Then they both began to laugh. \"Half of it would have been a great deal,\" said {a}. \"Half of it, at noon,\" said {b}.",
      { "They sat side by side and were hungry. \"Next time,\" said {a}, \"one of us will cut, and the other will choose.\"",
        "And so they did. Never was anything cut so exactly as the next thing they found, and no judge came near it." },
      { "{later} they found another, and this time they were ready. They filled it with pepper and mustard, and quarrelled over it loudly, near a certain bush.",
        "\"I am known for my fairness,\" said {c}, and took a big bite. {c} is said to have drunk the whole stream dry as far as the bridge." },
    } },
  },
  moral = { "when two quarrel, a third is fed", "better half in peace than all in dispute", "let one cut and the other choose" },
}

plot {
  name = "the bell that would not ring",
  titles = { "why the clock stopped", "the silent bell", "{a.title} in the tower" },
  cast = { a = { "child", trait = "curious" }, b = { "elder", pronoun = "he" }, c = "rich", d = "bird" },
  settings = { "town", "village", "mountain" },
  beats = {
    "In the tower hung a great bell. {b.a} rang it every morning, and by it people got up, went to work and came home. {one_day} {b} pulled the rope, and there was no sound.",
    "Without the bell everything went wrong. [The baker slept late and the bread was late|Children came to school at noon|The market opened in the dark]. {c.a} was furious. \"[Buy a new one|Dismiss the old man|Beat it with a hammer]!\" said {c}.",
    "The smith came and said it was the [clapper|axle]. The carpenter came and said it was the [beam|wheel]. They argued on the stairs. Nobody had gone all the way to the top, because there were {many} steps and the last ones were rotten.",
    "{a} was light. {a.he} climbed, step by step, past the bats and the dust, until {a.he} could see the whole {place.noun} below. {a} looked into the bell.",
    "On the clapper, wrapped in wool and moss and one of {c.s} lost gloves, was a nest. In it sat {d.a} on {number} blue eggs, and looked at {a.him} with one round eye.",
    "{think a} {a} climbed down. \"I have found the fault,\" {a.he} said, \"and it will mend itself in three weeks, if nobody touches it.\"",
    { any = {
      "\"Three weeks!\" cried {c}. \"Then who is to wake us?\" \"I will,\" said {a}. And every morning {a.he} ran through the streets with a pot and a spoon, and made more noise than any bell.",
      "{c} climbed up to see for {c.himself}, puffing and grumbling. {c.he} stayed up there a long time. When {c} came down, {c.he} said only, \"Three weeks, then. And the glove may stay.\"",
    } },
    "On the twenty-second day the young ones flew. {b} pulled the rope, and the bell rang as if it had been saving its breath. {c.s} clock was wrong by an hour, but nobody minded.",
  },
  moral = { "climb up and look before you call for a hammer", "some things are late for a good reason",
    "not every silence is a fault" },
}

return plots
