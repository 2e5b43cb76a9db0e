"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" };
      const order = next[head.getAttribute("aria-sort") || "none"];
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      const key = (row) => {
        const cell = row.cells[column];
        return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
      };
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        const step = typeof x === "number" ? x - y : x.localeCompare(y);
        return order === "descending" ? -step : step;
      };
      if (order !== "none") head.setAttribute("aria-sort", order);
      body.append(...(order === "none" ? original : [...original].sort(compare)));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
const filters = [...document.querySelectorAll(".filters select")];
const pairs = [...document.querySelectorAll(".gallery .pair")];
const show = () => {
  let shown = 0;
  for (const pair of pairs) {
    const fits = filters.every((f) => !f.value || pair.dataset[f.name] === f.value);
    pair.hidden = !fits;
    shown += fits;
  }
  const count = document.getElementById("shown");
  if (count) count.textContent = `${shown} of ${pairs.length}`;
};
for (const filter of filters) filter.addEventListener("change", show);
show();
