-- SPDX-License-Identifier: Apache-2.0
--- vise explain: the reference of methods, number formats, protocols, metrics, parameter types.

local check = require("vise.check")
local exit = require("vise.cli.exit")
local options = require("vise.cli.options")
local term = require("vise.cli.term")
local topics = require("vise.topics")

local H = {}

function H.run(parsed)
  local all = topics.list()
  local name = parsed[1]
  if name == nil then
    H.overview(all)
    return
  end
  if topics.sections[name] then
    H.list(all, topics.sections[name])
    return
  end
  local wanted = topics.find(all, name)
  if #wanted == 0 then
    exit.argument(check.unknown("topic", name, topics.names(all)))
  elseif parsed.options.json then
    term.write_json(wanted[1])
    return
  end
  for i, topic in ipairs(wanted) do
    term.write(i > 1 and "\n" or "")
    term.write(topics.text(topic, term.style(1, "bold", topic.name)))
  end
end

function H.overview(all)
  for i, sort in ipairs(topics.order) do
    term.write((i > 1 and "\n" or "") .. term.style(1, "bold", H.titles[sort]) .. "\n")
    H.list(all, sort)
  end
  term.write("\nvise explain NAME tells more of one.\n")
end

H.titles = {
  method = "Methods: match a place in a recipe with method = NAME",
  format = "Number formats: how a method stores codes",
  protocol = "Protocols: how a text or images are scored",
  metric = "Metrics: the numbers of `vise eval --json` and of recipes (share/doc/metrics.md)",
  parameter = "Parameters of recipes: vise.param.NAME",
}

function H.list(all, sort)
  for _, topic in ipairs(all) do
    if topic.sort == sort then
      term.write(("  %-15s %s\n"):format(topic.name, topic.summary))
    end
  end
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
