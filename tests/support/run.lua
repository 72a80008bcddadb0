--- Run one LuaUnit file, then fail it if it leaves memory of ours behind.
-- usage: lua5.4 tests/support/run.lua FILE
-- The file ends in os.exit(code), which here unwinds it first, so that its locals are gone.
-- VISE_TEST_GC=hostile collects all the time: what is used after it was let go breaks at once.
local path = arg[1]
local marker = {}
local code
local real_exit = os.exit

if os.getenv("VISE_TEST_GC") == "hostile" then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 1000)
end

arg = { [0] = path, table.unpack(arg, 2) }
function os.exit(status)
  code = status == true and 0 or status == false and 1 or status or 0
  error(marker, 0)
end

local standard = {}
for name in pairs(_G) do
  standard[name] = true
end
local ok, problem = xpcall(function()
  assert(loadfile(path))()
end, function(e)
  return e == marker and e or debug.traceback(tostring(e), 2)
end)
if not ok and problem ~= marker then
  io.stderr:write(problem, "\n")
  real_exit(1)
end

local native = package.loaded["vise.native"]
if native and (code or 0) == 0 then
  for name in pairs(_G) do
    if not standard[name] then
      _G[name] = nil
    end
  end
  for name in pairs(package.loaded) do
    if name:match("^vise%f[%.\0]") or name == "luaunit" then
      package.loaded[name] = nil
    end
  end
  collectgarbage()
  collectgarbage()
  local left = native.core.memory().live_blocks
  if left > 0 then
    io.stderr:write(("%s: %d blocks of memory are still alive at the end\n"):format(path, left))
    code = 1
  end
end
real_exit(code or 0, true)
