// The head of the page, the verdict on each fault, and the goals.

function head() {
  section("about").text(data.about);
  const runs = data.runs_all.length, valid = d3.sum(cells, c => c.runs);
  const facts = [
    ["Suite", data.suite], ["Machine", data.machine], ["dnsd", data.dnsd_version],
    ["Started", data.started.replace("T", " ").replace(/(\.\d+)?(Z|\+00:?00)$/, " UTC")],
    ["Took", data.seconds ? `${Math.floor(data.seconds / 60)} min ${Math.round(data.seconds % 60)} s` : ""],
    ["Cells", `${cells.length}` + (cells.some(c => c.modelled) ? `, ${cells.filter(c => c.modelled).length} by the model alone` : "")],
    ["Runs", `${runs}` + (runs > valid ? `, ${runs - valid} left out` : "")],
  ].filter(([, value]) => value);
  const box = section("facts").selectAll("div").data(facts).enter().append("div");
  box.append("dt").text(f => f[0]);
  box.append("dd").text(f => f[1]);
}

function navigation() {
  const names = {verdicts: "Verdict", goals: "Goals", ttl: "TTL", timeline: "Timeline", recovery: "Recovery",
    parts: "Parts", model: "Model", effective: "Effective TTL", stability: "Stability", cost: "Cost",
    why: "Why not TTL 1", fleet: "Fleet", cells: "Cells", provenance: "How"};
  const links = d3.select("#toc").selectAll("li").data(Object.keys(names)).enter().append("li").append("a")
    .attr("href", id => `#${id}`).text(id => names[id]);
  const watcher = new IntersectionObserver(entries => entries.filter(e => e.isIntersecting).forEach(e => {
    links.classed("here", id => id === e.target.id);
  }), {rootMargin: "-20% 0px -75% 0px"});
  Object.keys(names).forEach(id => watcher.observe(document.getElementById(id)));
  d3.select("#theme").on("click", () => {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  });
}

function verdicts() {
  familyLegend(section("verdicts").select(".legend"));
  if (!faults.length) return nothing("verdicts", "No cell has a result.");
  const row = body("verdicts").selectAll(".fault").data(faults).enter().append("div").attr("class", "fault");
  const words = row.append("div");
  words.append("h3").text(f => f.title);
  words.append("p").text(f => f.sentence);
  words.append("p").attr("class", "about").text(f => f.about);
  row.each(function (fault) {
    const rivals = ["centre", "push", "sidecar", "central"].map(who => byName.get(fault[who])).filter(c => c && shown(c));
    if (rivals.length) chart(d3.select(this), `Bad-seconds: ${fault.title}`, (h, w) => strip(h, w, rivals));
  });
}

// A row each: who, how many bad-seconds, how sure.
function strip(holder, width, rivals) {
  const narrow = width < 400, step = narrow ? 36 : 25, left = narrow ? 8 : Math.min(230, width * 0.48);
  const plot = canvas(holder, width, rivals.length * step + 24, {left, right: 44, top: 4, bottom: 20});
  const most = d3.max(rivals, c => Math.max(c.bad_seconds.mean, c.bad_seconds.high)) || 0.1;
  const x = d3.scaleLinear().domain([0, Math.max(most, 0.05)]).range([0, plot.w]).nice(4);
  const ticks = x.ticks(Math.max(2, Math.min(4, Math.floor(plot.w / 60))));
  plot.append("g").attr("class", "axis").attr("transform", `translate(0,${plot.h})`)
    .call(d3.axisBottom(x).tickValues(ticks).tickSize(-plot.h).tickPadding(6).tickFormat(plain));
  rivals.forEach((cell, n) => {
    const y = n * step + (narrow ? 24 : 12), g = plot.append("g").datum(cell).call(cellTip);
    g.append("text").attr("class", `ink fam-${cell.family}`)
      .attr("x", narrow ? 0 : -12).attr("y", narrow ? y - 12 : y + 4).attr("text-anchor", narrow ? "start" : "end")
      .call(fitted, c => c.title, narrow ? width - 20 : left - 14);
    const {mean, low, high} = cell.bad_seconds;
    whisker(g, x(Math.max(0, low)), x(high), y, cell.family);
    mark(g, cell.family, 95).attr("transform", `translate(${x(mean)},${y})`);
    g.append("text").attr("x", plot.w + 42).attr("y", y + 4).attr("text-anchor", "end")
      .text(seconds(mean)).append("title").text(spread(cell.bad_seconds));
  });
}

function goals() {
  if (!data.pairs.length) return nothing("goals", "This suite compares no pairs.");
  const ratios = data.pairs.filter(p => p.goal === "ratio" && p.pairs > 0);
  const low = Math.max(0.02, d3.min(ratios, p => p.low) || 0.5), high = Math.min(50, d3.max(ratios, p => p.high) || 2);
  const domain = [Math.min(0.7, low * 0.95), Math.max(1.4, high * 1.05)];
  const row = body("goals").selectAll(".pair").data(data.pairs).enter().append("div").attr("class", "pair");
  const words = row.append("div");
  words.append("h3").text(p => p.title);
  const result = words.append("p");
  result.append("span").attr("class", p => `badge ${p.met ? "met" : "unmet"}`).text(p => p.met ? "met" : "not shown");
  result.append("span").text(p => p.words.replace(/^not shown: /, "") + ` · ${p.pairs} pairs`);
  row.filter(p => ratios.includes(p)).each(function (pair, n) {
    chart(d3.select(this), `Ratio: ${pair.title}`, (h, w) => forest(h, w, pair, domain));
  });
}

function forest(holder, width, pair, domain) {
  const plot = canvas(holder, width, 46, {left: 8, right: 8, top: 4, bottom: 20});
  const x = d3.scaleLog().domain(domain).range([0, plot.w]).clamp(true);
  const ticks = [0.05, 0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 20].filter(t => t >= domain[0] && t <= domain[1]);
  plot.append("rect").attr("x", x(0.9)).attr("width", x(pair.ratio_max) - x(0.9)).attr("height", plot.h)
    .attr("fill", "var(--sunken)");
  plot.append("g").attr("class", "axis").attr("transform", `translate(0,${plot.h})`)
    .call(d3.axisBottom(x).tickValues(ticks).tickSize(-plot.h).tickPadding(6).tickFormat(plain));
  plot.append("line").attr("x1", x(1)).attr("x2", x(1)).attr("y2", plot.h).attr("stroke", "var(--muted)");
  const family = (byName.get(pair.a) || {family: "push"}).family;
  whisker(plot, x(pair.low), x(pair.high), plot.h / 2, family);
  mark(plot, family, 95).attr("transform", `translate(${x(pair.ratio)},${plot.h / 2})`).datum(pair)
    .call(tooltip, p => p.title, p => [["ours", p.a], ["theirs", p.b], ["ratio", p.words]]);
}
