-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- The transcripts of README.md against the program: what it prints today, but for the speeds.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local H = {}

TestReadme = {}

function TestReadme:test_the_transcripts_are_what_the_program_prints()
  local transcripts = H.transcripts()
  for _, name in ipairs({ "run", "inspect", "verify", "generate", "compress" }) do
    H.compare(transcripts[name], name)
  end
end

--- Standard output line by line; what a recipe logs came to standard error.
function H.compare(transcript, name)
  local output, errors = H.printed(transcript.argv)
  local logged = {}
  for line in transcript.output:gmatch("[^\n]+") do
    if line:find("^%l+: ") and errors:find(line, 1, true) then
      logged[line] = true
    end
  end
  lu.assertEquals(H.untimed(output), H.untimed(transcript.output, logged), name)
end

function TestReadme:test_the_saved_file_has_the_numbers_of_the_run()
  local transcripts = H.transcripts()
  local n = 0
  for label, value in H.untimed(transcripts.eval.output):gmatch("\n  (%w.-)  +(%S[^\n]*)") do
    local line = "\n  " .. H.plain(label) .. " [^\n]* " .. H.plain(value) .. "\n"
    lu.assertTrue(transcripts.run.output:find(line) ~= nil, label)
    n = n + 1
  end
  lu.assertEquals(n, 8)
end

function H.plain(text)
  return (text:gsub("%p", "%%%0"))
end

--- The program's standard output, with paths as if its run directories were made here.
function H.printed(argv)
  local here, there = { small = true, tales3 = true }, {}
  for i, word in ipairs(argv) do
    there[i] = here[word] and program.folder() .. "/" .. word or word
  end
  local output, code, errors = program.run(there)
  lu.assertEquals(code, 0, errors)
  output = output:gsub(H.plain(program.folder() .. "/"), "")
  return output, errors
end

--- Lines that do not depend on the machine's speed, or on what came to standard error.
function H.untimed(text, logged)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    local is_other = logged and logged[line] or line:find("tokens/s", 1, true)
      or line:find("peak memory", 1, true)
    if not is_other then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

--- Blocks of README.md that begin with `$ build/vise`, by command: {argv, output}.
function H.transcripts()
  local found, open = {}, nil
  local text = assert(native.file.read("README.md")):gsub(" \\\n +", " ")
  for line in text:gmatch("([^\n]*)\n") do
    local command = line:match("^    %$ build/vise (.*)")
    if command then
      open = { argv = H.words(command), lines = {} }
      lu.assertNil(found[open.argv[1]], command)
      found[open.argv[1]] = open
    elseif open and (line == "" or line:find("^    ")) then
      open.lines[#open.lines + 1] = line:sub(5)
    else
      open = nil
    end
  end
  for _, transcript in pairs(found) do
    transcript.output = table.concat(transcript.lines, "\n")
  end
  return found
end

--- Words of a command line; a word may be in double quotes.
function H.words(command)
  local words, at = {}, 1
  while at <= #command do
    local word, after = command:match('^"([^"]*)" *()', at)
    if word == nil then
      word, after = command:match("^([^ ]+) *()", at)
    end
    words[#words + 1] = word
    at = after
  end
  return words
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
