// Static stability: strips of time, while discovery is gone.

function stabilitySection() {
  const ofDiscovery = faults.filter(f => f.of_discovery);
  if (!ofDiscovery.length) return nothing("stability", "This suite leaves discovery alone.");
  ofDiscovery.forEach(fault => {
    const here = cells.filter(c => c.fault === fault.name && c.runs > 0);
    if (!here.length) return;
    const box = body("stability").append("div").attr("class", "panel").style("margin-bottom", "26px");
    box.append("h3").text(fault.title);
    box.append("p").attr("class", "note").text(fault.about);
    chart(box, fault.title, (h, w) => strips(h, w, here));
  });
}

// Bins of a quarter of a second: what share of their requests was bad.
function bins(cell) {
  const points = data.points[cell.index];
  if (!points) return [];
  const all = new Map();
  points.t.forEach((t, n) => {
    const bin = Math.floor(t / 250), entry = all.get(bin) || {at: bin / 4, all: 0, bad: 0};
    ++entry.all;
    if (kindOf(points, n) !== "ok") ++entry.bad;
    all.set(bin, entry);
  });
  return [...all.values()].filter(b => b.at >= -1).sort((a, b) => a.at - b.at);
}
function stabilityWords(cell) {
  if (cell.bad_seconds.mean <= 0) return "every request served";
  const points = data.points[cell.index], first = points ? points.t.find((t, n) => t >= 0 && kindOf(points, n) !== "ok") : undefined;
  const from = first === undefined ? "" : first > 250 ? `works for ${seconds(first / 1e3)} s, then ` : "from the start, ";
  return `${from}${seconds(cell.bad_seconds.mean)} bad-seconds`;
}

function strips(holder, width, here) {
  const rows = here.slice().sort((a, b) => a.bad_seconds.mean - b.bad_seconds.mean);
  const narrow = width < 700, left = narrow ? 0 : 250, right = narrow ? 0 : 250, step = narrow ? 44 : 24;
  const plot = canvas(holder, width, rows.length * step + 44, {left, right: right + 6, top: 4, bottom: 40});
  const most = d3.max(rows, c => d3.max(bins(c), b => b.at + 0.25)) || 1;
  const x = d3.scaleLinear().domain([-1, most]).range([0, plot.w]);
  axisBottom(plot, x, x.ticks(Math.max(3, plot.w / 80)), d => d, "seconds since the fault");
  rows.forEach((cell, n) => {
    const y = n * step + (narrow ? 20 : 4), g = plot.append("g").datum(cell).call(cellTip);
    g.append("text").attr("class", `ink fam-${cell.family}`).attr("x", narrow ? 0 : -12).attr("y", narrow ? y - 5 : y + 12)
      .attr("text-anchor", narrow ? "start" : "end").call(fitted, c => c.title, narrow ? width * 0.5 : left - 14);
    g.append("text").attr("class", "muted").attr("x", narrow ? plot.w : plot.w + 14).attr("y", narrow ? y - 5 : y + 12)
      .attr("text-anchor", narrow ? "end" : "start").call(fitted, c => narrow && c.bad_seconds.mean > 0 ? `${seconds(c.bad_seconds.mean)} bad-seconds` : stabilityWords(c),
        narrow ? width * 0.5 : right - 8);
    bins(cell).forEach(b => g.append("rect").attr("x", x(b.at)).attr("width", Math.max(1, x(b.at + 0.25) - x(b.at) - 0.6)).attr("y", y)
      .attr("height", 15).attr("fill", b.bad ? "var(--bad)" : "var(--ok)").attr("opacity", b.bad ? 0.35 + 0.65 * b.bad / b.all : 0.4));
  });
  plot.append("line").attr("x1", x(0)).attr("x2", x(0)).attr("y2", plot.h).attr("stroke", "var(--ink)");
}
