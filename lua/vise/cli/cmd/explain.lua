-- SPDX-License-Identifier: Apache-2.0
--- vise explain: the reference of methods, number formats, protocols, metrics, parameter types.

local args = require("vise.cli.args")
local check = require("vise.check")
local exit = require("vise.cli.exit")
local fields = require("vise.metric.fields")
local method = require("vise.method")
local native = require("vise.native")
local options = require("vise.cli.options")
local protocol = require("vise.metric.protocol")
local term = require("vise.cli.term")

local H = {}

function H.run(parsed)
  local topics = H.topics()
  local name = parsed[1]
  if name == nil then
    H.overview(topics)
    return
  end
  if H.sections[name] then
    H.list(topics, H.sections[name])
    return
  end
  local wanted = H.find(topics, name)
  if #wanted == 0 then
    exit.argument(check.unknown("topic", name, H.names(topics)))
  elseif parsed.options.json then
    term.write_json(wanted[1])
    return
  end
  for i, topic in ipairs(wanted) do
    term.write(i > 1 and "\n" or "")
    H.print(topic)
  end
end

--- The sections of the overview, and the words for them on the command line.
H.order = { "method", "format", "protocol", "metric", "parameter" }
H.sections = {
  methods = "method", formats = "format", protocols = "protocol", metrics = "metric",
  parameters = "parameter",
}

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

--- Everything that can be explained; each has sort, name and summary.
function H.topics()
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
function H.find(topics, name)
  local is_protocol, parsed = pcall(protocol.parse, name)
  local rule = is_protocol and parsed.rule .. "-N"
  local found = {}
  for _, topic in ipairs(topics) do
    if topic.name == name or topic.sort == "protocol" and topic.name == rule then
      found[#found + 1] = topic
    end
  end
  return found
end

--- Every name that can be asked for, once.
function H.names(topics)
  local names = {}
  for section in pairs(H.sections) do
    names[section] = true
  end
  for _, topic in ipairs(topics) do
    names[topic.name] = true
  end
  return check.sorted_keys(names)
end

function H.overview(topics)
  for i, sort in ipairs(H.order) do
    term.write((i > 1 and "\n" or "") .. term.style(1, "bold", H.titles[sort]) .. "\n")
    H.list(topics, sort)
  end
  term.write("\nvise explain NAME tells more of one.\n")
end

H.titles = {
  method = "Methods: match a place in a recipe with method = NAME",
  format = "Number formats: how a method stores codes",
  protocol = "Protocols: how tokens are cut and scored",
  metric = "Metrics: the numbers of `vise eval --json` and of recipes (share/doc/metrics.md)",
  parameter = "Parameters of recipes: vise.param.NAME",
}

function H.list(topics, sort)
  for _, topic in ipairs(topics) do
    if topic.sort == sort then
      term.write(("  %-15s %s\n"):format(topic.name, topic.summary))
    end
  end
end

function H.print(topic)
  term.write(("%s: %s\n"):format(term.style(1, "bold", topic.name), topic.summary))
  term.write(("%s"):format(topic.sort))
  if topic.family then
    term.write((" of the family %s"):format(topic.family))
  end
  if topic.version then
    term.write((", version %d"):format(topic.version))
  end
  term.write(topic.source and "; " .. topic.source .. "\n" or "\n")
  if topic.sort == "method" then
    local needs = method.needs_text(topic.name)
    local uses = #(topic.uses or {}) > 0 and "; uses statistics of the inputs where they are given"
      or ""
    term.write("needs " .. (needs ~= "" and needs or "no data") .. uses .. "\n")
  end
  for i, row in ipairs(topic.params or {}) do
    term.write((i == 1 and "\n" or "") .. args.entry(row.name, args.describe(row)) .. "\n")
  end
  if topic.sort == "method" then
    H.print_use(topic)
  end
end

--- A rule and a command that use a method.
function H.print_use(topic)
  local stats, text = "", ""
  if #topic.needs > 0 then
    stats, text = ", stats = stats", " --text FILE"
  end
  local match, pattern = 'match = "*.*", ', " --match '*.*'"
  if topic.scope == "model" then
    match, pattern = "", ""
  end
  term.write(('\n  { %smethod = "%s"%s }\n'):format(match, topic.name, stats))
  local form = "  vise compress MODEL --method %s%s%s --out DIR\n"
  term.write(form:format(topic.name, pattern, text))
end

---@type vise.Command
return {
  summary = "what a method, format, protocol, metric or parameter type is",
  usage = { "vise explain [NAME] [--json]" },
  positional = {
    { name = "NAME", optional = true,
      doc = "a method, format, protocol or metric, or one of: methods, formats, protocols, "
        .. "metrics, parameters" },
  },
  options = { options.json },
  details = "  vise explain rtn",
  run = H.run,
}
