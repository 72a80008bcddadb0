-- SPDX-License-Identifier: Apache-2.0
--- Models that were damaged: each command that opens them names the file and the place, ends with
--- an error, and writes nothing.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")
local tiny_model = require("support.tiny_model")

TestHostile = {}

local H = {}

local SHARD = "model-00002-of-00002.safetensors"

--- Header and data of a safetensors file.
function H.parts(path)
  local content = assert(native.file.read(path))
  local n = ("<I8"):unpack(content)
  return native.json.decode(content:sub(9, 8 + n)), content:sub(9 + n)
end

--- Write shard 2 again with its header changed by `change`, as compact JSON in sorted order.
function H.change_header(folder, change)
  local path = folder .. "/" .. SHARD
  local header, data = H.parts(path)
  data = change(header, data) or data
  assert(native.file.replace(path, ("<s8"):pack(native.json.encode(header)) .. data))
end

--- `vise compress` of a tiny model that `damage` was done to; what it says.
function H.refusal(damage)
  local folder = tiny_model.write(program.folder() .. "/model")
  local out = program.folder() .. "/out"
  damage(folder)
  for _, command in ipairs({ { "inspect", folder },
    { "compress", folder, "--method", "rtn", "--out", out } }) do
    local output, code, errors = program.run(command)
    lu.assertEquals(code, 1, command[1])
    lu.assertEquals(output, "", command[1])
    lu.assertNil((native.file.stat(out)))
    H.errors = errors
  end
  assert(native.file.remove_tree(folder))
  return H.errors
end

function TestHostile:test_a_truncated_shard()
  local errors = H.refusal(function(folder)
    local path = folder .. "/" .. SHARD
    local content = native.file.read(path)
    assert(native.file.replace(path, content:sub(1, -11)))
  end)

  lu.assertStrMatches(errors, "vise: .*/" .. SHARD:gsub("%p", "%%%0")
    .. ": tensor '[%w_.]+' ends at byte %d+, file has %d+ bytes\n")
end

function TestHostile:test_a_header_length_that_overflows()
  local errors = H.refusal(function(folder)
    assert(native.file.replace(folder .. "/" .. SHARD, ("\255"):rep(8) .. "{}"))
  end)

  lu.assertStrContains(errors, SHARD
    .. ": header of 18446744073709551615 bytes, expected at most 100000000")
end

function TestHostile:test_a_header_that_was_altered()
  local errors = H.refusal(function(folder)
    local path = folder .. "/" .. SHARD
    local content = native.file.read(path)
    assert(native.file.replace(path, content:sub(1, 20) .. "\0" .. content:sub(22)))
  end)

  lu.assertStrContains(errors, SHARD .. ": header: line 1, column ")
end

function TestHostile:test_tensors_that_overlap()
  local errors = H.refusal(function(folder)
    H.change_header(folder, function(header, data)
      local row = header["model.norm.weight"]
      local bytes = row.data_offsets[2] - row.data_offsets[1]
      row.data_offsets = native.json.array({ 4, 4 + bytes })
      return data
    end)
  end)

  lu.assertStrContains(errors, "overlap at byte ")
  lu.assertStrContains(errors, "'model.norm.weight'")
end

function TestHostile:test_a_type_that_does_not_exist()
  local errors = H.refusal(function(folder)
    H.change_header(folder, function(header)
      header["lm_head.weight"].dtype = "F33"
    end)
  end)

  lu.assertStrContains(errors, SHARD
    .. ": tensor 'lm_head.weight' has unknown dtype 'F33', expected one of F64 F32")
end

function TestHostile:test_a_shape_that_overflows()
  local errors = H.refusal(function(folder)
    H.change_header(folder, function(header)
      header["lm_head.weight"].shape = native.json.array({ 1 << 40, 1 << 40 })
    end)
  end)

  lu.assertStrContains(errors, SHARD .. ": shape of tensor 'lm_head.weight' overflows 64 bits")
end

function TestHostile:test_a_shard_that_is_missing()
  local errors = H.refusal(function(folder)
    assert(os.remove(folder .. "/" .. SHARD))
  end)

  lu.assertStrContains(errors, SHARD)
end

function TestHostile:test_an_architecture_nobody_knows()
  local errors = H.refusal(function(folder)
    local config = native.json.decode(native.file.read(folder .. "/config.json"))
    config.model_type, config.architectures = "lama", native.json.array({ "LamaForCausalLM" })
    assert(native.file.replace(folder .. "/config.json", native.json.encode(config)))
  end)

  lu.assertStrContains(errors, "config.json")
  lu.assertStrContains(errors, "lama")
end

function TestHostile:test_a_tokenizer_that_was_cut_off()
  local folder = tiny_model.write(program.folder() .. "/mute")
  local path = folder .. "/tokenizer.model"
  assert(native.file.replace(path, native.file.read(path):sub(1, -4)))

  local output, code, errors = program.run({ "generate", folder, "--prompt", "the", "--tokens", "2",
    "--seed", "1" })

  lu.assertEquals({ output, code }, { "", 1 })
  lu.assertStrContains(errors, "tokenizer.model: protocol buffer: field 3 is cut off")
end

function TestHostile:test_what_is_no_file_is_named_and_not_waited_for()
  local folder = tiny_model.write(program.folder() .. "/odd")
  local fifo = program.folder() .. "/fifo"
  assert(os.execute("mkfifo '" .. fifo .. "'"))
  local commands = {
    { "recipe", "check", fifo }, { "run", fifo }, { "inspect", fifo }, { "verify", fifo },
    { "eval", folder, "--text", fifo, "--protocol", "nll-32" },
  }
  for _, command in ipairs(commands) do
    local output, code, errors = program.run(command)
    lu.assertEquals({ output, code }, { "", 1 }, command[1])
    lu.assertStrContains(errors, fifo .. ": is a FIFO, expected a file")
  end
  for _, name in ipairs({ SHARD, "tokenizer.model", "config.json" }) do
    local path = folder .. "/" .. name
    for _, kind in ipairs({ { "mkfifo '%s'", "a FIFO" }, { "ln -s /dev/zero '%s'", "a device" },
      { "mkdir '%s'", "a folder" } }) do
      assert(native.file.rename(path, path .. ".away"))
      assert(os.execute(kind[1]:format(path)))
      local _, code, errors = program.run({ "generate", folder, "--prompt", "a", "--tokens", "2" })
      lu.assertEquals(code, 1)
      lu.assertStrContains(errors, ("%s: is %s, expected a file"):format(path, kind[2]))
      assert(native.file.remove_tree(path))
      assert(native.file.rename(path .. ".away", path))
    end
  end
end

function TestHostile:test_an_out_that_is_no_new_folder()
  local folder = tiny_model.write(program.folder() .. "/model")
  local base = program.folder() .. "/outs"
  assert(native.file.make_dirs(base .. "/full/x"))
  assert(native.file.replace(base .. "/file", ""))
  assert(os.execute(("cd '%s' && ln -s nowhere link"):format(base)))
  for name, message in pairs({ link = "is a symbolic link, expected a folder to make",
    file = "is no folder, expected a folder to make",
    full = "is not empty, expected a new one" }) do
    local _, code, errors = program.run({ "compress", folder, "--method", "rtn", "--out",
      base .. "/" .. name })
    lu.assertEquals(code, 2)
    lu.assertStrContains(errors, message)
  end
  lu.assertEquals(native.file.list(base), { "file", "full", "link" })
  lu.assertEquals(native.file.list(base .. "/full"), { "x" })
end

function TestHostile:test_what_a_recipe_says_cannot_drive_the_terminal()
  local path = program.folder() .. "/esc.lua"
  assert(native.file.replace(path, [[
local vise = require "vise"
return vise.recipe { about = "\27[2Ja\u{9b}b", run = function(_, job)
  job:log("\27[2Jc\u{9b}31m\nd") error("\27[2Je\u{9b}")
end }]]))
  local output, _, errors = program.run({ "recipe", "check", path })
  local _, _, more = program.run({ "run", path, "--out", program.folder() .. "/esc" })
  for _, text in ipairs({ output, errors, more }) do
    lu.assertNil(text:find("\27", 1, true))
    lu.assertNil(text:find("\u{9b}", 1, true))
  end
  lu.assertStrContains(output, "\\x1b[2Ja\\xc2\\x9bb")
  lu.assertStrContains(more, "\\x1b[2Jc\\xc2\\x9b31m\\x0ad")
  lu.assertStrContains(more, "\\x1b[2Je")
end

-- What is hashed must be what is opened: one of the two would be neither.
function TestHostile:test_a_folder_of_two_models_is_refused()
  local folder = tiny_model.write(program.folder() .. "/two")
  local out = program.folder() .. "/of-two"
  local _, made = program.run({ "compress", folder, "--method", "rtn", "--out", out })
  lu.assertEquals(made, 0)
  local sealed = assert(native.file.read(out .. "/model.vise"))
  assert(native.file.replace(folder .. "/model.vise", sealed))
  for _, command in ipairs({ { "inspect", folder },
    { "compress", folder, "--method", "rtn", "--out", out .. "2" } }) do
    local _, code, errors = program.run(command)
    lu.assertEquals(code, 1)
    lu.assertStrContains(errors, "two: has both config.json and model.vise, expected one")
  end
  lu.assertNil((native.file.stat(out .. "2")))
end

-- A link may lead to anything the user can read; only a tokenizer is sealed as one.
function TestHostile:test_what_is_no_tokenizer_is_sealed_into_no_file()
  local folder = tiny_model.write(program.folder() .. "/secret")
  local out = program.folder() .. "/of-secret"
  local name = native.file.stat(folder .. "/tokenizer.model") and "tokenizer.model"
    or "tokenizer.json"
  assert(native.file.replace(folder .. "/" .. name, "SECRET-KEY-12345"))
  local _, code, errors = program.run({ "compress", folder, "--method", "rtn", "--out", out })
  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, name)
  lu.assertNil((native.file.stat(out)))
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
