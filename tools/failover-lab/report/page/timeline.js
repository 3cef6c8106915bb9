// Single requests of representative runs, with the marks.

const withPoints = cells.filter(c => data.points[c.index]);
function cellGroups() {
  return faults.map(f => ({title: f.title, options: withPoints.filter(c => c.fault === f.name)
    .map(c => ({value: String(c.index), title: c.title}))})).filter(g => g.options.length);
}

function timelineSection() {
  if (!withPoints.length) return nothing("timeline", "No run left its requests.");
  const kill = faultOf.get("kill") || faults[0];
  const pick = name => { const c = byName.get(kill[name]); return c && withPoints.includes(c) ? c : null; };
  const paired = data.pairs.length ? byName.get(data.pairs[0].a) : null;
  const first = pick("centre") || withPoints[0];
  const second = paired && withPoints.includes(paired) ? paired : pick("push") || pick("sidecar");
  const state = {a: first, b: second === first ? null : second};
  const figure = chart(body("timeline"), "Requests of representative runs", (h, w) => timelines(h, w, state));
  picker(controls("timeline"), "Cell", cellGroups(), String(state.a.index), v => { state.a = cells[+v]; figure.again(); });
  picker(controls("timeline"), "and below", [{options: [{value: "", title: "nothing"}]}, ...cellGroups()],
    state.b ? String(state.b.index) : "", v => { state.b = v === "" ? null : cells[+v]; figure.again(); });
}

function kindOf(points, n) {
  const name = data.outcomes[points.o[n]];
  return points.o[n] === 0 ? (points.l[n] > 250 ? "slow" : "ok") : name;
}
const colorOf = kind => outcomeColors[kind] || (kind.startsWith("http") ? "var(--bad-4)" : "var(--bad-3)");

function timelines(holder, width, {a, b}) {
  const chosen = [a, b].filter(c => c);
  const ends = chosen.map(cell => {
    const run = representative(cell);
    return Math.max(run.window, run.predicted, 1, ...run.actions.map(x => x[0])) * 1.15 + 1;
  });
  const most = Math.min(d3.max(ends), d3.max(chosen, c => d3.max(data.points[c.index].t)) / 1e3);
  const kinds = new Set();
  chosen.forEach(c => data.points[c.index].o.forEach((_, n) => kinds.add(kindOf(data.points[c.index], n))));
  const names = {ok: "served", slow: "served, after more than 250 ms"};
  legend(holder, ["ok", "slow", ...Object.keys(outcomeColors), ...kinds].filter((k, n, all) => kinds.has(k) && all.indexOf(k) === n)
    .map(k => ({title: names[k] || k, color: colorOf(k)})));
  chosen.forEach(cell => timeline(holder, width, cell, most));
}
const representative = cell => cell.all.find(r => r.number === data.points[cell.index].run && !r.invalid) || cell.valid[0];

function timeline(holder, width, cell, most) {
  const points = data.points[cell.index], run = representative(cell);
  const title = holder.append("h3").style("margin-top", "14px");
  title.append("span").attr("class", `dot fam-${cell.family}`);
  title.append("span").text(cell.title);
  title.append("span").attr("class", "muted").style("font-weight", 400).text(` · ${faultOf.get(cell.fault).title.toLowerCase()}` +
    ` · run ${run.number}: ${run.failed} failed, ${seconds(run.bad)} bad-seconds, window ${seconds(run.window)} s`);

  const left = 62, right = 12, least = -0.6;
  const x = d3.scaleLinear().domain([least, most]).range([0, width - left - right]);
  const lines = marksToDraw(run, x);
  const rows = d3.max(lines, l => l.top) + 1, top = rows * 15 + 8;
  const lanes = [...new Set(points.i)].filter(i => i >= 0).sort(d3.ascending);
  const nobody = points.i.some(i => i < 0), scatter = 200, gap = 16, lane = 15;
  const laneList = lanes.map(i => ({i, title: `i-${i + 1}`})).concat(nobody ? [{i: -1, title: "nobody"}] : []);
  const plot = canvas(holder, width, top + scatter + gap + laneList.length * lane + 40, {left, right, top, bottom: 40});

  const y = d3.scaleLog().domain([0.05, 2000]).range([scatter, 0]).clamp(true);
  const inner = Object.assign(plot.append("g"), {w: plot.w, h: scatter});
  axisLeft(inner, y, [0.1, 1, 10, 100, 1000], d => d === 1000 ? "1 s" : `${d} ms`);
  plot.append("g").attr("class", "axis").attr("transform", `translate(0,${plot.h})`)
    .call(d3.axisBottom(x).ticks(Math.max(3, Math.min(12, width / 90))).tickSize(-plot.h).tickPadding(8));
  plot.append("text").attr("class", "axis-title").attr("x", plot.w).attr("y", plot.h + 36).attr("text-anchor", "end")
    .text("seconds since the fault");
  plot.append("line").attr("x2", plot.w).attr("y1", y(250)).attr("y2", y(250)).attr("stroke", "var(--slow)")
    .attr("stroke-dasharray", "3 3");
  plot.append("text").attr("class", "small muted").attr("x", -8).attr("y", y(250) + 4).attr("text-anchor", "end").text("250 ms");
  if (run.window > 0) plot.append("rect").attr("x", x(0)).attr("width", Math.max(0, x(Math.min(run.window, most)) - x(0)))
    .attr("height", plot.h).attr("fill", "var(--bad)").attr("opacity", 0.05);

  const laneY = new Map(laneList.map((l, n) => [l.i, scatter + gap + n * lane + lane / 2]));
  laneList.forEach(l => plot.append("text").attr("class", "small muted").attr("x", -8).attr("y", laneY.get(l.i) + 4)
    .attr("text-anchor", "end").text(l.title));
  const dots = [];
  points.t.forEach((t, n) => {
    const at = t / 1e3;
    if (at >= least && at <= most) dots.push({at, n, kind: kindOf(points, n)});
  });
  // Those that went wrong lie on top.
  dots.sort((a, b) => (a.kind === "ok" ? 0 : 1) - (b.kind === "ok" ? 0 : 1));
  const size = dots.length > 2500 ? 1.4 : 2;
  plot.append("g").selectAll("circle").data(dots).enter().append("circle").attr("cx", d => x(d.at))
    .attr("cy", d => y(Math.max(0.05, points.l[d.n]))).attr("r", d => d.kind === "ok" ? size : size + 0.5)
    .attr("fill", d => colorOf(d.kind)).attr("opacity", d => d.kind === "ok" ? 0.75 : 0.9)
    .call(tooltip, d => d.kind, d => [["since the fault", `${d.at.toFixed(3)} s`], ["latency", `${points.l[d.n]} ms`],
      ["instance", points.i[d.n] < 0 ? "–" : `i-${points.i[d.n] + 1}`]]);
  plot.append("g").selectAll("rect").data(dots).enter().append("rect").attr("x", d => x(d.at) - 0.8).attr("width", 1.6)
    .attr("y", d => laneY.get(points.i[d.n]) - 5).attr("height", 10).attr("fill", d => colorOf(d.kind));

  lines.forEach(l => {
    plot.append("line").attr("x1", l.x).attr("x2", l.x).attr("y1", -16 - l.top * 15).attr("y2", plot.h)
      .attr("stroke", l.event ? "var(--ink)" : "var(--muted)").attr("stroke-width", l.event ? 1.5 : 1)
      .attr("stroke-dasharray", l.event ? null : "2 2");
    l.lines.forEach((text, n) => plot.append("text").attr("class", "small halo").attr("x", l.x + (l.end ? -3 : 3))
      .attr("y", -8 - (l.top - n) * 15).attr("text-anchor", l.end ? "end" : "start")
      .style("font-weight", l.event ? 620 : 400).text(text));
  });
}

const actionWords = {refuse: "killed", hang: "stopped", drop: "packets dropped", dnsd_down: "dnsd killed", dnsd_up: "dnsd back",
  store_lost: "database lost", proxy_down: "proxy killed", proxy_up: "proxy back", agent_down: "agent killed",
  first_request: "first request", well: "well again", register: "registered", deregister: "deregistered"};

// What happened, and the marks; those that stand within a few pixels share a line and a label.
function marksToDraw(run, x) {
  const all = run.actions.map(([at, what], n) => ({at, event: true,
    text: (n || at > 0.05 ? "" : "fault: ") + (actionWords[what] || what)}));
  if (!all.length) all.push({at: 0, text: "fault", event: true});
  markNames.forEach(name => { if (run.marks[name] !== null) all.push({at: run.marks[name], text: name}); });
  const inside = all.filter(l => l.at >= x.domain()[0] && l.at <= x.domain()[1]).sort((a, b) => a.at - b.at);
  const merged = [];
  inside.forEach(l => {
    const previous = merged[merged.length - 1];
    if (previous && x(l.at) - previous.x < 5 && !(l.event && !previous.event)) {
      if (!previous.words.includes(l.text)) previous.words.push(l.text);
    } else {
      merged.push({x: x(l.at), words: [l.text], event: l.event, at: l.at});
    }
  });
  const most = Math.max(90, Math.min(260, x.range()[1] * 0.45)), taken = [];
  merged.forEach(l => {
    if (!l.event || l.at > 0.05) l.words[l.words.length - 1] += ` ${seconds(l.at)}`;
    l.lines = wrapped(l.words, most);
    const length = d3.max(l.lines, textWidth) + 10;
    l.end = l.x + length > x.range()[1] + 10;
    const from = l.end ? l.x - length : l.x, to = from + length;
    const free = row => !(taken[row] || []).some(([a, b]) => from < b && to > a);
    for (l.row = 0; !l.lines.every((_, n) => free(l.row + n)); ++l.row);
    l.lines.forEach((_, n) => { (taken[l.row + n] = taken[l.row + n] || []).push([from, to]); });
    // Its line crosses the rows below.
    for (let row = 0; row < l.row; ++row) taken[row].push([l.x - 1, l.x + 1]);
    l.top = l.row + l.lines.length - 1;
  });
  return merged;
}
const textWidth = text => text.length * 6.2;
function wrapped(words, most) {
  return words.reduce((lines, word) => {
    const last = lines[lines.length - 1], longer = `${last} · ${word}`;
    if (lines.length && textWidth(longer) <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
    return lines;
  }, []);
}
