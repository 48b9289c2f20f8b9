"use strict";
// Order of the strips: each carries its place in every order that the reader can choose.
for (const strips of document.querySelectorAll(".strips")) {
  const grid = strips.querySelector(".grid");
  for (const radio of strips.querySelectorAll(".orders input")) {
    radio.addEventListener("change", () => {
      const order = Number(radio.value);
      const place = (strip) => Number(strip.dataset.places.split(" ")[order]);
      [...grid.children].sort((a, b) => place(a) - place(b)).forEach((strip) => grid.append(strip));
    });
  }
}

// A summary wider than the page: the reader picks its columns.
const COLUMNS_AT_ONCE = 7;
for (const table of document.querySelectorAll("table.summary:not(.groups)")) {
  const heads = [...table.querySelectorAll("thead [data-metric]")];
  if (heads.length <= COLUMNS_AT_ONCE) continue;
  const picker = document.createElement("details");
  picker.className = "columns";
  picker.append(Object.assign(document.createElement("summary"), { textContent: "Columns" }));
  for (const { dataset: { metric } } of heads) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      for (const cell of table.querySelectorAll("[data-metric]")) if (cell.dataset.metric === metric) cell.hidden = !box.checked;
    });
    const label = document.createElement("label");
    label.append(box, " " + metric);
    picker.append(label);
  }
  table.closest(".scroll").before(picker);
}

// The filter: words that the id, an attribute or a failure contains, and conditions on what was drawn or scored.
const CONDITION = /^(.+?)(<=|>=|<|>|=)(.+)$/;
const COMPARED = {
  "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b,
};

function factsOf(strip) {
  const facts = new Map();
  const add = (name, value) => facts.set(name.trim().toLowerCase(), [...(facts.get(name.trim().toLowerCase()) || []), value]);
  for (const row of strip.querySelectorAll(".drawn > div")) {
    add(row.querySelector("dt").textContent, row.querySelector("dd").textContent.trim());
  }
  for (const figure of strip.querySelectorAll("figure")) {
    const who = figure.dataset.kind === "restored" ? figure.dataset.restorer : figure.dataset.kind === "degraded" ? "input" : "truth";
    for (const row of figure.querySelectorAll("[data-score]")) {
      add(row.dataset.metric, row.dataset.score);  // any of the restorers
      add(who + "." + row.dataset.metric, row.dataset.score);
    }
  }
  const words = [strip.dataset.id, ...[...strip.querySelectorAll(".nothing, .attributes dd")].map((node) => node.textContent)];
  return { facts, words: words.join(" ").toLowerCase() };
}

function fits({ facts, words }, token) {
  const [, name, sign, wanted] = CONDITION.exec(token) || [];
  if (name === undefined || !facts.has(name)) return words.includes(token);
  return facts.get(name).some((value) => {
    const [a, b] = [value, wanted].map((text) => text === "inf" ? Infinity : parseFloat(text));
    return Number.isNaN(a) || Number.isNaN(b) ? sign === "=" && value.toLowerCase() === wanted : COMPARED[sign](a, b);
  });
}

for (const search of document.querySelectorAll(".filter input")) {
  const strips = [...search.closest(".strips").querySelectorAll(".strip")];
  const said = search.closest(".filter").querySelector("output");
  let facts = null;
  search.addEventListener("input", () => {
    facts = facts || new Map(strips.map((strip) => [strip, factsOf(strip)]));
    const tokens = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const strip of strips) strip.hidden = !tokens.every((token) => fits(facts.get(strip), token));
    const shown = strips.filter((strip) => !strip.hidden).length;
    said.textContent = tokens.length ? shown + " of " + strips.length : "";
  });
}
