--- Fail if a header does not compile alone, in C11 with our warnings; kernel bodies are no headers.
local cc = os.getenv("CC") or "cc"
local lua = os.getenv("LUA_INCLUDE") or "/usr/include/lua5.4"
local command = cc .. " -std=c11 -D_GNU_SOURCE=1 -Wall -Wextra -Werror -fsyntax-only -x c -Inative"
  .. " -I" .. lua .. " "

local headers = {}
for path in io.popen("find native -name '*.h' ! -name '*_body.h' | sort"):lines() do
  headers[#headers + 1] = path
end
-- One compiler for all is three times as fast; one each only to say which.
local quiet = " 2>/dev/null"
if os.execute(command .. table.concat(headers, " ") .. quiet) then
  os.exit(true)
end
for _, path in ipairs(headers) do
  if not os.execute(command .. path) then
    print(path .. ": does not compile alone")
  end
end
os.exit(false)
