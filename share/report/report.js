// SPDX-License-Identifier: Apache-2.0
// The page of a report: everything is built from the JSON in #data. Texts of recipes and runs are
// only ever set as textContent.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const element = (name, text, css) => {
    const e = document.createElement(name);
    if (text !== undefined) { e.textContent = text; }
    if (css) { e.className = css; }
    return e;
  };
  const option = (select, value, text) => {
    const o = element("option", text === undefined ? value : text);
    o.value = value;
    select.append(o);
  };
  const bytes = (n) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
    return (i ? n.toFixed(1) : n) + " " + units[i];
  };
  const show = (name, value) => {
    if (value === undefined || value === null) { return "-"; }
    if (typeof value !== "number") { return String(value); }
    if (/bytes$/.test(name)) { return bytes(value); }
    return Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(5);
  };

  // What a run can be placed, sorted and told apart by.
  const fields = [...data.numbers.filter((n) => !/_se$/.test(n)), "seconds"];
  const valueOf = (entry, name) => {
    if (name === "seconds") { return entry.seconds; }
    return name in entry.numbers ? entry.numbers[name] : entry.params[name];
  };
  const label = (entry) => "#" + entry.id + " " + (entry.name ? entry.name + " " : "")
    + data.parameters.map((p) => p + "=" + show(p, entry.params[p])).join(" ");

  const best = data.entries.filter((e) => e.is_best);
  const failed = data.entries.filter((e) => e.status === "failed").length;
  $("summary").textContent = data.entries.length + " runs, " + best.length + " on the front of "
    + data.objectives.join(", ") + (data.groups.length > 1 ? ", each among what compares with it" : "")
    + (failed ? ", " + failed + " failed" : "");

  // The scatter
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  for (const name of fields) { option($("x"), name); option($("y"), name); }
  $("y").value = data.objectives[0];
  $("x").value = data.objectives[1] || "seconds";
  // One group at a time; what is in none, as a run on a part of the data, is on the last choice.
  data.groups.forEach((g, i) => option($("group"), i + 1, g.text));
  if (data.entries.some((e) => e.group === undefined)) { option($("group"), "", "not compared"); }
  $("groups").hidden = $("group").options.length < 2;
  let scatter;
  const drawScatter = () => {
    const x = $("x").value, y = $("y").value;
    const point = (e) => ({ x: valueOf(e, x), y: valueOf(e, y), entry: e });
    const drawn = data.entries.filter((e) => String(e.group || "") === $("group").value).map(point)
      .filter((p) => p.x !== undefined && p.y !== undefined);
    const front = drawn.filter((p) => p.entry.is_best).sort((a, b) => a.x - b.x);
    if (scatter) { scatter.destroy(); }
    scatter = new Chart($("points"), {
      type: "scatter",
      data: { datasets: [
        { label: "front", data: front, showLine: true, borderColor: "#c2410c", backgroundColor: "#c2410c",
          pointRadius: 5, pointHoverRadius: 7, order: 0 },
        { label: "others", data: drawn.filter((p) => !p.entry.is_best), backgroundColor: "#7a8aa0",
          pointRadius: 4, pointHoverRadius: 7, order: 1 },
      ] },
      options: {
        scales: {
          x: { title: { display: true, text: x } },
          y: { title: { display: true, text: y }, type: $("log").checked ? "logarithmic" : "linear" },
        },
        plugins: { tooltip: { callbacks: {
          title: (items) => items.map((i) => label(i.raw.entry)),
          label: (item) => [y + " " + show(y, item.raw.y), x + " " + show(x, item.raw.x),
            item.raw.entry.run || ""],
        } } },
      },
    });
  };
  for (const id of ["x", "y", "log", "group"]) { $(id).addEventListener("change", drawScatter); }
  drawScatter();

  // The table: a click on a title sorts, another turns the order round.
  const columns = ["id", ...(data.entries.some((e) => e.name) ? ["name"] : []), ...data.parameters,
    ...data.objectives, ...fields.filter((n) => !data.objectives.includes(n)
      && ["bits_per_weight", "nll", "top1", "seconds"].includes(n)),
    ...(data.groups.length > 1 ? ["measured"] : []), "status"];
  const own = { id: (e) => e.id, name: (e) => e.name, measured: (e) => e.group && data.groups[e.group - 1].text,
    status: (e) => e.status + (e.share && e.status !== "done" ? ": " + show("", 100 * e.share) + " % of the data" : "") };
  const cellOf = (entry, name) => name in own ? own[name](entry) : valueOf(entry, name);
  let sorted = { by: "id", falls: false };
  const drawTable = () => {
    const head = element("tr");
    for (const name of columns) {
      const th = element("th"), button = element("button", name);
      if (name === sorted.by) { th.setAttribute("aria-sort", sorted.falls ? "descending" : "ascending"); }
      button.type = "button";
      button.addEventListener("click", () => {
        sorted = { by: name, falls: sorted.by === name && !sorted.falls };
        drawTable();
      });
      th.append(button);
      head.append(th);
    }
    const rows = [...data.entries].sort((a, b) => {
      const u = cellOf(a, sorted.by), v = cellOf(b, sorted.by);
      if (u === undefined || v === undefined) { return (u === undefined) - (v === undefined); }
      const order = typeof u === "number" && typeof v === "number" ? u - v
        : String(u).localeCompare(String(v));
      return (sorted.falls ? -order : order) || a.id - b.id;
    }).map((entry) => {
      const tr = element("tr", undefined, (entry.is_best ? "best " : "") + entry.status);
      for (const name of columns) {
        const value = cellOf(entry, name);
        const text = name === "id" ? entry.id + (entry.is_best ? " *" : "")
          : data.parameters.includes(name) ? (value === undefined ? "-" : String(value)) : show(name, value);
        const td = element("td", text, typeof value === "string" ? "text" : "");
        if (name === "status" && entry.message) { td.textContent += ": " + entry.message; }
        if (name === "id" && entry.run) { td.title = entry.run; }
        tr.append(td);
      }
      return tr;
    });
    const thead = element("thead"), tbody = element("tbody");
    thead.append(head);
    tbody.append(...rows);
    $("runs").replaceChildren(thead, tbody);
  };
  drawTable();

  // The heat map: places of a layer downwards, layers to the right.
  const withTensors = data.entries.filter((e) => e.tensors.some((t) => t.error !== undefined
    || /^layers\./.test(t.name)));
  for (const e of withTensors) { option($("which"), e.id, label(e)); }
  const drawHeat = () => {
    const entry = withTensors.find((e) => String(e.id) === $("which").value), what = $("what").value;
    const cells = {}, places = [], layers = [];
    for (const t of entry.tensors) {
      if (t[what] === undefined || (what === "bytes" && t.bytes === 0)) { continue; }
      const m = t.name.match(/^layers\.(\d+)\.(.*)$/);
      const layer = m ? Number(m[1]) : -1, place = m ? m[2] : t.name;
      if (!places.includes(place)) { places.push(place); }
      if (!layers.includes(layer)) { layers.push(layer); }
      cells[place + " " + layer] = t;
    }
    layers.sort((a, b) => a - b);
    const values = Object.values(cells).map((t) => t[what]);
    const low = Math.min(...values), high = Math.max(...values);
    const head = element("tr");
    head.append(element("th", "", "text"));
    for (const l of layers) { head.append(element("th", l < 0 ? "" : String(l))); }
    const rows = [head];
    for (const place of places) {
      const tr = element("tr");
      tr.append(element("th", place, "text"));
      for (const l of layers) {
        const t = cells[place + " " + l], td = element("td");
        if (t) {
          const heat = high > low ? (t[what] - low) / (high - low) : 0;
          td.textContent = what === "bytes" ? bytes(t.bytes) : t.error.toPrecision(3);
          td.style.background = "hsl(22 90% " + (96 - 46 * heat) + "%)";
          td.title = t.name + ", " + t.description + ", " + bytes(t.bytes);
        }
        tr.append(td);
      }
      rows.push(tr);
    }
    $("heat").replaceChildren(...rows);
  };
  if (withTensors.length) {
    $("layers").hidden = false;
    for (const id of ["which", "what"]) { $(id).addEventListener("change", drawHeat); }
    if (!withTensors[0].tensors.some((t) => t.error !== undefined)) { $("what").value = "bytes"; }
    drawHeat();
  }

  // Curves
  for (const axis of new Set(data.curves.map((c) => c.x))) {
    const curves = data.curves.filter((c) => c.x === axis);
    const box = element("div", undefined, "chart"), canvas = element("canvas");
    box.append(canvas);
    $("curves").append(box);
    $("curves").hidden = false;
    new Chart(canvas, {
      type: "scatter",
      data: { datasets: curves.map((c, i) => ({ label: c.label, showLine: true,
        pointRadius: c.points.length > 50 ? 0 : 3, borderColor: "hsl(" + (i * 137) % 360 + " 60% 45%)",
        data: c.points.map(([x, y]) => ({ x, y })) })) },
      options: { scales: { x: { title: { display: true, text: axis } },
        y: { title: { display: true, text: curves[0].name } } } },
    });
  }

  for (const recipe of data.recipes) {
    $("recipes").append(element("p", recipe.path + ", sha256 " + recipe.sha256), element("pre", recipe.text));
  }
  for (const fact of data.provenance) {
    const tr = element("tr");
    tr.append(element("td", fact.name), element("td", fact.value));
    $("provenance").append(tr);
  }
})();
