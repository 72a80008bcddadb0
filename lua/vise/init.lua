-- SPDX-License-Identifier: Apache-2.0
--- vise: a workbench for compressing neural networks.
-- `require "vise"` gives a table whose fields are the modules, each loaded when first asked for.

local check = require("vise.check")

local H = {}

---@class vise
---@field artifact table one `.vise` file: a sealed, compressed model
---@field calibration table over which tokens statistics are taken
---@field check table checks of names and options
---@field corpus table texts and images that vise makes itself
---@field grad table gradients: a tape over the operations
---@field linalg table factors of matrices
---@field method table the registry of compression methods
---@field metric table what a model has lost, with error bars
---@field model table open, evaluate, compress and save models
---@field native table the operations in C
---@field param table types of recipe parameters
---@field plot fun(x: number[]|vise.Tensor, y?: number[]|vise.Tensor, options?: table): vise.Plot
---@field recipe fun(spec: table): vise.Recipe
---@field report table what reports over runs are made of
---@field run table recipes executed and recorded
---@field stats table what calibration knows of the inputs of weights
---@field sweep table recipes over their parameters
---@field tensor table n-d arrays
---@field text table numbers and tables as people read them
---@field train table the training loop
---@field tokenizer table training of tokenizers
---@field version string

H.modules = {
  "artifact", "calibration", "check", "corpus", "grad", "linalg", "method", "metric", "model",
  "native", "param", "report", "run", "stats", "sweep", "tensor", "text", "tokenizer", "train",
  "weight",
}

H.fields = { "plot", "recipe", "version", table.unpack(H.modules) }

H.functions = { plot = true, recipe = true }

function H.load(vise, name)
  local value
  if name == "version" then
    value = require("vise.native").core.version().vise
  elseif H.functions[name] then
    value = require("vise." .. name).new
  elseif check.nearest(name, H.modules) == name then
    value = require("vise." .. name)
  elseif type(name) == "string" then
    error("vise: " .. check.unknown("field", name, H.fields), 2)
  end
  rawset(vise, name, value)
  return value
end

return setmetatable({}, { __index = H.load, __name = "vise", fields = H.fields })
