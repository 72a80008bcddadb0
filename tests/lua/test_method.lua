-- SPDX-License-Identifier: Apache-2.0
local lu = require("luaunit")
local method = require("vise.method")
local native = require("vise.native")

local H = {}

-- A weight of n normal numbers, the same in every run.
function H.weight(m, k)
  return native.weight.dense(native.core.random_tensor("f32", { m, k }, 1, "test_method"))
end

TestMethod = {}

function TestMethod:test_the_list_is_sorted_and_complete()
  local names = {}
  for i, row in ipairs(method.list()) do
    names[i] = row.name
    lu.assertIsString(row.summary)
    lu.assertIsString(row.scope)
    for _, param in ipairs(row.params) do
      lu.assertTrue(#param.doc > 0)
    end
  end
  local sorted = { table.unpack(names) }
  table.sort(sorted)
  lu.assertEquals(names, sorted)
  for _, row in ipairs(native.method.list()) do
    lu.assertTableContains(names, row.name)
  end
end

function TestMethod:test_an_unknown_method_gets_a_suggestion()
  lu.assertErrorMsgContains("unknown method 'rnt' (did you mean 'rtn'?", method.find, "rnt")
end

function TestMethod:test_an_unknown_option_gets_a_suggestion()
  local message = "rtn: unknown option 'bitz' (did you mean 'bits'?"
  lu.assertErrorMsgContains(message, method.resolve, "rtn", { bitz = 4 })
end

function TestMethod:test_seven_bits_are_refused_with_what_is_expected()
  lu.assertErrorMsgEquals("rtn: bits is 7, expected one of 2, 3, 4, 5, 6, 8", method.resolve, "rtn",
    { bits = 7 })
end

function TestMethod:test_a_group_of_zero_columns_is_refused()
  lu.assertErrorMsgEquals("rtn: group is 0, expected an integer in [1, 1048576]", method.resolve,
    "rtn", { group = 0 })
end

function TestMethod:test_defaults_are_filled_in()
  lu.assertEquals(method.resolve("rtn", { bits = 3 }), {
    format = "int", bits = 3, per = "group", group = 64, symmetric = true, scale = "f16",
    search = "mse",
  })
end

function TestMethod:test_run_gives_a_weight_of_the_wanted_format()
  local w <close> = H.weight(8, 96)
  local q <close> = method.run("rtn", w, { bits = 3, group = 32, symmetric = false, scale = "f32" })
  lu.assertEquals(q:describe(), "int3/g32/asym/f32")
  lu.assertEquals(q:shape(), { 8, 96 })
end

function TestMethod:test_importance_must_have_one_number_a_column()
  local w <close> = H.weight(2, 8)
  local importance <close> = native.tensor.from("f32", { 7 }, { 1, 1, 1, 1, 1, 1, 1 })
  local message = "rtn: importance is [7], expected [8] (columns of w)"
  lu.assertErrorMsgContains(message, method.run, "rtn", w, {}, { importance = importance })
end

function TestMethod:test_importance_that_would_not_be_used_is_refused()
  local w <close> = H.weight(2, 2)
  local importance <close> = native.tensor.from("f32", { 2 }, { 1, 2 })
  local message = "rtn: importance is given, expected none"
  lu.assertErrorMsgContains(message, method.run, "rtn", w, { search = "none" },
    { importance = importance })
end

-- A method in Lua with `fields` in place of its own.
function H.descriptor(name, fields)
  local descriptor = {
    name = name, family = "quant", summary = "s", source = "none", version = 1, scope = "weight",
    needs = {}, is_exact = true, params = {}, run = function(w)
      return w
    end,
  }
  for key, value in pairs(fields) do
    descriptor[key] = value
  end
  return descriptor
end

function TestMethod:test_a_method_in_lua_is_used_by_its_name()
  method.register(H.descriptor("halve", {
    params = { { name = "times", kind = "int", default = 1, min = 1, max = 9, doc = "how often" } },
    run = function(w, options)
      return options.times == 2 and w or nil
    end,
  }))
  local w <close> = H.weight(2, 4)
  lu.assertTrue(method.run("halve", w, { times = 2 }) == w)
  local message = "halve: times is 10, expected an integer in [1, 9]"
  lu.assertErrorMsgContains(message, method.run, "halve", w, { times = 10 })
  lu.assertErrorMsgContains("is there already", method.register, method.find("halve"))
end

function TestMethod:test_what_a_method_in_lua_gives_is_checked()
  local w <close> = H.weight(2, 4)
  local other <close> = H.weight(4, 2)
  local given = { five = 5, nothing = false, turned = other }
  for name, result in pairs(given) do
    method.register(H.descriptor("gives_" .. name, {
      run = function()
        return result or nil
      end,
    }))
  end
  for name, message in pairs({
    gives_five = "gives_five: result is 5, expected a weight",
    gives_nothing = "gives_nothing: result is nil, expected a weight",
    gives_turned = "gives_turned: result is [4, 2], expected [2, 4]",
  }) do
    lu.assertErrorMsgContains(message, method.run, name, w)
  end
end

function TestMethod:test_a_method_in_lua_may_refuse()
  method.register(H.descriptor("tired", {
    run = function()
      return nil, "tired: cancelled", "cancelled"
    end,
  }))
  local w <close> = H.weight(2, 4)
  lu.assertEquals({ method.run("tired", w) }, { nil, "tired: cancelled", "cancelled" })
end

function TestMethod:test_needs_that_are_not_given_are_refused()
  method.register(H.descriptor("needy", { needs = { "data" } }))
  local w <close> = H.weight(2, 4)
  local message = "needy: needs calibration data, which is not given"
  lu.assertErrorMsgContains(message, method.run, "needy", w)
  lu.assertErrorMsgContains(message, method.check, "needy", 2, 4)
  lu.assertTrue(method.run("needy", w, {}, { data = {} }) == w)
  lu.assertErrorMsgContains("method 'x': unknown need 'dat' (did you mean 'data'?", method.register,
    H.descriptor("x", { needs = { "dat" } }))
end

function TestMethod:test_a_file_that_raises_leaves_no_half_of_a_registry()
  local list = native.file.list
  package.loaded["vise.method"] = nil
  package.preload["vise.method.broken"] = function()
    return { name = "broken" }
  end
  native.file.list = function()
    return { "broken.lua" }
  end
  local fresh = require("vise.method")
  for _ = 1, 2 do
    lu.assertErrorMsgContains("method 'broken': has no field 'family'", fresh.list)
  end
  native.file.list, package.loaded["vise.method"] = list, method
  package.preload["vise.method.broken"] = nil
end

function TestMethod:test_a_method_without_a_field_is_refused()
  lu.assertErrorMsgContains("method 'x': has no field 'run'", method.register,
    { name = "x", family = "quant", summary = "s", source = "none", version = 1, scope = "weight",
      needs = {}, is_exact = true, params = {} })
  lu.assertErrorMsgContains("method 'x': run is a number, expected a function", method.register,
    H.descriptor("x", { run = 5 }))
  lu.assertErrorMsgContains("method 'x': has no field 'family'", method.register, { name = "x" })
end

os.exit(lu.LuaUnit.run())
