// @ts-check
/**
 * The reading list: entries that a visitor has starred, kept in the browser only. It is
 * shown as any view of the list is, by an address that has its ids, and so can be sent
 * to others; papers leave it as BibTeX, from the file that the site has for all.
 */

import { entries, one } from "./sections.js";

// Other sites of this host share the store.
const KEY = "awesome-normalizing-flows.reading";

/** @returns {string[]} the ids that are kept; none where the browser keeps nothing */
function kept() {
  try {
    const ids = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return entries.map(({ id }) => id).filter((id) => ids.includes(id));
  } catch {
    return [];
  }
}

/** @param {string[]} ids */
function keep(ids) {
  try {
    localStorage.setItem(KEY, JSON.stringify(ids));
  } catch {
    say("This browser does not keep anything for this site, so the list cannot be kept.");
  }
  show();
}

/** The reading list that the address shows. */
const shown = () => {
  const ids = new URLSearchParams(location.search).get("ids")?.split(",") ?? [];
  return entries.map(({ id }) => id).filter((id) => ids.includes(id));
};

/** @param {string} text */
const say = (text) => (one(".reading-list p").textContent = text);

/** @type {Map<string, HTMLButtonElement>} */
const stars = new Map();
for (const entry of entries) stars.set(entry.id, star(entry));

/** @param {import("./sections.js").Entry} entry */
function star({ id, title, element }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "star";
  button.title = "Keep in the reading list";
  button.setAttribute("aria-label", `Keep in the reading list: ${title}`);
  button.addEventListener("click", () => {
    const ids = kept();
    keep(ids.includes(id) ? ids.filter((other) => other !== id) : [...ids, id]);
  });
  element.append(button);
  return button;
}

/** Show which entries are starred, and how many. */
function show() {
  const ids = kept();
  for (const [id, button] of stars) {
    const starred = String(ids.includes(id));
    if (button.getAttribute("aria-pressed") !== starred) button.setAttribute("aria-pressed", starred);
  }
  const link = one(".reading");
  link.textContent = `Reading list (${ids.length})`;
  link.href = `?ids=${ids.join(",")}`;
  describe(shown(), ids);
}

/** Say what the list is that the address shows, and offer what can be done with it. @param {string[]} list @param {string[]} ids */
function describe(list, ids) {
  const own = list.every((id) => ids.includes(id));
  say(
    list.length
      ? `A reading list. ${own ? "Its entries are kept in this browser; the link shares them." : ""}`
      : ids.length
        ? "“Reading list” above shows what you have starred."
        : "Your reading list is empty. Press the star of an entry to keep it here.",
  );
  for (const button of [one("[name=bibtex]"), one("[data-clipboard-text]")]) button.hidden = !list.length;
  one("[name=keep]").hidden = own;
  const address = new URL(`?ids=${list.join(",")}`, location.href);
  one("[data-clipboard-text]").dataset.clipboardText = address.href;
}

/** Have the browser download the papers of the list as BibTeX. */
async function download() {
  const list = shown();
  const answer = await fetch("../catalogue.bib");
  const all = (await answer.text()).split(/^(?=@)/m);
  const papers = all.filter((entry) => list.includes(entry.match(/^@\w+\{([^,]+),/)?.[1] ?? ""));
  const others = list.length - papers.length;
  if (papers.length) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(papers, { type: "application/x-bibtex" }));
    link.download = "reading-list.bib";
    link.click();
  }
  say(`BibTeX of ${papers.length} of the ${list.length} entries. ${others ? "Only papers have one." : ""}`);
}

one("[name=bibtex]").addEventListener("click", download);
one("[name=keep]").addEventListener("click", () => keep([...new Set([...kept(), ...shown()])]));
// Another tab may star entries too, and the address may change.
addEventListener("storage", show);
addEventListener("popstate", show);
show();
