-- SPDX-License-Identifier: Apache-2.0
--- Arguments and options that several commands have.

local exit = require("vise.cli.exit")
local input = require("vise.run.input")
local native = require("vise.native")
local protocol = require("vise.metric.protocol")

local M = {}
local H = {}

---@type vise.Positional
M.model = {
  name = "MODEL",
  doc = "a model folder, a .vise or .gguf file or a run directory",
  check = function(path)
    exit.check(input.find_model(path))
  end,
}

---@type vise.Flag
M.text = {
  name = "text",
  kind = "string",
  value = "FILE",
  doc = "the text, UTF-8, for models of tokens",
  check = function(path)
    exit.check(native.file.stat(path))
  end,
}

---@type vise.Flag
M.data = {
  name = "data",
  kind = "string",
  value = "DIR",
  doc = "a folder of images in idx files, for models of images",
  check = function(path)
    exit.check(native.file.stat(path))
  end,
}

---@type vise.Flag
M.protocol = {
  name = "protocol",
  kind = "string",
  value = "NAME",
  required = true,
  doc = "how it is cut and scored: nll-256, gptq-2048, images-test, ...; `vise explain protocols`",
  check = protocol.parse,
}

---@type vise.Flag
M.against = {
  name = "against",
  kind = "string",
  value = "MODEL",
  doc = "the original: adds KL divergence, top-1 agreement and the paired difference",
  check = M.model.check,
}

--- A switch that is off.
---@param name string
---@param doc string
---@return vise.Flag
function M.switch(name, doc)
  return { name = name, kind = "bool", default = false, doc = doc }
end

M.json = M.switch("json", "print the result as JSON")
M.quiet = M.switch("quiet", "no progress")

--- The model at a path. Raises vise.Exit.
---@param path string
---@return vise.Model
function M.open_model(path)
  return exit.check(H.model().open(exit.check(input.find_model(path))))
end

--- Loaded when a model is opened, not when the help is shown.
function H.model()
  return require("vise.model")
end

return M
