-- SPDX-License-Identifier: Apache-2.0
--- The index over run directories: an SQLite database in `.vise/runs.db` of the current folder.
-- The directories are the truth. The index knows the folders that hold runs and looks at each that
-- has changed since, so what was made, moved or removed behind its back is seen; it can be deleted
-- at any time. Runs are made by many processes, this database is written only by those that list.
-- Every fact, parameter and number is a column of its own: "c" with the number of its field.

local check = require("vise.check")
local native = require("vise.native")
local refusal = require("vise.model.refusal")
local summary = require("vise.run.summary")

local must = refusal.must

local M = {}
local Store = {}
Store.__index = Store
local H = {}

M.FOLDER = ".vise"
M.VERSION = 2

---@class vise.Field
---@field name string
---@field role "fact"|"parameter"|"input"|"number"
---@field column string

--- Open the index of the current folder, made if need be; anew where the file is no such index.
---@return vise.Store|nil
---@return string? message
---@return string? code "io"
function M.open()
  local ok, message, code = native.file.make_dirs(M.FOLDER)
  if not ok then
    return nil, message, code
  end
  local path = M.FOLDER .. "/runs.db"
  local db
  db, message, code = native.sqlite.open(path)
  local version = db and db:rows("PRAGMA user_version")
  if code == "format" or version and version[1].user_version ~= M.VERSION then
    return H.create(path, db)
  elseif db == nil then
    return nil, message, code
  end
  return H.new(db)
end

--- Throw the index away and read all directories again: those below folders it knew, below `runs`,
--- below the runs of `sweeps`, and below `folders`.
---@param folders string[]
---@return vise.Store|nil
---@return string? message
---@return string? code
function M.rebuild(folders)
  local store, message, code = M.open()
  if store == nil then
    return nil, message, code
  end
  local roots = store._db:rows("SELECT path FROM roots") or {}
  store, message, code = H.create(M.FOLDER .. "/runs.db", store._db)
  if store == nil then
    return nil, message, code
  end
  for _, root in ipairs(roots) do
    must(store:_add_root(root.path))
  end
  for _, folder in ipairs(folders) do
    must(store:_add_root(H.root_of(folder)))
  end
  return store
end

--- A run was made in that directory; what was there before is forgotten.
---@param directory string
---@return boolean|nil ok
---@return string? message
---@return string? code
function Store:note(directory)
  return refusal.protect(function()
    local root, name = H.split(directory)
    self:_add_root(root)
    must(self._db:run("DELETE FROM runs WHERE root = ? AND name = ?", { root, name }))
    must(self._db:run("UPDATE roots SET changed_ns = 0 WHERE path = ?", { root }))
    return true
  end)
end

--- Runs will be made in that folder.
---@param folder string
---@return boolean|nil ok
---@return string? message
---@return string? code
function Store:watch(folder)
  return refusal.protect(self._add_root, self, H.root_of(folder))
end

--- Look at every folder that has changed.
---@return boolean|nil ok
---@return string? message
---@return string? code
function Store:sync()
  return refusal.protect(function()
    self:_add_root("runs")
    for _, root in ipairs(must(self._db:rows("SELECT path, changed_ns FROM roots"))) do
      local info = native.file.stat(root.path)
      if info == nil or info.changed_ns ~= root.changed_ns then
        self:_transaction(self._sync_root, root.path, info)
      end
    end
    return true
  end)
end

--- All fields, parameters before numbers of the same name.
---@return vise.Field[]
function Store:fields()
  return self._fields
end

--- The field of a name: a fact, a parameter, an input or a number, in this order.
---@param name string
---@return vise.Field|nil
---@return string? message
function Store:field(name)
  local names = {}
  for i, field in ipairs(self._fields) do
    if field.name == name then
      return field
    end
    names[i] = field.name
  end
  return nil, check.unknown("field", name, names)
end

---@class vise.Selection
---@field where? string a condition over columns, with `?` for values
---@field values? any[]
---@field order? string columns to sort by
---@field limit? integer
---@field columns? string[] expressions over columns

--- Rows of runs, each a table by column; newest first unless said otherwise.
---@param selection vise.Selection
---@return table[]|nil rows
---@return string? message
---@return string? code
function Store:select(selection)
  local sql = ("SELECT %s FROM runs WHERE %s ORDER BY %s LIMIT %d"):format(
    table.concat(selection.columns, ", "), selection.where or "1",
    (selection.order and selection.order .. ", " or "") .. self:field("started").column
    .. " DESC, name DESC, root", selection.limit or -1)
  return self._db:rows(sql, selection.values)
end

--- The summaries of runs, as JSON, in the order of `select`.
---@param selection vise.Selection
---@return string[]|nil texts
---@return string? message
---@return string? code
function Store:summaries(selection)
  return refusal.protect(function()
    selection.columns = { "id" } -- to sort texts would be slow
    local texts, by_id = {}, {}
    local rows = must(self:select(selection))
    local among = #rows < 100 and H.ids(rows) or "SELECT id FROM runs"
    for _, row in ipairs(must(self._db:rows(H.summaries_of:format(among)))) do
      by_id[row.id] = row.text
    end
    for i, row in ipairs(rows) do
      texts[i] = by_id[row.id]
    end
    return texts
  end)
end

--- The directory of a run: a path, or the name of one run that is known.
---@param name string
---@return string|nil directory
---@return string? message
---@return string? code "io"
function Store:find(name)
  local path = #name > 1 and name:gsub("/+$", "") or name
  if native.file.stat(path .. "/run.json") then
    return path
  end
  local rows, message, code = self._db:rows("SELECT root, name FROM runs WHERE name = ?", { path })
  if rows == nil then
    return nil, message, code
  elseif #rows == 1 then
    return H.join(rows[1].root, rows[1].name)
  elseif #rows > 1 then
    return nil, ("%s: %d runs have that name, expected a path"):format(name, #rows), "io"
  end
  local names = {}
  for i, row in ipairs(self._db:rows("SELECT DISTINCT name FROM runs LIMIT 1000") or {}) do
    names[i] = row.name
  end
  local hint = check.suggest(path, names)
  return nil, ("%s: no such run%s"):format(name, hint and " (" .. hint .. ")" or ""), "io"
end

function Store:close()
  self._db:close()
end

Store.__close = Store.close

function Store:_add_root(path)
  must(self._db:run("INSERT OR IGNORE INTO roots VALUES (?, 0)", { path }))
  return true
end

function Store:_transaction(fn, ...)
  must(self._db:run("BEGIN IMMEDIATE"))
  local result = table.pack(pcall(fn, self, ...))
  self._db:run(result[1] and "COMMIT" or "ROLLBACK")
  if not result[1] then
    error(result[2], 0)
  end
end

--- Bring the rows of one folder up to date. info: nil when it is gone.
function Store:_sync_root(root, info)
  local names = info and info.kind == "folder" and native.file.list(root)
  if not names then
    must(self._db:run("DELETE FROM runs WHERE root = ?", { root }))
    must(self._db:run("DELETE FROM roots WHERE path = ?", { root }))
    return
  end
  local known = {}
  for _, row in ipairs(must(self._db:rows("SELECT name FROM runs WHERE root = ?", { root }))) do
    known[row.name] = true
  end
  for _, name in ipairs(names) do
    if not known[name] and name:sub(1, 1) ~= "." then
      local directory = H.join(root, name)
      local record = summary.read(directory)
      if record then
        self:_insert(root, name, summary.of(directory, record))
      end
    end
    known[name] = nil
  end
  for name in pairs(known) do
    must(self._db:run("DELETE FROM runs WHERE root = ? AND name = ?", { root, name }))
  end
  local is_settled = native.core.time() - info.changed_ns / 1e9 > H.settled_seconds
  must(self._db:run("UPDATE roots SET changed_ns = ? WHERE path = ?",
    { is_settled and info.changed_ns or 0, root }))
end

function Store:_insert(root, name, facts)
  local columns, marks, values = { "root", "name" }, { "?", "?" }, { root, name }
  local function add(field_name, role, value)
    if self._columns[role .. " " .. field_name] or #self._fields < H.most_fields then
      columns[#columns + 1], marks[#marks + 1] = self:_column(field_name, role), "?"
      values[#values + 1] = value
    end
  end
  for _, fact in ipairs(summary.FACTS) do
    if facts[fact] ~= nil then
      add(fact, "fact", facts[fact])
    end
  end
  for key, role in check.sorted_pairs(H.roles) do
    for field_name, value in check.sorted_pairs(facts[key]) do
      add(field_name, role, value)
    end
  end
  local sql = "INSERT INTO runs (%s) VALUES (%s)"
  must(self._db:run(sql:format(table.concat(columns, ","), table.concat(marks, ",")), values))
  must(self._db:run("INSERT INTO summaries VALUES (last_insert_rowid(), ?)",
    { native.json.encode(facts) }))
end

--- The column of a field, which is added when it is new.
function Store:_column(name, role)
  local key = role .. " " .. name
  if self._columns[key] == nil then
    must(self._db:run("INSERT INTO fields (name, role) VALUES (?, ?)", { name, role }))
    local id = must(self._db:rows("SELECT last_insert_rowid() AS id"))[1].id
    must(self._db:run(("ALTER TABLE runs ADD COLUMN c%d"):format(id)))
    self:_read_fields()
  end
  return self._columns[key]
end

function Store:_read_fields()
  self._fields, self._columns = {}, {}
  for i, row in ipairs(must(self._db:rows("SELECT id, name, role FROM fields"))) do
    local column = ("c%d"):format(row.id)
    self._fields[i] = { name = row.name, role = row.role, column = column }
    self._columns[row.role .. " " .. row.name] = column
  end
  table.sort(self._fields, function(a, b)
    return H.rank[a.role] < H.rank[b.role] or a.role == b.role and a.name < b.name
  end)
end

H.summaries_of = "SELECT id, text FROM summaries WHERE id IN (%s)"

function H.ids(rows)
  local ids = {}
  for i, row in ipairs(rows) do
    ids[i] = row.id
  end
  return table.concat(ids, ",")
end

H.most_fields = 1900 -- SQLite has 2000 columns; later names are in the summaries alone
H.settled_seconds = 2 -- a folder changed later than this may change again in the same tick
H.roles = { parameters = "parameter", inputs = "input", numbers = "number" }
H.rank = { fact = 1, parameter = 2, input = 3, number = 4 }

H.schema = {
  "CREATE TABLE roots (path TEXT PRIMARY KEY, changed_ns INTEGER NOT NULL)",
  "CREATE TABLE fields (id INTEGER PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, "
    .. "UNIQUE (name, role))",
  "CREATE TABLE runs (id INTEGER PRIMARY KEY, root TEXT NOT NULL, name TEXT NOT NULL, "
    .. "UNIQUE (root, name))",
  "CREATE TABLE summaries (id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, "
    .. "text TEXT NOT NULL)",
}

--- An index with nothing in it but the folders where runs usually are.
function H.create(path, old)
  if old then
    old:close()
  end
  for _, ending in ipairs({ "", "-wal", "-shm" }) do
    os.remove(path .. ending)
  end
  local db, message, code = native.sqlite.open(path)
  if db == nil then
    return nil, message, code
  end
  return refusal.protect(function()
    must(db:run("BEGIN IMMEDIATE"))
    if must(db:rows("PRAGMA user_version"))[1].user_version ~= M.VERSION then -- not beside us
      for _, statement in ipairs(H.schema) do
        must(db:run(statement))
      end
      must(db:run(("PRAGMA user_version = %d"):format(M.VERSION)))
    end
    must(db:run("COMMIT"))
    local store = H.new(db)
    for _, fact in ipairs(summary.FACTS) do
      store:_column(fact, "fact")
    end
    for _, name in ipairs(native.file.list("sweeps") or {}) do
      store:_add_root("sweeps/" .. name .. "/runs")
    end
    return store
  end)
end

function H.new(db)
  local store = setmetatable({ _db = db }, Store)
  store:_read_fields()
  return store
end

--- The folder of a run and its name in it, relative to here where it is below.
function H.split(directory)
  local parent, name = directory:match("^(.*)/([^/]+)$")
  parent = native.file.realpath(parent == "" and "/" or parent or ".") or parent
  local here = native.file.realpath(".")
  if parent == here then
    parent = "."
  elseif parent:sub(1, #here + 1) == here .. "/" then
    parent = parent:sub(#here + 2)
  end
  return parent, name or directory
end

--- The folder of runs that a person means: of a run, of a sweep, or the folder itself.
function H.root_of(folder)
  folder = #folder > 1 and folder:gsub("/+$", "") or folder
  if native.file.stat(folder .. "/run.json") then
    return (H.split(folder))
  end
  local inner = native.file.stat(folder .. "/sweep.json") and folder .. "/runs" or folder
  return (H.split(inner .. "/."))
end

function H.join(root, name)
  return root == "." and name or root .. "/" .. name
end

return M
