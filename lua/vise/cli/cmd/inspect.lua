-- SPDX-License-Identifier: Apache-2.0
--- vise inspect: what is in a model, without reading its weights.

local artifact = require("vise.artifact")
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
  local report = H.report(path, args.options.entropy)
  if args.options.json then
    term.write_json(report)
  else
    H.print(report, args[1], args.options.all)
  end
end

function H.report(path, with_entropy)
  local m = exit.check(model.open(path))
  local is_sealed = path:find("%.gguf$") == nil and native.file.stat(path).kind ~= "folder"
  local sealed = is_sealed and H.sealed(path, with_entropy) or { rows = {} }
  local report = {
    name = m.name,
    path = path,
    arch = m.arch,
    context = m.context,
    image = m.image,
    vocabulary = m.vocabulary,
    parameters = m:parameters(),
    bytes = m:disk_bytes(),
    packed_bytes = 0,
    hash = sealed.hash,
    recipe = sealed.recipe,
    places = native.json.array({}),
    tensors = native.json.array({}),
    files = native.json.array({}),
    manifest_bytes = sealed.manifest_bytes,
    index_bytes = sealed.index_bytes,
  }
  local is_shown = {}
  for _, place in ipairs(m:places()) do
    local row = H.part(sealed.rows[place.name], function()
      local w <close> = exit.check(m:materialise(place.name))
      return w:describe(), w:bytes()
    end)
    row.name, row.shape, row.parameters = place.name, place.shape, place.parameters
    row.tied_to = place.tied_to
    row.bits_per_weight = not place.tied_to and 8 * row.bytes / place.parameters or nil
    report.packed_bytes = report.packed_bytes + (place.tied_to and 0 or row.bytes)
    table.insert(report.places, row)
    is_shown[row.name] = true
  end
  for _, name in ipairs(m:tensors()) do
    local row = H.part(sealed.rows[name], function()
      local t <close> = exit.check(m:tensor(name))
      return t:dtype(), t:bytes()
    end)
    row.name = name
    report.packed_bytes = report.packed_bytes + row.bytes
    table.insert(report.tensors, row)
    is_shown[name] = true
  end
  for _, entry in ipairs(sealed.rows) do
    if not is_shown[entry.name] then
      local row = H.part(entry)
      row.name = entry.name
      table.insert(report.files, row)
    end
  end
  report.bits_per_weight = 8 * report.bytes / report.parameters
  return report
end

--- What an artifact says of itself: rows of its ledger in order and by name, hash, recipe, and the
--- bytes that no row has.
function H.sealed(path, with_entropy)
  local reader <close> = exit.check(native.artifact.open(path))
  if with_entropy then
    exit.check(reader:measure_entropy())
  end
  local rows = reader:ledger()
  for i = 1, #rows do
    rows[rows[i].name] = rows[i]
  end
  local manifest_bytes = #reader:manifest()
  return {
    rows = rows,
    hash = reader:hash(),
    recipe = H.recipe(native.json.decode(reader:manifest())),
    manifest_bytes = manifest_bytes,
    index_bytes = artifact.totals(reader).overhead - manifest_bytes,
  }
end

--- The recipe sealed into a manifest, nil if there is none. Its hash is computed from its text.
function H.recipe(manifest)
  local recipe = manifest.recipe
  if type(recipe) ~= "table" or type(recipe.text) ~= "string" then
    return nil
  end
  local sha256 = native.core.sha256(recipe.text)
  return {
    sha256 = sha256,
    is_sound = sha256 == recipe.sha256,
    parameters = type(manifest.parameters) == "table" and manifest.parameters or {},
  }
end

--- Format and bytes of one part: from the ledger, or by looking at it.
function H.part(row, look)
  if row then
    return { format = row.description, bytes = row.packed, coded_bytes = row.coded,
      entropy_bytes = row.entropy }
  end
  local format, bytes = look()
  return { format = format, bytes = bytes }
end

function H.print(report, title, all)
  local image = report.image
  local reads = image
    and ("images %d x %d x %d, %d classes"):format(image.size, image.size, image.channels,
      report.vocabulary)
    or ("context %s, vocabulary %s"):format(text.count(report.context),
      text.count(report.vocabulary))
  term.write(("%s: %s, %s parameters, %s\n"):format(term.style(1, "bold", text.printable(title)),
    report.arch, text.count(report.parameters), reads))
  term.write(("%s on disk, %s packed, %.2f bits/weight\n"):format(text.bytes(report.bytes),
    text.bytes(report.packed_bytes), report.bits_per_weight))
  if report.hash then
    term.write(("hash %s\n"):format(report.hash))
  end
  if report.recipe then
    term.write(H.made_by(report.recipe))
  end
  term.write("\n")
  local rows = H.group(report.places, all)
  if all then
    table.move(report.tensors, 1, #report.tensors, #rows + 1, rows)
  else
    rows[#rows + 1] = H.sum("norms and biases", report.tensors)
  end
  if report.hash then
    table.move(report.files, 1, #report.files, #rows + 1, rows)
    rows[#rows + 1] = { name = "manifest", coded_bytes = report.manifest_bytes }
    rows[#rows + 1] = { name = "index, header, trailer", coded_bytes = report.index_bytes }
    rows[#rows + 1] = H.total(rows)
  end
  H.print_rows(rows)
end

--- The recipe that made an artifact, and its parameters, as one line.
function H.made_by(recipe)
  local words = { "recipe " .. recipe.sha256:sub(1, 16) }
  if not recipe.is_sound then
    words[1] = words[1] .. " (NOT the one whose sha256 the manifest has)"
  end
  for name, value in check.sorted_pairs(recipe.parameters) do
    words[#words + 1] = H.word(name) .. "=" .. H.word(value)
  end
  return text.printable(table.concat(words, " ")) .. "\n"
end

--- In quotes, where it could be taken for more than one word.
function H.word(value)
  local word = tostring(value)
  return word:match("^[%w_.+/-]+$") and word or check.quote(word)
end

--- Places that differ only in the number of their layer, as one row; every place with `all`.
function H.group(places, all)
  local rows, by_key = {}, {}
  for _, place in ipairs(places) do
    local name = all and place.name or place.name:gsub("%.%d+%f[%.\0]", ".*")
    local shape = ("[%d, %d]"):format(place.shape[1], place.shape[2])
    local key = table.concat({ name, shape, place.format, place.tied_to or "" }, " ")
    local row = by_key[key]
    if row == nil then
      row = { name = name, shape = shape, format = place.format, count = 0,
        bits_per_weight = place.bits_per_weight, tied_to = place.tied_to }
      rows[#rows + 1], by_key[key] = row, row
    end
    row.count = row.count + 1
    H.add(row, place)
  end
  return rows
end

--- Add bytes to a sum; those that a part has.
function H.add(row, part)
  for _, key in ipairs({ "bytes", "coded_bytes", "entropy_bytes" }) do
    row[key] = part[key] and (row[key] or 0) + part[key] or row[key]
  end
end

function H.sum(name, parts)
  local row = { name = name, count = #parts }
  for _, part in ipairs(parts) do
    row.format = row.format and row.format ~= part.format and "several" or part.format
    H.add(row, part)
  end
  return row
end

--- The sum of all rows: what is coded makes the size of the file.
function H.total(rows)
  local total = { name = "total" }
  for _, row in ipairs(rows) do
    if not H.is_stored_elsewhere(row) then
      H.add(total, row)
    end
  end
  return total
end

function H.is_stored_elsewhere(row)
  return row.tied_to and (row.coded_bytes or 0) == 0
end

function H.print_rows(rows)
  local columns = {
    { title = "place", align = "left" }, "count", "shape", { title = "format", align = "left" },
    "bits/weight", "packed", rows[1].coded_bytes and "coded", rows[1].entropy_bytes and "entropy",
  }
  local cells = {}
  for i, row in ipairs(rows) do
    local function bytes(key)
      return not H.is_stored_elsewhere(row) and row[key] and text.count(row[key]) or ""
    end
    cells[i] = {
      text.printable(row.name),
      tostring(row.count or row.bytes and row.name ~= "total" and 1 or ""),
      row.shape or "",
      row.tied_to and "tied to " .. row.tied_to or row.format or "",
      row.bits_per_weight and ("%.2f"):format(row.bits_per_weight) or "",
      bytes("bytes"),
      bytes("coded_bytes"),
      bytes("entropy_bytes"),
    }
  end
  term.write_table(cells, columns, "  ")
end

---@type vise.Command
return {
  summary = "what is in a model: places, formats, bytes",
  usage = { "vise inspect MODEL [--all] [--entropy] [--json]" },
  positional = { options.model },
  options = {
    options.switch("all", "every place by itself"),
    options.switch("entropy", "read a .vise file and measure the entropy of its bytes"),
    options.json,
  },
  details = [[
Bytes: `packed` is what the parts take as they are, `coded` what they take in a .vise file after
rANS or zstd, the total being the file; `entropy` what an ideal coder of single bytes would take.
Formats are told from what is stored. No weight is read, unless for --entropy.

  vise inspect MODEL --all]],
  run = H.run,
}
