-- SPDX-License-Identifier: Apache-2.0
--- vise.param: typed parameters of recipes.
local lu = require("luaunit")
local param = require("vise.param")

TestParam = {}

function TestParam:test_the_default_stands_alone_or_first()
  lu.assertEquals(param.row(param.int(4), "n"), { name = "n", kind = "int", default = 4, doc = "" })
  lu.assertEquals(
    param.row(param.real({ 0.5, min = 0, max = 1, doc = "a share" }), "x"),
    { name = "x", kind = "real", default = 0.5, min = 0, max = 1, doc = "a share" }
  )
  lu.assertEquals(param.row(param.bool(false), "b").default, false)
  lu.assertNil(param.row(param.model(), "m").default)
end

function TestParam:test_the_first_choice_is_the_default()
  local row = param.row(param.enum({ 4, 2, 3, doc = "bits" }), "bits")

  lu.assertEquals(row, {
    name = "bits", kind = "choice", default = 4, choices = { 4, 2, 3 }, doc = "bits",
  })
end

function TestParam:test_files_are_inputs_and_the_rest_is_not()
  for _, kind in ipairs({ "model", "text", "data", "file" }) do
    lu.assertTrue(param.is_input(param.row(param[kind](), "x")))
  end
  for _, made in ipairs({ param.int(), param.enum({ 1 }), param.protocol("nll-256") }) do
    lu.assertFalse(param.is_input(param.row(made, "x")))
  end
end

function TestParam:test_texts_from_the_command_line_take_the_type_of_their_row()
  lu.assertEquals(param.parse(param.row(param.int(), "n"), "12"), 12)
  lu.assertEquals(param.parse(param.row(param.model(), "m"), "12"), "12")
  lu.assertEquals(
    { param.parse(param.row(param.text(), "t"), "") },
    { nil, "a text file" }
  )
end

function TestParam:test_wrong_declarations_are_refused_where_they_stand()
  local function message(f)
    local _, text = pcall(f)
    return (text:gsub("^tests/lua/test_param.lua:%d+: ", ""))
  end
  local cases = {
    { function() param.int({ 4, maxx = 8 }) end,
      "param.int: unknown field 'maxx' (did you mean 'max'? known: doc, max, min)" },
    { function() param.int({ default = 3, min = 2 }) end,
      "param.int: unknown field 'default', expected the default first: { 3, ... }" },
    { function() param.int({ 9, min = 1, max = 8 }) end,
      "param.int: the default is 9, expected an integer in [1, 8]" },
    { function() param.model(3) end,
      "param.model: the default is 3, expected a model folder, a .vise or .gguf file or a run "
        .. "directory" },
    { function() param.enum({}) end,
      "param.enum: expected a table of choices, the first the default" },
    { function() param.text("/etc/passwd") end,
      "param.text: the default is '/etc/passwd', expected a relative path without '..'" },
    { function() param.file("a/../../b") end,
      "param.file: the default is 'a/../../b', expected a relative path without '..'" },
    { function() param.enum({ {} }) end,
      "param.enum: choice 1 is table, expected a text or a number" },
    { function() param.bool({ true, doc = 3 }) end,
      "param.bool: doc is number, expected a text" },
  }
  for _, case in ipairs(cases) do
    lu.assertEquals(message(case[1]), case[2])
  end
end

function TestParam:test_a_parameter_cannot_be_changed()
  local made = param.int(4)

  lu.assertFalse((pcall(function() made.default = 5 end)))
  lu.assertEquals(param.row(made, "n").default, 4)
end

os.exit(lu.LuaUnit.run())
