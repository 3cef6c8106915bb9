// What a way costs while nothing fails, and what it saves when something does.

const total = of => d3.sum(Object.values(of));
const costCell = record => byName.get(record.way) || cells.find(c => c.way === record.way);
function costFamily(record) {
  const cell = costCell(record);
  return cell ? cell.family : "dns";
}
function costTitle(record) {
  const cell = costCell(record);
  return cell ? cell.way_title : record.title || record.way;
}
const partColors = {dnsd: "var(--detection)", cache: "var(--cache)", proxy: "var(--publication)", agent: "var(--connection)"};
const partColor = name => partColors[name] || "var(--faint)";

function costSection() {
  const order = c => families.findIndex(f => f.name === costFamily(c)) * 1e6 + total(c.cpu_us_per_request);
  const records = data.costs.filter(c => !c.problem).sort((a, b) => order(a) - order(b));
  if (!records.length) return nothing("cost", "This suite measures no cost.");
  const used = [...new Set(records.flatMap(r => [...Object.keys(r.cpu_us_per_request), ...Object.keys(r.memory_octets)]))];
  const grid = body("cost").append("div").attr("class", "grid two");
  const panel = (title, draw) => {
    const box = grid.append("div").attr("class", "panel");
    box.append("h3").text(title);
    chart(box, title, draw);
  };
  panel("Latency added per request, µs: p50, p90, p99", (h, w) => addedLatency(h, w, records));
  panel("CPU per request, µs, by part", (h, w) => costBars(h, w, records, r => r.cpu_us_per_request, v => compact(v)));
  panel("Memory, by part", (h, w) => costBars(h, w, records, r => r.memory_octets, octets));
  panel("Control traffic, packets per second", (h, w) => costBars(h, w, records, r => ({"control traffic": r.messages_per_second}), compact));
  legend(body("cost"), used.map(name => ({title: name, color: partColor(name)})));
  const failed = data.costs.filter(c => c.problem);
  failed.forEach(c => body("cost").append("p").attr("class", "note").text(`${c.title || c.way} was not measured: ${c.problem}`));
}

function costRows(holder, width, records) {
  const left = Math.min(200, width * 0.42), step = 22;
  const plot = canvas(holder, width, records.length * step + 34, {left, right: 58, top: 4, bottom: 28});
  records.forEach((r, n) => plot.append("text").attr("class", `ink fam-${costFamily(r)}`).attr("x", -10).attr("y", n * step + 15)
    .attr("text-anchor", "end").datum(r).call(fitted, costTitle, left - 12));
  plot.step = step;
  return plot;
}

function addedLatency(holder, width, records) {
  const plot = costRows(holder, width, records), of = r => [r.added.p50_us, r.added.p90_us, r.added.p99_us];
  const most = d3.max(records, r => d3.max(of(r))), x = rootScale(Math.max(most, 10), [0, plot.w]).clamp(true);
  const ticks = [0, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000].filter(t => t <= x.domain()[1]);
  axisBottom(plot, x, ticks.filter((t, n) => n === 0 || x(t) - x(ticks[n - 1]) > 26), d => d);
  records.forEach((r, n) => {
    const y = n * plot.step + 11, family = costFamily(r), g = plot.append("g").datum(r);
    whisker(g, x(Math.max(0, of(r)[0])), x(Math.max(0, of(r)[2])), y, family);
    of(r).forEach((v, k) => g.append("circle").attr("class", `fill fam-${family}`).attr("cx", x(Math.max(0, v))).attr("cy", y)
      .attr("r", [5, 3.6, 2.6][k]).attr("opacity", [1, 0.8, 0.6][k]));
    g.append("text").attr("x", plot.w + 56).attr("y", y + 4).attr("text-anchor", "end").text(count(r.added.p50_us));
    tooltip(g, costTitle, d => [["added p50, p90, p99", of(d).map(count).join(", ") + " µs"],
      ["directly", [d.direct.p50_us, d.direct.p90_us, d.direct.p99_us].map(count).join(", ") + " µs"],
      ["on this way", [d.through.p50_us, d.through.p90_us, d.through.p99_us].map(count).join(", ") + " µs"], ["at", `${d.rate} requests/s`]]);
  });
}

function costBars(holder, width, records, of, format) {
  const plot = costRows(holder, width, records);
  const x = d3.scaleLinear().domain([0, d3.max(records, r => total(of(r))) || 1]).range([0, plot.w]).nice(3);
  axisBottom(plot, x, x.ticks(plot.w < 180 ? 2 : 3), format);
  records.forEach((r, n) => {
    const y = n * plot.step + 4, g = plot.append("g").datum(r);
    let from = 0;
    Object.keys(of(r)).forEach(name => {
      const to = from + of(r)[name];
      g.append("rect").attr("x", x(from)).attr("width", Math.max(0, x(to) - x(from))).attr("y", y).attr("height", 14)
        .attr("fill", name === "control traffic" ? "var(--c)" : partColor(name)).attr("class", `fam-${costFamily(r)}`);
      from = to;
    });
    g.append("text").attr("x", plot.w + 56).attr("y", y + 11).attr("text-anchor", "end").text(format(total(of(r))));
    tooltip(g, costTitle, d => Object.keys(of(d)).map(name => [name, format(of(d)[name])]));
  });
}

function whySection() {
  const costs = new Map(data.costs.filter(c => !c.problem).map(c => [c.way, c]));
  // A stub of its own has costs of its own, which were not measured with the way's.
  const costOf = cell => costs.get(cell.cell) || (cell.setting.stub || cell.family === "central" ? null : costs.get(cell.way));
  const dots = cells.filter(c => c.fault === "kill" && c.plain && shown(c) && costOf(c))
    .map(cell => ({cell, cpu: Math.max(0.1, total(costOf(cell).cpu_us_per_request))}));
  if (dots.length < 2) return nothing("why", "This takes the cost of two ways at least that were also killed.");
  const state = {metric: metrics[0]};
  const figure = chart(body("why"), "Bad-seconds against cost", (h, w) => why(h, w, dots, state.metric));
  choice(controls("why"), "", metrics, state.metric.name, m => { state.metric = metrics.find(x => x.name === m); figure.again(); });
  figure.append("figcaption").text("CPU of everything but client and instances, per request, at the rate that the cost was measured with. " +
    "Costs are those of the way; its TTLs stand above each other.");
}

function why(holder, width, dots, metric) {
  const narrow = width < 640, height = narrow ? 520 : 560, key = metric.name;
  const plot = canvas(holder, width, height, {left: 40, right: 20, top: 28, bottom: 44});
  const cpu = d3.extent(dots, d => d.cpu), x = d3.scaleLog().domain([cpu[0] * 0.7, cpu[1] * 1.5]).range([0, plot.w]);
  const y = rootScale(d3.max(dots, d => d.cell[key].mean) * 1.08, [plot.h, 0]);
  axisLeft(plot, y, rootTicks(y, 28), plain, metric.title + " when an instance is killed");
  const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter(t => t >= x.domain()[0] && t <= x.domain()[1]);
  axisBottom(plot, x, ticks, d => d, "CPU µs per request");
  d3.nest().key(d => d.cell.way + (d.cell.setting.reconfirm || "")).entries(dots).filter(e => e.values.length > 1).forEach(({values}) => {
    values.sort((a, b) => a.cell.ttl - b.cell.ttl);
    plot.append("path").attr("class", `stroke fam-${values[0].cell.family}`).attr("opacity", 0.4)
      .attr("d", d3.line().x(d => x(d.cpu)).y(d => y(d.cell[key].mean))(values));
  });
  // Labels are pushed from each other and from the dots, and drawn to their own.
  const nodes = dots.map(d => {
    const text = !narrow ? d.cell.title : d.cell.setting.reconfirm ? `${d.cell.way_title}, reconfirm`
      : d.cell.family === "dns" ? `${d.cell.way_title}, ${d.cell.ttl}` : d.cell.way_title;
    return {d, text, w: text.length * 6.2 + 8, px: x(d.cpu), py: y(d.cell[key].mean)};
  });
  place(nodes, plot.w, plot.h);
  nodes.forEach(n => {
    const g = plot.append("g").datum(n.d.cell).call(cellTip), family = n.d.cell.family;
    if (Math.hypot(n.lx + n.w / 2 - n.px, n.ly - n.py) > n.w / 2 + 12) g.append("line").attr("class", `stroke fam-${family}`).attr("opacity", 0.35)
      .attr("x1", n.px).attr("y1", n.py).attr("x2", Math.max(n.lx, Math.min(n.lx + n.w - 6, n.px))).attr("y2", n.ly + (n.ly > n.py ? -6 : 4));
    const dot = mark(g, family, 80).attr("transform", `translate(${n.px},${n.py})`);
    if (n.d.cell.modelled) dot.style("fill", "var(--page)").attr("stroke", "var(--c)");
    g.append("text").attr("class", `small halo ink fam-${family}`).attr("x", n.lx).attr("y", n.ly + 4).text(n.text);
  });
}

// Greedy: each label takes the free place nearest to its dot; the most crowded dots choose first.
function place(nodes, width, height) {
  const taken = nodes.map(n => [n.px - 6, n.py - 6, n.px + 6, n.py + 6]);
  const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const crowd = n => nodes.filter(o => Math.hypot(o.px - n.px, o.py - n.py) < 60).length;
  nodes.slice().sort((a, b) => crowd(b) - crowd(a)).forEach(n => {
    let best = null;
    for (let away = 0; away < 14; ++away) {
      for (const side of [1, -1]) for (const up of away ? [1, -1] : [0]) {
        const lx = side > 0 ? n.px + 10 : n.px - n.w - 4, ly = n.py + up * away * 8;
        const box = [lx, ly - 7, lx + n.w, ly + 7];
        const outside = Math.max(0, -lx) + Math.max(0, box[2] - width - 14) + Math.max(0, 4 - ly) + Math.max(0, ly - height);
        const score = d3.sum(taken, t => overlap(t, box)) + outside * 60 + away * 9 + (side < 0 ? 4 : 0);
        if (!best || score < best.score) best = {score, lx, ly, box};
      }
    }
    n.lx = Math.max(-30, best.lx);
    n.ly = best.ly;
    taken.push(best.box);
  });
}
