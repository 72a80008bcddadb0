--- Run directories as `vise run` leaves them, of what lists and reports show. Numbers are made up.
local native = require("vise.native")

local M = {}

---@class FakeRun
---@field bits? integer
---@field group? integer 32 if absent
---@field recipe? string
---@field text? string of the recipe
---@field bytes? integer
---@field kl? number
---@field kl_se? number
---@field started? string
---@field ledger? table[]
---@field errors? table<string, number>
---@field losses? {name: string, points: number[][]}[]
---@field data? string sha256 of the text "t.txt" that it was measured on
---@field against? string key of the model it was compared with
---@field share? number of the text
---@field rows? table[] in the place of the two

--- Write run.json and ledger.json.
---@param path string of the run directory
---@param o FakeRun
function M.write(path, o)
  local data = o.data or ("b"):rep(64)
  local original = { name = "original", protocol = "nll-64", nll = 1.5, bytes = 4000, seconds = 9,
    data = data }
  local small = { name = "small", protocol = "nll-64", nll = 1.75, bytes = o.bytes, kl = o.kl,
    kl_se = o.kl_se, seconds = 3, data = data, against = o.against or ("c"):rep(64) }
  local text = o.text or ""
  local record = {
    format = 1,
    recipe = { name = o.recipe or "first", path = "first.lua", text = text,
      sha256 = native.core.sha256(text) },
    parameters = { bits = o.bits, group = o.group or 32, model = "m", text = "t.txt" },
    inputs = { model = { kind = "model", given = "m", path = "/m", sha256 = ("a"):rep(64) },
      text = { kind = "text", given = "t.txt", path = "/t.txt", sha256 = data } },
    rows = native.json.array(o.rows or { original, small }), share = o.share,
    claims = native.json.array({}),
    errors = o.errors, losses = o.losses,
    seed = 0, seconds = 2.5, started = o.started or "2026-11-21T10:00:00Z", vise = "0.1.0",
  }
  assert(native.file.make_dirs(path))
  local ledger = native.json.encode(native.json.array(o.ledger or {}))
  assert(native.file.replace(path .. "/ledger.json", ledger))
  assert(native.file.replace(path .. "/run.json", native.json.encode(record)))
end

return M
