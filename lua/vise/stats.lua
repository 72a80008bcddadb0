-- SPDX-License-Identifier: Apache-2.0
--- Calibration statistics: the class of native/bind/bind_stats.c (lua/meta/stats.lua has its
-- functions). Requiring this module makes an unknown method of moments an error with a suggestion.

local check = require("vise.check")
local native = require("vise.native")

check.guard("vise.moments", native.stats.methods)

return native.stats
