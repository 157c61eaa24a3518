// @ts-check
/**
 * Filters and sorts the list as one types and clicks. The page is whole without it: the
 * bar is hidden where scripts do not run. What is chosen stands in the address, so that a
 * view can be shared and the back button works.
 */

import { all, arrange, arranged, entries, fold, one, tally } from "./sections.js";

/** @typedef {import("./sections.js").Entry} Entry */

/** @type {HTMLFormElement} */
const form = one("#browse");
const page = /** @type {HTMLElement} */ (form.closest(".md-content__inner"));
/** @type {HTMLDialogElement} a sheet on narrow screens; else it stands beside the list */
const dialog = one("dialog.filters");
const [bar, chips] = [one(".bar"), one(".chips")];
const lead = /** @type {HTMLElement} */ (bar.previousElementSibling);
/** @type {HTMLInputElement[]} */
const boxes = all("input[type=checkbox]", form);
/** @type {HTMLInputElement[][]} the boxes of each facet; those of tags have one name in common */
const FACETS = all("fieldset", form)
  .map((set) => boxes.filter((box) => set.contains(box)))
  .filter((facet) => facet.length);

for (const entry of entries) {
  const { dataset } = entry.element;
  entry.facets = FACETS.map(([{ name }]) => (dataset[name] ?? "").split(" ").filter(Boolean));
}

/** @type {Set<string> | null} a reading list: the only ids that are shown, unless it is empty */
let picked = null;

/** @returns {Set<string>[]} what is ticked, by facet */
const ticked = () =>
  FACETS.map((facet) => new Set(facet.filter((box) => box.checked).map((box) => box.value)));

/**
 * Whether the entry has one of the chosen values of each facet, `but` one left aside.
 * @param {Entry} entry @param {Set<string>[]} chosen @param {number} [but]
 */
function passes(entry, chosen, but) {
  return chosen.every(
    (values, n) => n === but || !values.size || entry.facets[n].some((value) => values.has(value)),
  );
}

/** @returns {[string, string]} the years between which to look, in either order */
function years() {
  const [from, to] = [form.from.value, form.to.value];
  return from && to && from > to ? [to, from] : [from, to || "9999"];
}

/** @returns {Entry[]} what has the words, the years and the ids that are asked for */
function matching() {
  const words = fold(form.words.value).split(/\s+/).filter(Boolean);
  const [from, to] = years();
  return entries.filter(
    ({ id, text, year }) =>
      from <= year &&
      year <= to &&
      words.every((word) => text.includes(word)) &&
      (!picked?.size || picked.has(id)),
  );
}

function show() {
  const chosen = ticked();
  const found = matching();
  const shown = new Set(found.filter((entry) => passes(entry, chosen)));
  count(found, chosen);
  arrange(form.sort.value);
  tally(shown);
  unveil(shown);
  say(shown.size);
}

/** Say how many entries are shown, and what is chosen. @param {number} number */
function say(number) {
  const total = entries.length;
  form.number.value = number === total ? `${total} entries` : `${number} of ${total}`;
  form.done.textContent = `Show ${number}`;
  form.clear.hidden = !address();
  one(".nothing").hidden = number > 0;
  one(".reading-list").hidden = !picked;
  page.classList.toggle("full", form.view.checked);
  const active = filters();
  form.open.textContent = active.length ? `Filters (${active.length})` : "Filters";
  chips.replaceChildren(...active.map(chip));
}

/** @typedef {[name: string, drop: () => void]} Filter */
/** @returns {Filter[]} each filter that is on, and how to remove it */
function filters() {
  /** @type {Filter[]} */
  const active = boxes
    .filter((box) => box.checked)
    .map((box) => [box.nextSibling?.textContent?.trim() ?? "", () => (box.checked = false)]);
  const { from, to } = form;
  if (from.value) active.push([`from ${from.value}`, () => (from.value = "")]);
  if (to.value) active.push([`to ${to.value}`, () => (to.value = "")]);
  if (picked?.size) active.push([`Reading list (${picked.size})`, () => pick(null)]);
  return active;
}

/** A button that removes the filter. @param {Filter} filter */
function chip([name, drop]) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.setAttribute("aria-label", `Remove the filter ${name}`);
  button.addEventListener("click", () => {
    drop();
    remember("pushState");
    (one("button", chips) ?? form.sort).focus();
  });
  return button;
}

/**
 * Beside each value: how many entries it would show, other facets being as they are.
 * @param {Entry[]} found @param {Set<string>[]} chosen
 */
function count(found, chosen) {
  for (const [n, facet] of FACETS.entries()) {
    /** @type {Record<string, number>} */
    const counts = {};
    for (const entry of found) {
      if (!passes(entry, chosen, n)) continue;
      for (const value of entry.facets[n]) counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const box of facet) {
      one("small", box.parentElement ?? form).textContent = String(counts[box.value] ?? 0);
      box.parentElement?.classList.toggle("none", !counts[box.value] && !box.checked);
    }
  }
}

// As many as a browser styles anew well within the time of a keystroke.
const AT_ONCE = 400;
let frame = 0;

/**
 * Show these entries and no others, from the top: what changes beyond AT_ONCE waits for
 * the next frames, or for the next keystroke.
 * @param {Set<Entry>} shown
 */
function unveil(shown) {
  cancelAnimationFrame(frame);
  let changes = 0;
  for (const entry of arranged) {
    if (entry.shown === shown.has(entry)) continue;
    if (changes++ === AT_ONCE) {
      frame = requestAnimationFrame(() => unveil(shown));
      return;
    }
    entry.shown = !entry.shown;
    entry.element.hidden = !entry.shown;
  }
}

/** What is chosen, as the address says it; nothing where nothing is. */
function address() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value && !(name === "sort" && value === "kind")) query.append(name, String(value));
  }
  return String(query) && `?${query}`;
}

/** Choose what the address says. */
function read() {
  const query = new URLSearchParams(location.search);
  const [first, last] = [query.getAll("year").sort().at(0), query.getAll("year").sort().at(-1)];
  form.words.value = query.get("words") ?? "";
  form.view.checked = query.get("view") === "full";
  choose(form.sort, query.get("sort") ?? "kind", "kind");
  choose(form.from, query.get("from") ?? first ?? "", "");
  choose(form.to, query.get("to") ?? last ?? "", "");
  for (const box of boxes) box.checked = query.getAll(box.name).includes(box.value);
  pick(query.get("ids"));
  show();
}

/** Choose a value; the usual one where there is none such. @param {HTMLSelectElement} from @param {string} value @param {string} usual */
function choose(from, value, usual) {
  from.value = value;
  if (from.selectedIndex < 0) from.value = usual;
}

/** Show these entries only: ids with commas between them, or null for all. @param {string | null} ids */
function pick(ids) {
  form.ids.value = ids ?? "";
  const wanted = new Set(ids?.split(","));
  const known = entries.map(({ id }) => id).filter((id) => wanted.has(id));
  picked = ids === null ? null : new Set(known);
}

/** @param {"pushState" | "replaceState"} how */
function remember(how) {
  history[how](null, "", location.pathname + address());
  show();
  // Whoever was far down sees what is found from its beginning.
  const above = lead.getBoundingClientRect().bottom - parseFloat(getComputedStyle(bar).top);
  if (above < 0) scrollTo({ top: scrollY + above, behavior: "instant" });
}

form.words.addEventListener("input", () => remember("replaceState"));
for (const part of [form, bar]) {
  part.addEventListener("change", (/** @type {Event} */ event) => {
    if (event.target !== form.words) remember("pushState");
  });
}
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => {
  event.preventDefault();
  history.pushState(null, "", location.pathname);
  read();
});
form.open.addEventListener("click", () => dialog.showModal());
form.done.addEventListener("click", () => dialog.close());
// A tap beside the sheet closes it.
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
// A tag of an entry narrows what is shown already.
page.addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest(".row .tags a");
  const box = boxes.find((box) => box.name === "tag" && box.value === link?.textContent);
  if (!box || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  box.checked = true;
  remember("pushState");
});
addEventListener("popstate", read);
read();
