-- SPDX-License-Identifier: Apache-2.0
--- The process that runs tasks of a sweep, wherever an engine starts it: on this machine, on a node
--- of a cluster. All it is told is a directory and names; all it leaves is results in there.

local native = require("vise.native")
local run = require("vise.run")
local space = require("vise.sweep.space")
local sweep_of = require("vise.sweep")

local M = {}
local H = {}

--- Run tasks one after the other. Returns an exit code: 0, or 130 when it was interrupted.
---@param argv string[] the sweep's directory, bytes of memory for each run (0: all there is), then
--- names, or @FILE with a name on each line
---@return integer exit code
function M.main(argv)
  native.process.die_with_parent()
  local directory, ram_bytes = argv[1], math.tointeger(tonumber(argv[2]))
  local sweep, message = sweep_of.read(directory)
  if sweep == nil then
    io.stderr:write(message, "\n")
    return 1
  end
  for _, name in ipairs(H.names(argv)) do
    for _, task in ipairs(sweep.tasks) do
      if task.name == name then
        local ok, problem, code = H.run(sweep, task, ram_bytes)
        if not ok then
          io.stderr:write(name, ": ", problem, "\n")
          return code == "cancelled" and 130 or 1
        end
      end
    end
  end
  return 0
end

function H.names(argv)
  local file = argv[3] and argv[3]:match("^@(.*)")
  if file == nil then
    return table.move(argv, 3, #argv, 1, {})
  end
  local names = {}
  for name in assert(native.file.read(file)):gmatch("[^\n]+") do
    names[#names + 1] = name
  end
  return names
end

--- Run one task unless it has a result, and see that it has one; nil, message, code otherwise.
function H.run(sweep, task, ram_bytes)
  sweep_of.look(sweep, task)
  if task.status ~= "pending" then
    return true
  end
  local spec, given = sweep.spec, {}
  for _, axis in ipairs(sweep.axes) do
    given[#given + 1] = { axis.name, space.value_text(task.params[axis.name]) }
  end
  local ok, result, message, code = pcall(run.execute, {
    name = spec.recipe.name, path = spec.recipe.path, text = spec.recipe.text,
    description = { about = spec.recipe.about, params = spec.params, claims = spec.claims,
      includes = spec.recipe.includes },
    given = given,
    seed = spec.seed,
    share = task.share,
    out = sweep_of.run_directory(sweep, task),
    limits = { ram_bytes = ram_bytes > 0 and ram_bytes or nil },
  })
  if not ok then
    message = tostring(result)
  elseif result then
    return true
  end
  sweep_of.look(sweep, task) -- somebody else may have published it first
  if task.status ~= "pending" then
    return true
  elseif code == "cancelled" or native.core.cancelled() then
    return nil, "interrupted", "cancelled"
  end
  return sweep_of.fail(sweep, task, message)
end

return M
