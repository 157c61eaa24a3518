// @ts-check
/**
 * Sorts tables by a click on a column's heading, which becomes a button. A second click
 * turns the order round, a third one restores that of the page. While a table is sorted, its
 * groups are gone: one body holds all rows. The table is whole without it.
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

const ORDERS = ["ascending", "descending"];

/** @param {HTMLTableElement} table @param {HTMLTableCellElement} heading @param {Map<HTMLElement, HTMLTableRowElement[]>} page */
function sortBy(table, heading, page) {
  const order = ORDERS[ORDERS.indexOf(heading.getAttribute("aria-sort") ?? "") + 1];
  for (const other of table.tHead?.rows[0].cells ?? []) other.removeAttribute("aria-sort");
  for (const [body, rows] of page) body.append(...rows);
  table.toggleAttribute("data-flat", !!order);
  if (!order) return;
  heading.setAttribute("aria-sort", order);
  const rows = [...page.values()].flat().filter((row) => !row.matches(".group"));
  const keyed = rows.map((row) => ({ row, key: key(row, heading.cellIndex) }));
  keyed.sort((a, b) => compareKeys(a.key, b.key, order === "ascending" ? 1 : -1));
  table.tBodies[0].append(...keyed.map(({ row }) => row));
}

for (const node of document.querySelectorAll("table.sortable")) {
  const table = /** @type {HTMLTableElement} */ (node);
  const page = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  for (const heading of table.tHead?.rows[0].cells ?? []) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading, page));
    heading.append(button);
  }
}
