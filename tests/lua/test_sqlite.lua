-- SPDX-License-Identifier: Apache-2.0
--- native.sqlite: values come back as they went in, errors go where errors of their kind go.
local lu = require("luaunit")
local native = require("vise.native")

local folder = os.tmpname()
os.remove(folder)
assert(native.file.make_dirs(folder))

TestValues = {}

function TestValues:setUp()
  self.db = assert(native.sqlite.open(":memory:"))
  assert(self.db:run("CREATE TABLE t (a, b)"))
end

function TestValues:tearDown()
  self.db:close()
end

function TestValues:test_every_kind_of_value_comes_back_exactly()
  -- 2^53 + 1 is no double; 0.1 + 0.2 needs 17 digits; the text holds a NUL and a quote
  local values = { 9007199254740993, math.mininteger, math.maxinteger, 0.1 + 0.2, -0.0, 2.0,
    "it's\0so", "", "é" }
  for i, value in ipairs(values) do
    lu.assertEquals(self.db:run("INSERT INTO t VALUES (?, ?)", { i, value }), 1)
  end

  local rows = assert(self.db:rows("SELECT b FROM t ORDER BY a"))

  for i, value in ipairs(values) do
    lu.assertEquals(rows[i].b, value)
    lu.assertEquals(math.type(rows[i].b), math.type(value))
  end
end

function TestValues:test_nil_is_null_and_null_is_absent()
  assert(self.db:run("INSERT INTO t VALUES (?, ?)", { 1, nil, n = 2 }))

  lu.assertEquals(self.db:rows("SELECT a, b, b IS NULL AS empty FROM t"), { { a = 1, empty = 1 } })
end

function TestValues:test_values_are_data_never_sql()
  assert(self.db:run("INSERT INTO t VALUES (1, ?)", { "x'); DROP TABLE t; --" }))

  lu.assertEquals(self.db:rows("SELECT b FROM t")[1].b, "x'); DROP TABLE t; --")
end

function TestValues:test_mistakes_of_the_caller_are_raised()
  lu.assertErrorMsgContains("2 values for a statement with 1 parameters", function()
    self.db:rows("SELECT ?", { 1, 2 })
  end)
  lu.assertErrorMsgContains("no such table: nowhere", function()
    self.db:rows("SELECT * FROM nowhere")
  end)
  lu.assertErrorMsgContains("expected one statement", function()
    self.db:run("SELECT 1; SELECT 2")
  end)
  lu.assertErrorMsgContains("value 1 is a table", function()
    self.db:rows("SELECT ?", { {} })
  end)
  self.db:close()
  lu.assertErrorMsgContains("database is closed", self.db.rows, self.db, "SELECT 1")
end

TestFiles = {}

function TestFiles:test_two_connections_see_what_the_other_wrote()
  local one <close> = assert(native.sqlite.open(folder .. "/shared.db"))
  local two <close> = assert(native.sqlite.open(folder .. "/shared.db"))
  assert(one:run("CREATE TABLE t (a)"))
  assert(one:run("BEGIN IMMEDIATE"))
  assert(one:run("INSERT INTO t VALUES (7)"))

  lu.assertEquals(two:rows("SELECT * FROM t"), {})
  assert(one:run("COMMIT"))
  lu.assertEquals(two:rows("SELECT * FROM t"), { { a = 7 } })
end

function TestFiles:test_a_file_is_in_wal_mode_with_foreign_keys()
  local db <close> = assert(native.sqlite.open(folder .. "/mode.db"))

  lu.assertEquals(db:rows("PRAGMA journal_mode"), { { journal_mode = "wal" } })
  lu.assertEquals(db:rows("PRAGMA foreign_keys"), { { foreign_keys = 1 } })
end

function TestFiles:test_trouble_of_the_world_is_returned()
  local _, message, code = native.sqlite.open(folder .. "/no/such/folder.db")
  lu.assertStrContains(message, "unable to open database file")
  lu.assertEquals(code, "io")

  assert(native.file.replace(folder .. "/text.db", ("this is no database. "):rep(100)))
  _, message, code = native.sqlite.open(folder .. "/text.db")
  lu.assertStrContains(message, "text.db: file is not a database")
  lu.assertEquals(code, "format")
end

local code = lu.LuaUnit.run()
native.file.remove_tree(folder)
os.exit(code)
