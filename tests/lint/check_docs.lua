--- Fail if a native function has no stub in lua/meta, a stub no function, a parameter row no doc.
-- The table native.X comes from the array `functions` of native/bind/bind_X.c, or `X_functions` of
-- another; lua/meta/X.lua has a `function X.name(...)` for each. Methods are
-- `function Class:name(...)` beside the functions of their file. A comment above says what each is.
local bad = 0
local function complain(...)
  bad = bad + 1
  print(string.format(...))
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

--- The luaL_Reg arrays of the file of `subject`: functions by table, and the methods.
local function registered(subject, source)
  local functions, methods = { [subject] = {} }, {}
  for array, body in source:gmatch("luaL_Reg ([%w_]+)%[%] = (%b{});") do
    local names
    if array:find("metamethods$") then
      names = {} -- Lua's own names need no stub
    elseif array:find("methods$") then
      names = methods
    elseif array:find("functions$") then
      local other = array:match("^([%w_]+)_functions$") or subject
      functions[other] = functions[other] or {}
      names = functions[other]
    else
      complain("bind_%s.c: array %s is neither functions, methods nor metamethods", subject, array)
    end
    for name in body:gmatch('{%s*"([%w_]+)"') do
      if names then
        names[name] = true
      end
    end
  end
  return functions, methods
end

--- Names of the stubs of `text`, by separator ("." or ":"); complains where there is no comment.
local function stubs(path, text, separator)
  local names, is_said = {}, false
  for line in text:gmatch("[^\n]*") do
    local name = line:match("^function [%w_]+%" .. separator .. "([%w_]+)%(")
    if name then
      names[name] = true
      if not is_said then
        complain("%s: nothing says what %s does", path, name)
      end
    end
    is_said = line:find("^%-%-%-") ~= nil or (is_said and line:find("^%-%-") ~= nil)
  end
  return names
end

local function compare(c_path, lua_path, what, in_c, in_lua)
  for name in pairs(in_c) do
    if not in_lua[name] then
      complain("%s: no stub for the %s '%s' of %s", lua_path, what, name, c_path)
    end
  end
  for name in pairs(in_lua) do
    if not in_c[name] then
      complain("%s: '%s' is no %s of %s", lua_path, name, what, c_path)
    end
  end
end

local seen = {}
for c_path in io.popen("ls native/bind/bind_*.c | grep -v -e bind_util -e bind_module"):lines() do
  local subject = c_path:match("bind_([%w_]+)%.c$")
  local functions, methods = registered(subject, read(c_path))
  for table_name, names in pairs(functions) do
    local lua_path = ("lua/meta/%s.lua"):format(table_name)
    local text = read(lua_path)
    seen[table_name] = true
    if not text then
      complain("%s: missing, the stubs of %s", lua_path, c_path)
    else
      compare(c_path, lua_path, "function", names, stubs(lua_path, text, "."))
      if table_name == subject then
        compare(c_path, lua_path, "method", methods, stubs(lua_path, text, ":"))
      end
    end
  end
end
for subject in read("native/bind/bindings.def"):gmatch("VISE_BINDING%((%w+)%)") do
  if not seen[subject] then
    complain("native/bind/bindings.def: no luaL_Reg array makes the table '%s'", subject)
  end
end

-- Rows of vise_param have seven fields (core/param.h), the last is the doc.
for path in io.popen("find native -name '*.c' | sort"):lines() do
  for body in read(path):gmatch("vise_param [%w_]+%[[%w_]*%] = (%b{})") do
    for row in body:sub(2, -2):gmatch("%b{}") do
      local name = row:match('^{%s*"([%w_]+)"')
      local fields = row:gsub('"([^"]*)"', function(text)
        return text == "" and "EMPTY" or "TEXT"
      end)
      local _, commas = fields:gsub(",", "")
      if name and not (commas == 6 and fields:find(",[%sTEX]*TEXT%s*}$")) then
        complain("%s: parameter '%s' has no doc", path, name)
      end
    end
  end
end
os.exit(bad == 0)
