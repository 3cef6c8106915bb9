// The fleet, all cells with their runs, and how it was made.

function fleetSection() {
  const fleet = data.fleet;
  if (!fleet.rows.length) return nothing("fleet", "Nothing to extrapolate.");
  section("fleet-about").text(`The same model, simulated: ${count(fleet.nodes)} nodes, each with ${fleet.services} services of ` +
    `${fleet.backends} instances and ${fleet.requests_per_node} requests a second. One instance of one service is killed. ` +
    "Error-seconds are the failing share of a service's requests over time, in the mean of all nodes. Nothing here is measured.");
  const number = (title, key, format) => ({title, of: r => format(r[key])});
  const most = d3.max(fleet.rows, r => r.error_seconds);
  table(body("fleet"), [
    {title: "Way and clocks", text: true, draw: (td, r) => named(td, r.family, r.title)},
    {title: "", text: true, draw: (td, r) => td.append("svg").attr("viewBox", "0 0 90 10").style("width", "90px").append("rect")
      .attr("class", `fill fam-${r.family}`).attr("width", 90 * Math.sqrt(r.error_seconds / most)).attr("height", 9).attr("opacity", 0.8)},
    number("Error-seconds", "error_seconds", seconds), number("Last node, s", "last_node", v => v.toFixed(1)),
    number("DNS queries/s", "queries", compact), number("Probes/s", "probes", compact),
    number("Messages/s", "messages", compact), number("Messages per change", "per_change", compact),
  ], fleet.rows);
  body("fleet").append("p").attr("class", "note").style("margin-top", "8px").text("Bars: error-seconds, on a root scale.");
}

function cellSection() {
  const state = {key: "order", down: false, fault: "", words: ""};
  const columns = [
    {key: "title", title: "Way and setting", text: true, by: c => c.title}, {key: "fault", title: "Fault", text: true, by: c => faults.indexOf(faultOf.get(c.fault))},
    {key: "runs", title: "Runs", by: c => c.runs}, {key: "bad", title: "Bad-seconds", by: c => c.bad_seconds.mean},
    {key: "error", title: "Error-seconds", by: c => c.error_seconds.mean}, {key: "failed", title: "Failed", by: c => c.failed},
    {key: "window", title: "Window, s", by: c => c.window.mean}, {key: "max", title: "Most", by: c => c.window.max},
    {key: "expected", title: "Model", by: c => c.expected.window_mean}, {key: "residual", title: "Residual, ms", by: c => Math.abs(c.median_residual_ms)},
  ];
  picker(controls("cells"), "Fault", [{options: [{value: "", title: "all"}, ...faults.map(f => ({value: f.name, title: f.title}))]}], "",
    v => { state.fault = v; fill(); });
  controls("cells").append("label").text("Find").append("input").attr("type", "search").attr("placeholder", "envoy, TTL 30, pair …")
    .on("input", function () { state.words = this.value.toLowerCase(); fill(); });
  const t = body("cells").append("div").attr("class", "scroll").append("table");
  const heads = t.append("thead").append("tr").selectAll("th").data(columns).enter().append("th").attr("data-key", c => c.key)
    .attr("tabindex", 0).classed("text", c => c.text).text(c => c.title);
  const sort = c => { state.down = state.key === c.key ? !state.down : !c.text; state.key = c.key; fill(); };
  heads.on("click", sort).on("keydown", c => { if (d3.event.key === "Enter") sort(c); });
  const tbody = t.append("tbody");
  function fill() {
    const column = columns.find(c => c.key === state.key);
    heads.attr("aria-sort", c => c === column ? (state.down ? "descending" : "ascending") : null);
    const rows = cells.filter(c => (!state.fault || c.fault === state.fault) && state.words.split(/\s+/).every(w =>
      `${c.title} ${c.cell} ${c.group}`.toLowerCase().includes(w)));
    if (column) rows.sort((a, b) => (state.down ? d3.descending : d3.ascending)(column.by(a), column.by(b)));
    tbody.selectAll("*").remove();
    rows.forEach(cell => cellRow(tbody, cell, columns.length));
  }
  fill();
}

function cellRow(tbody, cell, columns) {
  const row = tbody.append("tr").attr("class", "cell").attr("tabindex", 0);
  const name = row.append("td").attr("class", "text");
  named(name, cell.family, cell.title);
  if (cell.modelled) name.append("em").attr("class", "tag").text("model");
  if (cell.residual_marked) name.append("span").attr("class", "tag warn").text("misses the model");
  if (cell.invalid_marked) name.append("span").attr("class", "tag no").text(`${cell.invalid} of ${cell.runs + cell.invalid} left out`);
  if (!shown(cell)) name.append("span").attr("class", "tag no").text("no run counts");
  row.append("td").attr("class", "text").text(faultOf.get(cell.fault).title);
  row.append("td").text(cell.modelled ? "–" : cell.runs);
  const figures = s => td => {
    if (!shown(cell)) return td.text("–");
    td.append("span").text(seconds(s.mean));
    if (!cell.modelled) td.append("span").attr("class", "below").text(`${low(s)}–${seconds(s.high)}`);
  };
  row.append("td").call(figures(cell.bad_seconds));
  row.append("td").call(figures(cell.error_seconds));
  row.append("td").text(shown(cell) ? cell.failed.toFixed(cell.failed >= 10 ? 0 : 1) : "–");
  row.append("td").call(figures(cell.window));
  row.append("td").text(shown(cell) ? seconds(cell.window.max) : "–");
  row.append("td").text(seconds(cell.expected.window_mean));
  row.append("td").text(cell.runs ? count(cell.median_residual_ms) : "–");
  const toggle = () => {
    const next = d3.select(row.node().nextSibling);
    if (!next.empty() && next.classed("runs")) return next.remove();
    const details = document.createElement("tr");
    row.node().after(details);
    runRows(d3.select(details).attr("class", "runs").append("td").attr("colspan", columns), cell);
  };
  row.on("click", toggle).on("keydown", () => { if (d3.event.key === "Enter") toggle(); });
}

function runRows(td, cell) {
  td.append("p").attr("class", "cell-name").text(cell.cell);
  if (cell.share_after !== null) td.append("p").attr("class", "note").text(`Share of the load restored ${seconds(cell.share_after)} s after the return.`);
  if (!cell.all.length) return td.append("p").attr("class", "note").text(cell.modelled ? "Computed: the suite leaves this one to the model." : "No run is there.");
  const names = markNames.filter(name => cell.all.some(r => r.marks[name] !== null));
  const t = td.append("div").attr("class", "inner").append("table");
  const heads = ["Run", "Phase", "Bad-s", "Error-s", "Failed", "Requests", "Window", "Predicted", "Residual, ms", ...names, "p50 before, ms", "Lag p99, ms", "Files", ""];
  t.append("thead").append("tr").selectAll("th").data(heads).enter().append("th").text(d => d);
  cell.all.forEach(run => {
    const tr = t.append("tbody").append("tr").classed("invalid", !!run.invalid);
    const values = [run.number, run.phase.toFixed(2), seconds(run.bad), seconds(run.error), run.failed, count(run.requests), seconds(run.window),
      seconds(run.predicted), run.residual, ...names.map(name => seconds(run.marks[name])), run.p50.toFixed(2), run.lag.toFixed(1)];
    tr.selectAll("td").data(values).enter().append("td").text(d => d);
    tr.append("td").append("a").attr("href", run.folder.split("/").map(encodeURIComponent).join("/") + "/").text("log");
    tr.append("td").attr("class", "text").text(run.invalid ? `left out: ${run.invalid}` : "");
  });
  td.append("p").attr("class", "note").style("margin", "8px 0 0").text(`Marks are seconds from the fault. Phase: of ${cell.all[0].clock || "the longest clock"}.`);
  if (data.points[cell.index]) td.append("a").attr("href", "#timeline").text("See its requests").on("click", () => {
    const select = controls("timeline").select("select");
    select.property("value", String(cell.index)).dispatch("change");
  });
}

function provenance() {
  const box = body("provenance");
  box.append("p").text("The command that makes it again, on a machine of yours:");
  box.append("pre").text(data.command || `./tools/lab --suite ${data.suite}`);
  const columns = box.append("div").attr("class", "columns");
  const versions = columns.append("div");
  versions.append("h3").text("Software");
  table(versions, [{title: "What", text: true, of: d => d.key}, {title: "Version", text: true, wrap: true, of: d => d.value}], d3.entries(data.versions));
  const rest = columns.append("div");
  const list = (title, items, none) => {
    rest.append("h3").text(title);
    if (!items.length) return rest.append("p").attr("class", "note").text(none);
    rest.append("ul").attr("class", "plain").selectAll("li").data(items).enter().append("li").text(d => d);
  };
  list("Skipped", data.skipped, "Nothing: all that the suite names is installed.");
  list("Dropped for the budget", data.dropped, "Nothing.");
  list("Left to the model", cells.filter(c => c.modelled).map(c => `${c.title}: ${faultOf.get(c.fault).title}`), "Nothing.");
  list("Notes", data.notes, "Every file could be read.");
  const files = [["cells.csv", "a line per cell"], ["runs.jsonl", "a line per run: record, prediction, score"], ["effective_ttl.csv", "ages at replacement"],
    ["cost.csv", "a line per way"], ["summary.json", "all means and verdicts"], ["raw/", "every request of every run"]];
  rest.append("h3").text("Files beside this one");
  const item = rest.append("ul").attr("class", "plain").selectAll("li").data(files).enter().append("li");
  item.append("a").attr("href", d => d[0]).text(d => d[0]);
  item.append("span").attr("class", "muted").text(d => ` ${d[1]}`);
}
