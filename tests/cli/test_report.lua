-- SPDX-License-Identifier: Apache-2.0
--- tier: slow
--- vise report: the front marked, numbers exact in files, a page that works in a browser.
local fake_run = require("support.fake_run")
local lu = require("luaunit")
local native = require("vise.native")
local program = require("support.program")

local folder

local function env()
  return { VISE_TEST_FOLDER = folder }
end

local function report(...)
  local output, code, errors = program.run({ "report", ... }, env())
  lu.assertEquals(errors, "")
  lu.assertEquals(code, 0)
  return output
end

local function read(name)
  return assert(native.file.read(folder .. "/" .. name))
end

local function has(name)
  local process <close> = assert(native.process.spawn({
    argv = { "/bin/sh", "-c", "command -v " .. name .. " > /dev/null" } }))
  return process:wait() == 0
end

--- A recipe that would break a page, a table or a script that took it for more than text.
local HOSTILE <const> = "-- </script><script>document.title = 'broken'</script> | ``` <!-- $& "
  .. "%1 @DATA@\n"

TestReport = {}

function TestReport:setUp()
  folder = program.folder() .. "/report"
  local function ledger(bytes)
    return { { name = "embed", description = "bf16", coded = 900 },
      { name = "layers.0.mlp.up", description = "int3/g32", coded = bytes },
      { name = "layers.1.mlp.up", description = "int3/g32", coded = 2 * bytes } }
  end
  -- b is beaten by c in both numbers; a and c are the front
  fake_run.write(folder .. "/runs/a", { bits = 2, kl = 0.5, kl_se = 0.01, bytes = 1000,
    text = HOSTILE, losses = { { name = "tales", points = { { 1, 2.5 }, { 2, 1.5 } } } },
    ledger = ledger(100), errors = { ["layers.0.mlp.up"] = 0.25, ["layers.1.mlp.up"] = 0.5 } })
  fake_run.write(folder .. "/runs/b", { bits = 3, kl = 0.3, bytes = 3000, text = HOSTILE })
  fake_run.write(folder .. "/runs/c", { bits = 4, kl = 0.1 + 0.2, bytes = 2000, text = HOSTILE })
end

function TestReport:tearDown()
  native.file.remove_tree(folder)
end

function TestReport:test_the_table_marks_the_front()
  lu.assertEquals(report("a", "runs/b", "c", "--objective", "bytes,kl"), [[
3 runs, by bytes, kl

nll-64 on t.txt, against m: 3 of 3 on the front (*)

run     bits    bytes               kl  bits/weight   time
───  ─  ────  ───────  ───────────────  ───────────  ─────
  1  *     2   1000 B  0.5000 ± 0.0100            -  2.5 s
  2  *     3  2.9 KiB              0.3            -  2.5 s
  3  *     4  2.0 KiB              0.3            -  2.5 s
]])
end

--- d beats a in both numbers, but on another text; e beats all, but on a third of it; f has no kl.
function TestReport:test_only_what_compares_is_on_one_front()
  fake_run.write(folder .. "/runs/d", { bits = 2, kl = 0.4, bytes = 900, data = ("d"):rep(64) })
  fake_run.write(folder .. "/runs/e", { bits = 5, kl = 0.01, bytes = 800, share = 1 / 3 })
  fake_run.write(folder .. "/runs/f", { bits = 6, bytes = 700 })
  fake_run.write(folder .. "/runs/g", { bits = 7, kl = 0.2, bytes = 600, against = "other" })
  local it = assert(native.json.decode(report("a", "c", "d", "e", "f", "g", "--json")))
  local groups, is_best, status = {}, {}, {}
  for i, entry in ipairs(it.entries) do
    groups[i], is_best[i], status[i] = entry.group or 0, entry.is_best, entry.status
  end

  lu.assertEquals(groups, { 1, 1, 2, 0, 0, 3 })
  lu.assertEquals(is_best, { true, true, true, false, false, true })
  lu.assertEquals(status, { "done", "done", "done", "partial", "done", "done" })
  lu.assertEquals({ it.groups[1].front, it.groups[2].front, it.groups[3].front },
    { { 1, 2 }, { 3 }, { 6 } })
  lu.assertStrContains(report("a", "e"), [[
not compared, without all of kl, bytes on all of the data

run    bits    kl  bytes  bits/weight   time
───    ────  ────  ─────  ───────────  ─────  ───────────────────────────
  2       5  0.01  800 B            -  2.5 s  partial: 33.3 % of the data
]])
end

--- The sizes of models compare whatever they were measured on.
function TestReport:test_sizes_are_of_one_group()
  fake_run.write(folder .. "/runs/d", { bits = 2, kl = 0.4, bytes = 900, data = ("d"):rep(64) })
  local it = assert(native.json.decode(report("a", "d", "--json", "--objective", "bytes")))

  lu.assertEquals(it.groups, { { text = "sizes", front = { 4 } } }) -- the rows of a, those of d
end

function TestReport:test_the_rows_of_one_run_are_points()
  local function row(name, bits, kl, bytes)
    return { name = name, method = name:match("^%a+"), options = bits and { bits = bits },
      protocol = "nll-64", data = ("b"):rep(64), against = kl and "original", kl = kl, nll = 1.5,
      bytes = bytes, seconds = 3 }
  end
  fake_run.write(folder .. "/runs/many", { rows = { row("original", nil, nil, 4000),
    row("rtn 2", 2, 0.5, 900), row("gptq 2", 2, 0.4, 900), row("rtn 4", 4, 0.1, 1700) } })

  lu.assertEquals(report("many"), [[
runs/many, by kl, bytes

nll-64 on t.txt, against m: 2 of 3 on the front (*)

run     name    bits  method   kl    bytes  bits/weight   time
───  ─  ──────  ────  ──────  ───  ───────  ───────────  ─────
  1     rtn 2      2     rtn  0.5    900 B            -  3.0 s
  2  *  gptq 2     2    gptq  0.4    900 B            -  3.0 s
  3  *  rtn 4      4     rtn  0.1  1.7 KiB            -  3.0 s
]])
end

--- A model that was only trained has no kl: it is judged by nll.
function TestReport:test_runs_without_an_original_are_judged_by_nll()
  fake_run.write(folder .. "/runs/t", { rows = { { name = "trained", protocol = "nll-64",
    data = ("b"):rep(64), nll = 1.25, bytes = 900 } } })

  lu.assertStrContains(report("t"), "runs/t, by nll, bytes\n")
end

function TestReport:test_conditions_choose_runs()
  lu.assertStrContains(report("bits>=3"), "against m: 2 of 2 on the front (*)\n")
  local _, code, errors = program.run({ "report", "bits=9" }, env())
  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, "no runs fit the conditions")
end

function TestReport:test_csv_has_every_number_exactly()
  fake_run.write(folder .. "/runs/d", { recipe = 'a "b", c' })
  local lines = {}
  for line in report("a", "c", "d", "--format", "csv"):gmatch("(.-)\r\n") do
    lines[#lines + 1] = line
  end

  lu.assertEquals(lines[1],
    "id,run,name,recipe,status,share,measured,front,seconds,bits,group,model,text,bytes,kl,kl_se,"
    .. "nll")
  lu.assertEquals(lines[2],
    '1,runs/a,,first,done,1,"nll-64 on t.txt, against m",true,2.5,2,32,m,t.txt,1000,0.5,0.01,1.75')
  lu.assertEquals(lines[3],
    '2,runs/c,,first,done,1,"nll-64 on t.txt, against m",true,2.5,4,32,m,t.txt,2000,'
    .. "0.30000000000000004,,1.75")
  lu.assertStrContains(lines[4], '3,runs/d,,"a ""b"", c",done,1,,false,')
end

function TestReport:test_json_has_all()
  local it = assert(native.json.decode(report("a", "b", "c", "--json")))

  lu.assertEquals(it.objectives, { "kl", "bytes" })
  lu.assertEquals({ it.entries[1].is_best, it.entries[2].is_best, it.entries[3].is_best },
    { true, true, true }) -- 0.1 + 0.2 is above 0.3
  lu.assertEquals(it.entries[1].tensors[2],
    { name = "layers.0.mlp.up", description = "int3/g32", bytes = 100, error = 0.25 })
  lu.assertEquals(it.parameters, { "bits" })
  lu.assertEquals(#it.recipes, 1)
  lu.assertEquals(it.recipes[1].text, HOSTILE)
end

function TestReport:test_markdown_takes_nothing_for_more_than_text()
  report("a", "b", "--out", "r.md")
  local text = read("r.md")

  lu.assertStrContains(text, "| 1 | &#42; | 2 | 0.5000 ± 0.0100 | 1000 B |")
  lu.assertStrContains(text, "\n````lua\n" .. HOSTILE .. "````\n")
  lu.assertStrContains(text, "| input model | m  sha256 " .. ("a"):rep(64) .. " |")
end

function TestReport:test_plots_are_drawn()
  if not has("gnuplot") then
    lu.skip("gnuplot is not here")
  end
  report("a", "b", "c", "--out", "r.svg")
  report("a", "b", "c", "--out", "r.png")

  lu.assertStrContains(read("r.svg"), "<svg")
  lu.assertStrContains(read("r.svg"), "kl")
  lu.assertStrContains(read("r.svg"), "bytes, MiB")
  lu.assertEquals(read("r.png"):sub(1, 8), "\137PNG\r\n\26\n")
  local argv = { "report", "a", "--out", "x.svg", "--objective", "top1" }
  local _, code, errors = program.run(argv, env())
  lu.assertEquals(code, 1)
  lu.assertStrContains(errors, "report: no run has top1, expected one to draw")
end

function TestReport:test_what_cannot_be_is_refused()
  local cases = {
    { { "report", "a", "--out", "r.doc" }, "--out: r.doc ends in none of .csv .html" },
    { { "report", "a", "--format", "html" }, "missing option --out FILE" },
    { { "report" }, "missing DIR|CONDITION" },
    { { "report", "zz" }, "zz: no such run" },
  }
  for _, case in ipairs(cases) do
    local _, code, errors = program.run(case[1], env())
    lu.assertNotEquals(code, 0)
    lu.assertStrContains(errors, case[2])
  end
end

--- What the test asks of the page, in the page: errors and requests, a click, a hover.
local WATCH <const> = [[<script>
window.problems = [];
window.onerror = (m) => { problems.push(String(m)); };
for (const n of ["error", "warn"]) { console[n] = (m) => { problems.push(n + ": " + m); }; }
document.addEventListener("securitypolicyviolation", (e) => problems.push("csp " + e.blockedURI));
</script>]]
local ASK <const> = [[<script>
setTimeout(() => {
  const all = (where) => [...document.querySelectorAll(where)];
  const column = (i) => all("#runs tbody tr").map((r) => r.cells[i].textContent);
  const button = (name) => all("#runs button").find((b) => b.textContent === name);
  const answer = { before: column(0), title: document.title };
  button("kl").click();
  answer.rising = column(0);
  button("kl").click();
  answer.falling = column(0);
  answer.sort = button("kl").parentElement.getAttribute("aria-sort");
  answer.heat = all("#heat tr").map((r) => [...r.cells].map((c) => c.textContent));
  const lines = Chart.getChart(document.querySelector("#curves canvas"));
  answer.curves = lines.data.datasets.map((d) => [d.label, d.data.map((p) => [p.x, p.y])]);
  const chart = Chart.getChart("points"), canvas = chart.canvas;
  const box = canvas.getBoundingClientRect();
  const at = chart.getDatasetMeta(0).data[0].getCenterPoint();
  canvas.dispatchEvent(new MouseEvent("mousemove", { bubbles: true,
    clientX: box.left + at.x, clientY: box.top + at.y }));
  const finish = (tries) => {
    if (!(chart.tooltip.title || []).length && tries > 0) {
      setTimeout(() => finish(tries - 1), 100);
      return;
    }
    answer.hover = chart.tooltip.title;
    answer.axes = [chart.options.scales.x.title.text, chart.options.scales.y.title.text];
    const group = document.getElementById("group");
    answer.groups = [...group.options].map((o) => {
      group.value = o.value;
      group.dispatchEvent(new Event("change"));
      return [o.value, String(Chart.getChart("points").data.datasets[0].data.length)];
    });
    document.getElementById("x").value = "nll";
    document.getElementById("x").dispatchEvent(new Event("change"));
    answer.axis = Chart.getChart("points").options.scales.x.title.text;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    answer.drawn = pixels.some((v) => v > 0);
    answer.requests = performance.getEntriesByType("resource").map((e) => e.name);
    answer.recipe = document.querySelector("pre").textContent;
    answer.problems = problems;
    const out = document.createElement("pre");
    out.id = "answer";
    out.textContent = encodeURIComponent(JSON.stringify(answer));
    document.body.append(out);
  };
  finish(100);
}, 300);
</script></body>]]

--- What a page answers in the browser, or nil.
local function ask(address)
  local process <close> = assert(native.process.spawn({ capture = true, keep_errors = true,
    env = { LD_PRELOAD = false }, argv = { -- no sanitizer of ours in the browser
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,900",
    "--user-data-dir=" .. folder .. "/profile", "--virtual-time-budget=30000", "--dump-dom",
    address } }))
  local answer
  for line in function() return process:read_line() end do
    answer = line:match('<pre id="answer">([^<]*)</pre>') or answer
  end
  process:wait()
  return answer and assert(native.json.decode((answer:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))))
end

function TestReport:test_the_page_works_in_a_browser_and_asks_nobody()
  fake_run.write(folder .. "/runs/d", { bits = 8, kl = 0.2, bytes = 900, data = ("d"):rep(64),
    text = HOSTILE })
  report("a", "b", "c", "d", "--out", "r.html")
  local page = read("r.html")
  lu.assertNil(page:find("<%w+[^>]- src="))
  lu.assertNil(page:find("<link[^>]-href=\"http"))
  if not has("chromium") then
    lu.skip("chromium is not here")
  end
  page = page:gsub('<meta charset="utf%-8">', function(tag)
    return tag .. WATCH
  end, 1):gsub("</body>%s*</html>%s*$", function()
    return ASK .. "</html>\n"
  end)
  assert(native.file.replace(folder .. "/asked.html", page))
  local answer
  for _ = 1, 5 do -- a busy browser may not have drawn the point before the mouse is there
    answer = ask("file://" .. folder .. "/asked.html")
    if answer and answer.hover then
      break
    end
  end
  lu.assertNotNil(answer, "the browser gave no answer")
  lu.assertEquals(answer.problems, {})
  lu.assertEquals(answer.requests, {})
  lu.assertEquals(answer.title, "4 runs")
  lu.assertEquals(answer.before, { "1 *", "2 *", "3 *", "4 *" })
  lu.assertEquals(answer.rising, { "4 *", "2 *", "3 *", "1 *" }) -- 0.2, 0.3, 0.3 + 2^-54, 0.5
  lu.assertEquals(answer.falling, { "1 *", "3 *", "2 *", "4 *" })
  lu.assertEquals(answer.groups, { { "1", "3" }, { "2", "1" } }) -- points of each
  lu.assertEquals(answer.sort, "descending")
  lu.assertEquals(answer.hover, { "#1 bits=2" }) -- the point of the fewest bytes
  lu.assertEquals(answer.axes, { "bytes", "kl" })
  lu.assertEquals(answer.axis, "nll")
  lu.assertTrue(answer.drawn)
  lu.assertEquals(answer.curves, { { "#1 tales", { { 1, 2.5 }, { 2, 1.5 } } } })
  lu.assertEquals(answer.heat, { { "", "0", "1" }, { "mlp.up", "0.250", "0.500" } })
  lu.assertEquals(answer.recipe, HOSTILE)
end

local code = lu.LuaUnit.run()
program.clean()
os.exit(code)
