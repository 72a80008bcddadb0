-- SPDX-License-Identifier: Apache-2.0
--- Plots of families, neighbours and quarrels.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "the fence",
  titles = { "the fence between", "the quarrel of {a.title} and {b.title}", "the gate" },
  cast = { a = { "adult", trait = "stubborn" }, b = { "adult", trait = "stubborn" }, c = "wanderer", d = "farm_animal" },
  beats = {
    "Next door lived {b.a}. {^a} and {b} had been friends since they were children, until {one_day.low} {b.s} {d.noun} ate {a.s} cabbages. Or {number} of them. Or, as {b} said, one leaf.",
    "\"You left the gate open,\" said {a}. \"You planted them too close,\" said {b}. One word led to another, and the last words were so bad that they could not be taken back. After that they did not speak for {number} years.",
    "{a} dug a ditch. {b} built a wall. When {a} hummed, {b} shut the window. When {b} was ill, {a} did not ask. Both of them were lonely, and both of them would rather have eaten the wall than say so.",
    "{one_day} {c.a} came by and asked for work. \"You see that wall?\" said {a}. \"It is too low. Build me a fence on top of it, so high that I need not see {b.his} chimney. Here is the wood. I am going to market.\"",
    { any = {
      "{evening} {a} came home. There was no fence. Where the wood had been there was a bridge across the ditch, with a rail and a bench in the middle, and a gap in the wall just as wide as a friend. \"What have you done?\" cried {a}.",
      "{evening} {a} came home. There was no fence. Out of the wood {c} had made a table, long and good, and had set it half on one side and half on the other, straight through the wall. \"What is this?\" cried {a}.",
    } },
    "But on the other side stood {b}, who had been watching all day. {b.his} eyes were wet. \"You had this made,\" said {b}, \"after all that I said to you.\" {a} opened {a.his} mouth and shut it again. {think a}",
    "\"Well,\" said {a} at last, \"I thought it was time.\" {sorry b} {meal} They talked until the stars came out, and the {d.noun} ate {number} cabbages, and nobody noticed.",
    "{c} was already packing {c.his} bag. \"Stay,\" they both said. \"I cannot,\" said {c}. \"I have more fences to build.\"",
  },
  moral = { "out of the same wood you can build a fence or a bridge", "someone must be the first to open the gate",
    "a quarrel is a wall that both must pay for" },
}

plot {
  name = "the day of changed work",
  titles = { "the day they changed places", "{a.title} and {b.title} change work", "whose work is harder?" },
  cast = { a = { "adult", trait = "proud" }, b = "adult", c = "pet", d = "farm_animal" },
  beats = {
    "{a} and {b.a} shared a house and a roof that leaked. {a} worked in the field, and {b} worked at home. \"[You have it easy|You sit by the fire all day|I carry the world on my back],\" said {a} every evening.",
    "\"Then let us change,\" said {b} one evening, and went on stirring. \"Tomorrow I go out with the {d.noun}, and you stay here. It is nothing: only the bread, the butter, the hens, {c}, and the soup.\" {agree a}",
    "{morning} {b} went off singing. {a} put {a.his} feet up, and the bread began to burn. While {a.he} saved the bread, {c} [drank the cream|ran off with the sausage|tipped over the churn]. While {a.he} ran after {c}, the hens walked into the kitchen.",
    { any = {
      "{a} wished to draw water, and dropped the bucket into the well. {a.he} wished to fish it out, and dropped in {a.his} hat. Then {a.he} remembered the soup. It had remembered itself, and was all over the stove.",
      "{a} tied the washing line to the goat, because it stood so still. It did not stand still for long. {a.his} shirts were seen at the mill, at the bridge, and on the priest.",
      "To save time {a} did everything at once. {a.he} churned with one foot and kneaded with one hand, and rocked the cradle with a string between {a.his} teeth. Then {a.he} sneezed.",
    } },
    "Out in the field {b} was not singing any more. The {d.noun} would not go left, and the plough would not go straight. The sun burned, and a stone as big as a loaf fell on {b.his} toe. By noon {b} had made one furrow, and it looked like a snake.",
    "{evening} they met at the door. {a} had flour in {a.his} ears and feathers in {a.his} hair. {b} limped. They looked at each other. {laugh a} \"It is nothing,\" said {b}, \"only the whole world on one's back.\"",
    "There was no supper. They ate [an onion|a burnt crust|raw turnips] and thought that it tasted very good. {moral_frame} each of them did what suited them best, and at the end of the day they said thank you.",
  },
  moral = { "no work is easy until somebody else does it", "walk a day in another's shoes before you call them soft",
    "every load looks light on another's shoulders" },
}

plot {
  name = "the made and the bought",
  titles = { "two presents", "the {o.noun} and the {p.noun}", "what {a.title} gave" },
  cast = { a = { "child", trait = "gentle" }, b = { "child", trait = "proud" }, c = "elder" },
  things = { o = "handmade", p = "bought" },
  beats = {
    "{c.a} was going to be {many} years old, and everyone was to bring a present. {b.a} had money and bought {p.a}. It was so grand that it had to be carried by two men.",
    "{a} had no money. But {a.he} remembered that {c} had once said, \"[My hands are always cold|I miss the garden I had as a child|It is so quiet in the evenings].\" {a} began to make {o.a}.",
    "It did not go well. {a} pricked {a.his} fingers, spoiled it twice, and wept a little, and began again. Every evening after {chore} {a.he} worked at it by the light of the stove. \"Is that all?\" asked {b}. \"It is crooked.\" {ashamed a}",
    "The day came. {^p.full} stood in the middle, and everyone admired it. \"How much did it cost?\" they asked, and {b} told them. {a} put {o} in the darkest corner, under a napkin, and went and stood behind the door.",
    "{c} thanked everybody. When the guests had gone, {c} walked round the room and found the napkin. \"Who made this?\" asked {c}. It was very quiet. \"I did,\" said {a}. \"It is crooked.\"",
    { any = {
      "{c} turned it over and over. \"Here you were tired,\" {c} said, \"and here you were glad, and here, I think, you cried. I can read it like a letter. Nobody has written me such a long one for years.\"",
      "{c} said nothing. But from that hour {o} lay on the little table beside {c.his} bed, and {c} touched it every night before {c.he} blew out the candle.",
    } },
    { any = {
      "{^p.full} was put into the best room, where nobody ever went.",
      "{b} had stayed behind and heard it. {b} went home and was thoughtful. The next year {b} came with something small and very badly wrapped, and with plasters on both thumbs. It was the second present that stood on the little table.",
    } },
  },
  moral = { "a gift is worth the hours that are in it", "what is made with love need not be straight", "money can buy the box, but not what is inside" },
}

plot {
  name = "the broken pot",
  titles = { "the broken {o.noun}", "{a.title} and the {o.noun}", "the pieces" },
  cast = { a = "child", b = { "aunt", of = "a" }, c = "pet" },
  things = { o = "pot" },
  beats = {
    "On the highest shelf {b} kept {o.a}. It had come over the sea, and {a} was not allowed to touch it. {one_day} {b} had gone to market, and {a} only wished to look at it from close by.",
    "{a} climbed on the chair, and on the table, and stretched out one finger. There was a crash. Then it was very still. {afraid a}",
    "{c.a} came in to see what the noise was. \"It could have been you,\" said {a} slowly. \"You are always jumping about. Nobody would ask.\" {c} wagged {c.his} tail and licked {a.s} hand.",
    "{a} [swept up the pieces|pushed the pieces under the cupboard|laid the pieces in a row]. The clock ticked. It had never ticked so loudly.",
    { any = {
      { "When {b} came home, {a} said, \"It was {c}.\" {b} looked at the shelf and at {c}, and took {c} by the collar and put {c.him} out into the rain.",
        "All evening there was whimpering outside the door. {a} could not eat, and {food} tasted of ashes. {night} {a} went barefoot to {b.s} bed. \"It was not {c},\" {a.he} said. \"It was me.\"",
        "{b} sat up. \"Then there is somebody to whom you must say it first,\" she said. {a} ran out into the rain, and came back with {c}, and both of them were wet and shaking, and one of them was forgiven at once." },
      { "When {b} came in, {a} stood in the middle of the room with a piece in each hand. \"I broke it,\" {a.he} said. \"You had told me not to touch it, and I touched it.\"",
        "{b} sat down with her hat still on. She was silent for a while. \"When I was small,\" she said, \"I broke its sister. I said that the wind had done it. I have heard that wind all my life.\" And she held out her hand." },
    } },
    "{later} they glued it together, on a long rainy afternoon, piece by piece. It leaks a little and cannot hold water any more. But {b} put it on the low shelf, where everyone can reach it, and keeps {flower} in it, dried ones.",
  },
  moral = { "a broken pot can be glued, and so can trust, but tell the truth first", "a lie is heavier than any punishment",
    "the truth hurts once and a lie hurts every day" },
}

plot {
  name = "the borrowed tool",
  titles = { "the borrowed {o.noun}", "{a.title} who did not give it back", "the {o.noun} that wandered" },
  cast = { a = { "adult", trait = "careless" }, b = { "adult", trait = "patient" }, c = "adult" },
  things = { o = "tool" },
  beats = {
    "{one_day} {a} went to {b.a} and borrowed {o.a}. \"Only until tomorrow,\" said {a}. \"Tomorrow is soon enough,\" said {b}. But tomorrow {a} had something else to do, and the day after {a.he} had forgotten it.",
    "It lay in the grass, and it rained on it. {b} came to the fence and coughed. \"It is about {o},\" said {b}. \"Of course,\" said {a}, \"I was just coming.\" {a.he} looked for it, and could not find it, and said, \"Next week.\"",
    "In truth {c.a} had it, who had taken it from the grass, to use it only until tomorrow. And from {c} it had gone to the mill, and from the mill to the inn.",
    "Then the {season} work began. {b} could not do {b.his} own without {o}. {b} said nothing. {b} did with {b.his} hands what {b.he} had always done with {o}, and it took {b.him} three times as long.",
    { any = {
      { "{night} a storm tore a hole in {a.s} roof. {a} ran to borrow a ladder. \"I lent it to somebody,\" said the first neighbour, \"and it has not come back.\" \"I do not lend any more,\" said the second. {a} stood in the rain. {think a}",
        "Only {b} came, with bare hands and no ladder, and held up the beam all night. {morning} {ashamed a}" },
      { "{a} saw it from {a.his} window, day after day: the lamp that burned late, the bent back, the bandaged hand. Nobody said a word to {a.him}. That was the worst of it. {ashamed a}" },
    } },
    "{a} set out. {a.he} went to {c}, to the mill, to the inn, to {number} houses and two barns. {at_last} {a.he} found {o}, rusty and with a split handle. {a.he} carved a new handle, and rubbed off the rust, and oiled it until it was better than before. {sorry a} {forgive b}",
    { maybe = "{moral_frame} when somebody said, \"Only until tomorrow,\" {a} smiled and tied a red string round their thumb." },
  },
  moral = { "what is lent should come home before it is missed", "borrowing is easy and bringing back is an art", "a good neighbour is worth more than a full shed" },
}

plot {
  name = "the well",
  titles = { "the dry well", "who dug the well", "the water under the square" },
  cast = { a = { "child", trait = "stubborn" }, b = { "rich", trait = "greedy" }, c = "adult", d = "elder" },
  settings = { "village", "plain", "island", "town", "moor" },
  seasons = { "summer" },
  beats = {
    "The well was dry. They let down the bucket, and it came up with dust and a surprised frog. Only {b.a} still had water, in a cellar with an iron door, and sold it by the cup. First a cup cost a penny, then {number}, then a hen.",
    "\"There is water under the square,\" said {d.a}. \"When I was young, {flower} grew there in the driest year.\" \"Then we should dig,\" said {a}. \"[It is too hot|The ground is like iron|Let the others begin],\" said the people, and lay down in the shade.",
    "So {a} took a spade and began alone. The first day the hole was as deep as a hat. \"You will be a hundred years old,\" said {c.a}. \"Then I shall be thirsty for a hundred years, or I shall not,\" said {a}, and dug on.",
    "The second day it was as deep as a chair. {c} could not bear to look at it any longer. \"You hold it wrong,\" said {c}, and took the spade, and forgot to give it back. The third day there were {number} of them, and on the fourth somebody brought a rope, and somebody else {drink}, the last there was.",
    "{b} stood beside them and laughed. \"Dig, dig,\" said {b}. \"It will make you thirsty.\"",
    { any = {
      "On the tenth day the spade struck rock. They leaned on their shovels and nobody spoke. {d} came and laid an ear to the stone, and smiled. \"Hush,\" said {d}. They all held their breath, and heard it: a small cold laugh, deep down. They brought iron bars, and when the stone broke, the water jumped up as high as the roofs.",
      "On the tenth day the earth was damp. On the eleventh {a} stood in mud up to the {body}, and on the twelfth {a.he} was pulled up by the rope in a great hurry, because {a.he} could not swim.",
    } },
    { any = {
      "They danced round it until it was dark. Only {b} sat in the cellar, beside {number} barrels that nobody wanted. After a while there was a knock. It was {a} with a full cup. \"It is free,\" said {a}. \"And it is colder than yours.\"",
      "{b} came with two buckets. \"What does it cost?\" asked {b} in a small voice. They looked at one another. \"An hour of digging,\" said {a}. \"There is still the wall to build.\" And {b} took off {b.his} fine coat.",
    } },
  },
  moral = { "many hands find water", "someone must dig the first spadeful", "what belongs to all tastes best" },
}

plot {
  name = "the empty chair",
  titles = { "the empty chair", "the supper of {a.title}", "a place at the table" },
  cast = { a = "elder", b = "child", c = "wanderer", d = "pet" },
  seasons = { "winter", "autumn" },
  beats = {
    "{a} lived alone. Every evening {a.he} set the table for two, {food} here and {food} there, and nobody came. \"For whom is the second plate?\" people asked. \"I do not know yet,\" said {a}.",
    "People tapped their foreheads. {b.a}, who lived across the way, could see the lighted window from {b.his} bed. {b.he} saw the two plates, and how one was always full when it was carried back.",
    "{one_day} {c.a} came through the snow and went from house to house. \"We have no room,\" they said, \"we have no bread, we have a baby.\" {b} heard it. {b.he} slipped out without {b.his} shoes and pulled the stranger by the sleeve. \"There,\" said {b}, and pointed at the window.",
    "{hello a} There was the chair, and there was the plate, and it was still warm. {c} ate and did not speak. Then {c.he} saw a picture on the wall, [a young man in a sailor's cap|two children on a sledge|a boat with a patched sail], and put down the spoon.",
    { any = {
      "\"I knew him,\" said {c}. \"We sailed together. He gave me this, and said that if I ever came to a house with two plates, I should leave it there.\" On the table lay [a button|a letter|half a coin]. {a} took it and held it to {a.his} cheek.",
      "\"That is my mother's boat,\" said {c}, \"and this is the room that she told us of.\" They looked at each other, and saw that they had the same nose.",
      "\"I have no one,\" said {c}. \"Neither have I,\" said {a}, \"but I have two plates.\" They both laughed a little. Outside it snowed and snowed, so that nobody could think of leaving, not tomorrow and not next week.",
    } },
    "The next evening there were three plates on the table. \"Who is the third for?\" asked {c}. \"We do not know yet,\" said {a}. There was a scratching at the door, and {d.a} came in, and behind {d.him}, with wet feet, {b}.",
  },
  moral = { "there is always room for one more plate", "whoever waits with an open door does not wait in vain", "a chair is empty only until someone knocks" },
}

return plots
