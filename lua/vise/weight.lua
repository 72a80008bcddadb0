-- SPDX-License-Identifier: Apache-2.0
--- Matrices in any representation: what Lua adds to the class of native/bind/bind_weight.c.
-- Requiring this module gives every weight the methods `quantize`, `prune`, `factor`, `share`,
-- `error`, `histogram` and `spectrum`.

local calibration = require("vise.calibration")
local check = require("vise.check")
local native = require("vise.native")
require("vise.tensor")

local M = {}
local H = {}

local methods <const> = native.weight.methods

--- A weight that holds a tensor as it is.
---@param tensor vise.Tensor [m, k] of a float dtype
---@return vise.Weight
function M.dense(tensor)
  return native.weight.dense(tensor)
end

--- The product B A. `b * a` is the same.
---@param b vise.Weight [m, r]
---@param a vise.Weight [r, k]
---@return vise.Weight
function M.lowrank(b, a)
  return native.weight.lowrank(b, a)
end

--- Weights of one shape added in this order. `a + b` is the same; `a - b` adds `-1 * b`.
---@param terms vise.Weight[] 1 to 64
---@return vise.Weight
function M.sum(terms)
  return native.weight.sum(terms)
end

---@class vise.ScaledOptions
---@field left? vise.Tensor [m] f32, f16 or bf16: a factor for each row
---@field right? vise.Tensor [k]: a factor for each column

--- The weight diag(left) W diag(right). For one number write `2 * w`.
---@param w vise.Weight [m, k]
---@param options vise.ScaledOptions at least one of both
---@return vise.Weight
function M.scaled(w, options)
  check.names("scaled", options, { "left", "right" })
  if options.left == nil and options.right == nil then
    check.fail("scaled: has neither left nor right, expected at least one")
  end
  return native.weight.scaled(w, options)
end

---@class vise.RotatedOptions
---@field left? integer|true order of the Hadamard matrices that turn blocks of rows; true: the
--- greatest known that divides them
---@field right? integer|true the same for columns

--- The weight L W R', where L and R are blocks of orthonormal Hadamard matrices: what a matrix that
-- was compressed in a rotated basis stands for.
---@param w vise.Weight [m, k]
---@param options vise.RotatedOptions at least one of both
---@return vise.Weight
function M.rotated(w, options)
  check.names("rotated", options, { "left", "right" })
  if not options.left and not options.right then
    check.fail("rotated: has neither left nor right, expected at least one")
  end
  return native.weight.rotated(w, options.left, options.right)
end

---@class vise.InputOptions
---@field format? "int8"|"fp8" what activations are rounded to; "int8" if absent, "fp8" is E4M3
---@field per? "token"|"tensor" what shares a scale; "token" if absent: from its greatest magnitude
---@field scale? number per tensor: value of a step, above 0

--- The weight itself, whose products take activations rounded to 8 bits. In int8, weights in the
-- formats int, q4_0, q8_0 and q4_k are multiplied by integers.
---@param w vise.Weight
---@param options? vise.InputOptions
---@return vise.Weight
function M.input(w, options)
  local o = options or {}
  check.names("input", o, { "format", "per", "scale" })
  local format, per = o.format or "int8", o.per or "token"
  if format ~= "int8" and format ~= "fp8" then
    check.fail("input: format is %s, expected one of: int8, fp8", check.quote(format))
  elseif per ~= "token" and per ~= "tensor" then
    check.fail("input: per is %s, expected one of: token, tensor", check.quote(per))
  elseif (per == "tensor") ~= (type(o.scale) == "number" and o.scale > 0) then
    check.fail("input: per '%s' and scale %s do not go together", per, tostring(o.scale))
  end
  return native.weight.input(w, format, o.scale)
end

---@class vise.CodebookOptions
---@field k? integer columns of the weight; all that the indices reach if absent
---@field per? "tensor"|"row"|"group"|"column" what has a table of its own; "tensor" if absent.
--- "column": each place in a row, as in product quantization
---@field group? integer columns that share a table, per "group"

--- The weight whose row i is the vectors table[...][indices[i][1]], table[...][indices[i][2]], ...
---@param indices vise.Tensor [m, ceil(k / d)] of integers, from 0
---@param table vise.Tensor [tables, 2^bits, d] f32, f16 or bf16: 1 to 16 bits, vectors of d numbers
---@param options? vise.CodebookOptions
---@return vise.Weight
function M.codebook(indices, table, options)
  local o = options or {}
  check.names("codebook", o, { "k", "per", "group" })
  local k = o.k or (indices:shape()[2] or 0) * (table:shape()[3] or 0)
  return native.weight.codebook(indices, table, k, o.per or "tensor", o.group or 0)
end

---@class vise.SparseOptions
---@field layout "csr"|"bitmask"|"nm"|"block"
---@field n? integer nm: kept in each group
---@field m? integer nm: columns of a group, 1 to 16
---@field block? integer[] block: rows and columns, 1 to 256 each
---@field values? string|table "f32" (if absent), "f16", "bf16", "int8", "int4", or options of
--- `quantize` for the values, which then stand in rows of 256

--- The numbers of a weight or tensor that are not zero.
---@param w vise.Weight|vise.Tensor [m, k]
---@param options vise.SparseOptions
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function M.sparse(w, options)
  local o = H.sparse_options(options)
  local s, message, code = native.weight.sparse(w, o.layout, o.n, o.m, o.rows, o.columns,
    o.dtype)
  if s == nil or o.quantize == nil then
    return s, message, code
  end
  local floats <close> = s
  local values <close> = s:values()
  local quantized
  quantized, message, code = values:quantize(o.quantize)
  if quantized == nil then
    return nil, message, code
  end
  return floats:with_values(quantized)
end

--- The weight compressed by a method of the family quant; `self` is not changed.
---@param self vise.Weight
---@param options? table `method` ("rtn" if absent), `stats` (vise.Moments, or the importance of
--- each column, [k] f32) and the method's options; an importance that the method would not use (rtn
--- with search = "none") raises
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function methods.quantize(self, options)
  return H.compress("quantize", "quant", "rtn", self, options)
end

--- The weight by a method of the family factor: a product of two factors, or made of some.
---@param self vise.Weight
---@param options? table `method` ("svd" if absent), `stats` (vise.Moments, or the importance of
--- each column, [k] f32) and the method's options: svd takes `rank`
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function methods.factor(self, options)
  return H.compress("factor", "factor", "svd", self, options)
end

--- The weight by a method of the family share: few numbers, each in many places.
---@param self vise.Weight
---@param options? table `method` ("kmeans" if absent), `stats` as in factor and the method's
--- options
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function methods.share(self, options)
  return H.compress("share", "share", "kmeans", self, options)
end

--- The weight with a part of its numbers set to 0, of the kind sparse.
---@param self vise.Weight
---@param options? table `method` ("wanda" with `stats`, else "magnitude", if absent), `stats`
--- (vise.Moments; wanda, ria and `refit` need them), `sparsity` and the method's other options
---@return vise.Weight|nil weight
---@return string? message
---@return string? code "cancelled"
function methods.prune(self, options)
  local default = options and options.stats and "wanda" or "magnitude"
  return H.compress("prune", "prune", default, self, options)
end

--- How its numbers are spread: counts in bins of equal width, drawn as bars by tostring.
---@param self vise.Weight
---@param options? {bins?: integer} 16 if absent
---@return vise.Histogram|nil histogram
---@return string? message
---@return string? code "cancelled"
function methods.histogram(self, options)
  return require("vise.histogram").of(self, options)
end

--- Its singular values: a plot by tostring, with the ranks that hold most of it.
---@param self vise.Weight
---@return vise.Spectrum|nil spectrum
---@return string? message
---@return string? code "cancelled"
function methods.spectrum(self)
  return require("vise.spectrum").of(self)
end

--- Relative error |self - original| / |original|; 0 if both are zero.
---@param self vise.Weight
---@param original vise.Weight of the same shape; raises without it
---@param stats? vise.Moments|vise.Tensor of the inputs: the norms are then those of the outputs
--- under them, sqrt(tr(E H E') / tr(W H W')); or [k] f32, what a column counts in the Frobenius
--- norms
---@return number|nil error
---@return string? message
---@return string? code "cancelled"
function methods.error(self, original, stats)
  if original == nil then
    check.fail("error: the original is absent, expected the weight to compare with: q:error(w)")
  elseif type(original) ~= "userdata" then
    check.fail("error: the original is %s, expected a weight: q:error(w)", check.quote(original))
  end
  local squared, norm, code
  if native.stats.is_moments(stats) then
    squared, norm, code = native.stats.output_error(original, self, stats)
  else
    squared, norm, code = original:difference(self, stats)
  end
  if squared == nil then
    return nil, norm, code
  end
  return squared == 0 and 0.0 or math.sqrt(squared / norm)
end

--- The weight by a method of that family: what `quantize`, `prune` and `share` have in common.
function H.compress(verb, family, default, w, options)
  local method = require("vise.method")
  local name, stats, rest = default, nil, {}
  if options ~= nil and type(options) ~= "table" then
    check.fail("%s: options are %s, expected a table such as { method = '%s' }", verb,
      check.quote(options), default)
  end
  for key, value in check.sorted_pairs(options or {}) do
    if key == "method" then
      name = value
    elseif key == "stats" then
      stats = value
    else
      rest[key] = value
    end
  end
  local found = method.find(name)
  if found.family ~= family then
    check.fail("%s: method '%s' is of the family %s, expected %s", verb, name, found.family, family)
  elseif found.scope ~= "weight" then
    check.fail("%s: method '%s' is of scope %s, expected weight", verb, name, found.scope)
  end
  if calibration.is(stats) then
    check.fail("%s: stats is a plan, expected the statistics of one weight: "
      .. "m:statistics(PLACE, plan); in rules of m:compress a plan is enough", verb)
  end
  local extra = native.stats.is_moments(stats) and method.extra(name, stats)
    or { importance = stats }
  return method.run(name, w, rest, extra)
end

--- What an option `values` asks for: the dtype of floats, and options of `quantize` or nil.
function H.stored_values(values)
  local bits = ({ int8 = 8, int4 = 4 })[values]
  local quantize = type(values) == "table" and values or bits and { bits = bits } or nil
  return quantize and "f32" or values or "f32", quantize
end

--- The options of `sparse` as native.weight.sparse wants them; raises for what does not belong.
function H.sparse_options(options)
  check.names("sparse", options, { "layout", "n", "m", "block", "values" })
  local layout, block = options.layout, options.block
  local known <const> = { "csr", "bitmask", "nm", "block" }
  if not H.contains(known, layout) then
    check.fail("sparse: layout is %s, expected one of: %s", check.quote(layout),
      table.concat(known, ", "))
  end
  if (layout == "nm") ~= (options.n ~= nil and options.m ~= nil) then
    check.fail("sparse: layout '%s' and n, m do not go together", layout)
  end
  if (layout == "block") ~= (type(block) == "table") then
    check.fail("sparse: layout '%s' and block = {rows, columns} do not go together", layout)
  end
  local dtype, quantize = H.stored_values(options.values)
  return {
    layout = layout,
    n = options.n or 1,
    m = options.m or 1,
    rows = block and block[1] or 1,
    columns = block and block[2] or 1,
    dtype = dtype,
    quantize = quantize,
  }
end

function H.contains(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

check.guard("vise.weight", methods)

return M
