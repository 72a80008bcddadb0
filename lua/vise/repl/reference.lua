-- SPDX-License-Identifier: Apache-2.0
--- The methods of models, weights and tensors in a line each: for help(x), Tab and
-- share/doc/repl.md. Tests hold this list against the classes and against the page.

local M = {}
local H = {}

---@class vise.ReferenceRow
---@field name string
---@field call? string as it is written: "w:error(original)"
---@field doc string

---@class vise.ReferenceClass
---@field name string as tostring of a value begins: "vise.weight"
---@field letter string what examples call a value
---@field find fun(name: string): function the method of that name
---@field fields vise.ReferenceRow[]
---@field methods vise.ReferenceRow[]

--- The class of a value, nil if it has none.
---@param value any
---@return vise.ReferenceClass|nil
function M.class(value)
  local kind = type(value)
  local name = (kind == "userdata" or kind == "table" and getmetatable(value) ~= nil)
    and tostring(value):match("^(vise%.%a+) ")
  for _, class in ipairs(M.classes) do
    if class.name == name then
      return class
    end
  end
end

--- Rows from lines "w:error(original)  what it gives".
function H.rows(letter, lines)
  local rows = {}
  for line in lines:gmatch("[^\n]+") do
    local call, doc = line:match("^(.-)  +(.+)$")
    rows[#rows + 1] = { name = call:match("^" .. letter .. "[.:]([%w_]+)"), call = call, doc = doc }
  end
  return rows
end

---@type vise.ReferenceClass[]
M.classes = {
  {
    name = "vise.model", letter = "m",
    find = function(name)
      return require("vise.model").methods[name]
    end,
    fields = H.rows("m", [[
m.name  of the folder or file it came from
m.path  of that folder or file
m.arch  architecture: "llama"
m.config  what config.json says
m.context  tokens of the longest sequence
m.vocabulary  number of token ids
m.tokenizer  encodes and decodes text; nil without one
m.fallbacks  where compress used a rule's `otherwise`]]),
    methods = H.rows("m", [[
m:places()  places of weights in order: name, shape, parameters, tied_to
m:weight(place)  the weight at a place, kept for the next call
m:materialise(place)  the weight at a place, not kept
m:tensors()  names of norm gains and biases
m:tensor(name)  one of them, as stored
m:vector(name)  one of them as f32, nil where there is none
m:compress(rules)  a new model; rules are { { match = PATTERN, method = NAME, ... }, ... }
m:extract(tuned, { rank = r })  a new model: with what `tuned` has learned since ]]
      .. [[as products of few factors
m:generate(prompt, options)  text that goes on; options: tokens, seed, temperature, top_k, top_p
m:statistics(place, plan)  of what that weight multiplies: `stats` of w:quantize, weight of w:error
m:save(path)  writes a `.vise` file
m:parameters()  numbers in all weights and tensors, tied places once
m:original_parameters()  those of the model it was made from: bits per weight are counted by them
m:bytes()  packed bytes of all weights and tensors
m:cache_bytes(tokens)  bytes of the keys and values of a sequence of so many tokens
m:disk_bytes()  bytes of its file or files; nil if it was not saved
m:hidden(batch, caches)  hidden states [t, d] of { ids = i32 tensor, starts = { 1, ... } }
m:logits(hidden)  logits [n, vocabulary] of hidden states [n, d]
m:caches(capacity)  empty key-value caches, one a layer
m:sites()  places that read the same input
m:blocks()  units of streaming
m:coupled()  dimensions that go together]]),
  },
  {
    name = "vise.weight", letter = "w",
    find = function(name)
      return rawget(require("vise.native").weight.methods, name)
    end,
    fields = {},
    methods = H.rows("w", [[
w:quantize { method = NAME, ... }  a compressed weight; `help "rtn"` tells the options
w:factor { rank = r, stats = v, values = NAME }  the nearest product of two factors of that rank
w:prune { sparsity = s, stats = v }  the least weights become 0; refit = true sets the others anew
w:share { bits = b, per = NAME, stats = v }  tables of 2^b values, indices into them
w:error(original, stats)  |w - original| / |original|, Frobenius norms; with stats of the outputs
w:histogram { bins = N }  counts in N bins of equal width, printed as bars
w:spectrum()  singular values, printed as a plot
w:describe()  what it is: "f32", "int3/g32"
w:kind()  "dense", "quant", ...
w:shape()  { rows, columns }
w:bytes()  exactly what is stored
w:dense()  its values, a tensor [m, k] of f32
w:values()  of a sparse weight: what it keeps, itself a weight
w:gather(from)  what another weight is at the places of a sparse one
w:with_values(values)  the same sparse places with other values
w:tensor()  the stored tensor of a dense weight, nil of others
w:rows(ids)  rows by an i32 tensor of indices from 0
w:matmul(x)  x [t, k] times the transpose of w: [t, m]
w:matmul_t(x)  x [t, m] times w: [t, k]
w:column_max()  the greatest magnitude of each column, [k] f32
w:difference(other)  sum of (w - other)^2, and of w^2
w:check_finite()  raises for NaN and infinities, naming the first
w:tree()  kind, attributes, parts and children, as an artifact stores them
w:handle()  another handle of the same weight
w:close()  lets go of it now]]),
  },
  {
    name = "vise.tensor", letter = "t",
    find = function(name)
      return rawget(require("vise.native").tensor.methods, name)
    end,
    fields = {},
    methods = H.rows("t", [[
t:shape()  its dimensions
t:dtype()  its element type
t:count()  number of elements
t:bytes()  bytes of all elements
t:get(i, j, ...)  one element; indices from 1
t:table()  all elements in row-major order
t:string()  the bytes of all elements, little-endian
t:convert(dtype)  a new tensor of another type
t:narrow(dim, start, n)  a view of some indices of a dimension
t:reshape(shape)  a view with other dimensions
t:transpose(a, b)  a view with two dimensions swapped
t:drop_pages()  lets the memory behind a mapped tensor go until it is read again
t:close()  lets go of it now]]),
  },
}

return M
