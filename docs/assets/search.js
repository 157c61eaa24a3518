// @ts-check
/**
 * Material's search, run in a worker, that fetches itself and what it searches with the first
 * word that is typed, and not with every page. The page hands over an index without documents
 * (scripts/site/search.py sets them apart) and is told at once that the search is ready.
 * What is found is shown in short, each page, entry and word with its kind.
 *
 * Material's own worker is named in this one's address. It answers SETUP with READY, and
 * QUERY with RESULT.
 */

const [SETUP, READY, QUERY, RESULT] = [0, 1, 2, 3];

/** @type {any} what the page gave to set up the search */
let given;
/** @type {Promise<void> | undefined} fulfilled when Material's worker has the documents */
let loaded;
/** @type {() => void} */
let tellLoaded;

const post = self.postMessage.bind(self);
/** @param {any} message */
self.postMessage = (message) => {
  if (message.type === READY) tellLoaded();
  else if (message.type === RESULT) post({ ...message, data: inShort(message.data) });
  else post(message);
};

self.addEventListener("message", async (event) => {
  if (!event.isTrusted) return;
  event.stopImmediatePropagation();
  if (event.data.type === SETUP) {
    given = event.data.data;
    post({ type: READY });
  } else if (event.data.type === QUERY) {
    if (!loaded && !event.data.data) return;
    loaded ??= load();
    await loaded;
    pass(event.data);
  }
});

/** @returns {Promise<void>} */
async function load() {
  bring();
  const done = new Promise((resolve) => (tellLoaded = () => resolve(undefined)));
  const answer = await fetch(new URL("../search/documents.json", self.location.href));
  pass({ type: SETUP, data: { ...given, docs: await answer.json() } });
  await done;
}

/** Hand the message to Material's worker. @param {any} data */
const pass = (data) => self.dispatchEvent(new MessageEvent("message", { data }));

/**
 * What is found: a page and its sections, or an entry of the list or a word of the
 * glossary, which have a kind of their own.
 * @typedef {{ location: string, title: string, text: string, kind?: string, score: number, tags?: string[] }} Item
 */

/** @param {{ items: Item[][] }} found */
function inShort(found) {
  const groups = found.items.flatMap((group) => {
    const alone = group.filter(({ kind, location }) => kind && location.includes("#"));
    const others = group.filter((item) => !alone.includes(item));
    const both = alone.map((item) => [onOneLine(item)]);
    // A page that was not found itself only heads its sections.
    return others.some(({ score }) => score > 0) ? [...both, others.map(shortened)] : both;
  });
  /** @param {Item[]} group */
  const best = (group) => Math.max(...group.map(({ score }) => score));
  return { ...found, items: groups.sort((a, b) => best(b) - best(a)) };
}

/** @param {Item} item */
const shortened = ({ tags: _, ...item }) => ({
  ...item,
  title: item.kind ? `<small class="kind">${item.kind}</small> ${item.title}` : item.title,
  text: excerpt(item.text),
});

/** Material shows no text of a section whose page is not there, but its title. @param {Item} item */
function onOneLine(item) {
  const { title, text, ...short } = shortened(item);
  return { ...short, title: title + text, text: "" };
}

// As many characters as stand on three lines, and how many of them before the first match.
const [LONG, BEFORE] = [240, 60];

/** The words around the first match, without any markup but marks. @param {string} text */
function excerpt(text) {
  const plain = text.replace(/<(?!\/?mark>)[^>]*>/g, " ").replace(/\s+/g, " ").trim();
  if (!plain) return "";
  const first = Math.max(0, plain.indexOf("<mark>") - BEFORE);
  const start = first && plain.indexOf(" ", first) + 1;
  // Neither a tag nor an entity is cut.
  const cut = plain.slice(start, start + LONG).replace(/[<&][^<>&; ]*$/, "");
  const open = cut.lastIndexOf("<mark>") > cut.lastIndexOf("</mark>") ? "</mark>" : "";
  const end = start + LONG < plain.length ? "…" : "";
  return `<span class="excerpt">${start ? "… " : ""}${cut}${open}${end}</span>`;
}

// Its index merges two nodes that are written alike, and lunr writes a node's edges without
// a space between them: "1" to node 23 as "12" to node 3 would be. Merged, they spell
// words that nothing has, and a search that meets one fails (olivernn/lunr.js#503).
/** @this {any} @returns {string} */
function written() {
  const labels = Object.keys(this.edges).sort();
  const edges = labels.map((label) => label + this.edges[label].id);
  return this._str || [this.final ? 1 : 0, ...edges].join(" ");
}

/** Bring in Material's worker, which listens from then on. */
function bring() {
  const worker = /** @type {any} */ (self);
  worker.importScripts(`javascripts/workers/${self.location.search.slice(1)}`);
  worker.lunr.TokenSet.prototype.toString = written;
}
