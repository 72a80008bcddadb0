-- SPDX-License-Identifier: Apache-2.0
--- Plots of help given and returned.
local plots = {}
local function plot(p)
  plots[#plots + 1] = p
end

plot {
  name = "lost and found",
  titles = { "the lost {o.noun}", "{a.title} and {b.title}", "what {b.title} found" },
  cast = { a = "child", b = "small_animal", c = { "grandmother", of = "a" } },
  things = { o = "treasure" },
  beats = {
    { any = {
      "{c} had given {a.him} {o.a}, and {a} carried it everywhere.",
      "The dearest thing that {a} had was {o.a}. It had belonged to {c}.",
      "On {a.his} birthday {a} was given {o.a}. \"{^o.he} is older than I am,\" said {c}. \"Take good care of it.\"",
    } },
    "{one_day} {a} found {b.a} [caught in a thorn bush|lying on its back in a ditch|in a bucket and unable to get out|under a fallen branch]. {a} [set {b.him} free|lifted {b.him} out|carried {b.him} to a dry place] and gave {b.him} a crumb of bread.",
    { any = { "{thanks b a}", "{b} looked at {a.him} with bright black eyes, and was gone." } },
    "{later} {a} came home and put a hand into {a.his} pocket. The pocket was empty. There was a hole in it, and the {o.noun} was gone.",
    { any = {
      "{a} looked [under the bed|in the hay|along the path|behind the well]. {a.he} looked [in the soup pot|among the {flower}|in the hen house|under every stone]. {o} was nowhere.",
      "{a} turned back and searched the path, step by step, until it was too dark to see. {cry a}",
      "\"[Where did you sit down|When did you see it last|Where have you been today]?\" asked {c}. But {a} had been everywhere that day.",
    } },
    "{cry a} Then a small voice said, \"[Why do you cry|What is it you are looking for|You are sitting on my door]?\" It was {b}.",
    "\"I have lost {o.full},\" said {a}, and told {b.him} everything.",
    { any = {
      { "\"You are too big to find small things,\" said {b}. \"I am just the right size.\" And {b.he} [slipped under the roots|crept through the grass|hurried along the ditch].",
        "{at_last} {b} came back, [pulling|pushing|dragging] {o} [along behind {b.him}|through the dust|inch by inch]. It had rolled [into a crack in the wall|under the church step|down a rabbit hole]." },
      { "\"Shiny things?\" said {b}. \"Then I know who has it. A magpie has been laughing in the {treename} all day.\"",
        "{b} waited until the magpie flew off, and climbed into the nest. Among {number} buttons and a spoon lay {o}." },
      { "{b} called all {b.his} brothers and sisters. There were {many} of them, and each searched a piece of the field no bigger than a plate.",
        "The youngest found {o}, [behind a clod of earth|beside a mushroom|in a footprint full of water]." },
    } },
    "{a} {any_glad}. \"You helped me when I was [stuck|small|in trouble],\" said {b}. \"[Did you think I would forget|One turn deserves another|Now we are even]?\"",
    "That night {c} sewed up the hole in the pocket, with [double|red|strong] thread.",
  },
  moral = { "a kindness is never too small to come back", "nobody is so little that he cannot help",
    "what you give away without thinking is never lost" },
}

plot {
  name = "the stranger at the door",
  titles = { "the stranger at the door", "{a.title} and the stranger", "half a {o.noun}" },
  cast = { a = { "adult", trait = "kind" }, b = { "adult", trait = "greedy" }, c = "wanderer" },
  things = { o = "bread", p = "magic" },
  seasons = { "autumn", "winter" },
  beats = {
    "{a} was poor. Next door, in a house with glass in every window, lived {b.a}. {trait.by b}",
    "{one_day} there was a knock at the rich door. Outside stood {c.a}. \"[Could you spare a bite of food|May I warm my hands at your fire|I have walked since yesterday and have eaten nothing]?\"",
    { any = {
      "\"If I fed every beggar,\" said {b}, \"I should soon be one.\" And {b.he} shut the door.",
      "{b} looked at the muddy shoes and said, \"My floor is clean. Try next door.\"",
      "\"The table is full,\" said {b}, though {b.he} sat at it alone.",
    } },
    "So {c} knocked at the other door. {a} had only {o.a} left, and that was for two days. But {a.he} broke it in the middle. \"[Half is enough for me|Eat slowly, and it lasts longer|I was not very hungry anyway],\" {a.he} said, which was not true.",
    "{c} ate, and slept by the fire. {morning} {c.he} said, \"I have no money. Take {p.an} instead. It looks like nothing, but [it fills the cupboard of those who share|whoever owns it will never lack bread, so long as there are two at the table|it gives back whatever you give away].\"",
    "{a} thought it was a joke. But {evening.low} there was {food} on the table, and {drink}, and {a} called in the children of the neighbours, and it was enough for all.",
    { any = {
      { "{b} heard of it and grew pale. {b.he} ran after the stranger, [down the hill|over the bridge|through the rain], crying, \"Come back! I have soup, I have meat, I have a feather bed!\"",
        "{c} came back, and ate, and slept until noon. Then {c.he} gave {b} {p.another}. \"It works just like the other,\" said {c}.",
        "{b} locked the door, drew the curtains and waited alone at the table. Nothing came. What {b.he} had given away was nothing, and nothing was what came back." },
      { "{b} heard of it, and {night.low} {b.he} climbed through the window and took {p}.",
        "{b} locked all the doors and wished for gold. But the more {b.he} wished, the emptier {b.his} cupboard grew. {morning} there was not a crumb left in the house.",
        "Then {b} came to {a.s} door with {b.his} hat in {b.his} hands. {sorry b}",
        "{forgive a} And because there were two at the table, there was plenty." },
    } },
  },
  moral = { "a shared crust fills better than a hidden cake", "who shuts the door shuts himself in",
    "those who give with open hands receive with open hands" },
}

plot {
  name = "the trap",
  titles = { "{a.title} and {b.title}", "how {b.title} repaid a debt", "the {o.noun}" },
  cast = { a = "big_animal", b = "small_animal" },
  things = { o = "trap" },
  beats = {
    "{one_day} {b.a} ran over the paw of {a} while {a.he} slept. {a} woke and [caught {b.him} by the tail|put a heavy foot on {b.him}|opened {a.his} great mouth].",
    { any = {
      "\"Let me go,\" [squeaked|begged|cried] {b}. \"I am hardly a mouthful. One day I may be of use to you.\"",
      "\"Please,\" said {b}, \"I have {number} children at home, and they cannot yet [fly|dig|count]. Spare me, and I will help you when you are in need.\"",
    } },
    "{a} had never heard anything so funny. \"[You, help me|You are no bigger than my nose|What could you do, tickle my enemies]?\" But {a.he} was in a good temper, and let {b.him} go.",
    "{later} {a} went down to drink, and [stepped into|ran into|fell into] {o.a}. The more {a.he} struggled, the tighter {a.he} was held. {a.his} [roaring|bellowing|groaning] could be heard all over the {place.noun}.",
    { any = {
      "The [crows|magpies] came and laughed. \"So strong, and so stuck!\" they cried, and flew off to tell the others.",
      "{a} called to {a.his} strong cousins, but they were afraid of the hunter and did not come.",
      "The hunter was still far away, but {a} could already smell the dogs.",
    } },
    "But {b} had heard it too. {b.he} came as fast as {b.his} short legs would carry {b.him}. \"Hold still,\" said {b}. \"You did not eat me. I have not forgotten.\"",
    { any = {
      "{b} [gnawed|scraped|pulled|picked] at the weakest place, a little here and a little there, while the sun climbed. {at_last} something snapped.",
      "{b} called {b.his} cousins. {many} of them came, and each took one small bite or dug one small handful. Before the sun set there was a way out.",
      "\"Push where I show you,\" said {b}, who was small enough to see how the thing was made. {a} pushed, and it opened.",
    } },
    "{a} was free. {a.he} shook {a.himself} and looked down at {b} for a long time. \"I laughed at you,\" {a.he} said. \"I shall not laugh again.\"",
    { maybe = "\"Oh, laugh as much as you like,\" said {b}. \"But look where you put your feet.\"" },
  },
  moral = { "the strong need the weak more often than they know", "do not measure a friend with a ruler",
    "mercy is never wasted", "small teeth can cut thick ropes" },
}

plot {
  name = "the herb on the mountain",
  titles = { "the {o.noun} on the mountain", "{a.title} who went for help", "the {o.noun}" },
  cast = { a = "child", b = "elder", c = "middle_animal", d = { "mother", of = "a" } },
  things = { o = "herb" },
  beats = {
    "{one_day} {d} fell ill. She lay [pale and hot|shivering under three blankets|without a word] and could not eat, not even {food}.",
    "{a} ran to {b.a}, who knew about such things. {b} [shook {b.his} head|looked into a big book|was silent for a while]. \"Only {o.an} can help her,\" said {b}. \"It grows [above the last trees|beside the black lake|behind the waterfall|on the far side of the marsh]. But [the way is long|nobody has gone there for years|you must be back before the new moon].\"",
    "\"Then I must start now,\" said {a}, and took [a piece of bread|a stick and a blanket|a crust and a candle].",
    "{walk a} {walk a}",
    { any = {
      { set = "fed", "Beside the path sat {c.a}, too [weak|thin|hungry] to lift {c.his} head. {a} had only one piece of bread. {a.he} broke it and gave {c.him} the bigger half.",
        "\"You are in a hurry,\" said {c}, \"and yet you stopped. Remember me.\"" },
      { "{a} came to a rushing stream. On a stone in the middle sat {c.a}, and the water was rising. {a} waded in up to {a.his} {body} and carried {c.him} ashore.",
        "\"You were on your way somewhere,\" said {c}, \"and yet you stopped. I will remember it.\"" },
    } },
    "{evening} {a} came to the place. {o} {o.was} there, but [it grew on a ledge that nobody could reach|there were a hundred plants that looked just like it|a thick fog came down and hid everything].",
    { any = {
      "{afraid a} Then there was a rustle, and {c} stood beside {a.him}. \"Hold on to me,\" said {c}. \"I know this place with my eyes shut.\" And {c} led {a.him} to the spot, step by step.",
      "\"Wait,\" said a voice. It was {c}. {c.he} sniffed here and there, and stopped. \"This is the one. Dig gently.\"",
      "{a} called, and the echo called back. But somebody else had heard it. {c} came [out of the dark|running|with burrs in {c.his} coat], went up where {a} could not go, and came down again with {o} between {c.his} teeth.",
    } },
    "{thanks a c} Then {a} turned round and ran, all through the night.",
    "{b} [boiled {o.him} in water|crushed {o.him} in a mortar|made a tea of {o.him}], and {d} drank it. {morning} her eyes were clear. \"I dreamed of a mountain,\" she said. \"And I am hungry.\"",
    { maybe = "{a} laughed and cried at once, and made her {food}." },
  },
  moral = { "whoever stops to help arrives in time after all", "the longest road is walked for those we love",
    "the help you give on the way waits for you further on" },
}

plot {
  name = "the broken wing",
  titles = { "the {b.noun} with the broken wing", "{a.title} and the {b.noun}", "until spring" },
  cast = { a = "child", b = "bird", c = { "father", of = "a" } },
  seasons = { "autumn", "winter" },
  beats = {
    "{one_day} {a} found {b.a} [in the wet leaves|under a window|beside the frozen pond]. One wing hung down. The others had flown south without {b.him}.",
    "\"It will not live,\" said {c}. \"[Leave it to the cat|Nature is like that|There is nothing we can do].\" But {a} [carried it home under {a.his} coat|made a bed of wool in a hat|would not hear of it].",
    "{a} bound the wing with [a strip of {a.his} own shirt|a thread and two matches|a piece of ribbon]. Every day {a.he} gave the bird [crumbs soaked in milk|spiders from the cellar|seeds out of the barn], and every night {a.he} put {b.him} near the stove.",
    { any = {
      "At first {b} bit every finger that came near. Then one morning {b.he} took a crumb from {a.s} hand.",
      "For {number} days {b} did not make a sound. Then, {evening.low}, {b.he} sang three notes.",
      "{b} learned to sit on {a.s} shoulder, and scolded when {a.he} was late.",
    } },
    "When the snow melted, the wing was whole. {b} hopped along the window sill and looked out at the sky. \"It wants to go,\" said {c}. \"[And you want it to stay|You could keep it in a cage|It is yours, you saved it].\"",
    "{a} did not answer. {a.he} lay awake all night. {morning} {a.he} opened the window wide. {b} flew [once round the chimney|over the {treename}|straight into the sun], and was gone.",
    "The house was very quiet that summer.",
    { any = {
      "But in the following spring something tapped at the glass. It was {b}, and {b.he} had not come alone. They built their nest above the door, and there were {number} eggs in it.",
      "But {b} came back every evening, to sing on the fence, until the leaves fell. And the next year too.",
      { "In autumn a great storm came, and {a}, who was out on the {place.noun} path, lost the way in the dark. {afraid a}",
        "Then {a.he} heard three notes, and again three notes. {a} followed them, and they led {a.him} to the door. On the roof sat {b}, wet to the skin." },
    } },
    "{c} put an arm round {a}. \"You opened your hand,\" {c} said, \"and look, it was not empty.\"",
  },
  moral = { "what we love we must be able to let go", "an open window keeps more than a locked cage",
    "a friend who is free to leave comes back" },
}

plot {
  name = "winter stores",
  titles = { "the winter stores", "{a.title}, {b.title} and the snow", "{b.title} who saved nothing" },
  cast = { a = { "small_animal", trait = "patient" }, b = { "bird", trait = "merry" } },
  things = { o = "hoard" },
  seasons = { "autumn" },
  beats = {
    "All autumn {a} carried home {o.a}, one by one, and stacked them in neat rows. {tired a}",
    "In the tree above sat {b.a}, who sang from morning to night. \"Come and [listen|dance|sing] with me,\" called {b}. \"[The sun is shining|There is so much, and winter is so far|You will wear out your feet]!\"",
    "\"I have no time,\" said {a}. \"[Snow does not ask whether you are ready.|Have you nothing put away?|One cannot eat a song.]\"",
    "Then the cold came. {b} looked for [berries|seeds|beetles], and found ice. {b.he} looked in {b.his} hollow tree, and found a draught. {evening} {b.he} knocked at {a.s} door.",
    { any = {
      { "\"I sang all summer,\" said {b}, \"and now I am hungry. You may laugh at me.\"",
        "But {a} did not laugh. \"When I carried the hundredth load,\" said {a}, \"I wanted to give up. Then you sang, and I forgot how heavy it was. Half of this is yours. You worked for it, in your way.\"",
        "So they shared {o}. All winter long it was [warm|merry] in the little house, and on the darkest day {b} sang until the frost on the window melted." },
      { "{a} opened the door a little. \"You told me that winter was far,\" {a} said.",
        "\"I was wrong,\" said {b}. {ashamed b}",
        "{a} thought of the long dark months, and of how quiet they always were. \"Come in,\" {a.he} said. \"You may eat with me, but next year you will carry, and I will sing.\"",
        "And so it was. {a} sang so badly that all the others put their heads out of their holes, and {b} carried until {b.his} wings ached; and both of them had learned something." },
      { "{a} was not at home. In the night a stone had fallen, and {a} lay [under it|behind it|shut in] and could not get out. \"Go away,\" {a.he} called. \"I cannot help you.\"",
        "\"But I can help you,\" said {b}. {b.he} flew through the snow to everyone {b.he} knew, and sang at each window until they woke. {number} of them came, and together they rolled the stone away.",
        "{thanks a b} And that winter {a} shared {o} with {b}, for what good is a full house to one who is shut in?" },
    } },
  },
  moral = { "bread feeds the body, and a song feeds the rest", "every work has its own worth",
    "those who gather and those who sing need each other" },
}

plot {
  name = "the enemy's pain",
  titles = { "the {b.noun}'s sore tooth", "{a.title} and the sick {b.noun}", "{a.title} in the {b.noun}'s den" },
  cast = { a = "small_animal", b = "hunter", c = "middle_animal" },
  beats = {
    "Everyone feared {b.a} who lived [under the black rock|beyond the stream|in the hollow {treename}]. {number} of {a.s} cousins had gone that way and had not come back.",
    "{one_day} a terrible [howl|groan|cry] was heard. It went on all day and all night. \"{^b} is angry,\" said {c.a}, and hid. \"{^b} is hungry,\" said others, and ran. Only {a} listened carefully. \"That is not anger,\" said {a}. \"That is pain.\"",
    "\"Are you mad?\" cried {c}. \"[If it hurts, so much the better|Let it howl|Nobody who goes in there comes out].\" But {a} went.",
    "{walk a} {afraid a} There lay {b}, with {b.his} head between {b.his} feet. [A thorn|A splinter of bone|A fish hook|A rusty nail] stuck deep in [{b.his} paw|{b.his} side|{b.his} jaw].",
    "\"Come closer,\" growled {b}, \"and I will eat you.\" \"If you eat me,\" said {a}, \"it will hurt you just as much tomorrow. If you keep still, I can take it out. I am small enough to see it well.\"",
    "{b} looked at {a.him} for a long time. Then {b.he} shut {b.his} eyes and kept still.",
    "{a} [pulled|bit|tugged|dug], and {b} shook all over. {at_last} it was out. {a} washed the wound with [spring water|chewed leaves|cold moss].",
    { any = {
      "\"Why did you do it?\" asked {b}. \"Because you cried,\" said {a}. \"I did not know that you could.\"",
      "\"I have eaten your cousins,\" said {b} slowly. \"I know,\" said {a}. \"I have not forgotten. But I should have heard you howl for the rest of my life.\"",
      "\"What do you want for it?\" asked {b}. \"Only this,\" said {a}. \"Remember how it was to be small and to be afraid.\"",
    } },
    { any = {
      "Nobody knows what {b} thought. But from that day {b.he} hunted on the other side of the hills, and {a} could walk wherever {a.he} liked.",
      "{later} {c} was chased by a pack of dogs, and ran the wrong way, right into the den. {b} got up, slowly, and stood in front of the door, and the dogs turned round. \"Tell {a},\" said {b}, \"that we are even.\"",
      "When the great flood came in {season}, it was {b} who swam through the water with {a} and {number} others sitting between {b.his} ears.",
    } },
  },
  moral = { "even a terrible voice may be asking for help", "pity is the beginning of peace",
    "it takes more courage to heal an enemy than to fight one" },
}

plot {
  name = "the letter",
  titles = { "the {o.noun}", "{a.title} who was late", "{a.title} and the {o.noun}" },
  cast = { a = { "child", trait = "kind" }, b = "rich", c = "elder", d = "adult", e = "farm_animal" },
  things = { o = "letter" },
  beats = {
    "{one_day} {b.a} called {a} and gave {a.him} {o.a}. \"Carry this [over the pass|to the other end of the valley|to the governor's house] before [sunset|the gates are shut|the bell strikes six],\" said {b}, \"and I will pay you [a silver piece|{number} pennies]. Come late, and you get nothing.\"",
    "{promise a} {walk a}",
    "Not far along the way {c.a} sat beside a broken cart. The {e.noun} had {number} bags to carry and would not move. {a} looked at the sun. Then {a.he} [pushed|tied up the wheel|carried the bags, two at a time], until the cart could go again. {thanks c a}",
    "{a} ran to make up for it. But at the ford {a.he} heard somebody crying. {d.a} had lost [a purse|a shoe|a basket of eggs|a little child] in the reeds. {a} looked at the sun once more, and it was low. {a.he} waded in and searched until it was found. {welcome a}",
    "When {a} came to the gate, it was shut. \"Too late,\" said the guard, \"[nobody comes in until tomorrow|rules are rules|go home].\" {cry a}",
    { any = {
      { "Then a cart came rattling up, and on it sat {c}. \"Open!\" cried {c}. \"The {e.noun} is hungry, and this child is with me.\" The guard saluted, for {c} was [the governor's own {c.brother}|the oldest friend of the house|known to everybody].",
        "So {o} was delivered after all, and {a} rode home on the cart and was paid twice." },
      { "\"Is that not the child who helped me?\" said a voice. It was {d}, who [was married to the guard|sold milk in the castle|had a key to the little side door]. In a moment {a} was inside, and the bell began to strike just as {a.he} laid {o} on the table." },
      { "{morning} {a} gave {o} to the governor and waited for a scolding. But the governor read it and turned pale. \"{b} asks me to [drive {c} from the old cottage|close the ford to poor people|throw the widow out]. If it had come last night, I should have signed it without reading. Today I had time to think.\" And the governor tore it in two.",
        "{a} was not paid. But {c} and {d} [gave {a.him} a place at their tables for as long as {a.he} liked|never let {a.him} pass the door without a bun in {a.his} hand]." },
    } },
  },
  moral = { "it is not lost time if it was given to somebody", "the quickest way is not always the shortest",
    "some things are better late" },
}

plot {
  name = "the new neighbour",
  titles = { "the new neighbour", "the {b.noun} at the end of the lane", "what they said about {b.title}" },
  cast = { a = { "child", trait = "curious" }, b = "elder", c = "adult" },
  things = { o = "dish" },
  beats = {
    "At the end of the lane {b.a} had moved into the empty house. Nobody knew where {b.he} came from, and so everybody knew a different story.",
    "\"{^b.he} [keeps bats in the cellar|never sleeps|eats hedgehogs|talks to the chimney],\" said {c.a}. \"At night there is a green light,\" said somebody else. \"[Somebody ought to do something|Keep the children indoors|I have hung up garlic],\" they all said.",
    "{a} listened, and wondered. {one_day} {a.his} ball flew over the wall. [The others ran away|Nobody dared to fetch it|It was a new ball, and red].",
    "{a} climbed over. {afraid a} The garden was full of {flower} and {flower}. In the middle sat {b}, with the ball in {b.his} lap.",
    { any = {
      "\"I was wondering when somebody would come,\" said {b}. \"I baked {o.a} every Sunday, and every Sunday I gave it to the birds.\"",
      "\"Is this yours?\" asked {b}. \"I had one like it once. Sit down. I am mending a clock, and I need small fingers.\"",
      "{hello b}",
    } },
    "\"Do you eat hedgehogs?\" asked {a}. {laugh b} \"I feed them,\" {b.he} said. \"And the green light is an old bottle in which I put a candle, because the dark here is so very dark when one is alone.\"",
    "{a} stayed until the evening. {b} had [sailed round the world|been in a circus|built a bridge in a hot country|taught a king to swim], and told it so well that {a} forgot to go home.",
    "When {a} was missed, the whole lane came with [lanterns and sticks|pitchforks|a big dog]. They found {a} and {b} at the table, with crumbs on their chins. \"Hush,\" said {a}, \"we are just coming to the crocodile.\"",
    "{c} {any_shame}. \"I brought [a pitchfork|a stick],\" said {c}, \"but next time I will bring {o.an}.\" \"Bring both,\" said {b}, \"the garden needs digging.\"",
    { maybe = "Now there is a green light in every window of the lane, because it looks so friendly." },
  },
  moral = { "knock before you believe", "a rumour is a story that nobody has visited", "many a monster is only lonely" },
}

plot {
  name = "borrowed warmth",
  titles = { "the {o.noun} that went round", "one {o.noun} for all", "{a.title} and the {o.noun}" },
  cast = { a = { "adult", trait = "kind" }, b = "child", c = "elder", d = "pet" },
  things = { o = "clothes" },
  seasons = { "winter", "autumn" },
  beats = {
    "It was colder than it had ever been, but {a} was not afraid of it. All {season} {a.he} had saved, and now {a.he} had {o.a}, [bought at the fair|made to measure|thick and new].",
    "On the very first day {a} met {b.a}, who was blue with cold. \"Take {o.him},\" said {a}, \"only until you are warm.\" {thanks b a}",
    "{b} ran home and soon was warm. But in the doorway sat {c.a}, who coughed. \"I have run about,\" said {b}, \"and you cannot. Take {o.him}, only until you are well.\"",
    "{c} was well in {number} days. Then {c} found {d.a} in the snow, half frozen, and wrapped {d.him} up in {o}, and carried {d.him} to the nearest house.",
    { any = {
      "The nearest house was {a.s}. {a} lay in bed with a fever, for {a.he} had caught cold on that first day. {d} crept under the blanket, {o} and all, and lay across {a.his} feet like a hot stone. {morning} {a} opened {a.his} eyes and saw {o}. \"Have you come back to me,\" {a.he} said, \"and brought me a friend?\"",
      "The nearest house was {a.s}. \"I believe I know this,\" said {a}, and laughed, and made soup for {c} and a bed for {d}. Then {b} came too, to ask for {o} and to bring it back, and so they were four.",
    } },
    "They never found out to whom {o} really belonged. It hung on a nail by the door, and whoever was coldest took it.",
  },
  moral = { "warmth grows when it is passed on", "what goes round a village comes home again",
    "you cannot give away what truly warms you" },
}

plot {
  name = "the lost child",
  titles = { "the child in the forest", "how {a.title} was brought home", "lost in the fog" },
  cast = { a = "child", b = "big_animal", c = "small_animal", d = "bird", e = { "mother", of = "a" } },
  settings = { "forest", "moor", "mountain" },
  beats = {
    "\"Do not leave the path,\" {e} had said. But {one_day.low} {a} saw [a white butterfly|a ring of mushrooms|a bush full of blackberries|a fawn], and took one step, and another, and then a hundred. When {a.he} turned round, there was no path.",
    "{a} called, but only the echo answered. {weather} {cry a}",
    "{d.a} heard it and came down from {d.his} branch. \"Why, it has no feathers,\" said {d}. \"It must be cold.\" And {d.he} flew off to fetch the others.",
    "{c.a} came first. \"It has no hole to live in,\" said {c}, and dug one, soft and dry, under the roots of a {treename}. Then came {b.a}, so big that the ground shook. {afraid a}",
    { any = {
      "But {b} only sniffed at {a.his} hair. \"It smells of bread,\" said {b}. \"I know where that smell lives.\"",
      "\"I had a little one once,\" said {b}, and lay down in front of the hole, to keep out the wind. All night {a} slept against that warm side.",
      "\"Do not be afraid,\" said {d}. \"{^b.he} eats only [grass|berries|honey].\" \"Mostly,\" said {b}.",
    } },
    "{morning} they set out. {d} flew ahead to see the way, {c} ran in front to find the dry places, and {a} rode on {b.s} back. {walk b}",
    "At the last trees they stopped. There was smoke, and somebody was calling {a.s} name in a voice that was almost gone. \"Further than this we cannot go,\" said {b}. \"[There are dogs|They would shoot|It is your world now].\"",
    "{e} [hugged {a} until {a.he} could hardly breathe|scolded and kissed {a} in one breath|could not let go of {a.s} hand]. \"Who brought you home?\" {e} asked. But when {a} pointed, there was nobody, only [a feather|three footprints in the dew|a branch that still moved].",
    { maybe = "Every {season} {a} puts a loaf on a stump at the edge of the trees. In the morning it is always gone." },
  },
  moral = { "there are more friends in the dark than we can see", "stay on the path, but if you cannot, call loudly",
    "those who have no words can be kind too" },
}

return plots
