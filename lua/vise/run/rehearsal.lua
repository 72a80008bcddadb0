-- SPDX-License-Identifier: Apache-2.0
--- A rehearsal: every step of a run on little, before it takes long (vise.run.rehearsal_job), and
--- whether the machine and its limits have room for the run.

local host = require("vise.run.host")
local machine = require("vise.machine")
local native = require("vise.native")
local text = require("vise.text")

local M = {}
local H = {}

--- What a stage may take, in seconds, before a run that was not rehearsed is.
M.LONG = 15

---@class vise.Estimate
---@field seconds number
---@field memory_bytes integer resident at the most, mapped files included
---@field disk_bytes integer of the artifact and in the cache

--- Rehearse a run and see whether there is room for it.
--- A message is the recipe's only if it does not depend on how many layers are left: otherwise it
--- is tried with more of them.
---@param run vise.RunRecord
---@param request vise.RunRequest
---@param folder string made, and removed with all that the rehearsal writes
---@return vise.Estimate|false|nil estimate false if it cannot be said, and why
---@return string|nil message
---@return string|nil code
function M.run(run, request, folder)
  local cleaner <close> = setmetatable({}, { __close = function()
    native.file.remove_tree(folder)
  end })
  local _ = cleaner
  local before
  for _, layers in ipairs(H.layers) do
    native.file.remove_tree(folder)
    local estimate, message, code, is_late = H.play(run, request, folder, layers)
    if estimate then
      message = H.check(estimate, request, folder)
      if message then
        return nil, ("%s: %s"):format(request.path, message), "io"
      end
      return { seconds = estimate.seconds, memory_bytes = estimate.memory_bytes,
        disk_bytes = estimate.file_bytes + estimate.cache_bytes }
    elseif code == "cancelled" or message == before and not is_late then
      return nil, message, code
    elseif is_late then
      return false, message
    end
    before = message
  end
  return false, before
end

--- An estimate as one line: "about 4 min 10 s, 310.0 MiB of memory, 12.0 MiB of disk".
---@param estimate vise.Estimate
---@return string
function M.text(estimate)
  return ("about %s, %s of memory, %s of disk"):format(text.duration(estimate.seconds),
    text.bytes(estimate.memory_bytes), text.bytes(estimate.disk_bytes))
end

H.layers = { 1, 2, 4, 8 } -- that models are cut to, until it works or fails twice alike
H.most_seconds = 120

--- The estimate of one rehearsal; nil, message, code and whether it took too long.
function H.play(run, request, folder, layers)
  local job = run:request(folder)
  job.action, job.layers, job.cache = "rehearse", layers, folder .. "/cache"
  local ok, message, code = native.file.make_dirs(job.cache)
  if not ok then
    return nil, message, code
  end
  local estimate
  local begin = native.core.clock()
  local limits = request.is_untrusted and request.limits or {}
  ok, message, code = host.run(job, {
    on_event = function(event)
      estimate = event.event == "estimate" and event or estimate
    end,
    limits = { seconds = H.most_seconds, ram_bytes = limits.ram_bytes,
      output_bytes = limits.output_bytes, open_files = limits.open_files },
    is_open = request.is_open,
  })
  if not ok then
    return nil, message, code, native.core.clock() - begin >= H.most_seconds
  end
  return estimate
end

--- What there is too little of; nil if nothing.
function H.check(estimate, request, folder)
  local limits = request.limits or {}
  local disk = estimate.file_bytes + estimate.cache_bytes
  local _, memory = machine.memory()
  for _, row in ipairs({
    { "memory", estimate.writable_bytes, limits.ram_bytes, "that --max-ram gives it" },
    { "disk", request.is_untrusted and disk or estimate.file_bytes, limits.output_bytes,
      "that --max-output gives it" },
    { "memory", estimate.writable_bytes, memory, "that are free" },
    { "disk", disk, native.file.free_bytes(folder), "that are free" },
  }) do
    local what, needed, there, whose = table.unpack(row, 1, 4)
    if there and needed > there then
      return ("needs about %s of %s by its rehearsal, expected at most the %s %s"):format(
        text.bytes(needed), what, text.bytes(there), whose)
    end
  end
end

return M
