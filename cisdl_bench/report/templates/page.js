"use strict";
document.documentElement.classList.add("js");

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.querySelectorAll("th[data-column]")];
  const original = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  for (const head of heads) {
    const column = Number(head.dataset.column);
    const key = (row) => {
      const cell = row.cells[column];
      const text = cell.textContent.trim();
      if ("value" in cell.dataset) return Number(cell.dataset.value);
      const number = Number(text.replaceAll(",", ""));
      return text !== "" && Number.isFinite(number) ? number : text;
    };
    const compare = (a, b) => {
      const x = key(a), y = key(b);
      if (typeof x !== typeof y) return typeof x === "number" ? 1 : -1;
      return typeof x === "number" ? x - y : x.localeCompare(y);
    };
    const sort = () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" };
      const order = next[head.getAttribute("aria-sort") || "none"];
      for (const other of heads) other.removeAttribute("aria-sort");
      table.classList.toggle("sorted", order !== "none");
      if (order !== "none") head.setAttribute("aria-sort", order);
      for (const [body, rows] of original) {
        const sorted = order === "none" ? rows : [...rows].sort(compare);
        body.append(...(order === "descending" ? sorted.reverse() : sorted));
      }
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(text);
    try { await navigator.clipboard.writeText(text.textContent); } catch { document.execCommand("copy"); }
    button.textContent = "Copied";
  });
}
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details.provenance")) part.open = true; });

const filters = [...document.querySelectorAll(".filters select")];
const pairs = [...document.querySelectorAll(".gallery .pair")];
const show = () => {
  for (const pair of pairs) {
    pair.hidden = !filters.every((filter) => !filter.value || pair.dataset[filter.name] === filter.value);
  }
  const count = document.getElementById("shown");
  if (count) count.textContent = `${pairs.filter((pair) => !pair.hidden).length} of ${pairs.length}`;
};
for (const filter of filters) filter.addEventListener("change", show);
show();

const viewer = document.getElementById("viewer");
if (viewer) {
  const stage = viewer.querySelector(".stage"), blink = document.getElementById("blink");
  const slow = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let current = null, timer = 0;
  const open = (pair) => {
    current = pair;
    const copy = pair.cloneNode(true);
    copy.removeAttribute("id");
    for (const part of copy.querySelectorAll("a")) part.removeAttribute("href");
    stage.replaceChildren(copy);
    if (!viewer.open) viewer.showModal();
  };
  const step = (by) => {
    const shown = pairs.filter((pair) => !pair.hidden);
    open(shown[(shown.indexOf(current) + by + shown.length) % shown.length]);
  };
  const setBlinking = (on) => {
    clearInterval(timer);
    blink.setAttribute("aria-pressed", String(on));
    viewer.classList.toggle("blinking", on);
    viewer.classList.remove("second");
    if (on) timer = setInterval(() => viewer.classList.toggle("second"), slow ? 2000 : 700);
  };
  const setState = (name) => { document.getElementById(`state-${name}`).click(); };
  for (const pair of pairs) {
    pair.querySelector("a").addEventListener("click", (event) => { event.preventDefault(); open(pair); });
  }
  for (const button of viewer.querySelectorAll("[data-state]")) {
    button.addEventListener("click", () => setState(button.dataset.state));
  }
  blink.addEventListener("click", () => setBlinking(!viewer.classList.contains("blinking")));
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.getElementById("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => { setBlinking(false); if (current) current.querySelector("a").focus(); });
  viewer.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), b: () => blink.click() };
    ["truth", "found", "both"].forEach((name, k) => { keys[k + 1] = () => setState(name); });
    const act = keys[event.key];
    if (act && !event.ctrlKey && !event.metaKey) { event.preventDefault(); act(); }
  });
}
