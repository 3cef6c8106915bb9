// What every part of the page needs: the data, words, looks, and the means to draw.

const data = JSON.parse(document.getElementById("data").textContent);

const families = [
  {name: "dns", title: "DNS", symbol: d3.symbolCircle},
  {name: "push", title: "DNS with push", symbol: d3.symbolDiamond},
  {name: "sidecar", title: "Sidecar proxy", symbol: d3.symbolSquare},
  {name: "central", title: "Central proxy", symbol: d3.symbolTriangle},
  {name: "polling", title: "Client-side balancing, polling", symbol: d3.symbolCross},
];
const familyOf = new Map(families.map(f => [f.name, f]));
const metrics = [
  {name: "bad_seconds", title: "Bad-seconds", run: "bad", max: "bad_seconds_max"},
  {name: "error_seconds", title: "Error-seconds", run: "error"},
  {name: "window", title: "Window", run: "window", max: "window_max"},
];
const parts = [
  {name: "detection", title: "detection"},
  {name: "publication", title: "publication"},
  {name: "cache_residual", title: "cache residual", color: "--cache"},
  {name: "connection_residual", title: "connection residual", color: "--connection"},
];
// In the order of time, usually.
const markNames = ["detected", "committed", "published", "first answer", "cache cleared", "client's view", "last failed",
  "share restored"];
const outcomeColors = {
  "ok": "var(--ok)", "slow": "var(--slow)", "refused": "var(--bad)", "reset": "var(--bad-3)",
  "timeout": "var(--bad-2)", "http error": "var(--bad-4)",
};

const cells = data.cells.map((cell, index) => Object.assign(cell, {index, all: []}));
data.runs_all.forEach(run => cells[run.cell].all.push(run));
cells.forEach(cell => { cell.valid = cell.all.filter(run => !run.invalid); });
const byName = new Map(cells.map(cell => [cell.cell, cell]));
const faults = data.faults;
const faultOf = new Map(faults.map(fault => [fault.name, fault]));
const shown = cell => cell.runs > 0 || cell.modelled;

function seconds(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}
// Student's t knows not that there is less than nothing.
const low = s => seconds(Math.max(0, s.low));
const spread = s => `${seconds(s.mean)} (${low(s)} to ${seconds(s.high)})`;
const count = d3.format(",.0f");
function compact(value) {
  if (value === 0) return "0";
  return value >= 1000 ? count(value) : value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1)
    : value.toPrecision(1);
}
const octets = value => value >= 1e9 ? (value / 1e9).toFixed(1) + " GB"
  : value >= 1e6 ? (value / 1e6).toFixed(0) + " MB" : (value / 1e3).toFixed(0) + " kB";
const symbolPath = (family, size) => d3.symbol().type(familyOf.get(family).symbol).size(size)();

const tip = d3.select("#tip");
function escape(text) {
  return String(text).replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[c]));
}
// rows: [[label, value], ...]
function tooltip(selection, title, rows) {
  selection.on("mousemove.tip", d => {
    const event = d3.event, lines = rows(d);
    tip.attr("hidden", null).html(`<b>${escape(title(d))}</b>` + lines.map(([a, b]) =>
      `<div class="row"><span>${escape(a)}</span><span>${escape(b)}</span></div>`).join(""));
    const box = tip.node().getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const y = event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12
      : event.clientY + 18;
    tip.style("left", `${Math.max(8, x)}px`).style("top", `${Math.max(8, y)}px`);
  }).on("mouseleave.tip", () => tip.attr("hidden", true));
}
function cellTip(selection) {
  tooltip(selection, cell => cell.title, cell => [
    [faultOf.get(cell.fault).title, cell.modelled ? "model" : `${cell.runs} runs`],
    ["bad-seconds", spread(cell.bad_seconds)], ["error-seconds", spread(cell.error_seconds)],
    ["window", spread(cell.window)], ["the model's window", seconds(cell.expected.window_mean)],
  ]);
}

// Draws now and whenever the width changes; returns the means to draw again.
function chart(parent, label, draw) {
  const figure = parent.append("figure").attr("role", "img").attr("aria-label", label);
  const holder = figure.append("div");
  let width = 0;
  const again = () => {
    holder.selectAll("*").remove();
    if (width > 0) draw(holder, width);
  };
  new ResizeObserver(entries => {
    const now = Math.floor(entries[0].contentRect.width);
    if (now === width) return;
    width = now;
    requestAnimationFrame(again);
  }).observe(figure.node());
  figure.again = again;
  return figure;
}

function canvas(holder, width, height, margin) {
  const svg = holder.append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("height", height);
  const plot = svg.append("g").attr("transform", `translate(${margin.left},${margin.top})`);
  plot.w = width - margin.left - margin.right;
  plot.h = height - margin.top - margin.bottom;
  return plot;
}

function axisBottom(plot, scale, ticks, format, title) {
  const axis = d3.axisBottom(scale).tickValues(ticks).tickSize(-plot.h).tickPadding(8).tickFormat(format);
  plot.append("g").attr("class", "axis").attr("transform", `translate(0,${plot.h})`).call(axis);
  if (title) plot.append("text").attr("class", "axis-title").attr("x", plot.w).attr("y", plot.h + 36)
    .attr("text-anchor", "end").text(title);
}
function axisLeft(plot, scale, ticks, format, title) {
  const axis = d3.axisLeft(scale).tickValues(ticks).tickSize(-plot.w).tickPadding(8).tickFormat(format);
  plot.append("g").attr("class", "axis").call(axis);
  if (title) plot.append("text").attr("class", "axis-title").attr("x", -30).attr("y", -12).text(title);
}

const roots = [0, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300];
// Small and large beside each other, and 0 as well: a root scale.
function rootScale(most, range) { return d3.scalePow().exponent(0.5).domain([0, most || 1]).range(range); }
function rootTicks(scale, apart) {
  const chosen = [];
  roots.filter(t => t <= scale.domain()[1] * 1.001).forEach(t => {
    if (chosen.every(c => Math.abs(scale(c) - scale(t)) >= apart)) chosen.push(t);
  });
  return chosen;
}
const plain = value => String(+value.toFixed(3));

// Moves labels apart, as little as need be: each wants `y`; they come out sorted, in place.
function dodge(labels, apart, least, most) {
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, n) => {
    label.at = Math.max(label.y, least, n ? labels[n - 1].at + apart : -Infinity);
  });
  for (let n = labels.length - 1, bound = most; n >= 0; --n) {
    labels[n].at = Math.min(labels[n].at, bound);
    bound = labels[n].at - apart;
  }
  return labels;
}

function choice(parent, label, options, value, change) {
  const box = parent.append("label").text(label);
  const group = box.append("span").attr("class", "choice");
  const buttons = group.selectAll("button").data(options).enter().append("button").attr("type", "button")
    .text(o => o.title).attr("aria-pressed", o => o.name === value)
    .on("click", o => {
      d3.event.preventDefault();
      buttons.attr("aria-pressed", other => other === o);
      change(o.name);
    });
}
function picker(parent, label, groups, value, change) {
  const select = parent.append("label").text(label).append("select");
  groups.forEach(group => {
    const holder = group.title ? select.append("optgroup").attr("label", group.title) : select;
    group.options.forEach(o => holder.append("option").attr("value", o.value).text(o.title)
      .property("selected", o.value === value));
  });
  select.on("change", function () { change(this.value); });
  return select;
}
function faultPicker(parent, names, value, change) {
  picker(parent, "Fault", [{options: names.map(name => ({value: name, title: faultOf.get(name).title}))}],
    value, change);
}
function legend(parent, items) {
  const entry = parent.append("div").attr("class", "legend").selectAll("span").data(items).enter().append("span");
  entry.append("i").attr("class", "swatch").style("background", i => i.color);
  entry.append("span").text(i => i.title);
}
function familyLegend(parent) {
  const used = families.filter(f => cells.some(c => c.family === f.name));
  const entry = parent.selectAll("span").data(used).enter().append("span").attr("class", f => `fam-${f.name}`);
  entry.append("svg").attr("viewBox", "-8 -8 16 16").append("path").attr("class", "fill")
    .attr("d", f => symbolPath(f.name, 90));
  entry.append("span").text(f => f.title);
}
const section = id => d3.select(`#${id}`);
const body = id => section(id).select(".body");
const controls = id => section(id).select(".controls");
function nothing(id, words) { body(id).append("p").attr("class", "empty").text(words); controls(id).remove(); }
// Long titles end in an ellipsis where there is no room; the tooltip has all of it.
function fitted(selection, text, room) {
  selection.text(text).each(function (d) {
    const words = text(d);
    for (let kept = words.length; kept > 3 && this.getComputedTextLength() > room;) {
      kept = Math.min(kept - 1, Math.ceil(kept * room / this.getComputedTextLength()));
      this.textContent = words.slice(0, kept).trimEnd() + "…";
    }
  });
}
function whisker(plot, low, high, y, family) {
  plot.append("line").attr("class", `stroke fam-${family}`).attr("x1", low).attr("x2", high)
    .attr("y1", y).attr("y2", y).attr("stroke-width", 2).attr("stroke-linecap", "round").attr("opacity", 0.55);
}
function mark(parent, family, size) {
  return parent.append("path").attr("class", `fill fam-${family}`).attr("d", symbolPath(family, size))
    .attr("stroke", "var(--page)").attr("stroke-width", 1.2);
}

function table(parent, columns, rows) {
  const t = parent.append("div").attr("class", "scroll").append("table");
  t.append("thead").append("tr").selectAll("th").data(columns).enter().append("th").classed("text", c => c.text).text(c => c.title);
  const row = t.append("tbody").selectAll("tr").data(rows).enter().append("tr");
  columns.forEach(column => {
    const td = row.append("td").classed("text", column.text || false).classed("wrap", column.wrap || false);
    if (column.draw) td.each(function (d) { column.draw(d3.select(this), d); });
    else td.text(column.of);
  });
  return t;
}
function named(td, family, title) {
  td.append("span").attr("class", `dot fam-${family}`);
  td.append("span").text(title);
}
