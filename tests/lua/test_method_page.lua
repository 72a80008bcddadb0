--- share/doc/methods.md is what the registry says.
local lu = require("luaunit")
local method = require("vise.method")
local native = require("vise.native")

TestMethodPage = {}

local page = assert(loadfile("share/tools/methods.lua"))().page()

function TestMethodPage:test_the_page_is_what_the_registry_says()
  local message = "share/doc/methods.md is old: "
    .. "run lua5.4 share/tools/methods.lua > share/doc/methods.md"
  lu.assertTrue(native.file.read("share/doc/methods.md") == page, message)
end

function TestMethodPage:test_every_method_is_on_the_page()
  for _, row in ipairs(method.list()) do
    lu.assertStrContains(page, "\n### " .. row.name .. "\n")
  end
end

os.exit(lu.LuaUnit.run())
