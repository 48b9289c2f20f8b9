// The viewer: versions of one face in the same place, side by side under a slider, in alternation, or as a difference.
const viewer = document.getElementById("viewer");
const part = Object.fromEntries(["img", "other", "difference", "what", "id", "tabs", "with", "at", "gain", "note", "frame"]
  .map((name) => [name, document.getElementById("viewer-" + name)]));
const stage = viewer.querySelector(".viewer-stage");
const modes = [...viewer.querySelectorAll("[data-mode]")];
const GAINS = [1, 2, 4, 8, 16, 32];
const FLICKER_MS = 450;
let current = null;
let beside = "";  // label of the version that the current one is compared with
let mode = "one";
let zoom = 0;
let flicker = 0;

const labelOf = (button) => button.closest("figure").querySelector("figcaption bdi").textContent;
const versions = (button) => [...button.closest(".images").querySelectorAll("button.open")];
const sections = [...document.querySelectorAll(".strips")];

function partner() {
  const others = versions(current).filter((button) => button !== current);
  return others.find((button) => labelOf(button) === beside) || others[0] || current;
}

function show(button) {
  current = button;
  const img = button.querySelector("img");
  const scores = [...button.closest("figure").querySelectorAll(".scores div")].slice(0, 4);
  part.img.src = img.src;
  part.img.alt = img.alt;
  part.what.textContent = labelOf(button);
  part.id.textContent = [button.closest(".strip").dataset.id]
    .concat(scores.map((row) => row.querySelector("dt").textContent + " " + row.querySelector("dd").textContent))
    .join("  ·  ");
  part.tabs.replaceChildren(...versions(button).map((other) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = labelOf(other);
    tab.setAttribute("aria-pressed", String(other === button));
    tab.addEventListener("click", () => show(other));
    return tab;
  }));
  const other = partner();
  part.with.replaceChildren(...versions(button).filter((one) => one !== button).map((one) => {
    const option = document.createElement("option");
    option.textContent = labelOf(one);
    option.selected = one === other;
    return option;
  }));
  part.other.src = other.querySelector("img").src;
  part.other.alt = other.querySelector("img").alt;
  if (!viewer.open) viewer.showModal();
  draw();
}

function draw() {
  clearInterval(flicker);
  viewer.dataset.mode = mode;
  for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  part.note.textContent = mode === "one" ? "" : labelOf(current) + (mode === "difference" ? " − " : " | ") + labelOf(partner());
  part.other.style.visibility = "";
  part.other.style.clipPath = mode === "slider" ? "inset(0 0 0 " + part.at.value + "%)" : "";
  if (mode === "flicker") {
    flicker = setInterval(() => {
      part.other.style.visibility = part.other.style.visibility === "hidden" ? "" : "hidden";
    }, FLICKER_MS);
  }
  if (mode === "difference") Promise.all([part.img.decode(), part.other.decode()]).then(difference, () => {});
  scale();
  remember();
}

// |a - b| of the images in this page, amplified; the numbers beside it are those of the values before amplification.
function difference() {
  const [width, height] = [part.img.naturalWidth, part.img.naturalHeight];
  const pixels = (img) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(img, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  };
  const [a, b] = [pixels(part.img), pixels(part.other)];
  const gain = GAINS[part.gain.value];
  let [sum, most] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    if (i % 4 === 3) continue;
    const apart = Math.abs(a.data[i] - b.data[i]);
    sum += apart;
    most = Math.max(most, apart);
    a.data[i] = Math.min(255, gain * apart);
  }
  [part.difference.width, part.difference.height] = [width, height];
  part.difference.getContext("2d").putImageData(a, 0, 0);
  const resized = part.other.naturalWidth !== width || part.other.naturalHeight !== height;
  part.note.textContent = labelOf(current) + " − " + labelOf(partner()) + ": mean " + (sum / (width * height * 3)).toFixed(2)
    + ", at most " + most + " of 255; shown " + gain + " times" + (resized ? "; of different sizes, resized here" : "");
}

function scale() {
  const side = Math.max(current.querySelector("img").naturalWidth, 1);
  const fit = Math.min(stage.clientWidth, stage.clientHeight || stage.clientWidth);
  part.frame.style.width = zoom === 0 ? "" : Math.max(fit, side) * 2 ** zoom + "px";
  stage.classList.toggle("zoomed", zoom > 0);
}

function step(by) {
  const all = versions(current);
  show(all[(all.indexOf(current) + by + all.length) % all.length]);
}

function move(by) {
  const at = versions(current).indexOf(current);
  const strips = [...current.closest(".grid").children].filter((strip) => !strip.hidden && strip.querySelector("button.open"));
  const next = strips[(strips.indexOf(current.closest(".strip")) + by + strips.length) % strips.length];
  const all = [...next.querySelectorAll("button.open")];
  show(all[Math.min(at, all.length - 1)]);
}

function nextZoom() {
  zoom = (zoom + 1) % 3;
  scale();
  stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
  stage.scrollTop = (stage.scrollHeight - stage.clientHeight) / 2;
}

function choose(name) {
  mode = name;
  draw();
}

// What is looked at stands in the address, so that it can be sent to somebody.
function remember() {
  const words = new URLSearchParams({ face: current.closest(".strip").dataset.id, version: labelOf(current) });
  const section = sections.indexOf(current.closest(".strips"));
  if (section > 0) words.set("table", section + 1);
  if (mode !== "one") {
    words.set("mode", mode);
    words.set("with", labelOf(partner()));
    if (mode === "slider") words.set("at", Number(part.at.value).toFixed(1));
    if (mode === "difference") words.set("gain", GAINS[part.gain.value]);
  }
  address("#" + words);
}

function address(hash) {
  if (hash === location.hash) return;
  try { history.replaceState(null, "", hash || location.pathname + location.search); } catch { /* a page without an origin of its own */ }
}

function openLinked() {
  const words = new URLSearchParams(location.hash.slice(1));
  if (words.has("filter")) {
    const search = document.querySelector(".filter input");
    if (search) { search.value = words.get("filter"); search.dispatchEvent(new Event("input")); }
  }
  if (!words.has("face")) return;
  const within = sections[Number(words.get("table") || 1) - 1];
  const strip = within && [...within.querySelectorAll(".strip")].find((one) => one.dataset.id === words.get("face"));
  const buttons = strip ? [...strip.querySelectorAll("button.open")] : [];
  if (!buttons.length) return;
  mode = modes.some((button) => button.dataset.mode === words.get("mode")) ? words.get("mode") : "one";
  beside = words.get("with") || "";
  part.at.value = words.get("at") || 50;
  part.gain.value = Math.max(0, GAINS.indexOf(Number(words.get("gain") || 4)));
  show(buttons.find((button) => labelOf(button) === words.get("version")) || buttons[0]);
}

for (const button of document.querySelectorAll("button.open")) button.addEventListener("click", () => show(button));
for (const button of modes) button.addEventListener("click", () => choose(button.dataset.mode));
part.with.addEventListener("change", () => { beside = part.with.value; show(current); });
part.at.addEventListener("input", draw);
part.gain.addEventListener("input", draw);
stage.addEventListener("click", () => { if (mode !== "slider") nextZoom(); });
stage.addEventListener("pointermove", (event) => {
  if (mode !== "slider" || event.buttons !== 1) return;
  const box = part.frame.getBoundingClientRect();
  part.at.value = Math.min(100, Math.max(0, (event.clientX - box.left) / box.width * 100));
  draw();
});
document.getElementById("viewer-zoom").addEventListener("click", nextZoom);
document.getElementById("viewer-close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
viewer.addEventListener("close", () => { zoom = 0; clearInterval(flicker); address(""); if (current) current.focus(); });
viewer.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT"].includes(event.target.tagName) && event.key.startsWith("Arrow")) return;
  const act = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), z: nextZoom,
    o: () => choose("one"), s: () => choose("slider"), d: () => choose("difference"), f: () => choose("flicker"),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const kept = event.ctrlKey || event.metaKey || event.altKey || (zoom > 0 && event.key.startsWith("Arrow") && event.shiftKey);
  if (act && !kept) { event.preventDefault(); act(); }
});
addEventListener("hashchange", openLinked);
openLinked();
