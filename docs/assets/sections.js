// @ts-check
/** The list's entries, in the order that is chosen and below the headings of it. */

/**
 * @typedef {object} Section a heading and the entries below it
 * @property {string} name
 * @property {HTMLElement} heading
 * @property {HTMLElement} body
 * @property {HTMLElement[]} places one in each table of contents
 */

/**
 * @typedef {object} Entry
 * @property {HTMLElement} element
 * @property {string} id
 * @property {string} title
 * @property {Section} kind where it stands as long as the list is in order of kinds
 * @property {Section} section where it stands now
 * @property {string} text what the search looks at, folded
 * @property {string} year
 * @property {string[][]} facets its values, by facet
 * @property {boolean} shown
 */

const page = /** @type {HTMLElement} */ (document.querySelector(".md-content__inner"));

/** @param {string} selector @param {ParentNode} [within] @returns {any} */
export const one = (selector, within = page) => within.querySelector(selector);
/** @param {string} selector @param {ParentNode} [within] @returns {any[]} */
export const all = (selector, within = page) => [...within.querySelectorAll(selector)];

/** @type {HTMLElement[]} one beside the page, one in the drawer of a phone */
const contents = all(".md-nav--secondary > .md-nav__list", document);
/** Fold case and accents. @param {string} text */
export const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** @type {Section[]} as the page has them */
const kinds = all(".entries.kind").map((body) => {
  const heading = body.previousElementSibling;
  const links = contents.flatMap((list) => all(`[href="#${heading.id}"]`, list));
  const places = links.map((link) => link.parentElement);
  return { name: heading.firstChild.textContent.trim(), heading, body, places };
});

/** @type {Entry[]} */
export const entries = kinds.flatMap((kind) =>
  all("article.entry", kind.body).map((element) => {
    const { dataset } = element;
    const { id, textContent } = one("h3", element);
    return {
      element,
      id,
      title: textContent,
      kind,
      section: kind,
      text: fold([element.textContent, dataset.also].join(" ")),
      year: dataset.date.slice(0, 4),
      facets: [],
      shown: true,
    };
  }),
);

/** @typedef {(a: Entry, b: Entry) => number} Compare */
/** @typedef {[compare: Compare, name: (entry: Entry) => string]} Order and a heading for each entry */
/** @type {Record<string, Order | undefined>} those that are not the page's */
const ORDERS = {
  newest: [(a, b) => by("date", b, a), ({ year }) => year],
  oldest: [(a, b) => by("date", a, b), ({ year }) => year],
  added: [(a, b) => by("added", b, a) || by("date", b, a), month],
  title: [(a, b) => a.title.localeCompare(b.title, "en"), ({ title }) => initial(title)],
};

/** @param {string} field @param {Entry} a @param {Entry} b */
function by(field, a, b) {
  const [x, y] = [a.element.dataset[field] ?? "", b.element.dataset[field] ?? ""];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Added in November 2026. @param {Entry} entry */
function month({ element }) {
  const added = new Date(element.dataset.added ?? "");
  return `Added in ${added.toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" })}`;
}

/** The first letter; one name for all other signs. @param {string} title */
function initial(title) {
  const [sign] = fold(title).toUpperCase();
  return /\p{L}/u.test(sign) ? sign : "0–9";
}

let order = "kind";
/** Every entry and every section, in the order of the page. */
export let arranged = entries;
let sections = kinds;

/** Put the entries in an order, if they are not. @param {string} wanted */
export function arrange(wanted) {
  if (order === wanted) return;
  order = wanted;
  const [compare, name] = ORDERS[order] ?? [];
  arranged = compare ? [...entries].sort(compare) : entries;
  /** @type {Map<string | undefined, Section>} */
  const named = new Map();
  for (const entry of arranged) {
    const heading = name?.(entry);
    if (heading && !named.has(heading)) named.set(heading, section(heading));
    entry.section = named.get(heading) ?? entry.kind;
    entry.section.body.append(entry.element);
  }
  sections = name ? [...named.values()] : kinds;
  for (const { heading, body } of kinds) heading.hidden = body.hidden = Boolean(name);
  const made = [...named.values()].flatMap(({ heading, body }) => [heading, body]);
  one(".ordered").replaceChildren(...made);
  for (const [n, list] of contents.entries()) {
    list.replaceChildren(...sections.map(({ places }) => places[n]));
  }
}

/** A section of an order that is not the page's. @param {string} name @returns {Section} */
function section(name) {
  const [heading, body] = [document.createElement("h2"), document.createElement("div")];
  // No entry has such an id.
  heading.id = `in-${name.toLowerCase().replaceAll(" ", "-")}`;
  heading.append(`${name} `, document.createElement("small"));
  body.className = "entries";
  const places = contents.map(() => {
    const [place, link] = [document.createElement("li"), document.createElement("a")];
    [place.className, link.className] = ["md-nav__item", "md-nav__link"];
    link.href = `#${heading.id}`;
    link.append(document.createElement("span"));
    place.append(link);
    return place;
  });
  return { name, heading, body, places };
}

/** Have headings and contents count what is shown. @param {Set<Entry>} shown */
export function tally(shown) {
  /** @type {Map<Section, number>} */
  const counts = new Map();
  for (const { section } of shown) counts.set(section, (counts.get(section) ?? 0) + 1);
  for (const section of sections) {
    const { name, heading, body, places } = section;
    const number = counts.get(section) ?? 0;
    heading.hidden = body.hidden = !number;
    one("small", heading).textContent = String(number);
    for (const place of places) {
      one("span", place).textContent = `${name} ${number}`;
      place.hidden = !number;
    }
  }
}

