"use strict";
(() => {
  const seen = [document.getElementById("seen"), document.getElementById("seen-under")];
  const text = document.getElementById("seen-text");
  const rows = [...document.querySelectorAll("#layer-table tbody tr")];
  const boxes = [...document.querySelectorAll(".drawing g[data-layers]")].map(
    (box) => ({ box, layers: JSON.parse(box.dataset.layers) }));

  const choose = (layer) => {
    const row = rows.find((each) => each.dataset.layer === layer);
    if (!row) return;
    rows.forEach((each) => each.classList.toggle("chosen", each === row));
    boxes.forEach(({ box, layers }) => box.classList.toggle("chosen", layers.includes(layer)));
    if (!text) return;
    const whole = seen[0].ownerSVGElement.viewBox.baseVal;
    const [top, bottom, left, right] = row.dataset.region
      ? row.dataset.region.split(" ").map(Number) : [0, whole.height - 1, 0, whole.width - 1];
    for (const rect of seen) {
      rect.setAttribute("x", left);
      rect.setAttribute("y", top);
      rect.setAttribute("width", right - left + 1);
      rect.setAttribute("height", bottom - top + 1);
    }
    text.textContent = row.dataset.seen + ".";
  };
  for (const row of rows) {
    for (const event of ["mouseenter", "focusin", "click"]) {
      row.addEventListener(event, () => choose(row.dataset.layer));
    }
  }
  for (const { box, layers } of boxes) box.addEventListener("mouseenter", () => choose(layers[0]));

  const value = (cell) => ("value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim());
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const ordered = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a.cells[column]), value(b.cells[column])];
        const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
        return (falling ? -order : order) || a.dataset.place - b.dataset.place;
      });
      body.append(...ordered);
    }));
  }
})();
