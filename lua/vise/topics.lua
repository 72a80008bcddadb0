-- SPDX-License-Identifier: Apache-2.0
--- What can be explained: methods, number formats, protocols, metrics and types of parameters, from
-- their descriptors. `vise explain` and the help of the REPL show the same.

local check = require("vise.check")
local fields = require("vise.metric.fields")
local method = require("vise.method")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")
local text = require("vise.text")

local M = {}
local H = {}

---@class vise.Topic a descriptor without its functions, and:
---@field sort "method"|"format"|"protocol"|"metric"|"parameter"
---@field name string
---@field summary string
---@field params? vise.OptionRow[]

--- The sorts in the order of the overview, and the words for all of one.
M.order = { "method", "format", "protocol", "metric", "parameter" }
M.sections = {
  methods = "method", formats = "format", protocols = "protocol", metrics = "metric",
  parameters = "parameter",
}

--- Everything that can be explained; each has sort, name and summary.
---@return vise.Topic[]
function M.list()
  local topics = {}
  local function add(sort, rows)
    for _, row in ipairs(rows) do
      local topic = { sort = sort }
      for key, value in pairs(row) do
        topic[key] = type(value) ~= "function" and value or nil
      end
      topics[#topics + 1] = topic
    end
  end
  add("method", method.list())
  for _, topic in ipairs(topics) do
    topic.params = method.params(topic.name) -- with those of the default format
  end
  add("format", native.format.list())
  add("protocol", protocol.list())
  add("metric", fields.list())
  add("parameter", H.parameters)
  return topics
end

--- The topics of a name; a protocol also by its name with a window.
---@param topics vise.Topic[]
---@param name string
---@return vise.Topic[]
function M.find(topics, name)
  local is_protocol, parsed = pcall(protocol.parse, name)
  local rule = is_protocol and parsed.rule .. (parsed.split and "-SPLIT" or "-N")
  local found = {}
  for _, topic in ipairs(topics) do
    if topic.name == name or topic.sort == "protocol" and topic.name == rule then
      found[#found + 1] = topic
    end
  end
  return found
end

--- Every name that can be asked for, once.
---@param topics vise.Topic[]
---@return string[]
function M.names(topics)
  local names = {}
  for section in pairs(M.sections) do
    names[section] = true
  end
  for _, topic in ipairs(topics) do
    names[topic.name] = true
  end
  return check.sorted_keys(names)
end

--- One topic as text: what it is, its options, how it is used.
---@param topic vise.Topic
---@param title? string its name, in another style
---@return string
function M.text(topic, title)
  local lines = { ("%s: %s"):format(title or topic.name, topic.summary), H.origin(topic) }
  if topic.sort == "method" then
    local needs = method.needs_text(topic.name)
    local uses = #(topic.uses or {}) > 0 and "; uses statistics of the inputs where they are given"
      or ""
    lines[#lines + 1] = "needs " .. (needs ~= "" and needs or "no data") .. uses
  end
  for i, row in ipairs(topic.params or {}) do
    lines[#lines + 1] = (i == 1 and "\n" or "") .. text.entry(row.name, check.describe(row))
  end
  if topic.sort == "method" then
    lines[#lines + 1] = H.use(topic)
  end
  return table.concat(lines, "\n") .. "\n"
end

function H.origin(topic)
  local words = { topic.sort }
  words[#words + 1] = topic.family and " of the family " .. topic.family
  words[#words + 1] = topic.version and (", version %d"):format(topic.version)
  words[#words + 1] = topic.source and "; " .. topic.source
  return table.concat(words)
end

--- A rule and a command that use a method.
function H.use(topic)
  local stats, file = "", ""
  if #topic.needs > 0 then
    stats, file = ", stats = stats", topic.arch == "convnet" and " --data DIR" or " --text FILE"
  end
  local match, pattern = 'match = "*.*", ', " --match '*.*'"
  if topic.scope == "model" then
    match, pattern = "", ""
  end
  return ('\n  { %smethod = "%s"%s }\n'):format(match, topic.name, stats)
    .. ("  vise compress MODEL --method %s%s%s --out DIR"):format(topic.name, pattern, file)
end

H.parameters = {
  { name = "model", summary = "a model folder, a .vise or .gguf file or a run directory" },
  { name = "text", summary = "a text file in UTF-8" },
  { name = "data", summary = "a file or folder of data" },
  { name = "file", summary = "any one file" },
  { name = "protocol", summary = "the name of a protocol" },
  { name = "enum", summary = "one of some texts or numbers, the first the default" },
  { name = "int", summary = "an integer, between min and max" },
  { name = "real", summary = "a number, between min and max" },
  { name = "bool", summary = "true or false" },
}

return M
