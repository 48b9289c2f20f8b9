// The table of all images of a large table. Its data is a script beside the page, read when the reader opens the table.
const ROWS_AT_ONCE = 100;
const received = new Map();
window.gfpbenchRows = (digest, text) => received.set(digest, text);

function cellOf(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

function numberOf(value) {
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : value === null ? NaN : Number(value);
}

function tableOf(place, data) {
  const strips = place.closest(".strips");
  const links = new Set([...strips.querySelectorAll(".strip")].map((strip) => strip.dataset.id));
  const number = [...document.querySelectorAll(".strips")].indexOf(strips) + 1;
  const common = { ...data.drawn, ...data.attributes };
  const part = Object.fromEntries(["input", "select", "output", "table", "nav"].map((tag) => [tag, place.querySelector(tag)]));
  const [previous, next] = part.nav.querySelectorAll("button");
  const [sorted, state] = [new Map(), { by: null, down: false, from: 0, shown: [] }];
  part.select.replaceChildren(...Object.keys(data.lines).map((name) => cellOf("option", name)));
  part.select.value = Object.keys(data.lines).find((name) => !/^(input|ground truth)/.test(name)) || part.select.value;
  const columns = () => ({ ...data.lines[part.select.value].scores, ...common });
  const failed = (at) => data.lines[part.select.value].failed[at] || "";
  const words = (at) => [data.ids[at], failed(at), ...Object.values(data.attributes).map((values) => values[at])].join(" ").toLowerCase();

  function condition(token) {
    const [, name, sign, wanted] = CONDITION.exec(token) || [];
    const all = { ...columns() };
    for (const [who, line] of Object.entries(data.lines)) {
      const short = who.startsWith("input") ? "input" : who === "ground truth" ? "truth" : who;
      for (const [metric, values] of Object.entries(line.scores)) all[short + "." + metric] = values;
    }
    const values = name !== undefined && Object.entries(all).find(([known]) => known.toLowerCase() === name);
    if (!values) return (at) => words(at).includes(token);
    const limit = numberOf(wanted);
    return (at) => {
      const value = values[1][at];
      if (value === null) return false;
      const own = numberOf(value);
      return Number.isNaN(own) || Number.isNaN(limit) ? sign === "=" && String(value).toLowerCase() === wanted : COMPARED[sign](own, limit);
    };
  }

  function choose() {
    const tests = part.input.value.toLowerCase().split(/\s+/).filter(Boolean).map(condition);
    const found = data.ids.map((_, at) => at).filter((at) => tests.every((fits) => fits(at)));
    const values = state.by === null ? null : columns()[state.by];
    if (values) {
      const missing = (at) => values[at] === null;
      const compare = typeof values.find((value) => value !== null && value !== "inf" && value !== "-inf") === "string"
        ? (a, b) => (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0)
        : (a, b) => numberOf(values[a]) - numberOf(values[b]) || 0;
      found.sort((a, b) => missing(a) - missing(b) || (state.down ? compare(b, a) : compare(a, b)) || a - b);
    }
    [state.shown, state.from] = [found, 0];
    draw();
  }

  function draw() {
    const own = columns();
    const names = Object.keys(own);
    const head = document.createElement("tr");
    for (const name of ["image", ...names]) {
      const cell = cellOf("th", "");
      cell.scope = "col";
      const button = cellOf("button", name + (state.by === name ? (state.down ? " ↓" : " ↑") : ""));
      button.type = "button";
      button.addEventListener("click", () => {
        const [by, down] = name === "image" ? [null, false] : [name, state.by === name && !state.down];
        [state.by, state.down] = [by, down];
        choose();
      });
      cell.append(button);
      head.append(cell);
    }
    const rows = state.shown.slice(state.from, state.from + ROWS_AT_ONCE).map((at) => {
      const row = document.createElement("tr");
      const name = cellOf("th", links.has(data.ids[at]) ? "" : data.ids[at]);
      name.scope = "row";
      if (links.has(data.ids[at])) {
        const link = cellOf("a", data.ids[at]);
        link.href = "#" + new URLSearchParams({ face: data.ids[at], table: number });
        name.append(link);
      }
      if (failed(at)) name.append(cellOf("small", "failed: " + failed(at)));
      row.append(name, ...names.map((column) => cellOf("td", own[column][at] === null ? "–" : String(own[column][at]))));
      return row;
    });
    part.table.tHead.replaceChildren(head);
    part.table.tBodies[0].replaceChildren(...rows);
    const last = Math.min(state.from + ROWS_AT_ONCE, state.shown.length);
    const count = (value) => value.toLocaleString("en");
    part.output.textContent = `${state.shown.length ? count(state.from + 1) : 0} – ${count(last)} of ${count(state.shown.length)}`
      + (state.shown.length < data.ids.length ? `, which the filter leaves of ${count(data.ids.length)}` : "");
    previous.disabled = state.from === 0;
    next.disabled = last === state.shown.length;
  }

  for (const [button, by] of [[previous, -ROWS_AT_ONCE], [next, ROWS_AT_ONCE]]) {
    button.addEventListener("click", () => { state.from += by; draw(); });
  }
  part.input.addEventListener("input", choose);
  part.select.addEventListener("change", choose);
  choose();
}

for (const place of document.querySelectorAll("details.rows")) {
  const said = place.querySelector(".said");
  const load = () => {
    said.textContent = `reading ${place.dataset.file}…`;
    const script = document.createElement("script");
    script.addEventListener("error", () => { said.textContent = `${place.dataset.file} is not beside this page; results.json has every number too.`; });
    script.addEventListener("load", () => {
      const text = received.get(place.dataset.digest);
      received.clear();
      if (text === undefined) {
        said.textContent = `${place.dataset.file} is damaged, or belongs to another page; results.json has every number too.`;
        return;
      }
      said.textContent = "";
      place.querySelector(".all").hidden = false;
      tableOf(place, JSON.parse(text));
    });
    script.src = place.dataset.file;
    document.head.append(script);
  };
  place.addEventListener("toggle", () => { if (place.open) load(); }, { once: true });
  if (new URLSearchParams(location.hash.slice(1)).get("rows")) place.open = true;
}
