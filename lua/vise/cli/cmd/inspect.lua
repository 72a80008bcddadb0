-- SPDX-License-Identifier: Apache-2.0
--- vise inspect: what is in a model, without reading its weights.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local input = require("vise.run.input")
local model = require("vise.model")
local native = require("vise.native")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local path = exit.check(input.find_model(args[1]))
  local report = H.report(path)
  if args.options.json then
    term.write_json(report)
  else
    H.print(report, args[1], args.options.all)
  end
end

function H.report(path)
  local m = exit.check(model.open(path))
  local is_folder = native.file.stat(path).kind == "folder"
  local ledger = is_folder and {} or H.ledger(path)
  local manifest = ledger.manifest or {}
  local recipe = type(manifest.recipe) == "table" and manifest.recipe or {}
  local report = {
    name = m.name,
    path = path,
    arch = m.arch,
    context = m.context,
    vocabulary = m.vocabulary,
    parameters = m:parameters(),
    bytes = m:disk_bytes(),
    packed_bytes = 0,
    hash = ledger.hash,
    recipe_sha256 = recipe.sha256,
    recipe_parameters = manifest.parameters,
    places = native.json.array({}),
    tensors = native.json.array({}),
  }
  for _, place in ipairs(m:places()) do
    local row = H.part(ledger[place.name], function()
      local w <close> = exit.check(m:materialise(place.name))
      return w:describe(), w:bytes()
    end)
    row.name, row.shape, row.parameters = place.name, place.shape, place.parameters
    row.tied_to = place.tied_to
    row.bits_per_weight = not place.tied_to and 8 * row.bytes / place.parameters or nil
    report.packed_bytes = report.packed_bytes + (place.tied_to and 0 or row.bytes)
    table.insert(report.places, row)
  end
  for _, name in ipairs(m:tensors()) do
    local row = H.part(ledger[name], function()
      local t <close> = exit.check(m:tensor(name))
      return t:dtype(), t:bytes()
    end)
    row.name = name
    report.packed_bytes = report.packed_bytes + row.bytes
    table.insert(report.tensors, row)
  end
  report.bits_per_weight = 8 * report.bytes / report.parameters
  return report
end

--- Rows of the artifact's ledger by name, and its hash.
function H.ledger(path)
  local reader <close> = exit.check(native.artifact.open(path))
  local rows = { hash = reader:hash(), manifest = native.json.decode(reader:manifest()) }
  for _, row in ipairs(reader:ledger()) do
    rows[row.name] = row
  end
  return rows
end

--- Format and bytes of one part: from the ledger, or by looking at it.
function H.part(row, look)
  if row then
    return { format = row.description, bytes = row.packed, coded_bytes = row.coded }
  end
  local format, bytes = look()
  return { format = format, bytes = bytes }
end

function H.print(report, title, all)
  local head = "%s: %s, %s parameters, context %s, vocabulary %s\n"
  term.write(head:format(term.style(1, "bold", title), report.arch,
    text.count(report.parameters), text.count(report.context), text.count(report.vocabulary)))
  term.write(("%s on disk, %s packed, %.2f bits/weight\n"):format(text.bytes(report.bytes),
    text.bytes(report.packed_bytes), report.bits_per_weight))
  if report.hash then
    term.write(("hash %s\n"):format(report.hash))
  end
  if report.recipe_sha256 then
    term.write(H.made_by(report))
  end
  term.write("\n")
  local rows = H.group(report.places, all)
  if all then
    for _, tensor in ipairs(report.tensors) do
      rows[#rows + 1] = tensor
    end
  else
    rows[#rows + 1] = H.sum("norms and biases", report.tensors)
  end
  H.print_rows(rows, report.hash ~= nil)
end

--- The recipe that made an artifact, and its parameters.
function H.made_by(report)
  local words = { "recipe " .. tostring(report.recipe_sha256):sub(1, 16) }
  local parameters = report.recipe_parameters
  for name, value in check.sorted_pairs(type(parameters) == "table" and parameters or {}) do
    words[#words + 1] = ("%s=%s"):format(name, tostring(value))
  end
  return text.printable(table.concat(words, " ")) .. "\n"
end

--- Places that differ only in the number of their layer, as one row; every place with `all`.
function H.group(places, all)
  local rows, by_key = {}, {}
  for _, place in ipairs(places) do
    local name = all and place.name or place.name:gsub("%f[%d]%d+%f[%D]", "*")
    local shape = ("[%d, %d]"):format(place.shape[1], place.shape[2])
    local key = table.concat({ name, shape, place.format, place.tied_to or "" }, " ")
    local row = by_key[key]
    if row == nil then
      row = { name = name, shape = shape, format = place.format, bytes = 0, coded_bytes = 0,
        count = 0, bits_per_weight = place.bits_per_weight, tied_to = place.tied_to }
      rows[#rows + 1], by_key[key] = row, row
    end
    row.count = row.count + 1
    row.bytes = row.bytes + place.bytes
    row.coded_bytes = row.coded_bytes + (place.coded_bytes or 0)
  end
  return rows
end

function H.sum(name, parts)
  local row = { name = name, count = #parts, bytes = 0, coded_bytes = 0 }
  for _, part in ipairs(parts) do
    row.format = row.format and row.format ~= part.format and "several" or part.format
    row.bytes = row.bytes + part.bytes
    row.coded_bytes = row.coded_bytes + (part.coded_bytes or 0)
  end
  return row
end

function H.print_rows(rows, has_ledger)
  local columns = {
    { title = "place", align = "left" }, "count", "shape", { title = "format", align = "left" },
    "bits/weight", "packed", has_ledger and "coded" or nil,
  }
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = {
      text.printable(row.name),
      tostring(row.count or 1),
      row.shape or "",
      row.tied_to and "tied to " .. row.tied_to or row.format or "",
      row.bits_per_weight and ("%.2f"):format(row.bits_per_weight) or "",
      not row.tied_to and text.bytes(row.bytes) or "",
      not row.tied_to and row.coded_bytes and text.bytes(row.coded_bytes) or "",
    }
  end
  term.write_table(cells, columns, "  ")
end

---@type vise.Command
return {
  summary = "what is in a model: places, formats, bytes",
  usage = { "vise inspect MODEL [--all] [--json]" },
  positional = { options.model },
  options = {
    options.switch("all", "every place by itself"),
    options.json,
  },
  details = [[
`packed` is what the parts take as they are, `coded` what they take in a .vise file after zstd.
No weight is read.

  vise inspect MODEL --all]],
  run = H.run,
}
