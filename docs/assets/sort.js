// @ts-check
/**
 * Sorts tables by a click on a column's heading, which becomes a button. A second click
 * turns the order round. The table is whole without it.
 */

/**
 * What a row is sorted by: a number where the cell has one, else text; null for none.
 * @param {HTMLTableRowElement} row @param {number} column
 * @returns {number | string | null}
 */
function key(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  if (value === undefined) return cell.innerText;
  return value === "" ? null : Number(value);
}

/**
 * Ascending, and what has no value behind all that have one, in either order.
 * @param {number | string | null} a @param {number | string | null} b @param {number} sign
 */
function compareKeys(a, b, sign) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");
  return sign * order;
}

/** @param {HTMLTableElement} table @param {HTMLTableCellElement} heading */
function sortBy(table, heading) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead?.rows[0].cells ?? []) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: key(row, heading.cellIndex) }));
  rows.sort((a, b) => compareKeys(a.key, b.key, ascending ? 1 : -1));
  body.append(...rows.map(({ row }) => row));
}

for (const node of document.querySelectorAll("table.sortable")) {
  const table = /** @type {HTMLTableElement} */ (node);
  for (const heading of table.tHead?.rows[0].cells ?? []) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
}
