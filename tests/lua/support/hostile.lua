--- Hostile recipes, run by the real parent in the real sandbox: what came of them.
local cache = require("vise.cache")
local native = require("vise.native")
local run = require("vise.run")
local tiny_model = require("support.tiny_model")

local M = {}
local H = {}

H.build = assert(os.getenv("VISE_BUILD"), "VISE_BUILD is not set")

M.SECRET = "the secret of the user"

--- A folder with a model, a text and what a recipe must not reach: a secret and a treasure.
M.folder = os.tmpname()
os.remove(M.folder)
tiny_model.write(M.folder .. "/model")
function cache.place() -- luacheck: ignore 122
  return M.folder .. "/cache"
end
assert(native.file.make_dirs(M.folder .. "/cache"))
assert(native.file.replace(M.folder .. "/text.txt", ("a cat sat on a mat. "):rep(15)))
assert(native.file.replace(M.folder .. "/model/README.md", "not of the model"))

--- Put the secret and the treasure back; the folder holds nothing else.
function M.reset()
  assert(native.file.remove_tree(M.folder .. "/home"))
  assert(native.file.make_dirs(M.folder .. "/home"))
  assert(native.file.replace(M.folder .. "/home/secret", M.SECRET))
  assert(native.file.replace(M.folder .. "/home/treasure", "gold"))
  assert(native.file.remove_tree(M.folder .. "/out"))
end

--- Is all as `reset` left it, and no folder of a run half made?
---@return boolean
function M.is_unharmed()
  local names = table.concat(assert(native.file.list(M.folder .. "/home")), " ")
  local all = table.concat(assert(native.file.list(M.folder)), " ")
  return names == "secret treasure" and not all:find("partial")
    and native.file.read(M.folder .. "/home/secret") == M.SECRET
    and native.file.read(M.folder .. "/home/treasure") == "gold"
end

--- The text of a recipe with a model, a text and `body` as its run; FOLDER stands for the folder,
--- ATTACK for what machine code could do.
---@param body string
---@return string
function M.recipe(body)
  body = body:gsub("FOLDER", M.folder):gsub("ATTACK", "string.attack")
  return 'local vise = require "vise"\nreturn vise.recipe { params = { model = vise.param.model(), '
    .. "text = vise.param.text() }, run = function(p, job)\n" .. body .. "\nend }"
end

--- Run a recipe, with limits, out of its Lua.
---@param text string
---@param limits? vise.Limits
---@param more? table further fields of the request
---@return string|nil message nil when it ended well
---@return table lines what it logged
---@return string|nil code
function M.run(text, limits, more)
  M.reset()
  local request = {
    name = "r", path = "r.lua", text = text, out = M.folder .. "/out",
    given = { { "model", M.folder .. "/model" }, { "text", M.folder .. "/text.txt" } },
    limits = limits or { seconds = 60 },
  }
  local lines = {}
  request.on_event = function(event)
    lines[#lines + 1] = event.event == "log" and event.text or nil
  end
  for name, value in pairs(more or {}) do
    request[name] = value
  end
  local result, message, code = run.execute(request)
  return not result and message or nil, lines, code
end

--- From now on machine code runs in every process of a recipe before it enters its sandbox.
function M.arm()
  local spawn = native.process.spawn
  function native.process.spawn(options) -- luacheck: ignore 122
    options.env = options.env or {}
    options.env.LUA_INIT = ("package.cpath = '%s/tests/lua/?.so;' .. package.cpath "
      .. "string.attack = require('attack') string.attack.keep_environment() "
      .. "string.attack.directory = '%s'"):format(H.build,
      native.json.decode(options.input).directory or "")
    options.env.SECRET_TOKEN = M.SECRET
    return spawn(options)
  end
end

function M.clean()
  native.file.remove_tree(M.folder)
end

return M
