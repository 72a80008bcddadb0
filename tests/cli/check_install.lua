--- `cmake --install` into an empty folder leaves a program and a module that work from there.
-- usage: lua5.4 tests/cli/check_install.lua CMAKE BUILD_FOLDER
local cmake, build = arg[1], arg[2]
local prefix = os.tmpname()
os.remove(prefix)

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("a")
  local ok = pipe:close()
  if not ok then
    io.stderr:write(("failed: %s\n%s\n"):format(command, text))
    os.execute(("rm -rf '%s'"):format(prefix))
    os.exit(1)
  end
  return text
end

local function expect(what, text, pattern)
  if not text:find(pattern) then
    io.stderr:write(("%s: says %q, expected %q\n"):format(what, text, pattern))
    os.execute(("rm -rf '%s'"):format(prefix))
    os.exit(1)
  end
end

run(("'%s' --install '%s' --prefix '%s'"):format(cmake, build, prefix))

-- Away from the source tree, or its files could stand in for installed ones.
local away = "cd / && env -u LUA_PATH -u LUA_CPATH "
expect("vise --version", run(away .. prefix .. "/bin/vise --version"), "^vise %d+%.%d+%.%d+")

local recipe = prefix .. "/share/vise/recipes/first.lua"
expect("vise recipe check", run(away .. prefix .. "/bin/vise recipe check " .. recipe), "first")
expect("vise doctor", run(away .. prefix .. "/bin/vise doctor"), "share/vise/recipes")

local paths = ([[LUA_PATH='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua' ]]
  .. [[LUA_CPATH='%s/lib/lua/5.4/?.so' ]]):format(prefix, prefix, prefix)
local typed = run(("echo ?vise.native.stats.moments | (%s %s/bin/vise repl)"):format(away, prefix))
expect("help of functions in C", typed, "columns of the weights that read")
expect("vise help", run(away .. prefix .. "/bin/vise help tutorial"), "Ten minutes with vise")
expect("stock lua5.4", run(("cd / && %s lua5.4 -e 'print(type(require(\"vise\")))'"):format(paths)),
  "^table")

for _, path in ipairs({ "share/man/man1/vise.1", "share/bash-completion/completions/vise",
  "share/vise/recipes/first.lua", "share/vise/bench/gemm.lua", "share/vise/doc/artifact.md",
  "share/vise/text/sample.txt", "share/vise/models/tales/model.safetensors" }) do
  run(("test -f '%s/%s'"):format(prefix, path))
end
os.execute(("rm -rf '%s'"):format(prefix))
