// The model against what was measured, and the effective TTLs that it computes with.

function modelSection() {
  const runs = cells.filter(c => c.valid.length).flatMap(c => c.valid.map(run => ({run, cell: c})));
  if (!runs.length) return nothing("model", "No run counts.");
  const grid = body("model").append("div").attr("class", "grid two");
  chart(grid.append("div"), "Predicted against measured windows", (h, w) => scatter(h, w, runs));
  chart(grid.append("div"), "Residuals", (h, w) => residuals(h, w, runs));
  const within = runs.filter(r => Math.abs(r.run.residual) <= 100).length;
  const marked = cells.filter(c => c.residual_marked);
  body("model").append("p").style("margin-top", "18px").text(`${within} of ${runs.length} runs lie within 100 ms of their prediction; ` +
    (marked.length ? `${marked.length} cells are marked:` : "no cell is marked."));
  if (marked.length) table(body("model"), [
    {title: "Cell", text: true, of: c => c.title}, {title: "Fault", text: true, of: c => faultOf.get(c.fault).title},
    {title: "Runs", of: c => c.runs}, {title: "Measured, s", of: c => seconds(c.window.mean)},
    {title: "Predicted, s", of: c => seconds(d3.mean(c.valid, r => r.predicted))},
    {title: "Median residual, ms", of: c => count(c.median_residual_ms)}, {title: "Why", text: true, wrap: true, of: c => c.explanation},
  ], marked.sort((a, b) => Math.abs(b.median_residual_ms) - Math.abs(a.median_residual_ms)));
}

function runTip(selection) {
  tooltip(selection, d => `${d.cell.title}, run ${d.run.number}`, d => [["fault", faultOf.get(d.cell.fault).title],
    ["predicted", `${seconds(d.run.predicted)} s`], ["measured", `${seconds(d.run.window)} s`], ["residual", `${d.run.residual} ms`]]);
}

function scatter(holder, width, runs) {
  const side = Math.min(width, 500), plot = canvas(holder, width, side, {left: 44, right: width - side + 12, top: 26, bottom: 44});
  const most = d3.max(runs, r => Math.max(r.run.predicted, r.run.window)) * 1.04;
  const x = rootScale(most, [0, plot.w]), y = rootScale(most, [plot.h, 0]);
  axisLeft(plot, y, rootTicks(y, 28), plain, "measured window, s");
  axisBottom(plot, x, rootTicks(x, 28), plain, "predicted, s");
  plot.append("line").attr("x1", 0).attr("y1", plot.h).attr("x2", plot.w).attr("y2", 0).attr("stroke", "var(--muted)");
  runs.forEach(d => mark(plot, d.cell.family, 34).attr("opacity", 0.7).attr("stroke-width", 0.6)
    .attr("transform", `translate(${x(d.run.predicted)},${y(d.run.window)})`).datum(d).call(runTip));
}

function residuals(holder, width, runs) {
  const ways = d3.nest().key(d => d.cell.way_title).entries(runs).sort((a, b) => d3.ascending(
    families.findIndex(f => f.name === a.values[0].cell.family), families.findIndex(f => f.name === b.values[0].cell.family)));
  const step = Math.max(17, Math.min(26, 430 / ways.length)), left = Math.min(190, width * 0.42);
  const plot = canvas(holder, width, ways.length * step + 70, {left, right: 12, top: 26, bottom: 44});
  const x = d3.scaleSymlog().constant(30).domain([-2000, 2000]).range([0, plot.w]).clamp(true);
  plot.append("rect").attr("x", x(-100)).attr("width", x(100) - x(-100)).attr("height", plot.h).attr("fill", "var(--sunken)");
  axisBottom(plot, x, plot.w < 260 ? [-1000, -100, 0, 100, 1000] : [-1000, -300, -100, -30, 0, 30, 100, 300, 1000], d => d, "measured − predicted, ms");
  plot.append("line").attr("x1", x(0)).attr("x2", x(0)).attr("y2", plot.h).attr("stroke", "var(--muted)");
  ways.forEach(({key, values}, n) => {
    const y = n * step + step / 2, family = values[0].cell.family;
    plot.append("text").attr("class", `ink fam-${family}`).attr("x", -10).attr("y", y + 4).attr("text-anchor", "end")
      .datum(key).call(fitted, d => d, left - 12);
    values.forEach((d, k) => mark(plot, family, 26).attr("opacity", 0.6).attr("stroke-width", 0.5)
      .attr("transform", `translate(${x(d.run.residual)},${y + ((k * 7) % 5 - 2) * step / 14})`).datum(d).call(runTip));
  });
}

function effectiveSection() {
  const records = data.effective_ttls;
  if (!records.length) return nothing("effective", "This suite measures no cache.");
  const measured = records.filter(r => r.ttls.length), ttls = [...new Set(measured.flatMap(r => r.ttls.map(t => t.ttl)))].sort(d3.ascending);
  const color = ttl => d3.interpolateRgb(d3.rgb(120, 160, 220), d3.rgb(20, 70, 160))(ttls.length > 1 ? ttls.indexOf(ttl) / (ttls.length - 1) : 1);
  const grid = body("effective").append("div").attr("class", "grid small");
  measured.forEach(record => {
    const box = grid.append("div").attr("class", "panel");
    box.append("h3").text(record.title);
    chart(box, `Age at replacement: ${record.title}`, (h, w) => ages(h, w, record));
  });
  body("effective").append("p").attr("class", "note").style("margin-top", "14px")
    .text("Upwards: age at replacement, seconds. To the right: when within the wall clock's second the answer was fetched. Dashed: the TTL.");
  const most = r => r.ttls;
  table(body("effective"), [
    {title: "Cache", text: true, of: r => r.title}, {title: "Version", text: true, of: r => r.version},
    ...ttls.map(ttl => ({title: `TTL ${ttl}`, draw: (td, r) => {
      const t = most(r).find(each => each.ttl === ttl);
      if (!t) return td.text("–");
      td.append("span").style("font-weight", Math.abs(t.mean - t.ttl) > 0.25 ? 650 : 400).text(seconds(t.mean));
      td.append("span").attr("class", "unit").text(` ${seconds(t.least)}–${seconds(t.most)}`);
    }})),
    {title: "", text: true, wrap: true, of: r => r.problem},
  ], records);
  body("effective").append("p").attr("class", "note").style("margin-top", "8px").text("Mean, and from the least to the most; bold where it misses the TTL by more than a quarter of a second.");
}

function ages(holder, width, record) {
  const mine = data.samples.filter(s => s.cache === record.cache);
  const plot = canvas(holder, width, 150, {left: 30, right: 34, top: 10, bottom: 22});
  const most = Math.max(d3.max(mine, s => Math.max(s.age, s.ttl)) * 1.08, 1);
  const x = d3.scaleLinear().domain([0, 1]).range([4, plot.w - 4]), y = rootScale(most, [plot.h, 0]);
  axisLeft(plot, y, rootTicks(y, 18), plain);
  axisBottom(plot, x, [0, 0.5, 1], d => d);
  dodge(record.ttls.map(({ttl}) => ({ttl, y: y(ttl)})), 12, 0, plot.h).forEach(l => plot.append("text")
    .attr("class", "small muted").attr("x", plot.w + 4).attr("y", l.at + 4).text(`TTL ${l.ttl}`));
  record.ttls.forEach(({ttl}) => {
    plot.append("line").attr("x2", plot.w).attr("y1", y(ttl)).attr("y2", y(ttl)).attr("stroke", "var(--faint)").attr("stroke-dasharray", "3 3");
    const points = mine.filter(s => s.ttl === ttl).sort((a, b) => a.phase - b.phase);
    plot.append("path").attr("class", "stroke fam-dns").attr("opacity", 0.5)
      .attr("d", d3.line().x(s => x(s.phase)).y(s => y(s.age))(points));
    points.forEach(s => plot.append("circle").attr("class", "fill fam-dns").attr("r", 3).attr("cx", x(s.phase)).attr("cy", y(s.age)).datum(s)
      .call(tooltip, d => `${record.title}, TTL ${d.ttl}`, d => [["age at replacement", `${d.age.toFixed(3)} s`], ["fetched at phase", d.phase.toFixed(2)]]));
  });
}
