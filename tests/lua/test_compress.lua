--- Rules: which method compresses which place.
local lu = require("luaunit")
local method = require("vise.method")
local model = require("vise.model")
local native = require("vise.native")
local places = require("vise.model.places")
local tiny_model = require("support.tiny_model")

TestPlaces = {}
TestCompress = {}

local H = {}

function TestPlaces:test_patterns_are_anchored_at_the_end_and_go_by_components()
  for _, case in ipairs({
    { "attn.*", "layers.3.attn.q", true },
    { "attn.*", "layers.3.mlp.up", false },
    { "attn", "layers.3.attn.q", false },
    { "q", "layers.3.attn.q", true },
    { "*", "embed", true },
    { "*", "layers.3.attn.q", true },
    { "layers.0.mlp.*", "layers.0.mlp.down", true },
    { "layers.0.mlp.*", "layers.10.mlp.down", false },
    { "layers.?.mlp.*", "layers.10.mlp.down", false },
    { "layers.1*.mlp.d*n", "layers.10.mlp.down", true },
    { "layers.*.q", "layers.3.attn.q", false },
    { "head", "embed", false },
    { "hea.", "head", false },
    { "a.layers.0.attn.q", "layers.0.attn.q", false },
    { "h%a+d", "head", false },
  }) do
    lu.assertEquals(places.matches(case[1], case[2]), case[3], case[1] .. " on " .. case[2])
  end
end

function TestCompress:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  tiny_model.write(self.folder, { tied = true })
  self.model = assert(model.open(self.folder))
end

function TestCompress:tearDown()
  assert(native.file.remove_tree(self.folder))
end

function H.kinds(m)
  local kinds = {}
  for _, place in ipairs(m:places()) do
    kinds[place.name] = m:weight(place.name):describe()
  end
  return kinds
end

function TestCompress:test_the_first_rule_that_matches_decides()
  local small = self.model:compress({
    { match = "layers.0.attn.*", method = "rtn", bits = 8, group = 32 },
    { match = "attn.*", method = "rtn", bits = 4, group = 32 },
    { match = "layers.1.mlp.down", method = "rtn", bits = 3, group = 64 },
  })

  local kinds = H.kinds(small)
  lu.assertEquals(kinds["layers.0.attn.q"], "int8/g32")
  lu.assertEquals(kinds["layers.1.attn.q"], "int4/g32")
  lu.assertEquals(kinds["layers.1.mlp.down"], "int3/g64")
  lu.assertEquals(kinds["layers.0.mlp.down"], "f32")
  lu.assertEquals(kinds.embed, "f32")
end

function TestCompress:test_the_weights_are_those_of_the_method()
  local small = self.model:compress({ { match = "mlp.up", method = "rtn", bits = 4, group = 32 } })
  local wanted = self.model:weight("layers.1.mlp.up"):quantize({ bits = 4, group = 32 })

  lu.assertEquals(small:weight("layers.1.mlp.up"):difference(wanted), 0)
end

function TestCompress:test_the_original_stays_as_it_is()
  local before = H.kinds(self.model)
  self.model:compress({ { match = "*", method = "rtn", bits = 2 } }):bytes()

  lu.assertEquals(H.kinds(self.model), before)
end

function TestCompress:test_a_rule_for_either_place_of_a_tied_weight_decides_for_both()
  for _, name in ipairs({ "embed", "head" }) do
    local small = self.model:compress({ { match = name, method = "rtn", bits = 8 } })
    lu.assertTrue(small:weight("embed") == small:weight("head"))
    lu.assertEquals(small:weight("head"):kind(), "quant")
  end
end

function TestCompress:test_models_compress_on_top_of_each_other()
  local first = self.model:compress({ { match = "attn.*", method = "rtn", bits = 8, group = 32 } })
  local second = first:compress({ { match = "attn.q", method = "rtn", bits = 4, group = 32 } })

  local kinds = H.kinds(second)
  lu.assertEquals(kinds["layers.0.attn.q"], "int4/g32")
  lu.assertEquals(kinds["layers.0.attn.k"], "int8/g32")
  lu.assertTrue(second:bytes() < first:bytes() and first:bytes() < self.model:bytes())
  lu.assertNil(second:disk_bytes())
end

function TestCompress:test_wrong_rules_are_named_at_once()
  for _, case in ipairs({
    { {}, "compress: rules are an empty list, expected a list of one rule or more" },
    { { match = "*", method = "rtn" }, "compress: rules are one rule, expected a list: { {" },
    { { { match = "mlp.*", method = "rtn" }, { match = "mlp.up", method = "rtn" } },
      "compress: rule 2: every place that 'mlp.up' matches is taken by an earlier rule, expected "
        .. "one left (rule 1 is 'mlp.*'; narrower rules go first)" },
    { { "rtn" }, "compress: rule 1: is 'rtn', expected a table" },
    { { { method = "rtn" } }, "compress: rule 1: match is nil, expected a pattern" },
    { { { match = "*" } }, "compress: rule 1: method is nil, expected a name" },
    { { { match = "*", method = "rtm" } },
      "compress: rule 1: unknown method 'rtm' (did you mean 'rtn'?" },
    { { { match = "*", method = "rtn", bitz = 4 } },
      "compress: rule 1: rtn: unknown option 'bitz' (did you mean 'bits'?" },
    { { { match = "*", method = "rtn" }, { match = "mlp.dwn", method = "rtn" } },
      "compress: rule 2: no place matches 'mlp.dwn' (places: embed, head, layers.*.attn.q, " },
    { { { match = "*", method = "rtn", bits = 7 } }, "compress: rule 1: rtn: bits is 7, expected" },
    { { { match = "*", method = "rtn", otherwise = { method = "rtx" } } },
      "compress: rule 1: otherwise: unknown method 'rtx'" },
  }) do
    lu.assertErrorMsgContains(case[2], self.model.compress, self.model, case[1])
  end
end

--- A method that takes rows of whole blocks of 64 only, as block formats do.
H.blocky = {
  name = "blocky", family = "quant", summary = "for tests", source = "none", version = 1,
  scope = "weight", needs = {}, is_exact = true, params = {},
  check = function(_, k)
    if k % 64 ~= 0 then
      error(("blocks of 64 do not divide the %d columns"):format(k), 0)
    end
  end,
  run = function(w)
    return w:quantize({ bits = 8 })
  end,
}

function TestCompress:test_otherwise_serves_where_the_method_cannot()
  if not pcall(method.find, "blocky") then
    method.register(H.blocky)
  end
  local rule = { match = "mlp.*", method = "blocky" }
  lu.assertErrorMsgEquals(
    "compress: rule 1: layers.0.mlp.down: blocks of 64 do not divide the 172 columns "
      .. "(the rule may say otherwise = { method = ... } for such places)",
    self.model.compress, self.model, { rule })

  rule.otherwise = { method = "rtn", bits = 4, group = 32 }
  local small = self.model:compress({ rule })

  lu.assertEquals(small:weight("layers.0.mlp.up"):describe(), "int8/g64")
  lu.assertEquals(small:weight("layers.0.mlp.down"):describe(), "int4/g32")
  local reason = "blocks of 64 do not divide the 172 columns"
  lu.assertEquals(small.fallbacks, {
    { place = "layers.0.mlp.down", rule = 1, reason = reason },
    { place = "layers.1.mlp.down", rule = 1, reason = reason },
  })
end

function TestCompress:test_a_nan_is_named_by_place_row_and_column()
  local path = self.folder .. "/model-00002-of-00002.safetensors"
  local file = assert(native.safetensors.open(path))
  local list = {}
  for _, name in ipairs(file:names()) do
    local tensor = file:tensor(name):convert("f32")
    if name == "model.layers.1.mlp.up_proj.weight" then
      local values = tensor:table()
      values[10 * 64 + 7] = 0 / 0
      tensor = native.tensor.from("f32", tensor:shape(), values)
    end
    list[#list + 1] = { name, tensor }
  end
  file:close()
  assert(native.safetensors.write(path, list))
  local small = assert(model.open(self.folder)):compress({ { match = "mlp.*", method = "rtn" } })

  local ok, message = pcall(small.save, small, self.folder .. "/model.vise", { sync = false })

  lu.assertFalse(ok)
  lu.assertStrContains(message, "layers.1.mlp.up: ")
  lu.assertStrContains(message, "row 10")
  lu.assertStrContains(message, "column 6")
  lu.assertNil((native.file.stat(self.folder .. "/model.vise")))
  for _, name in ipairs(native.file.list(self.folder)) do
    lu.assertNotStrContains(name, "vise") -- no temporary file either
  end
end

function TestCompress:test_cancelled_work_says_so()
  local small = self.model:compress({ { match = "*", method = "rtn" } })
  native.core.cancel()
  local weight, message, code = small:weight("layers.0.mlp.up")
  native.core.cancel_clear()

  lu.assertNil(weight)
  lu.assertEquals({ message, code }, { "interrupted", "cancelled" })
end

os.exit(lu.LuaUnit.run())
