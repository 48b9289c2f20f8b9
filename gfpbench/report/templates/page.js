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

// The viewer shows the versions of one face in the same place, so that the eye sees what changed.
const viewer = document.getElementById("viewer");
const [image, what, name, tabs, stage] = ["img", "what", "id", "tabs"]
  .map((part) => document.getElementById("viewer-" + part))
  .concat(viewer.querySelector(".viewer-stage"));
let current = null;
let zoom = 0;

const versions = (button) => [...button.closest(".images").querySelectorAll("button.open")];

function show(button) {
  current = button;
  const img = button.querySelector("img");
  const figure = button.closest("figure");
  const scores = [...figure.querySelectorAll(".scores div")].slice(0, 4);
  image.src = img.src;
  image.alt = img.alt;
  what.textContent = figure.querySelector("figcaption bdi").textContent;
  name.textContent = [button.closest(".strip").dataset.id]
    .concat(scores.map((row) => row.querySelector("dt").textContent + " " + row.querySelector("dd").textContent))
    .join("  ·  ");
  tabs.replaceChildren(...versions(button).map((other) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = other.closest("figure").querySelector("figcaption bdi").textContent;
    tab.setAttribute("aria-pressed", String(other === button));
    tab.addEventListener("click", () => show(other));
    return tab;
  }));
  scale();
  if (!viewer.open) viewer.showModal();
}

function scale() {
  const side = Math.max(current.querySelector("img").naturalWidth, 1);
  const fit = Math.min(stage.clientWidth, stage.clientHeight || stage.clientWidth);
  const base = Math.max(fit, side);
  image.style.width = zoom === 0 ? "" : base * 2 ** zoom + "px";
  stage.classList.toggle("zoomed", zoom > 0);
}

function centre() {
  stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
  stage.scrollTop = (stage.scrollHeight - stage.clientHeight) / 2;
}

function step(by) {
  const all = versions(current);
  show(all[(all.indexOf(current) + by + all.length) % all.length]);
}

function move(by) {
  const at = versions(current).indexOf(current);
  const strips = [...current.closest(".grid").children].filter((strip) => strip.querySelector("button.open"));
  const next = strips[(strips.indexOf(current.closest(".strip")) + by + strips.length) % strips.length];
  const all = [...next.querySelectorAll("button.open")];
  show(all[Math.min(at, all.length - 1)]);
}

function nextZoom() {
  zoom = (zoom + 1) % 3;
  scale();
  centre();
}

for (const button of document.querySelectorAll("button.open")) button.addEventListener("click", () => show(button));
image.addEventListener("click", nextZoom);
document.getElementById("viewer-zoom").addEventListener("click", nextZoom);
document.getElementById("viewer-close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
viewer.addEventListener("close", () => { zoom = 0; if (current) current.focus(); });
viewer.addEventListener("keydown", (event) => {
  const act = { ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), z: nextZoom, Z: nextZoom }[event.key];
  if (act && !(zoom > 0 && event.key.startsWith("Arrow") && event.shiftKey)) { event.preventDefault(); act(); }
});
