-- SPDX-License-Identifier: Apache-2.0
--- Things that play a part in a tale, and lists of words that templates draw from.
-- A thing is "noun", or "adjective,adjective noun"; a plural one ends in " pl".
local function lines(text)
  local list = {}
  for line in text:gmatch("[^\n;]+") do
    line = line:match("^%s*(.-)%s*$")
    if line ~= "" then
      list[#list + 1] = line
    end
  end
  return list
end

local M = {}

M.things = {
  treasure = lines [[
    silver,narrow ring; little,golden locket; carved,ivory comb; painted,wooden flute; copper,small coin
    brass,heavy key; silver,thin bracelet; pearl,fine necklace; old,engraved pocket watch
    tiny,crystal bottle; embroidered,silk purse; silver,round brooch; jewelled,slender hairpin
    amber,smooth bead; gilded,tiny music box; bone,carved whistle; silver,polished thimble
    red,woollen scarf; glass,blue marble; ebony,carved chess knight; bronze,dented medal]],
  tool = lines [[
    sharp,long-handled axe; iron,heavy hammer; new,iron spade; small,copper kettle; steel,good saw
    wooden,strong ladder; iron,big cooking pot; sharp,curved sickle; long,strong rope; stout,wooden wheelbarrow
    iron,two-handled plough; fine,bone-handled knife; big,birch broom; sturdy,leather bucket
    long,ash-wood rake; whetted,bright scythe; good,steel chisel; round,iron griddle; fine,horsehair sieve]],
  magic = lines [[
    plain,wooden bowl; little,brass bell; grey,round stone; cracked,clay jug; worn,leather purse
    small,iron pot; old,straw hat; thin,silver needle; short,hazel wand; tattered,patchwork cloak
    crooked,iron key; dusty,green bottle; tiny,golden acorn; white,goose feather; little,hand mill
    wooden,carved spoon; red,silk ribbon; old,tin whistle; small,round mirror; blue,stoppered inkwell]],
  light = lines [[
    brass,old lantern; tin,small lantern; smoky,oil lamp; iron,storm lamp; horn,little lantern]],
  bread = lines [[
    warm,brown loaf; crusty,round loaf; small,sweet bun; flat,oat cake; black,rye loaf; golden,fat bun]],
  dish = lines [[
    large,plum cake; honey,soft cake; golden,apple pie; fat,roast goose; round,yellow cheese
    smoked,long sausage; cherry,warm tart; barley,thick pudding; walnut,dark cake; blackberry,deep pie
    goat's,white cheese; ginger,sticky cake; mushroom,hot pasty; onion,plaited loaf; baked,great trout]],
  pot = lines [[
    big,blue jug; tall,green vase; painted,white teapot; glazed,brown pitcher; fine,china bowl
    clay,red water jar; old,porcelain plate; glass,thin lamp; large,looking mirror; flowered,round dish]],
  clothes = lines [[
    warm,woollen coat; thick,blue cloak; sturdy,leather boots pl; knitted,red mittens pl; grey,felt hat
    green,hooded cape; sheepskin,long waistcoat; linen,white shirt; striped,long stockings pl
    fur-lined,brown gloves pl; quilted,yellow jacket; velvet,dark cap]],
  handmade = lines [[
    carved,wooden bird; patched,soft quilt; willow,little basket; knitted,grey shawl; painted,small box
    stitched,leather bookmark; carved,wooden spoon; pressed,flower picture; plaited,straw doll; whittled,birch whistle
    woven,wool belt; moulded,clay cup; sewn,lavender cushion; carved,little boat; braided,bright rug]],
  bought = lines [[
    gold,shining clock; silver,heavy candlestick; silk,purple gown; jewelled,fine collar; crystal,tall goblet
    velvet,huge armchair; gilded,bird cage; painted,foreign screen; ivory,costly fan; marble,cold statue]],
  instrument = lines [[
    old,scratched fiddle; wooden,thin flute; small,sweet harp; reed,little pipe; battered,tin drum
    worn,squeaky accordion; brass,bent horn; walnut,round lute; little,copper bell]],
  letter = lines [[
    sealed,thick letter; folded,small note; heavy,wrapped parcel; locked,little box; rolled,yellow map
    ribboned,narrow packet; stamped,official paper]],
  seed = lines [[
    black,wrinkled seed; brown,flat bean; striped,tiny seed; dry,grey bulb; shiny,red pip; round,hard nut
    pale,thin cutting; green,small acorn]],
  herb = lines [[
    blue,star-shaped flower; silver,downy leaf; bitter,yellow root; white,night-blooming flower
    red,rare berry; feathery,green fern; golden,sticky resin; purple,wild thistle]],
  toy = lines [[
    red,paper kite; wooden,painted top; striped,leather ball; rag,one-eyed doll; tin,little soldier
    carved,rocking horse; little,toy boat; spinning,silver hoop; stuffed,cloth bear; paper,tiny windmill]],
  heavy = lines [[
    great,fallen tree; huge,mossy boulder; loaded,hay cart; heavy,stone millwheel; old,broken wagon
    enormous,stuck barrel; rusty,iron gate; big,overturned boat]],
  hoard = lines [[
    hazel,brown nuts pl; dried,sweet berries pl; red,winter apples pl; shelled,pale acorns pl
    yellow,sun-dried seeds pl; clean,golden grain; dried,wrinkled mushrooms pl; smooth,brown chestnuts pl]],
  prize = lines [[
    blue,silk ribbon; silver,tall cup; golden,fat goose; new,leather saddle; bag of silver
    crown of oak leaves; fine,white pony; carved,oak chair; barrel of cider; wheel of cheese]],
  building = lines [[
    old,silent windmill; empty,stone tower; ruined,grey castle; deserted,little chapel; crooked,empty house
    boarded-up,sea-side inn; lonely,windy barn; dark,dripping water mill; forgotten,summer house; half-fallen,stone sheepfold]],
  trap = lines [[
    hunter's,strong net; wire,cruel snare; deep,muddy pit; iron,rusty trap; thorny,thick bush
    hollow,narrow log; fisherman's,torn net; farmer's,wooden cage]],
  fish = lines [[
    big,silver salmon; old,whiskered pike; speckled,brown trout; fat,golden carp; long,slippery eel
    striped,quick perch; huge,grey sturgeon]],
  tree = lines [[
    tall,proud oak; silver,slender birch; spreading,old chestnut; straight,dark pine; gnarled,ancient yew
    leafy,broad elm; high,stiff poplar; crooked,mossy apple tree]],
  plant = lines [[
    low,bent willow; little,prickly bramble; thin,green reed; small,wild rose; soft,grey moss; humble,dusty ivy plant
    short,thorny gorse bush; tender,climbing pea]],
}

M.words = {
  flower = lines [[
    poppies; daisies; bluebells; foxgloves; cowslips; primroses; violets; marigolds; cornflowers
    honeysuckle; buttercups; snowdrops; forget-me-nots; clover; harebells; lavender; thistles]],
  treename = lines [[
    oak; birch; beech; rowan; hazel; alder; willow; pine; larch; elder; ash; maple; lime tree; hawthorn]],
  birdname = lines [[
    thrush; blackbird; cuckoo; lark; robin; owl; wood pigeon; magpie; heron; wren; curlew; nightjar]],
  food = lines [[
    barley soup; bread and cheese; boiled eggs; onion stew; porridge with honey; baked turnips; pea soup
    fried fish; cold potatoes; bean broth; buttered cabbage; a dish of mushrooms; rye bread and bacon
    hot dumplings; roasted chestnuts; oat cakes and milk; lentils with thyme; a bowl of plums
    pancakes with jam; carrots in butter; smoked herring; a hard sausage; apple dumplings]],
  drink = lines [[
    goat's milk; warm cider; mint tea; elderflower water; cold well water; hot milk; blackcurrant juice
    nettle tea; thin beer; buttermilk; honey water]],
  goods = lines [[
    cabbages; copper pans; candles; wool; live geese; painted plates; ribbons; brooms; honey; tin cups
    herrings; buttons; lace; clogs; baskets; onions; spices; clay pipes; rope; cheeses; knives; thread
    almanacs; combs; sieves; goat skins; dried figs; pickled walnuts; lamp oil; hens]],
  colour = lines [[
    red; blue; green; yellow; white; grey; brown; purple; orange; silver; golden; black; crimson; pale green]],
  game = lines [[
    hide and seek; leapfrog; skipping; marbles; blind man's buff; hopscotch; tag; tug of war; spinning tops]],
  song = lines [[
    an old harvest song; a lullaby; a sailors' song; a song about a drowned bell; a marching tune
    a song about the moon; a dance tune; a hymn; a song without words; a nursery rhyme; a wedding song]],
  chore = lines [[
    sweeping the yard; carrying water; mending nets; stacking wood; milking the goats; picking stones
    peeling onions; feeding the hens; scrubbing pots; weeding the beans; patching sacks; churning butter
    shelling peas; beating rugs; oiling hinges; raking hay; plucking geese; washing windows; carding wool]],
  number = lines [[two; three; four; five; six; seven; eight; nine; ten; twelve]],
  many = lines [[twenty; thirty; forty; fifty; sixty; seventy; eighty; ninety; a hundred]],
  body = lines [[knees; hands; elbows; shoulders; feet; fingers; ears]],
  cloudshape = lines [[a sleeping dog; a ship; a castle; a loaf; a flock of geese; an old man's beard; a whale]],
}

return M
