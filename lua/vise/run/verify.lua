-- SPDX-License-Identifier: Apache-2.0
--- Is a `.vise` file or a run directory what it was when it was written?
-- run.json is sealed by a digest of itself. So when a file disagrees with it, the seal says which
-- of the two was altered.

local artifact = require("vise.artifact")
local check = require("vise.check")
local claims = require("vise.run.claims")
local model = require("vise.model")
local native = require("vise.native")
local record = require("vise.run.record")
local refusal = require("vise.model.refusal")
local sealed = require("vise.model.sealed")
local sources = require("vise.model.sources")
local text = require("vise.text")

local must = refusal.must

local M = {}
local H = {}

---@class vise.VerifyReport
---@field path string
---@field hash? string of the artifact; nil for a run that saved none
---@field bytes? integer of the artifact
---@field parts? integer weights and tensors in it
---@field files? {name: string, holds: string}[] of a run directory: what each was found to hold

--- Every byte of an artifact against its hashes. The manifest must be a JSON object and every
--- weight and the tokenizer must load: hashes alone bless a file that nothing can open.
---@param path string
---@return vise.VerifyReport|nil
---@return string? message
---@return string? code "io", "format" or "cancelled"
function M.artifact(path)
  return refusal.protect(function()
    local reader <close> = must(native.artifact.open(path))
    return (H.read_artifact(reader, path))
  end)
end

--- Every file of a run directory against run.json, and run.json against what model.vise has sealed
--- and against its own digest.
---@param path string
---@return vise.VerifyReport|nil
---@return string? message naming the file and the key that was altered, and what was expected
---@return string? code "io", "format" or "cancelled"
function M.directory(path)
  return refusal.protect(function()
    local run = H.read_run(path)
    local report, ledger = { path = path }, {}
    if run.record.artifact ~= nil or native.file.stat(path .. "/model.vise") then
      report, ledger = H.check_artifact(run)
      report.path = path
    end
    H.check_rows(run)
    H.same(path .. "/ledger.json", "", H.read_json(path .. "/ledger.json"), ledger)
    H.check_digests(run)
    if not run.is_sealed then
      refusal.refuse_format("%s: does not match its seal, so something in it was altered", run.path)
    end
    report.files = H.files(run.record, report, ledger)
    return report
  end)
end

--- What was found in each file.
function H.files(recorded, report, ledger)
  local function count(list, one, many)
    local n = 0
    for _ in pairs(list) do
      n = n + 1
    end
    return ("%d %s"):format(n, n == 1 and one or many)
  end
  return {
    { name = "run.json", holds = ("recipe, %s, %s, as sealed"):format(
      count(recorded.parameters, "parameter", "parameters"),
      count(recorded.inputs, "hash of an input", "hashes of inputs")) },
    { name = "metrics.jsonl", holds = count(recorded.rows, "measured row", "measured rows")
      .. ", as in run.json" },
    { name = "ledger.json", holds = count(ledger, "tensor", "tensors")
      .. (report.hash and ", as in model.vise" or "") },
    { name = "log.txt", holds = "the bytes whose digest is in run.json" },
  }
end

--- run.json, its types checked as far as they are used here.
function H.read_run(folder)
  local path = folder .. "/run.json"
  local value = H.read_json(path)
  if type(value) ~= "table" or type(value.recipe) ~= "table" then
    refusal.refuse_format("%s: is no record of a run (no recipe)", path)
  end
  H.same(path, "format", value.format, record.FORMAT)
  for _, key in ipairs({ "parameters", "inputs", "rows", "claims", "files" }) do
    if type(value[key]) ~= "table" then
      refusal.refuse_format("%s: %s is %s, expected a table", path, key, H.show(value[key]))
    end
  end
  local is_sealed = value.seal == record.seal(value)
  local run = { folder = folder, path = path, record = value, is_sealed = is_sealed }
  local digest = native.core.sha256(tostring(value.recipe.text))
  if digest ~= value.recipe.sha256 then
    refusal.refuse_format("%s: recipe.text has sha256 %s, expected %s", path, digest,
      H.show(value.recipe.sha256))
  end
  return run
end

function H.read_json(path)
  local value, message = native.json.decode(must(native.file.read(path)))
  if value == nil then
    refusal.refuse_format("%s: %s", path, message)
  end
  return value
end

--- The report of model.vise, and its ledger as ledger.json should have it.
function H.check_artifact(run)
  local path = run.folder .. "/model.vise"
  if run.is_sealed and run.record.artifact == nil then
    refusal.refuse_format("%s: is there, but run.json records no artifact", path)
  end
  local reader <close> = must(native.artifact.open(path))
  local report, manifest = H.read_artifact(reader, path)
  local m = must(model.open(path))
  local totals = artifact.totals(reader)
  H.agree(run, "artifact", path, {
    file = "model.vise",
    bytes = totals.bytes,
    packed_bytes = totals.packed,
    bits_per_weight = 8 * totals.bytes / m:parameters(),
    hash = reader:hash(),
  })
  local parameters, inputs = manifest.parameters, {}
  for name, input in pairs(run.record.inputs) do
    if type(input) == "table" and type(parameters) == "table" then
      inputs[name] = { kind = input.kind, sha256 = input.sha256, files = input.files }
      parameters[name] = input.given
    end
  end
  local recipe = type(manifest.recipe) == "table" and manifest.recipe or {}
  H.agree(run, "recipe.sha256", path, recipe.sha256, run.record.recipe.sha256)
  H.agree(run, "inputs", path, manifest.inputs, inputs)
  H.agree(run, "parameters", path, parameters)
  H.agree(run, "seed", path, manifest.seed)
  return report, H.plain(must(reader:ledger()))
end

--- metrics.jsonl, and the claims of the recipe, against the rows.
function H.check_rows(run)
  local path = run.folder .. "/metrics.jsonl"
  local rows, n = native.json.array({}), 0
  for line in must(native.file.read(path)):gmatch("[^\n]+") do
    local row, message = native.json.decode(line)
    n = n + 1
    if type(row) ~= "table" then
      refusal.refuse_format("%s: row %d: %s", path, n, message or "is no JSON object")
    end
    rows[n] = row
  end
  H.agree(run, "rows", path, rows)
  local stated = run.record.recipe.claims
  for name, claim in pairs(type(stated) == "table" and stated or {}) do
    local problem = claims.problem(name, claim)
    if problem then
      refusal.refuse_format("%s: recipe.claims: %s", run.path, problem)
    end
  end
  for _, row in ipairs(rows) do
    record.with_nan(row)
  end
  local judged = claims.judge(type(stated) == "table" and stated or {}, rows)
  H.same(run.path, "claims", run.record.claims, H.plain(native.json.array(judged)))
end

function H.check_digests(run)
  for _, name in ipairs(record.FILES) do
    local digest = must(native.file.digest(run.folder .. "/" .. name))
    H.agree(run, "files." .. name, run.folder .. "/" .. name, digest, run.record.files[name])
  end
end

--- A value of run.json and what another file has in its place. The seal says which is true.
function H.agree(run, key, path, found, recorded)
  if recorded == nil then
    recorded = run.record[key]
  end
  if run.is_sealed then
    H.same(path, key, found, recorded)
  else
    H.same(run.path, key, recorded, found)
  end
end

--- Refuse the first difference of two values: "PATH: rows[2].kl is 0.2, expected 0.1".
function H.same(path, key, found, expected)
  if type(found) == "table" and type(expected) == "table" then
    local keys = {}
    for _, side in ipairs({ expected, found }) do
      for name in pairs(side) do
        keys[name] = true
      end
    end
    for name in check.sorted_pairs(keys) do
      local at = type(name) == "number" and ("%s[%d]"):format(key, name)
        or (key == "" and "%s%s" or "%s.%s"):format(key, name)
      H.same(path, at, found[name], expected[name])
    end
  elseif found ~= expected then
    refusal.refuse_format("%s: %s is %s, expected %s", path, text.printable(key), H.show(found),
      H.show(expected))
  end
end

function H.show(value)
  if value == nil then
    return "missing"
  elseif type(value) == "number" then
    return native.json.encode(value) -- with all its digits
  end
  return text.printable(check.quote(value))
end

--- Report and manifest of an open artifact, all of it read.
function H.read_artifact(reader, path)
  must(reader:measure_entropy())
  local manifest, message = native.json.decode(reader:manifest())
  if type(manifest) ~= "table" or reader:manifest():find("^%s*{") == nil then
    refusal.refuse_format("%s: manifest: %s", path, message or "is no JSON object")
  end
  local recipe = manifest.recipe
  if type(recipe) == "table" and type(recipe.text) == "string" then
    H.same(path, "manifest: sha256 of recipe.text", native.core.sha256(recipe.text), recipe.sha256)
  end
  for _, name in ipairs(reader:names()) do
    if reader:kind(name) == "weight" then
      must(reader:weight(name)):close()
    end
  end
  sources.tokenizer(sealed.tokenizer_file(reader), path)
  local report = { path = path, hash = reader:hash(), bytes = reader:bytes() }
  report.parts = #reader:names()
  return report, manifest
end

--- As it is after it was written to a file and read again.
function H.plain(value)
  return must(native.json.decode(native.json.encode(value)))
end

return M
