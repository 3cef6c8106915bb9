// How long windows are, and what they are made of.

function recoverySection() {
  const names = faults.map(f => f.name).filter(n => cells.some(c => c.fault === n && c.valid.length > 1));
  if (!names.length) return nothing("recovery", "No cell has two runs that count.");
  const state = {fault: names.includes("kill") ? "kill" : names[0]};
  const figure = chart(body("recovery"), "Distribution of windows", (h, w) => ecdfs(h, w, state.fault));
  faultPicker(controls("recovery"), names, state.fault, f => { state.fault = f; figure.again(); });
  figure.append("figcaption").text("Grey: all the others under this fault. Retries and other connection policies are left " +
    "out; the table has them.");
}

function ecdfs(holder, width, fault) {
  let here = cells.filter(c => c.fault === fault && c.valid.length > 1 && c.plain);
  if (!here.length) here = cells.filter(c => c.fault === fault && c.valid.length > 1);
  const most = d3.max(here, c => d3.max(c.valid, r => r.window)) * 1.05 || 1;
  const used = families.filter(f => here.some(c => c.family === f.name));
  const grid = holder.append("div").attr("class", "grid two");
  const columns = width >= 916 ? 2 : 1, each = columns === 2 ? (width - 36) / 2 : width;
  used.forEach(family => {
    const box = grid.append("div").attr("class", `panel fam-${family.name}`);
    box.append("h3").attr("class", "ink").style("color", "var(--c)").text(family.title);
    facet(box, each, here, family, most);
  });
}

function steps(cell) {
  const windows = cell.valid.map(r => r.window).sort(d3.ascending);
  return [{w: 0, share: 0}, ...windows.map((w, n) => ({w, share: (n + 1) / windows.length}))];
}

function facet(box, width, here, family, most) {
  const mine = here.filter(c => c.family === family.name);
  const right = Math.min(250, width * 0.45), labelled = mine.slice().sort((a, b) => a.window.max - b.window.max);
  const height = Math.max(190, labelled.length * 14 + 60);
  const plot = canvas(box, width, height, {left: 38, right, top: 10, bottom: 40});
  const x = rootScale(most, [0, plot.w]), y = d3.scaleLinear().range([plot.h, 0]);
  axisLeft(plot, y, [0, 0.5, 1], d => `${d * 100} %`);
  axisBottom(plot, x, rootTicks(x, 34), plain, "seconds");
  const line = d3.line().x(p => x(p.w)).y(p => y(p.share)).curve(d3.curveStepAfter);
  here.filter(c => c.family !== family.name).forEach(c => plot.append("path").attr("d", line(steps(c)))
    .attr("fill", "none").attr("stroke", "var(--line)"));
  const labels = mine.map(cell => ({cell, x: x(cell.window.max), y: 0}));
  mine.forEach(cell => {
    const path = plot.append("path").datum(cell).attr("class", "stroke").attr("d", line(steps(cell)))
      .attr("stroke-width", 1.8).attr("opacity", 0.85).call(cellTip);
    path.on("mouseenter", () => path.raise().attr("stroke-width", 3.4)).on("mouseleave.w", () => path.attr("stroke-width", 1.8));
  });
  labels.sort((a, b) => a.x - b.x).forEach((l, n) => { l.y = n * 14 + 4; });
  labels.forEach(l => {
    const g = plot.append("g").datum(l.cell).call(cellTip);
    g.append("circle").attr("class", "fill").attr("cx", l.x).attr("cy", 0).attr("r", 2.6);
    g.append("text").attr("class", "small ink").attr("x", plot.w + 14).attr("y", l.y + 4)
      .call(fitted, c => `${seconds(c.window.max)} s  ${c.title}`, right - 16);
  });
}

function partsSection() {
  const names = faults.map(f => f.name).filter(n => cells.some(c => c.fault === n && shown(c) && c.window.mean > 0));
  if (!names.length) return nothing("parts", "No request was bad in any cell.");
  const state = {fault: names.includes("kill") ? "kill" : names[0], all: "plain"};
  legend(body("parts"), parts.map(p => ({title: p.title, color: `var(${p.color || "--" + p.name})`})));
  const figure = chart(body("parts"), "Decomposition of windows", (h, w) => partBars(h, w, state));
  faultPicker(controls("parts"), names, state.fault, f => { state.fault = f; figure.again(); });
  choice(controls("parts"), "", [{name: "plain", title: "Ways alone"}, {name: "all", title: "Every cell"}], state.all,
    all => { state.all = all; figure.again(); });
  figure.append("figcaption").text("Proxies that check by themselves leave no marks at dnsd: all of their window counts as detection.");
}

function partBars(holder, width, {fault, all}) {
  const every = cells.filter(c => c.fault === fault && shown(c)), some = every.filter(c => c.plain || c.preset);
  const here = (all === "all" || !some.length ? every : some).sort((a, b) => a.window.mean - b.window.mean);
  const narrow = width < 640, left = narrow ? 0 : 290, step = narrow ? 42 : 26;
  const plot = canvas(holder, width, here.length * step + 46, {left, right: 62, top: 4, bottom: 42});
  const most = d3.max(here, c => Math.max(c.window.mean, c.expected.window_mean));
  // Beyond twice what most need the bars would shrink to nothing: those are cut, and say so.
  const usual = d3.quantile(here.map(c => c.window.mean), 0.8) * 2.2;
  const x = d3.scaleLinear().domain([0, most > usual * 1.3 && usual > 0 ? usual : most || 1]).range([0, plot.w]).clamp(true);
  axisBottom(plot, x, x.ticks(Math.max(3, plot.w / 90)), d => d, "seconds");
  here.forEach((cell, n) => {
    const top = n * step + (narrow ? 17 : 3), g = plot.append("g").datum(cell).call(cellTip);
    g.append("rect").attr("x", -left).attr("y", n * step).attr("width", width).attr("height", step).attr("fill", "transparent");
    g.append("text").attr("class", `ink fam-${cell.family}`).attr("x", narrow ? 0 : -12).attr("y", narrow ? top - 4 : top + 12)
      .attr("text-anchor", narrow ? "start" : "end").call(fitted, c => c.title + (c.modelled ? " (model)" : ""), narrow ? width : left - 14);
    const bars = (values, y, height, opacity) => {
      let from = 0;
      parts.forEach(part => {
        const to = from + values[part.name];
        g.append("rect").attr("x", x(from)).attr("width", Math.max(0, x(to) - x(from))).attr("y", y).attr("height", height)
          .attr("fill", `var(${part.color || "--" + part.name})`).attr("opacity", opacity);
        from = to;
      });
    };
    bars(cell.parts, top, 12, cell.modelled ? 0.5 : 1);
    bars(cell.expected.parts, top + 14, 3.5, 0.75);
    const cut = cell.window.mean > x.domain()[1];
    g.append("text").attr("x", x(Math.max(cell.window.mean, 0)) + 7).attr("y", top + 11)
      .text((cut ? "→ " : "") + seconds(cell.window.mean) + " s");
  });
}
