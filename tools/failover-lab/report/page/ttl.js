// Bad-seconds against the TTL: what was measured, the model's curves, and levels.

function ttlSection() {
  const names = faults.map(f => f.name).filter(name => data.curves.some(c => c.fault === name));
  if (!names.length) return nothing("ttl", "No way was run with several TTLs.");
  const state = {fault: names.includes("kill") ? "kill" : names[0], metric: metrics[0]};
  const figure = chart(body("ttl"), "Bad-seconds against TTL", (h, w) => ttlChart(h, w, state));
  if (names.length > 1) faultPicker(controls("ttl"), names, state.fault, f => { state.fault = f; figure.again(); });
  choice(controls("ttl"), "", metrics, state.metric.name, m => {
    state.metric = metrics.find(other => other.name === m);
    figure.again();
  });
  figure.append("figcaption").text("Root scale upwards, logarithmic to the right. Solid: the model for direct DNS, " +
    "its worst case dashed above; faint: the model for each cache, by its measured lifetimes. A hollow mark is " +
    "the model's alone.");
}

// Levels of a family that lie within a few pixels share one label.
function levelLabels(levels, key, y) {
  const labels = [];
  families.forEach(family => {
    let open = null;
    levels.filter(c => c.family === family.name).sort((a, b) => a[key].mean - b[key].mean).forEach(cell => {
      const at = y(cell[key].mean);
      if (open && open.last - at < 9) {
        open.cells.push(cell);
        open.last = at;
      } else {
        labels.push(open = {family: family.name, cells: [cell], last: at});
      }
    });
  });
  const many = {dns: "DNS", push: "with push", sidecar: "sidecars", central: "central proxies", polling: "pollers"};
  return labels.map(l => {
    const from = l.cells[0][key].mean, to = l.cells[l.cells.length - 1][key].mean;
    const figures = seconds(from) === seconds(to) ? seconds(from) : `${seconds(from)}–${seconds(to)}`;
    const text = l.cells.length === 1 ? `${l.cells[0].title}, ${figures}` : `${l.cells.length} ${many[l.family]}, ${figures}`;
    return Object.assign(l, {text, y: d3.mean(l.cells, c => y(c[key].mean))});
  });
}

function ttlChart(holder, width, {fault, metric}) {
  const narrow = width < 640, key = metric.name;
  const here = cells.filter(c => c.fault === fault && c.plain && shown(c));
  // A runtime with a cache of its own follows no TTL: it is a level too.
  const level = c => c.family !== "dns" || c.setting.stub === "jvm";
  const dots = here.filter(c => !level(c) && !c.setting.stub), levels = here.filter(level);
  const curves = data.curves.filter(c => c.fault === fault);
  const ttlMost = Math.max(10, d3.max(dots, c => c.ttl));
  const inRange = curve => curve.points.filter(p => p.ttl <= ttlMost);

  const plot = canvas(holder, width, narrow ? 420 : 500, {left: 40, right: narrow ? 12 : 236, top: 28, bottom: 44});
  const most = d3.max([...dots, ...levels], c => Math.max(c[key].mean, c[key].high));
  const direct = curves.find(c => c.way === "dns");
  const y = rootScale(Math.max(most, d3.max(direct ? inRange(direct) : [], p => p[metric.max || key]) || 0) * 1.05, [plot.h, 0]);
  const x = d3.scaleSymlog().constant(1.5).domain([0, ttlMost]).range([14, plot.w - 14]);
  axisLeft(plot, y, rootTicks(y, 26), plain, metric.title + (key === "window" ? ", s" : ""));
  axisBottom(plot, x, [0, 1, 2, 5, 10, 30, 60].filter(t => t <= ttlMost), d => d, "TTL, s");

  levels.forEach(cell => plot.append("line").attr("class", `stroke fam-${cell.family}`).attr("x1", 0).attr("x2", plot.w)
    .attr("y1", y(cell[key].mean)).attr("y2", y(cell[key].mean)).attr("stroke-width", 1.3).attr("opacity", 0.6)
    .attr("stroke-dasharray", cell.modelled ? "2 4" : null));

  const line = of => d3.line().x(p => x(p.ttl)).y(p => y(p[of])).curve(d3.curveMonotoneX);
  curves.forEach(curve => plot.append("path").datum(inRange(curve)).attr("class", "stroke fam-dns").attr("d", line(key))
    .attr("stroke-width", curve === direct ? 2.2 : 1).attr("opacity", curve === direct ? 1 : 0.35));
  if (direct && metric.max) plot.append("path").datum(inRange(direct)).attr("class", "stroke fam-dns")
    .attr("d", line(metric.max)).attr("stroke-dasharray", "4 4").attr("opacity", 0.6);

  // Beside each other where they share a TTL.
  const ttls = d3.nest().key(c => c.ttl).entries(dots.sort((a, b) => d3.ascending(a.way, b.way)));
  ttls.forEach(({values}) => values.forEach((cell, n) => {
    const at = x(cell.ttl) + (n - (values.length - 1) / 2) * Math.min(9, (narrow ? 30 : 70) / values.length);
    const g = plot.append("g").datum(cell).call(cellTip);
    g.append("line").attr("class", "stroke fam-dns").attr("x1", at).attr("x2", at).attr("y1", y(Math.max(0, cell[key].low)))
      .attr("y2", y(cell[key].high)).attr("stroke-width", 1.6).attr("opacity", 0.6);
    const dot = mark(g, "dns", cell.way === "dns" ? 95 : 46).attr("transform", `translate(${at},${y(cell[key].mean)})`);
    if (cell.modelled) dot.attr("class", "stroke fam-dns").style("fill", "var(--page)").attr("stroke", "var(--dns)");
  }));

  let labels = levelLabels(levels, key, y);
  if (narrow) {
    const entry = holder.append("div").attr("class", "legend").selectAll("span").data(labels).enter().append("span")
      .attr("class", l => `fam-${l.family}`);
    entry.append("i").attr("class", "swatch").style("height", "3px");
    entry.append("span").text(l => l.text);
    labels = [];
  }
  const last = dots.filter(c => c.way === "dns").sort((a, b) => b.ttl - a.ttl)[0];
  if (last) labels.push({family: "dns", cells: [last], text: `${last.way_title}, ${seconds(last[key].mean)}`, y: y(last[key].mean), from: x(last.ttl) + 8});
  dodge(labels, narrow ? 15 : 16, 4, plot.h - 2);
  labels.forEach(l => {
    const g = plot.append("g").datum(l);
    if (l.cells.length === 1) g.datum(l.cells[0]).call(cellTip);
    else g.call(tooltip, d => d.text, d => d.cells.map(c => [c.title, spread(c[key])]));
    if (!narrow) g.append("path").attr("class", `stroke fam-${l.family}`).attr("opacity", 0.5)
      .attr("d", `M${l.from || plot.w},${l.y}H${plot.w + 4}L${plot.w + 14},${l.at}`);
    g.append("text").attr("class", `halo ink fam-${l.family}`).attr("x", narrow ? plot.w : plot.w + 18)
      .attr("y", narrow ? l.at - 4 : l.at + 4).attr("text-anchor", narrow ? "end" : "start")
      .call(fitted, () => l.text, narrow ? plot.w - 60 : 226);
  });
}
