--- The built program as tests call it, and a model to call it on.
local native = require("vise.native")
local tiny_model = require("support.tiny_model")

local M = {}
local H = {}

M.VISE = assert(os.getenv("VISE_BUILD"), "VISE_BUILD is not set") .. "/vise"

--- Run vise with arguments, in the folder VISE_TEST_FOLDER of `env` if that is there; standard
--- output, exit code, standard error.
---@param argv string[]
---@param env? table<string, string|false>
---@return string output
---@return integer code
---@return string errors
function M.run(argv, env)
  local errors_path = M.folder() .. "/stderr"
  local script = 'cd "$VISE_TEST_FOLDER" && exec "$@" 2>"$VISE_TEST_STDERR"'
  local words = { "/bin/sh", "-c", script, "sh", M.VISE }
  table.move(argv, 1, #argv, #words + 1, words)
  H.calls = (H.calls or 0) + 1
  local merged = { VISE_TEST_STDERR = errors_path, VISE_TEST_FOLDER = ".", NO_COLOR = "1",
    -- one each, so that all is done again
    VISE_CACHE = ("%s/cache-%d"):format(M.folder(), H.calls) }
  for name, value in pairs(env or {}) do
    merged[name] = value
  end
  local process <close> = assert(native.process.spawn({ argv = words, env = merged, capture = true,
    input = merged.VISE_TEST_INPUT or "" }))
  local lines = {}
  for line in function() return process:read_line() end do
    lines[#lines + 1] = line .. "\n"
  end
  local code = process:wait()
  return table.concat(lines), code, assert(native.file.read(errors_path))
end

--- Run vise and decode the JSON it prints.
---@param argv string[]
---@param env? table<string, string|false>
---@return any value
---@return string errors
function M.json(argv, env)
  local output, code, errors = M.run(argv, env)
  if code ~= 0 then
    error(("vise %s ended with %d: %s"):format(table.concat(argv, " "), code, errors), 2)
  end
  return assert(native.json.decode(output)), errors
end

--- A folder of this process, removed by M.clean().
---@return string path
function M.folder()
  if H.folder == nil then
    H.folder = os.tmpname()
    os.remove(H.folder)
    assert(native.file.make_dirs(H.folder))
  end
  return H.folder
end

function M.clean()
  if H.folder then
    native.file.remove_tree(H.folder)
    H.folder = nil
  end
end

--- A real model and a short text where ../shared is there, else a random one.
---@return {model: string, text: string, protocol: string, is_real: boolean}
function M.subject()
  if H.subject then
    return H.subject
  end
  local data = "../shared/data"
  local text = native.file.read(data .. "/text/stories_test.txt")
  local is_real = text ~= nil
  local model = data .. "/stories260K"
  if not is_real then
    print("../shared is not there: a random model stands in")
    model = tiny_model.write(M.folder() .. "/tiny")
    text = ("once upon a time there was a cat\n<|endoftext|>\n"):rep(40)
  end
  local path = M.folder() .. "/short.txt"
  assert(native.file.replace(path, H.first_stories(text, 3)))
  H.subject = { model = model, text = path, protocol = "stories-512", is_real = is_real }
  return H.subject
end

function H.first_stories(text, n)
  local at = 1
  for _ = 1, n do
    at = select(2, text:find("<|endoftext|>\n", at, true)) + 1
  end
  return text:sub(1, at - 1)
end

return M
