-- SPDX-License-Identifier: Apache-2.0
--- Rules that every plot may use: openings, weather, the road, talk, feelings, closings.
-- A rule is a list of templates (lua/vise/corpus/template.lua). A rule NAME_SETTING or NAME_SEASON
-- adds alternatives to NAME in tales of that setting or season; {x} and {y} are the roles it is told with.
local R = {}

R.open = {
  "[Once|Long ago|Many years ago|In the time of our grandmothers], {land}, there lived {a.a}. {trait.by a}",
  "[Once|Long ago|One year], {land}, there lived {a.a}. {season_line}",
  "{land} there [once|] lived {a.a}. {trait.by a} {season_line}",
  "{a.a} lived {land}. {trait.by a}",
  "{season_line} {land}, {a.a} [was busy with {chore}|was awake before the birds|sat by the door and watched the clouds|could not stop yawning].",
  "This happened {land}, in [the year of the great storm|the year of the late {season}|a year that nobody remembers any more|the days before there were railways]. {a.a} lived there then. {trait.by a}",
  "There was once {a.a} who lived {land}. {trait.by a}",
  "Everybody {land} knew {a.a}. {trait.by a}",
  "[They still tell this story|The old people tell this story] {land}. It is about {a.a}. {trait.by a}",
  "{season_line} That was when {a.a}, who lived {land}, [woke from a strange dream|had a birthday|was told to be good|ran out of flour|began to count the days].",
  "If you had walked {land} in those days, you would have met {a.a}. {trait.by a} {season_line}",
  "{weather} {land}, {a.a} looked out and [sighed|smiled|shivered|sneezed|hummed]. {trait.by a}",
}

R.land_village = { "in a village between two hills", "in a village with one street and forty chimneys",
  "in a village where the road ends", "in a quiet village of thatched roofs",
  "in a village behind the orchards", "in a small village with a crooked church" }
R.land_coast = { "in a fishing village on the windy coast", "by the sea, under the white cliffs",
  "in a harbour town full of gulls", "where the dunes run down to the sea",
  "in a hut of driftwood beside the bay", "on a rocky shore, far from any town" }
R.land_forest = { "at the edge of a great forest", "deep in the forest, where the ferns stand as high as a man",
  "in a clearing among old oaks", "in the green heart of the wood", "where the pine forest meets the lake",
  "among the beeches, a day's walk from the nearest town" }
R.land_mountain = { "high in the mountains", "in a stone village under the snow peaks",
  "in a narrow valley where the sun comes late", "on a mountain pasture above the clouds",
  "at the foot of a mountain shaped like a hat", "beside a pass that is closed half the year" }
R.land_town = { "in a town with seven bridges", "in a walled town with a noisy market",
  "in the narrow lanes behind the market square", "in an old town of red roofs and bells",
  "in a town famous for its clocks", "in a tall thin house beside the town gate" }
R.land_river = { "on the bank of a slow brown river", "beside the river, where the ferry crosses",
  "in a mill village on the river", "among the reeds and islands of a wide river",
  "where two rivers meet", "in a house on stilts above the water" }
R.land_island = { "on a small green island", "on an island that smelled of heather and salt",
  "on an island with one hill and one well", "on the smallest of nine islands",
  "on an island where ships seldom called" }
R.land_moor = { "on the wide moor", "in a lonely house on the moor", "where the moor meets the marsh",
  "on the moor, among stones that nobody has ever moved", "at the edge of a brown, whispering moor" }
R.land_plain = { "on the open plain", "where the wheat reaches from one edge of the sky to the other",
  "in a farm on the flat land", "on the plain, where you can see a visitor an hour before he comes",
  "among the sunflower fields" }

R.season_line_spring = { "The snow had melted and the ditches sang.", "It was spring, and {flower} stood in the grass.",
  "It was the first warm week of spring.", "Lambs were born that week, and the {treename} was in leaf.",
  "The swallows had come back.", "It was April, when rain and sun take turns.",
  "Everything that had slept was waking." }
R.season_line_summer = { "It was the middle of summer.", "It was so hot that the dogs lay in the ditches.",
  "The hay was cut and the evenings were long.", "It was July, and the air hummed with bees.",
  "That summer it had not rained for {number} weeks.", "{^flower} nodded along every path.",
  "The cherries were ripe and the days had no end." }
R.season_line_autumn = { "It was autumn, and smoke hung over the fields.", "The leaves of the {treename} had turned yellow.",
  "It was October, and the nuts were falling.", "The last apples were in the lofts.",
  "The nights were growing cold, and the cranes flew south.", "Mist lay in the hollows until noon.",
  "The harvest was in, and everybody was tired and content." }
R.season_line_winter = { "It was a hard winter, and the wells had a lid of ice.", "Snow had fallen for {number} days.",
  "It was the darkest week of winter.", "Icicles hung from every roof.",
  "That winter the wolves came down from the hills.", "The frost drew ferns on the windows.",
  "It was January, and the birds were hungry." }

R.weather_spring = { "A soft rain fell.", "The wind smelled of wet earth.", "Clouds ran over the sky like lambs.",
  "After the rain the sun came out, and everything steamed." }
R.weather_summer = { "There was not a cloud in the sky.", "The sun stood high and the dust was warm.",
  "Far away it thundered.", "A hot wind blew from the south.", "The evening was warm, and bats flew." }
R.weather_autumn = { "A cold wind tugged at the last leaves.", "It had rained all night.",
  "Fog stood between the trees.", "The sky was grey and low.", "The wind rattled the shutters." }
R.weather_winter = { "Snow began to fall, slowly at first.", "It was so cold that the snow squeaked.",
  "The wind howled in the chimney.", "The sky was clear and full of stars.", "Frost glittered on every twig." }
R.weather = { "The wind had turned.", "The morning was bright and cold." }

R.morning = { "The next morning", "Early in the morning", "When the sun came up", "At daybreak", "At first light",
  "Before the cock crowed", "When the {birdname} began to sing" }
R.evening = { "That evening", "When the sun went down", "At dusk", "When the lamps were lit", "Towards evening",
  "When the shadows grew long" }
R.night = { "That night", "In the middle of the night", "At midnight", "When everyone was asleep",
  "Long after dark", "When the moon had risen" }
R.later = { "A week later", "Some days later", "Not long after", "Before the month was over", "The following week",
  "{^number} days later", "After a while", "One day" }
R.one_day = { "One day", "One {season} morning", "One afternoon", "One evening", "On market day", "One windy day",
  "On the day before the feast", "On the first day of the {season} fair", "One Sunday" }
R.season_spring = { "spring" } R.season_summer = { "summer" }
R.season_autumn = { "autumn" } R.season_winter = { "winter" }
R.at_last = { "At last", "In the end", "Finally", "After a long time" }
R.soon = { "Soon", "Before long", "In a little while", "It was not long before", "Presently" }
R.suddenly = { "Suddenly", "All at once", "Just then", "At that moment", "Before anyone could speak" }

R.walk = {
  "{x} walked until {x.his} feet were sore.",
  "{x} walked past [the last house|the old quarry|a field of {flower}|the lime kiln|three crows on a gate].",
  "The path went up and down, and {x} sang to keep {x.his} courage.",
  "{x} followed the path between the {flower}.",
  "{x} crossed [two streams and a bog|a bridge with no rail|a meadow full of {flower}|the empty square].",
  "For {number} hours {x} met nobody but a {birdname}.",
  "{x} did not stop to rest, not even under the big {treename}.",
}
R.walk_forest = { "{x} went deeper and deeper into the wood, where the light was green.",
  "Twigs snapped under {x.his} feet, and {x} wished that they would not." }
R.walk_mountain = { "{x} climbed from stone to stone, and the valley grew small behind {x.him}.",
  "The air was thin, and {x} had to stop for breath." }
R.walk_coast = { "{x} went along the tide line, over weed and shells.", "Sand blew into {x.his} eyes all the way." }
R.walk_river = { "{x} kept to the bank, where the reeds whispered.", "{x} followed the river round {number} bends." }
R.walk_town = { "{x} ran through lanes so narrow that the roofs almost touched.",
  "{x} pushed through the crowd, past stalls of {goods} and {goods}." }
R.walk_winter = { "The snow reached to {x.his} knees.", "{x} left a long blue line of footprints behind." }
R.walk_summer = { "The dust was hot, and {x} thought of nothing but {drink}." }
R.walk_autumn = { "Wet leaves stuck to {x.his} heels." }
R.walk_island = { "It was not far, for nothing on the island was far, but the wind pushed {x} back at every step." }
R.walk_moor = { "{x} stepped from tussock to tussock, and the bog sucked at {x.his} feet.",
  "There was no path, only stones and sky." }
R.walk_plain = { "The road ran straight ahead and never seemed to grow shorter." }
R.walk_village = { "{x} went down the street, past the well and the smithy." }
R.walk_spring = { "{x} jumped over puddles that held pieces of the sky." }

R.trait_brave = { "{^x.he} was afraid of hardly anything, and of what {x.he} feared {x.he} did not speak.",
  "{^x.he} was always the first to [cross the ice|climb the wall|go into the dark barn|pat a strange dog].",
  "{^x.he} was brave, though nobody had yet had reason to notice it.",
  "When others ran away from a noise, {x.he} went to see what it was." }
R.trait_proud = { "{^x.he} was proud, and held {x.his} head so high that {x.he} often stumbled.",
  "{^x.he} thought that nobody could do anything as well as {x.himself}.",
  "{^x.he} never said thank you, because {x.he} thought that everything was owed to {x.him}.",
  "{^x.he} liked to look at {x.his} face in the water." }
R.trait_lazy = { "{^x.he} could sleep standing, sitting and, some said, walking.",
  "{^x.he} never did today what could be forgotten tomorrow.",
  "{^x.he} was so lazy that {x.he} waited for the wind to shut the door.",
  "If there was work to be done, {x.he} was usually somewhere else." }
R.trait_greedy = { "{^x.he} always wanted a little more than {x.he} had.",
  "{^x.he} counted what was {x.his} own every evening, and sighed because it was not more.",
  "{^x.he} was greedy, and even in dreams {x.he} was eating.",
  "Whatever {x.he} saw, {x.he} wished to have." }
R.trait_curious = { "{^x.he} asked more questions in a day than others ask in a year.",
  "{^x.he} could not pass a closed door without wondering what was behind it.",
  "{^x.he} wanted to know where the wind goes when it stops.",
  "There was no hole in the ground into which {x.he} had not looked." }
R.trait_kind = { "{^x.he} could not see anyone hungry without sharing {x.his} supper.",
  "{^x.he} was kind, even to wasps.", "If somebody wept, {x.he} sat down beside them.",
  "{^x.he} had little, and gave half of it away." }
R.trait_shy = { "{^x.he} was so shy that {x.he} spoke only to [the hens|the stones|the moon|the old {treename}].",
  "{^x.he} liked corners, and the space behind doors.", "{^x.he} had a small voice and seldom used it.",
  "When strangers came, {x.he} hid." }
R.trait_clever = { "{^x.he} was clever, and thought before {x.he} jumped.",
  "{^x.he} could find a way out of anything, except out of washing.",
  "People came from far away to ask for {x.his} advice.", "{^x.he} noticed what others passed by." }
R.trait_stubborn = { "Once {x.he} had said no, you could sooner move the hill.",
  "{^x.he} was as stubborn as a door in wet weather.", "{^x.he} had never in {x.his} life changed {x.his} mind.",
  "{^x.he} did everything in {x.his} own way, and it was usually the hard way." }
R.trait_honest = { "{^x.he} had never told a lie, not even a small one.",
  "{^x.he} was honest, and slept well because of it.", "What {x.he} promised, {x.he} did.",
  "If {x.he} found a penny, {x.he} asked the whole street whose it was." }
R.trait_careless = { "{^x.he} left gates open, lids off and shoes in the rain.",
  "{^x.he} forgot half of what {x.he} was told, and lost the other half.",
  "{^x.he} did everything quickly and nothing twice.", "{^x.his} pockets were full of holes, and so were {x.his} plans." }
R.trait_patient = { "{^x.he} could sit all day beside a river and wait for one fish.",
  "{^x.he} never hurried, and yet was never late.", "{^x.he} knew that bread does not rise faster when one shouts at it.",
  "{^x.he} was patient, as trees are." }
R.trait_boastful = { "{^x.he} told everyone how [strong|fast|clever|splendid] {x.he} was, whether they asked or not.",
  "In {x.his} stories the fish were always bigger and the wolves more numerous.",
  "{^x.he} boasted from breakfast to bedtime.", "Nobody praised {x.him} as often as {x.he} did {x.himself}." }
R.trait_gentle = { "{^x.he} spoke softly, and the wildest goat came to {x.his} hand.",
  "{^x.he} had quiet hands, and never slammed a door.", "{^x.he} stepped over beetles.",
  "Babies stopped crying when {x.he} looked at them." }
R.trait_merry = { "{^x.he} whistled while {x.he} worked, and also when {x.he} did not.",
  "{^x.he} could find something to laugh at in a bucket of cold water.",
  "{^x.he} was merry, and rain made {x.him} merrier.", "Where {x.he} was, there was singing." }

R.hello = {
  '"Good day," said {x}. "[Where are you going|What brings you here|Are you lost|Why so sad]?"',
  '"Good morning," said {x}, "[and what are you looking for|and who may you be|you look tired|you are up early]."',
  '{x} [nodded|bowed|waved|looked up] and said, "[You come from far away|I have not seen you here before|Sit down and rest a moment]."',
  '"Stop a moment," called {x}. "[You walk as if a bear were behind you|You have mud up to your {body}|What is the hurry]?"',
}
R.thanks = {
  '"Thank you," said {x}. "[I shall not forget this|I did not expect it|You have a good heart|One day I will do the same for you]."',
  '"How can I ever thank you?" asked {x}.',
  '{x} thanked {y} [three times|with tears in {x.his} eyes|and did not know what to say|and bowed very low].',
  '"You have helped me," said {x}, "[and I will remember it|and I had nothing to give you|when nobody else would]."',
}
R.welcome = {
  '"It was nothing," said {x}.', '"You would have done the same," said {x}.', '"Remember it when I need you," said {x}, and [laughed|smiled|went away].',
  '{x} only [shrugged|smiled|nodded] and [went on working|looked at the sky|went home].',
}
R.laugh = { "{x} laughed until {x.he} had to hold {x.his} sides.", "{x} laughed out loud.", "{x} laughed so much that the {birdname} flew away.",
  "At this {x} burst out laughing." }
R.mock = {
  '"You?" cried {x}. "[You could not catch a cold|My grandmother is faster, and she is asleep|Go home and count peas]!"',
  '{x} laughed. "[I have never heard anything so silly|What can somebody like you do|Look in a mirror, if you can find one small enough]."',
  '"Nonsense," said {x}. "[Go back to your corner|Leave that to those who understand it|Everyone knows better than that]."',
}
R.cry = { "{x} sat down [on a stone|under a {treename}|on the doorstep|by the wall] and wept.", "Tears ran down {x.his} face.",
  "{x} could not speak for sorrow.", "{x} hid {x.his} face and cried." }
R.afraid = { "{x} trembled.", "{x.his} heart beat like a drum.", "{x} wanted to run, but {x.his} legs would not obey.",
  "A cold shiver ran down {x.his} back.", "{x} held {x.his} breath." }
R.think = { "{x} thought for a while.", "{x} looked into the distance and thought.",
  "{x} scratched {x.his} ear and thought.", "{x} sat quite still, as {x.he} always did when {x.he} was thinking.",
  "{x} walked up and down and thought." }
R.ashamed = { "{x} was ashamed, and looked at the ground.", "{x} turned as red as a [beetroot|poppy|cherry].",
  "{x} did not know where to look.", "{x} hung {x.his} head.", "Then {x} was sorry for what {x.he} had done." }
R.glad = { "{x} was so glad that {x.he} jumped into the air.", "{x} could hardly believe it.",
  "{x} felt warm all the way down to {x.his} toes.", "Nobody in the whole land was happier than {x}.",
  "{x} danced round the room.", "{x} smiled for the first time in {number} days." }
R.sorry = {
  '"I am sorry," said {x}. "[I was wrong|I should have listened|I did not think|It was my fault, and nobody else\'s]."',
  '"Forgive me," said {x} in a small voice.', '"It was I," said {x}. "[I will make it good|I was too proud to say so|Do with me as you like]."',
}
R.forgive = {
  '"[It is forgotten|Let us not speak of it again|We all make mistakes]," said {x}. "[Come in and eat|Sit down|Give me your hand]."',
  '{x} was silent for a moment. Then {x.he} [smiled|nodded|held out {x.his} hand].',
  '"Well," said {x}, "[a mended pot holds water too|nobody learns to walk without falling|you have said it, and that is the hardest part]."',
}
R.tired = { "{x} was so tired that {x.he} could have slept on [nails|a heap of stones|a washing line].", "{x} yawned.",
  "{x.his} arms and {body} ached." }
R.meal = { "They ate {food} and drank {drink}.", "There was {food} for supper.", "They shared {food}, and nobody spoke until it was gone.",
  "On the table stood {food}, and beside it {drink}." }
R.feast = { "There was a feast with {food}, {food} and as much {drink} as anyone could hold.",
  "They sang {song} and danced until the candles went out.",
  "Tables were set up in the open, and everyone brought something: {food}, {food}, {drink}.",
  "The fiddles played all night, and even the old people danced." }
R.sleep = { "Then {x} fell asleep, and dreamed of {dream}.", "{x} slept [badly|like a stone|until noon|with one eye open] that night.",
  "{x} lay down, but sleep did not come." }
R.dream = { "a ship with red sails", "a house without doors", "white horses", "a river of milk", "a door in a tree", "falling upwards",
  "a talking hen", "{food}", "snow in summer", "a long table where everyone was waiting" }
R.promise = { '"I promise," said {x}.', '"On my word," said {x}, "I will."', '"You may count on it," said {x}.',
  '{x} put {x.his} hand on {x.his} heart and promised.' }
R.agree = { '"Very well," said {x}.', '"Done!" said {x}.', '"I will," said {x}.', '"Let us try it," said {x}.', "{x} nodded.",
  '"If you say so," said {x}, and it was agreed.' }
R.refuse = { '"No," said {x}, "[and that is my last word|not for all the gold in the world|ask somebody else]."', "{x} shook {x.his} head.",
  '"Never," said {x}.', '"I have no time for that," said {x}, and turned away.' }
R.work = { "{x} spent the day {chore}.", "{x} worked from sunrise to sunset, {chore} and {chore}.", "First came {chore}, then {chore}.",
  "{x} was busy {chore} when it happened." }
R.crowd = { "The neighbours came running.", "People put their heads out of the windows.", "Soon half the {place.noun} stood around them.",
  "Nobody said a word.", "Everyone talked at once." }
R.news = { "By noon everybody knew it.", "The news ran from door to door.", "The story was told in every kitchen.",
  "Such a thing had never happened before, and people spoke of nothing else." }

R.moral_frame = { "And from that day on", "Ever since then", "From then on", "After that", "And ever after" }
R.close = {
  "{moral_frame} they [were the best of friends|greeted each other every morning|told the story every {season}|shared what they had].",
  "And if they have not moved away, they live there still.",
  "That was a long time ago, but [people still talk of it|the old stone still stands there|children still play at it in {season}].",
  "That is the end of the story. [The rest you can guess|The fire is low|Now it is your turn to tell one].",
  "{evening} there was [a light in the window|smoke from the chimney|laughter behind the door], and all was well.",
  "And so it ended better than it had begun.",
}
R.saying = { "As they say in those parts:", "The old people have a saying for it:", "When {a} was old, {a.he} used to say it like this:",
  "Whoever hears this should remember:", "And the moral is this:", "What does it teach us?", "Remember:", "So it is:" }

R.any_glad = { "could hardly believe it", "jumped for joy", "laughed and cried at once", "was happier than a king",
  "hugged everyone within reach", "felt the whole world grow lighter" }
R.any_shame = { "turned red", "looked at the ground", "coughed and said nothing for a while", "was ashamed" }

return R
