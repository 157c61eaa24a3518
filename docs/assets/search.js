// @ts-check
/**
 * Material's search, run in a worker, that fetches what it searches with the first word
 * that is typed, and not with every page. The page hands over an index without documents
 * (scripts/site/hooks.py sets them apart) and is told at once that the search is ready.
 *
 * Material's own worker is named in this one's address. It answers SETUP with READY, and
 * QUERY with RESULT.
 */

const [SETUP, READY, QUERY] = [0, 1, 2];

/** @type {any} what the page gave to set up the search */
let given;
/** @type {Promise<void> | undefined} fulfilled when Material's worker has the documents */
let loaded;
/** @type {() => void} */
let tellLoaded;

const post = self.postMessage.bind(self);
/** @param {any} message */
self.postMessage = (message) => (message.type === READY ? tellLoaded() : post(message));

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
  const done = new Promise((resolve) => (tellLoaded = () => resolve(undefined)));
  const answer = await fetch(new URL("../search/documents.json", self.location.href));
  pass({ type: SETUP, data: { ...given, docs: await answer.json() } });
  await done;
}

/** Hand the message to Material's worker. @param {any} data */
const pass = (data) => self.dispatchEvent(new MessageEvent("message", { data }));

/** @type {any} */ (self).importScripts(`javascripts/workers/${self.location.search.slice(1)}`);

// Its index merges two nodes that are written alike, and lunr writes a node's edges without
// a space between them: "1" to node 23 as "12" to node 3 would be. Merged, they spell
// words that nothing has, and a search that meets one fails (olivernn/lunr.js#503).
/** @this {any} @returns {string} */
function written() {
  const labels = Object.keys(this.edges).sort();
  const edges = labels.map((label) => label + this.edges[label].id);
  return this._str || [this.final ? 1 : 0, ...edges].join(" ");
}
/** @type {any} */ (self).lunr.TokenSet.prototype.toString = written;
