// @ts-check
/**
 * Filters and sorts the list as one types and clicks. The page is whole without it: the
 * form is hidden where scripts do not run. What is chosen stands in the address, so that a view
 * can be shared and the back button works.
 */

/**
 * @typedef {object} Entry
 * @property {HTMLElement} element
 * @property {ParentNode & HTMLElement} home where it stands as long as the list is grouped
 * @property {string} text what the search looks at, folded
 * @property {string[][]} facets its values, by facet
 * @property {boolean} shown
 */

/** @type {HTMLFormElement} */
const form = /** @type {any} */ (document.getElementById("browse"));
/** @type {HTMLElement} */
const flat = /** @type {any} */ (document.getElementById("flat"));
/** @type {HTMLElement[]} each after its heading */
const sections = [...document.querySelectorAll(".entries.kind")].map((s) => /** @type {any} */ (s));
/** @type {HTMLInputElement[]} */
const boxes = [...form.querySelectorAll("input[type=checkbox]")].map((b) => /** @type {any} */ (b));
/** @type {HTMLInputElement[][]} the boxes of each facet; those of tags have one name in common */
const FACETS = [...form.querySelectorAll("fieldset")].map((set) => boxes.filter((box) => set.contains(box)));

/** Fold case and accents. @param {string} text */
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** @type {Entry[]} */
const entries = [...document.querySelectorAll("article.entry")].map((node) => {
  const element = /** @type {HTMLElement} */ (node);
  const { dataset } = element;
  return {
    element,
    home: /** @type {any} */ (element.parentElement),
    text: fold([element.textContent, dataset.tag, dataset.also].join(" ")),
    facets: FACETS.map(([box]) => (dataset[box.name] ?? "").split(" ").filter(Boolean)),
    shown: true,
  };
});

/** @type {Record<string, (a: Entry, b: Entry) => number>} */
const ORDERS = {
  newest: (a, b) => compare(b, a, "date"),
  oldest: (a, b) => compare(a, b, "date"),
  added: (a, b) => compare(b, a, "added") || compare(b, a, "date"),
  title: (a, b) => title(a).localeCompare(title(b), "en"),
};

/** @param {Entry} entry */
const title = (entry) => entry.element.querySelector("h3")?.textContent ?? "";

/** @param {Entry} a @param {Entry} b @param {string} field */
function compare(a, b, field) {
  const [x, y] = [a.element.dataset[field] ?? "", b.element.dataset[field] ?? ""];
  return x < y ? -1 : x > y ? 1 : 0;
}

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

function show() {
  const words = fold(form.words.value).split(/\s+/).filter(Boolean);
  const chosen = ticked();
  const found = entries.filter((entry) => words.every((word) => entry.text.includes(word)));
  const shown = new Set(found.filter((entry) => passes(entry, chosen)));
  count(found, chosen);
  arrange(shown);
  unveil(shown);
  form.number.value = `${shown.size} of ${entries.length}`;
  const nothing = /** @type {HTMLElement} */ (document.getElementById("nothing"));
  nothing.hidden = shown.size > 0;
  form.clear.hidden = !new URLSearchParams(address()).size;
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
      const number = /** @type {HTMLElement} */ (box.parentElement?.querySelector("small"));
      number.textContent = String(counts[box.value] ?? 0);
      box.parentElement?.classList.toggle("none", !counts[box.value] && !box.checked);
    }
  }
}

let order = "kind";
/** Every entry in the order of the page. */
let arranged = entries;

/** Put the entries in the chosen order, if they are not. @param {Set<Entry>} shown */
function arrange(shown) {
  if (order !== form.sort.value) {
    order = form.sort.value;
    arranged = order in ORDERS ? [...entries].sort(ORDERS[order]) : entries;
    for (const entry of arranged) (order in ORDERS ? flat : entry.home).append(entry.element);
  }
  const filled = new Set(order in ORDERS ? [] : [...shown].map((entry) => entry.home));
  for (const section of sections) {
    const heading = /** @type {HTMLElement} */ (section.previousElementSibling);
    heading.hidden = section.hidden = !filled.has(section);
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
  form.words.value = query.get("words") ?? "";
  form.sort.value = query.get("sort") ?? "kind";
  if (!form.sort.value) form.sort.value = "kind";
  for (const box of boxes) box.checked = query.getAll(box.name).includes(box.value);
  show();
}

/** @param {"pushState" | "replaceState"} how */
function remember(how) {
  history[how](null, "", location.pathname + address());
  show();
}

form.words.addEventListener("input", () => remember("replaceState"));
form.addEventListener("change", (event) => event.target !== form.words && remember("pushState"));
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => {
  event.preventDefault();
  history.pushState(null, "", location.pathname);
  read();
  form.words.focus();
});
addEventListener("popstate", read);
read();
