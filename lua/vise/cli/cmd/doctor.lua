-- SPDX-License-Identifier: Apache-2.0
--- vise doctor: the machine as vise sees it, and what stands in its way.

local html = require("vise.report.html")
local machine = require("vise.machine")
local native = require("vise.native")
local options = require("vise.cli.options")
local place = require("vise.place")
local term = require("vise.cli.term")
local text = require("vise.text")

local H = {}

function H.run(args)
  local report = H.report()
  if args.options.json then
    term.write_json(report)
    return
  end
  for _, row in ipairs(H.lines(report)) do
    term.write(("%-14s %s\n"):format(row[1], row[2]))
  end
  term.write("\n")
  for _, warning in ipairs(report.warnings) do
    local body = text.wrap(warning, 86, "         ")
    term.write(("%s  %s\n"):format(term.style(1, "red", "warning"), body))
  end
  if #report.warnings == 0 then
    term.write(term.style(1, "green", "nothing is amiss") .. "\n")
  end
end

function H.report()
  local version = native.core.version()
  local total, available = machine.memory()
  local report = {
    version = version,
    threads = native.core.threads(),
    processors = machine.processors(),
    memory_bytes = total,
    memory_available_bytes = available,
    openblas_coretype = os.getenv("OPENBLAS_CORETYPE"),
    readline = native.repl.has_readline(),
    gnuplot = H.find("gnuplot"),
    slurm = H.find("sbatch"),
    chart = html.chart_path(),
    recipes = place.folder("recipes"),
    sandbox = native.sandbox.check() or false,
    sandbox_lacks = select(2, native.sandbox.check()),
    warnings = native.json.array({}),
  }
  H.warn(report)
  return report
end

function H.warn(report)
  local version = report.version
  local function add(condition, format, ...)
    if condition then
      table.insert(report.warnings, format:format(...))
    end
  end
  add(report.openblas_coretype, "OPENBLAS_CORETYPE=%s pins OpenBLAS to its %s kernels. vise's own "
    .. "products do not use OpenBLAS; singular and eigenvalues do, and `vise bench gemm` compares "
    .. "with it unpinned. Unset it to let OpenBLAS choose.",
    report.openblas_coretype, version.openblas_core)
  add(version.cpu_wish_ignored, "VISE_CPU=%s is above what this machine has and is ignored.",
    version.cpu_wish_ignored)
  add(version.cpu ~= version.cpu_detected,
    "VISE_CPU lowers the CPU level to %s; this machine has %s.", version.cpu, version.cpu_detected)
  add(version.cpu_detected == "ref",
    "this CPU has no AVX2: kernels run in plain C, many times slower.")
  add(report.threads < report.processors, "%d of %d processors are used (VISE_THREADS).",
    report.threads, report.processors)
  add(report.memory_available_bytes and report.memory_available_bytes < 1 << 30,
    "less than 1 GiB of memory is free (%s).", text.bytes(report.memory_available_bytes or 0))
  add(not report.readline,
    "libreadline.so.8 is not there: the REPL works, without line editing (package libreadline8).")
  add(report.sandbox_lacks, "%s: recipes run only with --no-sandbox.", report.sandbox_lacks)
  add(not report.gnuplot, "gnuplot is not there: `vise report` draws no .svg and .png (package "
    .. "gnuplot-nox).")
  add(not report.chart, "Chart.js is not there: `vise report` writes no .html (package "
    .. "libjs-chart.js).")
  add(not report.recipes, "the folder of recipes is neither beside the Lua files nor installed.")
end

function H.lines(report)
  local version = report.version
  local lines = {
    { "vise", version.vise },
    { "cpu", version.cpu_model },
    { "level", version.cpu .. (" (of this machine: %s)"):format(version.cpu_detected) },
    { "threads", ("%d of %d processors"):format(report.threads, report.processors) },
  }
  if report.memory_bytes then
    local free = text.bytes(report.memory_available_bytes)
    lines[#lines + 1] = { "memory", ("%s, %s free"):format(text.bytes(report.memory_bytes), free) }
  end
  local openblas = ("%s (core %s)"):format(version.openblas, version.openblas_core)
  lines[#lines + 1] = { "openblas", openblas }
  for _, name in ipairs({ "lua", "zstd", "jansson", "pcre2", "openssl", "sqlite" }) do
    lines[#lines + 1] = { name, version[name] }
  end
  lines[#lines + 1] = { "readline", report.readline and "there" or "not there" }
  lines[#lines + 1] = { "sandbox", report.sandbox and "Landlock, seccomp" or "none" }
  for _, name in ipairs({ "gnuplot", "slurm" }) do
    lines[#lines + 1] = { name, report[name] or "not there" }
  end
  lines[#lines + 1] = { "chart.js", report.chart or "not there" }
  lines[#lines + 1] = { "recipes", report.recipes or "not there" }
  return lines
end

--- The path of a program, or nil.
function H.find(name)
  for folder in (os.getenv("PATH") or ""):gmatch("[^:]+") do
    local path = folder .. "/" .. name
    if native.file.stat(path) then
      return path
    end
  end
end

---@type vise.Command
return {
  summary = "the machine as vise sees it, and what stands in its way",
  usage = { "vise doctor [--json]" },
  options = { options.json },
  details = "  vise doctor --json",
  run = H.run,
}
