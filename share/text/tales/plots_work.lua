-- SPDX-License-Identifier: Apache-2.0
--- Plots of craft, patience and growing things.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "the seed",
  titles = { "the slow {o.noun}", "{a.title} who waited", "what grew in the pot" },
  cast = { a = { "child", trait = "patient" }, b = { "child", trait = "careless" }, c = "elder" },
  things = { o = "seed" },
  beats = {
    "{c.a} gave {a} {o.a}, and gave one just like it to {b.a}. \"Let us see what becomes of them,\" said {c}, and did not say what they were.",
    "{b} stuck {b.his} into the ground, poured a whole bucket over it and waited until supper. \"Nothing,\" said {b}. {morning} {b.he} dug it up, to see whether it was growing, and put it back, and dug it up again.",
    "{a} looked for a place where the sun came in the morning and the hens did not. {a.he} made a hole as deep as {a.his} thumb, covered it, and gave it a cup of water. Then {a.he} went away, and came back the next day, and the next.",
    "A week passed, and a second week. \"Yours is dead too,\" said {b}. \"It is only thinking,\" said {a}. {weather} {a} put a pane of glass over the spot. When it froze, {a.he} laid {a.his} own scarf round it.",
    { any = {
      { "One morning there was a green loop in the earth, like the handle of a cup. By noon it had pulled its head out. By summer it was taller than {a}, and in autumn it bore so much that {a} had to fetch a ladder.",
        "\"Why did mine not come?\" asked {b}. {c} pointed to the ground, which had been turned over and over. \"It came {number} times,\" said {c}, \"and each time you pulled it out to see.\"" },
      { "One morning it was there. But the same night a hailstorm beat it flat. {cry a} \"The top is gone,\" said {c}, \"but what about the root? You gave it time to go down.\" And truly, in spring there were two shoots in place of the one.",
        "{b} came and looked at them for a long time. \"May I water them too?\" asked {b}. \"One cup,\" said {a}, \"and no digging.\"" },
      { "{a} fell ill and could not get up. \"Now it will die of thirst,\" {a.he} thought. But {b} had looked over the hedge so often that {b.he} had begun to be curious. {b} gave it a cup in the morning and a cup in the evening, and did not dig.",
        "When {a} came out again, pale and thin, there stood {b} beside a green stalk. \"I did not touch it,\" said {b} proudly. \"It was very hard.\"" },
    } },
    { maybe = "Each of them took home a handful of seeds, and {c} smiled, and went on weeding." },
  },
  moral = { "what grows slowly stands long", "a seed needs time more than it needs eyes", "patience is also a kind of water" },
}

plot {
  name = "the apprentice",
  titles = { "the apprentice", "the crack in the bell", "the {a.noun} who was in a hurry" },
  cast = { a = { "child", trait = "careless" }, b = { "elder", pronoun = "he" }, c = "rich" },
  settings = { "town", "village", "coast", "mountain", "river" },
  beats = {
    "{a} was apprenticed to {b.a}, who cast bells. \"First the clay,\" said the master, \"then the wax, then the fire, and between them you wait. Three days for the clay. Not two.\" \"Three days,\" said {a}, and thought of [the fair|swimming|{b.his} long beard].",
    "{c.a} ordered a bell for the new tower and was to pay in gold. Then the master fell ill. \"You know how it is done,\" he said to {a} from his bed. \"Do it as if I were watching.\"",
    "The clay was dry on the outside after two days. {a} knocked on it. It sounded good. The fair had begun, and one could hear the music. \"Two days, three days,\" said {a}, \"who can tell the difference?\" And {a.he} poured.",
    "The bell was beautiful. {crowd} {c} nodded and rubbed {c.his} hands. They hung it in the tower and pulled the rope. It said: clack. High up, so thin that you could hardly see it, there was a crack.",
    { any = {
      { "{c} shouted. Everyone looked at {b}, who had got out of bed and stood there in a blanket. \"It is my bell,\" said the old man, \"and my fault. I will cast it again at my own cost.\" {a} had never felt so small. \"No,\" {a.he} said aloud. \"I took two days for the clay.\"",
        "It was quiet in the square. \"Good,\" said {b}. \"That is the first thing in this bell that rings true.\"" },
      { "{a} wanted to run away that night, and had already tied {a.his} bundle. But {b} sat on the doorstep in the moonlight. \"I ran too, once,\" said the old man. \"I cracked {number} bells before I learned to wait. The clay is still in the yard. It wants three days.\"" },
    } },
    "{a} melted the bell and began again. {a.he} sat beside the clay day and night, and did not go to the fair, not even on the last evening, when there were fireworks. On the third day {a.he} laid a hand on it and felt that it was ready.",
    "Now when that bell rings, you can hear it [across three valleys|as far as the sea|even under water]. {a} became a master too. {a.his} apprentices always ask why there is a cracked old clapper on {a.his} table. \"That is my teacher,\" says {a}.",
  },
  moral = { "three days are three days", "what is done in a hurry is done twice", "a fault that is owned can be mended" },
}

plot {
  name = "the lazy one",
  titles = { "{a.title} who would not get up", "the lazy {a.noun}", "tomorrow" },
  cast = { a = { "adult", trait = "lazy" }, b = { "adult", trait = "patient" }, c = "small_animal" },
  beats = {
    "There was a hole in {a.s} roof. When it rained, {a} said, \"I cannot mend it in the rain.\" When the sun shone, {a.he} said, \"Why should I mend it? It does not leak.\" {^b.a}, who lived next door, shook {b.his} head.",
    "The gate hung on one hinge. \"Tomorrow,\" said {a}. The beans stood up to their necks in weeds. \"Tomorrow,\" said {a}, and turned over in the hammock.",
    "{one_day} {c.a} sat on {a.s} knee. \"Excuse me,\" said {c}, \"are you dead? I have built my nest in your left boot, and I should like to know whether you will need it.\" \"Tomorrow,\" murmured {a}.",
    { any = {
      { "Then {c} laid down a whole row of things: a spoon, a stocking, a clock. \"Your house is moving out,\" said {c}. \"The mice have the pantry, the swallows have the bedroom, and the bindweed has the door. They asked me to tell you that you may stay, if you pay rent.\"",
        "{a} sat up. A green shoot had grown round {a.his} ankle, and a snail was halfway up {a.his} sleeve. {a} looked at the house, and there was hardly any house to be seen." },
      { "{night} the wind came through the hole in the roof, took the roof with it, and set it down in the pond. {a} woke under the stars. \"How airy,\" {a.he} thought. Then it began to snow." },
      { "That same day a letter came: {a.s} old mother would visit {a.him}, tomorrow. For the first time {a} was afraid of that word. {a.he} saw the weeds and the gate and the hole with her eyes." },
    } },
    "{a} got up. It was hard. First {a.he} pulled up one weed, only one, and then the one beside it. {tired a} {b} looked over the hedge, rubbed {b.his} eyes, and without a word came over with a hammer.",
    "By evening the gate hung straight. By the end of the week one could see in at the windows again. And a strange thing had happened: {a} fell asleep at night as soon as {a.he} lay down, and {food} had never tasted so good.",
    { maybe = "Only the left boot {a} left where it was, since there were {number} young ones in it by then." },
  },
  moral = { "tomorrow is the longest word there is", "begin with one weed", "rest is sweet only after work" },
}

plot {
  name = "the wandering musician",
  titles = { "a song for supper", "{a.title} and the {o.noun}", "the last string" },
  cast = { a = { "wanderer", trait = "merry" }, b = { "rich", trait = "proud" }, c = "child", d = { "mother", of = "c" } },
  things = { o = "instrument" },
  beats = {
    "{a} owned nothing but {o.a}, and played for {a.his} supper. {one_day} {a.he} came to the great house of {b.a}. \"Play,\" said {b}, \"but something that nobody has heard.\" {a} played {song}. {b} yawned. \"Play something that I have paid for,\" said {b}, and gave {a.him} a penny and no supper.",
    "It was late, and the rain came down. In the last cottage there was a light. {c.a} opened. \"We have only {food},\" said {c}, \"and it is quite thin. And you must be quiet. {^d} is ill, and has not slept for {number} nights.\"",
    "{a} sat down by the stove to dry {a.his} feet. From behind the curtain came coughing. \"May I?\" asked {a}. {a.he} took {o} and played so softly that it was hardly more than breathing. It was {song}.",
    "The coughing stopped. {c} crept to the curtain and back. \"She is asleep,\" {c} whispered. So {a} played on, for if {a.he} stopped, she might wake. {a.he} played all night long, until {a.his} fingers bled, and the rain kept time on the roof.",
    { any = {
      "{morning} {d} sat up and was hungry. \"I dreamed,\" she said, \"that I was a child and somebody was carrying me home.\" {thanks c a} There was nothing in the house to give. {c} ran out and picked {flower}, a whole armful, and stuck them into {a.s} hat.",
      "Just before daybreak the last string broke. It was quite still, and nobody woke. {c} pulled a long hair from the tail of the goat. \"Would this do?\" asked {c}. It did, and ever after {o} had one note that sounded a little like laughing.",
    } },
    "{b} had not slept either. {b.he} had stood at the window, had heard something far off in the rain, and did not know why {b.he} was weeping. {morning} {b} sent a servant with a purse. \"The same again,\" said the servant, \"for the master.\"",
    "\"It cannot be bought,\" said {a}. \"But tell {b.him} that {b.he} may come and sit with us. There is a place by the stove.\"",
  },
  moral = { "the best song is sung for those who cannot pay", "music is where it is needed", "some things are cheap to hear and beyond price" },
}

plot {
  name = "moving the heavy thing",
  titles = { "the {o.noun} in the way", "{a.title} and the {o.noun}", "pull together" },
  cast = { a = { "small_animal", trait = "clever" }, b = { "big_animal", trait = "proud" }, c = "farm_animal", d = "middle_animal" },
  things = { o = "heavy" },
  beats = {
    "{one_day} {o.a} lay across the path to the water. Nobody could get past. {number} thirsty animals stood in front of it and scolded.",
    "{b.a} stepped forward. \"Make room,\" said {b}. \"I will do it alone.\" {b.he} pushed with {b.his} head and pushed with {b.his} back, and {o} did not stir. \"It is fixed to the earth,\" said {b}, and was out of breath.",
    "{c.a} tried it from the left, and {d.a} tried it from the right at the same time, so that they pushed against each other. They quarrelled about it until noon. Some cried that it must be moved to the north, and some to the south, and everyone pulled at once in {number} directions.",
    "\"May I say something?\" asked {a}. {mock b}",
    "But it was hot, and they had no better idea. {a} climbed on top. \"{^c} to this side,\" called {a}, \"and {d} next to {c.him}. And you, the strongest of us, go under the end that sinks in. And the little ones dig here. Now wait until I say the word. Not before.\"",
    "\"Now!\" called {a}. Nothing happened. \"And now!\" There was a creak. \"Do not look at the crowd, look at the {o.noun}. And NOW!\"",
    { any = {
      "{o} groaned, rocked, and rolled over like an old sleeper. Behind it glittered the water. They drank side by side, and for a while there was nothing to be heard but swallowing.",
      "{o} moved as much as a hand's breadth. \"That is nothing,\" said {d}. \"It is a hand's breadth more than before,\" said {a}. \"Once again.\" They did it {many} times, and in the evening the path was clear.",
    } },
    "\"I did the most,\" said {b}. \"You did,\" said {a}. \"I only counted.\" {b} drank, and thought, and put down {b.his} great head. \"The counting,\" {b.he} said, \"was what was missing.\"",
  },
  moral = { "pull together, and pull at the same time", "the strongest back needs somebody to count", "a small voice can move a great stone" },
}

plot {
  name = "the contest",
  titles = { "the best {o.noun} in the land", "the {o.noun} contest", "{a.title} and the prize" },
  cast = { a = { "adult", trait = "kind" }, b = { "adult", trait = "boastful" }, c = "ruler", d = "child" },
  things = { o = "dish", p = "prize" },
  beats = {
    "{c.a} had announced it on every wall: whoever made the best {o.noun} should win {p.a}. {a} made a good one, for {a.he} had learned it from {a.his} grandmother. {b.a} made a good one too, and said so to everyone.",
    "{b} ordered [pepper from the islands|sugar from over the sea|butter from {number} different cows]. {a} had only what grew behind the house. {morning} of the contest {a} took {o.a} out of the oven, and it was as it should be.",
    "On the way {a} met {d.a}, who sat in the ditch and was so hungry that {d.he} was chewing a {treename} leaf. {a} looked at the {o.noun}, and at the child. \"The judges will only want to taste it,\" {a} thought, and cut off a piece. And after that another one.",
    "When {a} came to the castle, there was one slice left. {laugh b} \"Did the mice get it?\" asked {b}, who had come with a {o.noun} as large as a cartwheel, with gilded edges.",
    "{c} tasted {b.s}. \"Very rich,\" said {c}. \"Very big.\" And {c} took a sip of water. Then {c} tasted the last slice, and became quite still. \"[Where have I eaten this before|This tastes of my childhood|Why does it make me think of rain on a warm roof]?\" said {c}. \"But where is the rest?\"",
    { any = {
      "\"In me,\" said a voice at the door. It was {d}, who had followed. \"It was for the contest, and I ate it, because {a} said that I should. It was the best thing that I have ever had in my life. I think I should know. I had not eaten for {number} days.\" \"Now we have a second judge,\" said {c}.",
      "{a} did not wish to speak of it, and said, \"It was eaten on the way.\" \"By whom?\" \"By somebody who needed it more than a prize.\" {c} looked at {a.s} shoes and at {a.s} hands. \"Then it has won already,\" said {c}.",
    } },
    { any = {
      "So {a} won {p}, and took {d} home as well, and taught {d.him} to bake.",
      "{b} [ate the whole cartwheel alone and was ill for a week|gave away the rest to the crowd, and was surprised how pleasant it was]. And {p} went to {a}, who did not know where to put it.",
    } },
  },
  moral = { "hunger is the best judge and kindness the best spice", "what is shared is not lost", "the biggest is not the best" },
}

plot {
  name = "the kite",
  titles = { "the {o.noun} on the roof", "{a.title} and the wind", "the {o.noun}" },
  cast = { a = "child", b = { "child", trait = "proud" }, c = "elder", d = "bird" },
  things = { o = "toy" },
  beats = {
    "{a} had made {o.a} and was playing with it in front of the house. {b.a} came by. \"Let me have it,\" said {b}. \"I know how it is done.\" \"Be careful,\" said {a}. But {b} was not careful. {o} flew up, higher and higher, and came down on [the roof of the church|the top of the {treename}|the chimney of the mill].",
    "\"It was badly made,\" said {b}, and went away whistling. {cry a}",
    "{a} threw a stone and hit a window. {a} fetched a ladder, and it was too short by half. {c.a}, whose window it had been, came out with a broom, and {a} wished to run, but did not. \"It was me,\" {a.he} said. \"I will pay for it.\"",
    "\"With what?\" asked {c}. {a} turned out {a.his} pockets: a snail shell, a string, half a biscuit. {c} put down the broom. \"Then pay with work,\" said {c}. So {a} came every day after school, {chore} or {chore}, and {o} looked down on {a.him}.",
    "{a} found that {c} was not as cross as {c.he} looked. {c} knew the names of the stars and of the {flower}, and fed {d.a} that came to the sill.",
    { any = {
      "On the last day the window was paid for. \"And now,\" said {c}, \"look.\" Up on the roof {d} was pulling at something, and pulled, and {o} slid down, slowly, and lay at {a.s} feet. \"I told {d.him} about it,\" said {c}. \"{^d.he} does not listen to everybody.\"",
      "On the last day {c} said, \"I was a steeplejack for {many} years, and my knees have forgotten it, but my hands have not.\" {c.he} showed {a} how to tie a certain knot and how to throw the rope. The third throw caught, and {a} climbed up and saw the whole {place.noun} from above, no bigger than a tablecloth.",
    } },
    "When {b} saw that {o} was back, {b} came again. \"Let me have it,\" said {b}. {think a} \"We will hold the string together,\" {a.he} said. {b} was silent for a moment. \"It was not badly made,\" said {b}. \"I know,\" said {a}. \"Mind the church.\"",
  },
  moral = { "who owns up to a broken window gains a friend behind it", "hold the string together", "what goes up in pride comes down in patience" },
}

plot {
  name = "the promise to the spring",
  titles = { "the spring in the wood", "the promise", "{a.title} and the spring" },
  cast = { a = "adult", b = "giant", c = { "child", trait = "honest" } },
  settings = { "forest", "mountain", "moor", "island" },
  beats = {
    "For {number} weeks there had been no rain. {a} went further than anyone had gone, and deep among the rocks {a.he} found a spring. Beside it sat {b.a}. \"Drink,\" said {b}, \"and take as much as you can carry. I ask only one thing. When the rain comes back, bring me [a song|a handful of your earth|the first apple].\"",
    "{promise a} {walk a} The people drank, and the cattle drank, and {a} was carried round on their shoulders. Then the rain came back. The barrels ran over. There was so much to do, {chore} and {chore}, and the way to the rocks was long.",
    "\"Have you taken it there?\" asked {c.a}, who had an exact memory. \"Not yet,\" said {a}. \"It was only a few words.\" \"It was a promise,\" said {c}. \"[The spring has water, it needs no presents|Next week, perhaps|Go and play],\" said {a}.",
    "The next {season} was dry again. {a} took the biggest jug and went. Where the spring had been there was a stone, warm and dusty, and {b} sat upon it with {b.his} face turned away. {afraid a} \"I know you,\" said {b}. \"You are the one with the few words.\"",
    { any = {
      { "\"What can I do?\" asked {a}. \"You? Nothing,\" said {b}. \"A promise that has died does not get up again.\" But behind {a} there was a small step. {c} had followed. In {c.his} hand {c.he} had what had been promised, and {c.he} laid it on the stone.",
        "\"I did not promise it,\" said {c}, \"but I drank too.\" {b} turned round. It was quiet. Then under the stone something began to murmur." },
      { "{ashamed a} {a.he} set down the jug and went all the way home, and all the way back again, with what {a.he} owed, and with the same again for each day that {a.he} had been late. It took {a.him} until the moon was full.",
        "{b} counted it, piece by piece. \"You have walked off your shoes,\" said {b}. \"Yes,\" said {a}. \"Good,\" said {b}. \"Now the promise has feet.\" And the water came." },
    } },
    "{moral_frame} in that place, when the first rain falls, somebody goes to the rocks before anyone drinks. The children like best to go, and they always sing on the way.",
  },
  moral = { "a promise is a debt that does not get smaller", "do not forget the spring when it rains", "a few words can weigh a great deal" },
}

return plots
