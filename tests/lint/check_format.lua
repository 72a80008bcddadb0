--- Fail if clang-format 14 would change a C file. Skipped where there is no clang-format 14.
local function find()
  for _, name in ipairs({ "clang-format-14", "clang-format" }) do
    local pipe = io.popen(name .. " --version 2>/dev/null")
    local version = pipe:read("a")
    pipe:close()
    if version:find("version 14%.") then
      return name
    end
  end
end

local program = find()
if not program then
  print("skipped: clang-format 14 is not here")
  os.exit(77)
end
local command = "find native tests -name '*.[ch]' | sort | xargs %s --dry-run --Werror"
os.exit(os.execute(command:format(program)) == true)
