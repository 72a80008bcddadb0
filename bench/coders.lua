-- SPDX-License-Identifier: Apache-2.0
--- The coders of the artifact: bytes and speed through a whole `.vise` file, digests, writing to
-- the page cache and reading from it included. The rival is the program zstd at level 1 in frames
-- of a MiB, by its own benchmark in memory on one core, counted twice; without it its rows are left
-- out.
local native = require("vise.native")
local weight = require("vise.weight")

local ROUNDS <const> = 7
local ROWS <const>, COLUMNS <const> = 4096, 16384
local LARGEST <const> = 0.670 -- of the bytes of bf16
local BAR <const> = 1 -- GB/s of content, on two cores

local H = {}

--- Write `tensor` and read it back, `ROUNDS` times: bytes in the file, GB/s each way.
function H.measure(bench, tensor, coder)
  local path = os.tmpname()
  local bytes, written, read = nil, {}, {}
  local content = #tensor:string()
  for round = 0, ROUNDS do -- the first warms up
    os.remove(path)
    local seconds = bench.time(function()
      local writer <close> = assert(native.artifact.create(path, { coder = coder, sync = false }))
      assert(writer:add_tensor("t", tensor))
      bytes = assert(writer:commit("{}")).bytes
    end)
    written[round] = content / seconds / 1e9
    seconds = bench.time(function()
      local reader <close> = assert(native.artifact.open(path))
      assert(reader:verify())
    end)
    read[round] = content / seconds / 1e9
  end
  os.remove(path)
  written[0], read[0] = nil, nil
  return bytes / content, written, read
end

--- What zstd -1 makes of `tensor`: share of its bytes, GB/s each way of two cores; nil without it.
function H.zstd(tensor)
  local path = os.tmpname()
  local content = tensor:string()
  assert(native.file.replace(path, content))
  local command = ("zstd -b1 -i2 -B1048576 -T1 %s 2>&1"):format(path)
  local process <close> =
    assert(native.process.spawn({ argv = { "sh", "-c", command }, capture = true }))
  local text = ""
  for line in function() return process:read_line() end do
    text = text .. line .. "\n"
  end
  process:wait()
  os.remove(path)
  local bytes, encode, decode
  for b, e, d in text:gmatch("%-> +(%d+) %(x[%d.]+%), *([%d.]+) MB/s, *([%d.]+) MB/s") do
    bytes, encode, decode = tonumber(b), tonumber(e), tonumber(d)
  end
  return bytes
    and { share = bytes / #content, encode = 2 * encode / 1e3, decode = 2 * decode / 1e3 }
end

function H.row(bench, name, unit, values, against, is_limit)
  return bench.absolute({
    name = name, unit = unit, values = values, against = against, is_limit = is_limit,
  })
end

--- How ours compares with the rival: to know, no bar.
function H.known(bench, name, values, against)
  local ratios = {}
  for i, value in ipairs(values) do
    ratios[i] = value / against
  end
  local row = {
    name = name,
    value = bench.quantile(values, 0.5),
    unit = "GB/s",
    against = against,
    ratio = bench.quantile(ratios, 0.5),
    spread = bench.quantile(ratios, 0.75) - bench.quantile(ratios, 0.25),
    at_least = 0,
  }
  bench.say(bench.line(row))
  return row
end

--- Rows of rANS against zstd -1 on the codes of `dense` at `bits`.
function H.codes(bench, rows, dense, bits)
  local packed <close> = dense:quantize({ bits = bits, group = 64, search = "none" })
  local codes = packed:tree().parts.codes
  local name = ("int%d codes"):format(bits)
  local share, written, read = H.measure(bench, codes, "rans")
  local rival = H.zstd(codes)
  if not rival then
    bench.say(name .. ": no zstd to compare with")
    return
  end
  rows[#rows + 1] = H.row(bench, name .. ", share of bytes", "", { share }, rival.share, true)
  rows[#rows + 1] = H.known(bench, name .. ", written", written, rival.encode)
  rows[#rows + 1] = H.known(bench, name .. ", read", read, rival.decode)
end

return function(bench)
  local rows = {}
  local matrix <close> = native.core.random_tensor("bf16", { ROWS, COLUMNS }, 1, "coders", 0.02)
  for _, coder in ipairs({ "rans", "zstd" }) do
    local share, written, read = H.measure(bench, matrix, coder)
    local name = ("normal bf16, coder %s, "):format(coder)
    rows[#rows + 1] = H.row(bench, name .. "share", "", { share }, LARGEST, true)
    rows[#rows + 1] = H.row(bench, name .. "written", "GB/s", written, BAR)
    rows[#rows + 1] = H.row(bench, name .. "read", "GB/s", read, BAR)
  end
  local dense <close> = weight.dense(matrix)
  H.codes(bench, rows, dense, 4)
  H.codes(bench, rows, dense, 8)
  return rows
end
