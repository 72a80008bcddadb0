-- SPDX-License-Identifier: Apache-2.0
--- Plots in which somebody is afraid and goes on.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "the light",
  titles = { "the night of the light", "{a.title} who kept the light", "one {o.noun}" },
  cast = { a = { "child", trait = "brave" }, b = { "father", of = "a" }, c = "adult" },
  things = { o = "light" },
  settings = { "coast", "island", "river" },
  beats = {
    "{b} kept the light [on the rock|at the mouth of the harbour|above the rapids]. Every evening he lit it, and the boats found their way home. \"A light is a promise,\" he used to say.",
    "{one_day} {b} [slipped on the wet stairs and could not stand|lay in a fever and knew nobody|had gone to fetch oil and was not back]. {evening} the wind rose, and {number} boats were still out. On one of them was {c.a}.",
    "\"The lamp is too heavy for you,\" somebody said. But {a} was already on the stairs. {afraid a} There were {many} steps, and at each of them the wind tried the door.",
    { any = {
      "The wick was wet. {a} tore a strip from {a.his} shirt and dipped it in the oil. The first match went out, and the second. There was only one left. {a.he} held it between {a.his} hands like a small bird, and it burned.",
      "The glass was broken, and each gust blew out the flame. So {a} stood with {a.his} back to the wind and {a.his} coat held wide, and {o} burned behind {a.him}, hour after hour.",
      "The oil was at an end. {a} carried up everything that would burn: the chair, the table, {a.his} own bed, and at last the wooden horse that {b} had carved.",
    } },
    "Out on the water {c} could not tell sea from sky. \"We are lost,\" said {c.his} men. \"Wait,\" said {c}. \"There. No, now it is gone. There!\" It was a very small light, but it was in the right place.",
    "One by one the boats came in. {a} counted them through the rain. The last one [was nearly full of water|had lost its mast|came in when it was already growing light]. Only then did {a} sit down.",
    "{morning} {c} climbed the stairs. {a} was asleep with {a.his} hand on {o}. {c} did not wake {a.him}. \"A light is a promise,\" said {c} softly, and put a blanket over {a.him}, \"and this one was kept.\"",
  },
  moral = { "a small light in the right place is worth a thousand elsewhere", "a promise is kept in the storm, not in the sunshine",
    "one who stays awake lets many sleep" },
}

plot {
  name = "the sleeping giant",
  titles = { "{b.title} on the road", "{a.title} and {b.title}", "the {b.noun} who was in the way" },
  cast = { a = "child", b = "giant", c = { "rich", trait = "boastful" } },
  beats = {
    "{one_day} {b.a} lay down across the only road and went to sleep. No cart could pass, neither with flour nor with {goods}. {b.his} snoring shook the plates from the shelves.",
    "{c.a} made a speech. \"[Fetch the cannon|Sharpen the scythes|I shall deal with it myself]!\" They fired, and {b} scratched {b.his} ear. They pricked {b.him} with a hundred pitchforks, and {b} smiled in {b.his} sleep, as if somebody had tickled {b.him}.",
    "The shelves grew empty. \"Has anyone asked {b.him} to move?\" asked {a}. {mock c}",
    "But {a} went. {walk a} {a.he} climbed over a foot as high as a house, and along an arm like a hill, until {a.he} stood beside an ear. \"Excuse me,\" said {a}. {afraid a}",
    "An eye opened, as big as a pond. \"[WHO IS THERE|WHO SAID THAT|WHAT DID YOU SAY]?\" \"I said excuse me,\" said {a}. \"You are lying on our road.\" For a moment it was so quiet that one could hear the grass.",
    { any = {
      "\"NOBODY EVER SAYS EXCUSE ME,\" said {b}, and a tear rolled down, and filled three ditches. \"THEY ONLY SHOUT. I WALKED FOR A YEAR, AND I WAS TIRED.\" \"There is a valley behind the hill,\" said {a}, \"as long as you are, and full of moss.\"",
      "\"I AM SO HUNGRY THAT I CANNOT SLEEP, AND SO TIRED THAT I CANNOT EAT,\" said {b}. {a} ran home. They boiled {food} in the brewing vat, and every house gave a spoonful. {b} ate, and wiped {b.his} mouth on a cloud.",
      "\"I HAVE A STONE IN MY SHOE,\" said {b}, \"AND I CANNOT REACH IT.\" {a} crept in at the heel. The stone was as big as a calf. Together with {number} others {a} rolled it out, and the sigh of relief blew off {c.s} hat.",
    } },
    "Then {b} stood up, carefully, so as not to tread on anyone, and went. Since then, when a bridge is broken or a tree lies across the path, it has been put right by morning, and the footprints are full of rain.",
    { maybe = "\"I wore {b.him} down with my cannon,\" says {c}. Nobody contradicts {c.him}. {a} only smiles." },
  },
  moral = { "a polite word goes further than a cannon ball", "ask first", "great troubles sometimes have a small stone in the shoe" },
}

plot {
  name = "the frozen lake",
  titles = { "across the ice", "the ice on the lake", "{a.title} on the ice" },
  cast = { a = { "child", trait = "brave" }, b = { "child", trait = "boastful" }, c = "pet" },
  settings = { "village", "mountain", "forest", "river", "plain" },
  seasons = { "winter" },
  beats = {
    "The lake had been frozen for only {number} days. \"Stay off it,\" the old people said. \"When it sings, it is not yet asleep.\"",
    "\"I have run across it already,\" said {b.a}, which was not true. \"Whoever does not dare is a rabbit.\" The others looked at their shoes. \"Then I am a rabbit,\" said {a}. \"Rabbits live long.\" {laugh b}",
    "To show them, {b} stepped out. {c.a}, who belonged to {a}, ran barking after {b.him}. Ten steps, twenty steps, and the ice began to sing. Then there was a crack like a whip, and where {b} had been there was a black hole.",
    "Some screamed and some ran away. {afraid a} But {a} did not run. {a.he} lay down flat on {a.his} belly. \"Take my feet,\" said {a} to the next one, \"and you take hers, and you take his.\" So they lay on the ice one behind the other, like beads on a string.",
    { any = {
      "{a} pushed {a.his} long scarf in front of {a.him}. It was just too short. Then {c} took the end between {c.his} teeth and crept forward, for {c} was lighter than any child, and {b.s} blue hand closed upon it.",
      "{a} reached out a hockey stick. Twice {b} got hold of it and twice {b.his} stiff fingers let go. \"Look at me,\" said {a}. \"Not at the water. At me.\" The third time {b} held on.",
    } },
    "They pulled, all of them at once, and {b} slid out like a fish. They rolled {b.him} in all the coats they had and ran with {b.him} to the nearest stove. {b.his} teeth chattered so much that nobody could understand a word.",
    "When {b} could speak, {b.he} said, \"I had never been across.\" \"I know,\" said {a}. \"You called me a rabbit.\" {a} gave {b.him} the hot cup to hold. \"Drink. Tomorrow you can be a rabbit too. There is room in the burrow.\"",
  },
  moral = { "it takes courage to say no", "a chain of hands is stronger than one hero", "the one who knows fear knows what to do" },
}

plot {
  name = "the echo in the cave",
  titles = { "the voice in the cave", "{a.title} and the echo", "who lives in the mountain?" },
  cast = { a = { "child", trait = "shy" }, b = "elder", c = "farm_animal" },
  settings = { "mountain", "coast", "forest", "island", "moor" },
  beats = {
    "{a} never said more than three words together, and those so softly that the others said, \"What?\" Then {a.he} said nothing more.",
    "{one_day} the {c.noun} ran away, and {a} followed the tracks up to the great cave. \"Hello?\" {a.he} said, very softly. \"Hello,\" said something inside, just as softly. {afraid a}",
    "\"Who are you?\" asked {a}. \"Who are you?\" asked the voice. \"I am {a.name}.\" \"I am {a.name},\" said the voice. \"That is not possible,\" said {a}, and stamped. \"Possible,\" said the voice, and stamped too.",
    "{a} ran down to {b.a}. \"There is somebody in the cave who says that he is me!\" It was the longest speech that {a} had ever made. \"Ah,\" said {b}, \"[I know him|I have met him|he is an old friend of mine]. Was he polite?\" \"He was as frightened as I was,\" said {a} slowly.",
    "\"He gives back what he gets,\" said {b}. \"Speak crossly, and he is cross. Whisper, and he whispers. I have always wished that somebody would sing to him.\"",
    { any = {
      "{a} went up again. {a.he} stood before the dark and sang {song}, first with a thread of a voice, then louder. And the mountain sang with {a.him}, in three parts, like a choir. Far inside a bell answered. It was the {c.noun}, which came trotting out to see what was so beautiful.",
      "{a} went up again. \"Come home,\" {a.he} called, as loudly as {a.he} had never called before. \"Come home, come home!\" cried the mountain on every side, and the {c.noun}, which thought that a hundred people were looking for it, came running.",
    } },
    "That {season} at the feast somebody was needed to sing. {a} stood up. {a.his} knees shook, but {a.he} thought of the cave. When {a.he} had finished, nobody said, \"What?\" They said, \"Again!\"",
  },
  moral = { "the world answers in the voice you use", "a small voice grows when it is used", "speak kindly into the dark" },
}

plot {
  name = "the flood",
  titles = { "the year of the flood", "when the river came", "{b.title} who remembered" },
  cast = { a = "child", b = "elder", c = { "rich", trait = "stubborn" } },
  settings = { "village", "river", "town", "plain", "mountain" },
  beats = {
    "{b.a} was so old that {b.he} remembered things which everybody else had forgotten. \"The [ants|moles|storks] are moving to the hill,\" said {b}. \"The last time they did so, I was {a.s} age. {number} days later the river stood in the church.\"",
    "\"[Old people are always afraid of water|The ants do not pay taxes|I have built a wall],\" said {c.a}, who gave the orders there. \"There is not a cloud in the sky.\" The people looked at the sky and went back to work.",
    "Only {a} believed it. \"What did they do then?\" {a.he} asked. \"They rang the bell too late,\" said {b}. \"Those who were saved were saved by [the old boat in the barn|the stone barn on the hill|ropes from house to house].\"",
    "So {a} began to [tar the old boat|carry blankets and bread up to the barn|knot ropes], every evening after {chore}. The other children laughed, and then, because they had nothing else to do, they helped.",
    "It began to rain in the mountains, where nobody saw it. {night} {a} woke and heard nothing, no frogs, no crickets. {a.he} put a foot out of bed, and the floor was wet.",
    { any = {
      "{a} ran through the street and beat on a pan. \"Up the hill!\" They went in their shirts, with babies and hens and clocks under their arms. Behind them the water came round the corner like a brown animal.",
      "The boat went from window to window. They took in the baker and {number} children, and a cow that would not be left behind. Last of all they came to the finest house. On the roof, in a nightcap, sat {c}.",
    } },
    "{morning} there was a lake where the gardens had been. But when the people were counted, not one was missing. {c} came to {b} with wet feet. \"You told me,\" said {c}. \"I told you,\" said {b}. {ashamed c}",
    "The next {season} they cut a mark into the stone, to show how high the water had stood. And when {a} was very old, {a.he} used to take the children there. \"Watch the ants,\" {a.he} said.",
  },
  moral = { "those who remember can see ahead", "listen to the old, and keep the boat tarred", "danger does not wait until it is believed" },
}

plot {
  name = "the runaway",
  titles = { "the runaway {b.noun}", "{a.title} and the runaway {b.noun}" },
  cast = { a = "child", b = "pet", c = "rich", d = "elder" },
  beats = {
    "{a} had raised {b.a} [with a bottle|on goat's milk|from the very first day]. They were never seen apart. But the {season} was hard, and {b} was sold to {c.a}, who [paid well|wanted something pretty for the garden|already had {number} like it].",
    "{cry a} In the new place {b} had {food} in a china bowl, and would not touch it. {night} {b} [jumped over the wall|dug a hole under the fence|bit through the rope] and ran.",
    "{b} did not know the way. {b.he} knew only that the wind from that side smelled of [bread|hay|sheep|home]. {walk b} A dog chased {b.him}, and a carter threw stones.",
    "{b} came to a river, and swam. {b} came to a crossroads, and did not know where to turn. There on the milestone sat {d.a}, eating {food}. \"You belong to somebody,\" said {d}, and gave {b.him} the rest. \"I can see it by the way you look past me.\"",
    { any = {
      "{d} was going the same way, or said so. They walked together for {number} days. {d} talked, and {b} listened, and at night they kept each other warm.",
      "{d} whistled the tune that the children sing in {a.s} {place.noun}. {b} pricked up {b.his} ears and went down the left-hand road without looking back.",
    } },
    "It was evening, and raining. {a} sat by the fire and did not eat. Something scratched at the door. \"It is the wind,\" they said. \"The wind does not whimper,\" said {a}, and tore the door open.",
    { any = {
      "The next day {c} came in a carriage, red with anger. Then {c} saw the two of them asleep in the straw, and how thin {b} was, and how sore {b.his} feet were. \"I bought the {b.noun},\" said {c} after a while, \"but it seems that I did not buy that.\" And {c.he} drove away alone, and never asked for the money.",
      "They had to give back the money, and it was no longer there. So {a} worked for {c} for a whole {season}, {chore} and {chore}. Every evening at the gate somebody waited for {a.him}, and wagged all over.",
    } },
  },
  moral = { "what is dear cannot be sold", "the heart knows the road home", "a full bowl is not a home" },
}

plot {
  name = "the guest at the gate",
  titles = { "{b.title} at the gate", "the robbers and the {r.noun}", "{a.title} alone at home" },
  cast = { a = { "child", trait = "clever" }, b = "thief", c = "pet", d = { "grandmother", of = "a" } },
  things = { r = "pot" },
  beats = {
    "{a} was alone in the house with {d}, who was asleep and hard of hearing. {evening} there was a knock. \"Open,\" said a sweet voice. \"[I am your uncle from the sea|I bring a parcel for your father|I am a poor old lady with a cold].\"",
    "{a} looked through the keyhole. Outside stood {b.a} with an empty sack. {afraid a} {c.a} growled. {think a}",
    "\"How nice that you have come,\" called {a} through the door. \"Father and the {number} woodcutters are just having supper. [Shall I call them|They have been hoping for a stranger to wrestle with|There is one chair left, between the two biggest].\"",
    { any = {
      { "\"I hear no woodcutters,\" said {b}. So {a} put on {a.his} father's boots and tramped up and down the stairs. {a.he} growled in a deep voice and coughed in a deeper one. {c} barked, first at one window and then at the other.",
        "\"Come in, come in,\" growled {a} down the chimney, \"we have sharpened the axes.\" {b} remembered that {b.he} had something to do in the next county." },
      { "\"Then I will wait,\" said {b}, and climbed quietly through the pantry window. But {a} had set {r.a} just where one puts one's foot, and behind it the honey, and behind the honey the feathers.",
        "There was a crash, and a smack, and a soft sneeze. {crowd} They found {b} sitting on the floor like a great white hen, with {c} holding on to {b.his} trousers." },
      { "There was a silence. \"Is there,\" asked the voice, and it was not sweet any more, \"some supper left? I have not eaten since Monday.\" {a} looked once more through the keyhole. A thief, {a.he} saw, can be very thin.",
        "{a} did not open. But {a.he} passed {food} through the cat flap, and a blanket after it. {morning} the blanket lay folded on the step, with a carved whistle on top, and behind the house all the wood was chopped." },
    } },
    "Then {d} woke. \"Did somebody come?\" she asked. \"Only a visitor,\" said {a}, \"but there was no chair left.\"",
  },
  moral = { "a quick mind is the best bolt on the door", "do not open to every sweet voice", "courage can wear boots that are too big" },
}

return plots
