-- SPDX-License-Identifier: Apache-2.0
--- n-d arrays: the class of native/bind/bind_tensor.c (lua/meta/tensor.lua has its functions).
-- Requiring this module makes an unknown method of a tensor an error with a suggestion.

local check = require("vise.check")
local native = require("vise.native")

check.guard("vise.tensor", native.tensor.methods)

return native.tensor
