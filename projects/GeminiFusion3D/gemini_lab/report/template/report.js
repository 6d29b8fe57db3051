"use strict";
const NUMBER = /^[+\u2212-]?[\d,.]+/;
const cellValue = cell => {
  if (cell.dataset.order !== undefined) return Number(cell.dataset.order);
  const text = cell.textContent.trim();
  if (text === "\u2013") return null;
  const found = text.match(NUMBER);
  return found ? Number(found[0].replace("\u2212", "-").replaceAll(",", "")) : text;
};
const compareValues = (a, b) => typeof a === "number" && typeof b === "number"
  ? a - b : String(a).localeCompare(String(b), "en", {numeric: true});
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  const groups = [...table.tBodies].map(body => ({body, rows: [...body.rows].filter(row => !row.matches(".group"))}));
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const all = groups.flatMap(group => group.rows);
    const values = new Map(all.map(row => [row, cellValue(row.cells[column])]));
    const isText = [...values.values()].some(value => typeof value === "string");
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : !isText;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    // Figures that do not exist stay below, a group's title above.
    for (const {body, rows} of groups) body.append(...[...rows].sort((a, b) => {
      const x = values.get(a), y = values.get(b);
      if (x === null || y === null) return (x === null) - (y === null);
      return down ? compareValues(y, x) : compareValues(x, y);
    }));
  }));
}
const controls = document.querySelector(".controls");
if (controls) {
  controls.hidden = false;
  for (const box of controls.querySelectorAll("[data-toggle]")) {
    const apply = () =>
      document.body.classList.toggle(box.dataset.toggle, box.checked !== box.defaultChecked);
    box.addEventListener("change", apply);
    apply();
  }
  const slider = controls.querySelector("input[type=range]");
  const shown = controls.querySelector("output");
  const scored = [...document.querySelectorAll("[data-score]")];
  const objects = [...document.querySelectorAll("[data-found]")];
  const applyScore = () => {
    const score = Number(slider.value);
    shown.textContent = score.toFixed(2);
    for (const box of scored) box.classList.toggle("low", Number(box.dataset.score) < score);
    for (const box of objects) box.classList.toggle("missed", Number(box.dataset.found) < score);
  };
  slider.addEventListener("input", applyScore);
  if (slider.value !== slider.defaultValue) applyScore();
}
const unzoom = () => document.querySelectorAll(".zoom").forEach(
  figure => figure.classList.remove("zoom"));
for (const figure of document.querySelectorAll(".zoomable")) {
  figure.addEventListener("click", () => {
    const isOpen = figure.classList.contains("zoom");
    unzoom();
    figure.classList.toggle("zoom", !isOpen);
  });
  figure.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    figure.click();
  });
}
document.addEventListener("keydown", event => { if (event.key === "Escape") unzoom(); });
