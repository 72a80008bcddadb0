-- SPDX-License-Identifier: Apache-2.0
--- What run.json holds: everything needed to repeat a run and to judge its numbers.

local check = require("vise.check")
local claims = require("vise.run.claims")
local native = require("vise.native")

local M = {}
local H = {}
H.__index = H

M.FORMAT = 1

--- The files whose digests run.json has; those of model.vise are its own.
M.FILES = { "ledger.json", "log.txt", "metrics.jsonl" }

---@class vise.RunRecord
---@field record table the content of run.json
---@field rows table[] measured models

--- Begin a record.
---@param request vise.RunRequest
---@param description table of the recipe
---@param values table<string, any>
---@param inputs table<string, vise.Input>
---@return vise.RunRecord
function M.new(request, description, values, inputs)
  local run = {
    rows = {},
    _begin = native.core.clock(),
    _recipe = request,
    record = {
      format = M.FORMAT,
      recipe = {
        name = request.name,
        path = request.path,
        text = request.text,
        sha256 = native.core.sha256(request.text),
        about = description.about,
        claims = description.claims,
        includes = #description.includes > 0 and description.includes or nil,
      },
      parameters = values,
      inputs = inputs,
      seed = request.seed or 0,
      share = request.share ~= 1 and request.share or nil,
      vise = native.core.version().vise,
      machine = H.machine(),
      started = os.date("!%Y-%m-%dT%H:%M:%SZ"),
    },
  }
  return setmetatable(run, H)
end

--- The digest of all of a decoded run.json but its seal.
---@param record table
---@return string hex
function M.seal(record)
  local rest = {}
  for key, value in pairs(record) do
    rest[key] = key ~= "seal" and value or nil
  end
  return native.core.sha256(native.json.encode(rest))
end

--- JSON has no NaN: what a row has not (an error bar over one cluster) comes as null.
---@param row table changed
---@return table row
function M.with_nan(row)
  for name, value in pairs(row) do
    if value == native.json.null then
      row[name] = 0 / 0
    end
  end
  return row
end

--- What the child is told.
---@param directory string where it writes
---@return table
function H:request(directory)
  local record = self.record
  return {
    action = "run",
    path = record.recipe.path,
    text = record.recipe.text,
    sha256 = record.recipe.sha256,
    includes = native.json.array(record.recipe.includes or {}),
    values = record.parameters,
    inputs = record.inputs,
    seed = record.seed,
    share = record.share,
    why = self._recipe.why,
    directory = directory,
  }
end

--- The child begins again, after a rehearsal.
---@param estimate vise.Estimate|nil
function H:restart(estimate)
  self.rows = {}
  local record = self.record
  record.kept_rows, record.losses, record.artifact, record.errors = nil, nil, nil, nil
  record.estimate = estimate
end

--- Take in an event of the child.
---@param event table
---@return string|nil problem
function H:take(event)
  if event.event == "row" then
    self.rows[#self.rows + 1] = M.with_nan(event.row)
    self.record.kept_rows = (self.record.kept_rows or 0) + (event.is_kept and 1 or 0)
  elseif event.event == "losses" then
    self.record.losses = self.record.losses or native.json.array({})
    table.insert(self.record.losses, { name = event.name, points = event.points })
  elseif event.event == "saved" then
    self.record.artifact, self.record.errors = event.artifact, event.errors
    for _, index in ipairs(event.rows) do
      if self.rows[index] == nil then
        return ("saved: row %d is not there"):format(index)
      end
      self.rows[index].bytes = event.artifact.bytes
      self.rows[index].bits_per_weight = event.artifact.bits_per_weight
    end
  elseif event.event == "end" then
    self.record.peak_memory_bytes = event.peak_memory_bytes
  end
end

--- Write run.json into the directory, in which all other files are written.
---@param directory string
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function H:write(directory)
  self.record.seconds = native.core.clock() - self._begin
  self.record.claims = native.json.array(claims.judge(self.record.recipe.claims, self.rows))
  self.record.rows = native.json.array(self.rows)
  self.record.files = {}
  for _, name in ipairs(M.FILES) do
    local digest, message, code = native.file.digest(directory .. "/" .. name)
    if digest == nil then
      return nil, message, code
    end
    self.record.files[name] = digest
  end
  local ok, message, code = self:_check_names(directory)
  if ok then
    ok, message, code = self:_check_artifact(directory)
  end
  if not ok then
    return nil, message, code
  end
  local written = native.json.decode(native.json.encode(self.record)) -- as who verifies reads it
  written.seal = M.seal(written)
  local text = native.json.encode(written, { indent = 2 })
  return native.file.replace(directory .. "/run.json", text .. "\n")
end

--- Nothing is in the directory that a run does not leave: what else would it be taken for?
function H:_check_names(directory)
  local names, message, code = native.file.list(directory)
  for _, name in ipairs(names or {}) do
    local is_known = name == "model.vise" and self.record.artifact ~= nil
    for _, known in ipairs(M.FILES) do
      is_known = is_known or name == known
    end
    if not is_known then
      local text = "%s: left '%s' in its run directory, expected %s and what it saved"
      return nil, text:format(self.record.recipe.path, name, table.concat(M.FILES, ", ")), "format"
    end
  end
  return names ~= nil or nil, message, code
end

--- The child said what it saved; is that what is there?
function H:_check_artifact(directory)
  local said = self.record.artifact
  if said == nil then
    return true
  end
  local path = directory .. "/" .. said.file
  local reader <close>, message, code = native.artifact.open(path)
  if reader == nil then
    return nil, message, code
  elseif reader:hash() ~= said.hash or reader:bytes() ~= said.bytes then
    local text = "%s: has hash %s and %d bytes, expected what was saved (%s, %d bytes)"
    return nil, text:format(path, reader:hash(), reader:bytes(), said.hash, said.bytes), "format"
  end
  return true
end

function H.machine()
  local version = native.core.version()
  local libraries = {}
  for name, value in check.sorted_pairs(version) do
    if not name:match("^cpu") and name ~= "vise" then
      libraries[name] = value
    end
  end
  return {
    cpu_model = version.cpu_model,
    cpu_level = version.cpu,
    threads = native.core.threads(),
    libraries = libraries,
    openblas_coretype = os.getenv("OPENBLAS_CORETYPE"),
  }
end

return M
