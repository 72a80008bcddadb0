-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- share/doc/tutorial.md, typed word for word: every command works, and what it prints has the form
--- of what stands there, whatever the numbers. With VISE_WRITE=1 the page is written anew with what
--- is printed.
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local PAGE = "share/doc/tutorial.md"
local H = {}

TestTutorial = {}

function TestTutorial:test_every_command_prints_what_stands_there()
  local is_written = os.getenv("VISE_WRITE") == "1"
  local page = assert(native.file.read(PAGE))
  local folder = H.folder(page)
  local blocks = H.blocks(page)
  lu.assertTrue(#blocks > 12)
  local typed = H.session(blocks)
  local parts = {}
  for _, block in ipairs(blocks) do
    local shown = block.command and H.shell(block.command, folder)
      or block.input and typed[block.input] or nil
    if shown and not is_written then
      lu.assertEquals(H.form(shown), H.form(table.concat(block.lines, "\n")),
        block.command or block.input)
    end
    H.add(parts, block, shown)
  end
  if is_written then
    assert(native.file.replace(PAGE, table.concat(parts, "\n") .. "\n"))
  end
end

--- A folder as the page's reader has it: what vise ships, and the recipe that was saved there.
function H.folder(page)
  local folder = program.folder() .. "/tutorial"
  assert(native.file.make_dirs(folder))
  os.execute(("ln -s '%s/share' '%s/share'"):format(native.file.realpath("."), folder))
  assert(native.file.replace(folder .. "/mine.lua", page:match("\n```lua\n(.-)```\n")))
  return folder
end

--- The page as {command = "vise ...", lines}, {input = "> ...", lines} and {lines} of prose.
function H.blocks(page)
  local blocks = { { lines = {} } }
  for line in page:gmatch("([^\n]*)\n") do
    local command, input = line:match("^    %$ (.*)"), line:match("^    > (.*)")
    local last = blocks[#blocks]
    if command or input then
      blocks[#blocks + 1] = { command = command, input = input, lines = {} }
    elseif line:match("^    ") and (last.command or last.input) then
      table.insert(last.lines, line:sub(5))
    elseif line:match("^    ") and #last.lines == 1 and last.lines[1] == "" and #blocks > 1 then
      blocks[#blocks] = nil -- an empty line within what was printed
      table.insert(blocks[#blocks].lines, "")
      table.insert(blocks[#blocks].lines, line:sub(5))
    elseif last.command or last.input then
      blocks[#blocks + 1] = { lines = { line } }
    else
      table.insert(last.lines, line)
    end
  end
  return blocks
end

--- What a command prints: results, and of messages those of a recipe that ended.
function H.shell(command, folder)
  local path = folder .. "/printed"
  local line = "cd '%s' && PATH=\"%s:$PATH\" VISE_CACHE='%s/cache' NO_COLOR=1 %s > '%s' 2>'%s.err'"
  local build = assert(native.file.realpath(program.VISE)):match("^(.*)/")
  local _, _, code = os.execute(line:format(folder, build, folder, command, path, path))
  local printed = assert(native.file.read(path))
  lu.assertEquals(code, 0, command .. "\n" .. printed .. assert(native.file.read(path .. ".err")))
  return printed:gsub("\n$", "")
end

--- What each input of the REPL prints.
function H.session(blocks)
  local input, inputs = {}, {}
  for _, block in ipairs(blocks) do
    if block.input then
      inputs[#inputs + 1] = block.input
      input[#input + 1] = block.input .. "\nprint '----'"
    end
  end
  local path = program.folder() .. "/input"
  assert(native.file.replace(path, table.concat(input, "\n") .. "\n"))
  local shown = io.popen(("'%s' repl share/models/tales < '%s' 2>&1"):format(program.VISE, path))
  local typed, lines = {}, {}
  for line in shown:lines() do
    if line == "----" then
      typed[table.remove(inputs, 1)], lines = table.concat(lines, "\n"), {}
    else
      lines[#lines + 1] = line
    end
  end
  shown:close()
  return typed
end

--- A text without what may differ: numbers, hashes, the words a model writes, widths.
function H.form(text)
  text = text:gsub("%f[%w]%x*%d%x*%x%x%x%x%x%x%x*", "N"):gsub("[%d][%d.,]*", "N"):gsub("NN+", "N")
  text = text:gsub("─", "-"):gsub("%-%-+", "-")
  text = text:gsub("%-N", "N"):gsub("+N", "N"):gsub("[KM]iB", "B"):gsub("N min N s", "N s")
  text = text:gsub("N ms", "N s"):gsub("\n%s*%*?%s*N%s", "\nN ")
  text = text:gsub("\226[\160-\163][\128-\191]", "") -- braille
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    local is_written_by_a_model = not line:find("N", 1, true) and line:find("%a%a+ %a+ %a+ %a+ %a")
    lines[#lines + 1] = is_written_by_a_model and "WORDS" or line:gsub("%s+", " ")
      :gsub("^ ", ""):gsub(" $", "")
  end
  return table.concat(lines, "\n")
end

function H.add(parts, block, shown)
  if block.command or block.input then
    parts[#parts + 1] = "    " .. (block.command and "$ " or "> ") .. (block.command or block.input)
    for line in (shown ~= "" and shown .. "\n" or ""):gmatch("([^\n]*)\n") do
      parts[#parts + 1] = line ~= "" and "    " .. line or ""
    end
    return
  end
  table.move(block.lines, 1, #block.lines, #parts + 1, parts)
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
