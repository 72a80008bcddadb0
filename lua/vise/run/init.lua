-- SPDX-License-Identifier: Apache-2.0
--- A run: one recipe executed in a process of its own, and the directory that records it.
-- The recipe is loaded twice, each time by a child: first without any file, to learn its
-- parameters; then with the declared inputs and the run's directory. The directory is filled under
-- another name beside its place and renamed when it is complete, so a directory with a run's name
-- is a whole run.

local cache = require("vise.cache")
local check = require("vise.check")
local host = require("vise.run.host")
local include = require("vise.run.include")
local input = require("vise.run.input")
local native = require("vise.native")
local param = require("vise.param")
local place = require("vise.place")
local protocol = require("vise.metric.protocol")
local record = require("vise.run.record")
local rehearsal = require("vise.run.rehearsal")
local sandbox = require("vise.run.sandbox")

local M = {}
local H = {}

---@class vise.RunRequest
---@field name string of the recipe, without folder and ending
---@field path string the recipe's path, for messages and the record
---@field text string the recipe
---@field given {[1]: string, [2]: string}[] names and values as they were written
---@field out? string the run directory; default runs/NAME-TIME
---@field seed? integer 0
---@field is_made_here? boolean the text is not a file of the user's
---@field limits? vise.Limits none if absent
---@field is_untrusted? boolean its own paths are not taken for inputs
---@field is_open? boolean without the sandbox, for debugging
---@field includes? vise.Include[] the only files it may include; those of its folder if absent
---@field description? table what M.describe says, where it was asked before
---@field share? number score that share of the windows only; all if absent
---@field rehearse? "only"|"long" rehearse, and that is all; rehearse before a stage takes long
---@field on_event? fun(event: table) progress, log and row events of the child, and what was
--- estimated: { event = "rehearsed", estimate, message }

---@class vise.Run
---@field directory string
---@field rows table[] one for each measured model
---@field record table what run.json holds

---@class vise.Rehearsed
---@field estimate vise.Estimate

--- Read a recipe file.
---@param path string
---@return {name: string, path: string, text: string}|nil
---@return string|nil message
---@return string|nil code
function M.read(path)
  local text, message, code = native.file.read(path, H.recipe_limit)
  if text == nil then
    return nil, message, code
  end
  return { name = path:match("([^/]+)$"):gsub("%.lua$", ""), path = path, text = text }
end

--- What a recipe says of itself, learned in a process that has no file. A process that lacks a file
--- which the recipe includes says so, and the next is given it.
---@param recipe {path: string, text: string, is_open: boolean?, includes: vise.Include[]?}
---@return {about: string, params: vise.OptionRow[], claims: table, includes: vise.Include[]}|nil
---@return string|nil message
---@return string|nil code
function M.describe(recipe)
  local includes = table.move(recipe.includes or {}, 1, #(recipe.includes or {}), 1, {})
  while true do
    local last
    local request = { action = "describe", path = recipe.path, text = recipe.text,
      includes = native.json.array(includes) }
    local ok, message, code = host.run(request, {
      on_event = function(event)
        last = event
      end,
      limits = sandbox.DESCRIBE,
      is_open = recipe.is_open,
    })
    if ok then
      last.includes = native.json.array(includes)
      return last
    elseif last == nil or last.key == nil or recipe.includes or #includes >= H.most_includes then
      return nil, message, code
    end
    includes[#includes + 1], message, code = include.find(recipe.path, last.key)
    if message then
      return nil, message, code
    end
  end
end

H.most_includes = 100

--- Values for the parameters of a recipe: names, then values, then files, then what is missing.
---@param recipe {path: string, is_untrusted: boolean?}
---@param rows vise.OptionRow[]
---@param given {[1]: string, [2]: string}[]
---@return table<string, any>|nil values paths as they were written
---@return table<string, table>|string inputs by parameter; or the message
---@return string|nil code "argument" or "io"
function M.resolve(recipe, rows, given)
  local by_name, names, values, inputs = {}, {}, {}, {}
  for i, row in ipairs(rows) do
    by_name[row.name], names[i] = row, row.name
  end
  for _, pair in ipairs(given) do
    local name = pair[1]
    if by_name[name] == nil then
      return nil, recipe.path .. ": " .. check.unknown("parameter", name, names), "argument"
    elseif values[name] ~= nil then
      return nil, ("%s: parameter '%s' is given twice"):format(recipe.path, name), "argument"
    end
    values[name] = pair[2]
  end
  for _, pair in ipairs(given) do
    local value, problem = H.value(by_name[pair[1]], pair[2])
    if value == nil then
      return nil, recipe.path .. ": " .. problem, "argument"
    end
    values[pair[1]] = value
  end
  local missing = {}
  for _, row in ipairs(rows) do
    if values[row.name] == nil and param.is_input(row) and row.default then
      values[row.name] = H.default_path(recipe, row.default)
    elseif values[row.name] == nil then
      values[row.name] = row.default
    end
    if values[row.name] == nil then
      missing[#missing + 1] = ("%s=... (%s)"):format(row.name, param.expected(row))
    elseif param.is_input(row) then
      local found, message, code = input.find(row.kind, values[row.name])
      if found == nil then
        return nil, ("%s: %s: %s"):format(recipe.path, row.name, message), code
      end
      inputs[row.name] = found
    end
  end
  if #missing > 0 then
    local message = ("%s: missing %s"):format(recipe.path, table.concat(missing, ", "))
    return nil, message, "argument"
  end
  return values, inputs
end

--- Run a recipe, or rehearse it.
---@param request vise.RunRequest
---@return vise.Run|vise.Rehearsed|nil
---@return string|nil message
---@return string|nil code
function M.execute(request)
  local description, message, code = request.description, nil, nil
  if description == nil then
    description, message, code = M.describe(request)
  end
  if description == nil then
    return nil, message, code
  end
  local values, inputs
  values, inputs, code = M.resolve(request, description.params, request.given)
  if values == nil then
    return nil, inputs, code
  end
  local directory
  directory, message, code = H.target(request)
  if directory == nil then
    return nil, message, code
  end
  for _, found in check.sorted_pairs(inputs) do
    local hashed
    hashed, message, code = input.hash(found)
    if hashed == nil then
      return nil, message, code
    end
  end
  local partial <close> = H.partial(directory)
  local run = record.new(request, description, values, inputs)
  if request.rehearse == "only" then
    return H.rehearse_only(partial.path, run, request)
  end
  message, code = H.fill(partial.path, run, request)
  if message then
    return nil, message, code
  end
  local ok
  ok, message, code = partial:publish()
  if not ok then
    return nil, message, code
  end
  return { directory = directory, rows = run.rows, record = run.record }
end

H.recipe_limit = 1 << 20

--- The path a recipe has for an input that is not given. A stranger's could be that of a key.
function H.default_path(recipe, default)
  local path = place.default(default)
  return (path ~= default or not recipe.is_untrusted) and path or nil
end

function H.value(row, text)
  local value, expected = param.parse(row, text)
  if value == nil then
    return nil, ("%s is '%s', expected %s"):format(row.name, text, expected)
  elseif row.kind == "protocol" then
    local ok, problem = pcall(protocol.parse, value)
    if not ok then
      return nil, check.strip_position(problem)
    end
  end
  return value
end

--- The place of the run, checked before any work is done.
function H.target(request)
  local directory = request.out
  if directory == nil then
    local stem = ("runs/%s-%s"):format(request.name, os.date("%Y%m%d-%H%M%S"))
    directory = stem
    for i = 2, math.huge do
      if native.file.stat(directory) == nil then
        break
      end
      directory = stem .. "-" .. i
    end
  end
  if directory == "" then
    return nil, "--out is empty, expected the name of a folder to make", "argument"
  end
  directory = #directory > 1 and directory:gsub("/+$", "") or directory
  if native.file.is_link(directory) then
    local text = "--out: '%s' is a symbolic link, expected a folder to make"
    return nil, text:format(directory), "argument"
  end
  local info = native.file.stat(directory)
  if info and info.kind ~= "folder" then
    return nil, ("--out: '%s' is no folder, expected a folder to make"):format(directory),
      "argument"
  elseif info then
    local names, message, code = native.file.list(directory)
    if names == nil then
      return nil, message, code
    elseif #names > 0 then
      local text = "--out: folder '%s' is not empty, expected a new one (%s is in it)"
      return nil, text:format(directory, names[1]), "argument"
    end
  end
  return directory
end

--- A folder beside `directory` that takes its name when it is published, and is gone otherwise.
function H.partial(directory)
  local parent, name = directory:match("^(.*/)([^/]+)$")
  local unique = ("%x"):format(math.floor(native.core.time() * 1e6))
  local path = ("%s.%s.%s.partial"):format(parent or "", name or directory, unique)
  local partial = { path = path }
  function partial.publish()
    local ok, message, code = native.file.rename(path, directory)
    partial.is_published = ok
    return ok, message, code
  end
  return setmetatable(partial, {
    __close = function()
      if not partial.is_published then
        native.file.remove_tree(path)
      end
    end,
  })
end

--- The estimate alone; nothing stays.
function H.rehearse_only(path, run, request)
  local parent = path:match("^(.+)/")
  local is_new = parent and native.file.stat(parent) == nil
  local estimate, message, code = rehearsal.run(run, request, path)
  if is_new then
    os.remove(parent)
  end
  return estimate and { estimate = estimate } or nil, message, code
end

--- Let the child fill the directory, then write the record; nil or message, code.
function H.fill(path, run, request)
  local ok, message, code = native.file.make_dirs(path)
  if not ok then
    return message, code
  end
  local job = run:request(path)
  job.cache = request.is_untrusted and path .. "/cache" or cache.place()
  ok, message, code = native.file.make_dirs(job.cache)
  if not ok then
    return message, code
  end
  job.long_seconds = request.rehearse and rehearsal.LONG or nil
  local is_long
  local said = {}
  ok, message, code, is_long = H.play(job, run, request, said)
  if is_long then
    ok, message, code = H.rehearse(path, run, request)
    if not ok then
      return message, code
    end
    job.long_seconds = nil
    ok, message, code = H.play(job, run, request, said)
  end
  if ok and request.is_untrusted then -- its own, and gone with it
    ok, message, code = native.file.remove_tree(job.cache)
  end
  if not ok then
    return message, code
  end
  ok, message, code = run:write(path)
  if not ok then
    return message, code
  end
end

--- Is there room for the run? Said, and put into the record.
function H.rehearse(path, run, request)
  request.on_event = request.on_event or function() end
  request.on_event({ event = "stage", stage = "rehearsal" })
  local estimate, message, code = rehearsal.run(run, request, path .. "/rehearsal")
  if estimate == nil then
    return nil, message, code
  end
  run:restart(estimate or nil)
  request.on_event({ event = "rehearsed", estimate = estimate or nil, message = message })
  return true
end

--- Let a child run the recipe: what host.run gives, and whether it ended because it would be long.
--- `said`: the lines logged so far, filled here; a second play does not say them again.
function H.play(job, run, request, said)
  local is_long, n_logged = false, 0
  local ok, message, code = host.run(job, {
    on_event = function(event)
      is_long = event.event == "long"
      local problem = run:take(event)
      local is_said = false
      if event.event == "log" then
        n_logged = n_logged + 1
        is_said = said[n_logged] == event.text
        said[n_logged] = event.text
      end
      if problem == nil and request.on_event and not is_said then
        request.on_event(event)
      end
      return problem
    end,
    limits = request.limits or {},
    is_open = request.is_open,
  })
  return ok, message, code, is_long
end

return M
