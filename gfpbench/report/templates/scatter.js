// A metric of each image against a parameter that was drawn for it, with the median of each tenth of the images.
const [PLOT_WIDTH, PLOT_HEIGHT, LEFT, BOTTOM, BINS, LEAST_IN_A_BIN] = [880, 320, 64, 40, 10, 5];

function drawn(tag, attributes, text) {
  const node = document.createElementNS(document.querySelector(".scatter svg").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function roundNumbers(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(6)));
  return found;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

for (const figure of document.querySelectorAll(".scatter")) {
  const data = JSON.parse(figure.dataset.points);
  const svg = figure.querySelector("svg");
  const faces = new Set([...(document.querySelectorAll(".strips")[figure.dataset.table - 1] || document).querySelectorAll(".strip")].map((strip) => strip.dataset.id));
  const [across, up] = figure.querySelectorAll("select");
  for (const [select, names] of [[across, Object.keys(data.drawn)], [up, Object.keys(data.scores)]]) {
    select.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { textContent: name })));
  }
  const draw = () => {
    const xs = data.drawn[across.value];
    const series = Object.entries(data.scores[up.value]).map(([who, ys]) => [
      who, xs.map((x, at) => [x, ys[at], data.ids[at]]).filter(([x, y]) => x !== null && y !== null),
    ]);
    const points = series.flatMap(([, own]) => own);
    const range = (axis) => {
      const values = points.map((point) => point[axis]);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const margin = (high - low) * 0.04 || Math.abs(high) * 0.02 || 0.5;
      return [low - margin, high + margin];
    };
    svg.replaceChildren();
    if (!points.length) return;
    const [[left, right], [low, high]] = [range(0), range(1)];
    const place = (x, y) => [
      LEFT + (x - left) / (right - left) * (PLOT_WIDTH - LEFT - 10), (PLOT_HEIGHT - BOTTOM) * (1 - (y - low) / (high - low)) + 6,
    ].map((value) => value.toFixed(1));
    for (const x of roundNumbers(left, right)) {
      const [at] = place(x, low);
      svg.append(drawn("path", { class: "tick", d: `M${at} 6V${PLOT_HEIGHT - BOTTOM + 6}` }));
      svg.append(drawn("text", { x: at, y: PLOT_HEIGHT - BOTTOM + 24, "text-anchor": "middle" }, x));
    }
    for (const y of roundNumbers(low, high)) {
      const [, at] = place(left, y);
      svg.append(drawn("path", { class: "tick", d: `M${LEFT} ${at}H${PLOT_WIDTH - 10}` }));
      svg.append(drawn("text", { x: LEFT - 8, y: Number(at) + 4, "text-anchor": "end" }, y));
    }
    for (const [who, own] of series) {
      const group = drawn("g", { class: "c" + data.colours[who] });
      for (const [x, y, id] of own) {
        const [cx, cy] = place(x, y);
        const dot = drawn("circle", { cx, cy, r: 3.2 });
        dot.append(drawn("title", {}, `${id} · ${who}: ${y} at ${x}`));
        if (faces.has(id)) {
          dot.classList.add("linked");
          dot.addEventListener("click", () => {
            location.hash = "#" + new URLSearchParams({ face: id, version: who, table: figure.dataset.table });
          });
        }
        group.append(dot);
      }
      const sorted = [...own].sort((a, b) => a[0] - b[0]);
      const size = Math.max(LEAST_IN_A_BIN, Math.ceil(sorted.length / BINS));
      const bins = [];
      for (let at = 0; at < sorted.length; at += size) bins.push(sorted.slice(at, at + size));
      const line = bins.filter((bin) => bin.length >= LEAST_IN_A_BIN).map((bin) => place(...[0, 1].map((axis) => median(bin.map((point) => point[axis])))).join(" "));
      if (line.length > 1) group.append(drawn("path", { class: "median", d: "M" + line.join("L") }));
      svg.append(group);
    }
    svg.setAttribute("aria-label", `${up.value} against ${across.value}: ${points.length} points`);
  };
  const spread = ([, values]) => new Set(values.filter((value) => value !== null)).size;
  const widest = Object.entries(data.drawn).sort((a, b) => spread(b) - spread(a))[0];
  across.value = Object.keys(data.drawn).find((name) => /sigma/.test(name)) || widest[0];
  for (const select of [across, up]) select.addEventListener("change", draw);
  figure.hidden = false;
  draw();
}
