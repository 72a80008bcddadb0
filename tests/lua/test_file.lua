--- native.file: what the tests in C do not see, the values and errors that reach Lua.
local native = require("vise.native")
local file = native.file
local lu = require("luaunit")

TestFile = {}

function TestFile:setUp()
  self.folder = os.tmpname()
  os.remove(self.folder)
  assert(file.make_dirs(self.folder))
end

function TestFile:tearDown()
  assert(file.remove_tree(self.folder))
end

function TestFile:test_content_comes_back_byte_for_byte()
  local path = self.folder .. "/a"
  local content = "a\0b\r\n\xff" .. ("x"):rep(100000)
  lu.assertIs(file.replace(path, content), true)
  lu.assertEquals(file.read(path), content)
  lu.assertEquals(file.digest(path), native.core.tree_hash(content))
end

function TestFile:test_trouble_is_returned_with_its_code()
  local path = self.folder .. "/none"
  local why = ": No such file or directory"
  lu.assertEquals({ file.read(path) }, { nil, path .. ": cannot open" .. why, "io" })
  lu.assertEquals({ file.list(path) }, { nil, path .. ": cannot list" .. why, "io" })
  lu.assertEquals({ file.stat(path) }, { nil, path .. ": cannot stat" .. why, "io" })
  lu.assertEquals({ file.realpath(path) }, { nil, path .. ": cannot resolve" .. why, "io" })
  lu.assertEquals({ file.digest(path) }, { nil, path .. ": cannot open" .. why, "io" })
  lu.assertEquals({ file.replace(path .. "/x", "") },
    { nil, path .. "/x: cannot create" .. why, "io" })
  lu.assertEquals({ file.rename(path, path .. "2") },
    { nil, path .. ": cannot rename to " .. path .. "2" .. why, "io" })
end

function TestFile:test_a_limit_is_a_matter_of_format()
  local path = self.folder .. "/a"
  assert(file.replace(path, "abcd"))
  lu.assertEquals(file.read(path, 4), "abcd")
  lu.assertEquals({ file.read(path, 3) },
    { nil, path .. ": has 4 bytes, expected at most 3", "format" })
end

function TestFile:test_list_and_stat_tell_what_is_there()
  assert(file.make_dirs(self.folder .. "/sub/deep"))
  assert(file.replace(self.folder .. "/b", "12345"))
  assert(file.rename(self.folder .. "/b", self.folder .. "/a"))
  lu.assertEquals(file.list(self.folder), { "a", "sub" })
  local info = file.stat(self.folder .. "/a")
  lu.assertEquals(info.kind, "file")
  lu.assertEquals(info.bytes, 5)
  lu.assertTrue(math.abs(info.changed_ns / 1e9 - native.core.time()) < 3600)
  lu.assertEquals(file.stat(self.folder .. "/sub").kind, "folder")
  lu.assertEquals(file.realpath(self.folder .. "/sub/../a"), file.realpath(self.folder) .. "/a")
end

function TestFile:test_the_terminal_is_asked_not_guessed()
  lu.assertNil(file.columns() and nil)
  lu.assertErrorMsgContains("expected a file descriptor", file.is_terminal, -1)
  lu.assertIs(file.is_terminal(12345), false)
  lu.assertStrContains(file.exe(), "lua5.4")
end

os.exit(lu.LuaUnit.run())
