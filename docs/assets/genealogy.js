// @ts-check
/**
 * Lights a paper of the map, all that it builds on and all that builds on it: while the
 * pointer rests on it or it has the focus, and from a click or tap on until the next
 * one. Below the map stands what the list says of it. The address names what was
 * clicked.
 */

const map = /** @type {SVGSVGElement} */ (document.querySelector(".map svg"));
const note = /** @type {HTMLElement} */ (document.querySelector(".map .chosen"));
const hint = [...note.childNodes];
/** @type {NodeListOf<SVGPathElement>} */
const arcs = map.querySelectorAll("path[data-from]");
/** @type {Map<string, SVGAElement>} */
const cards = new Map();
for (const node of map.querySelectorAll("[data-paper]")) {
  const card = /** @type {SVGAElement} */ (node);
  cards.set(card.dataset.paper ?? "", card);
}

/** @type {string | undefined} the paper that stays lit */
let kept;
/** @type {string | undefined} the paper that is lit now */
let shown;

/**
 * A paper, and all that arcs lead to from it, from their one end to the other.
 * @param {string} paper @param {"from" | "to"} start @param {"from" | "to"} end
 */
function reach(paper, start, end) {
  const found = new Set([paper]);
  for (const each of found) {
    for (const { dataset } of arcs) if (dataset[start] === each) found.add(dataset[end] ?? "");
  }
  return found;
}

/**
 * Mark the papers, the arcs between them, and the names of these arcs.
 * @param {Set<string>} before @param {Set<string>} after
 */
function mark(before, after) {
  const reused = new Set();
  for (const arc of arcs) {
    const { from = "", to = "", name } = arc.dataset;
    arc.classList.toggle("before", before.has(to));
    arc.classList.toggle("after", after.has(from));
    if (before.has(to) || after.has(from)) reused.add(`${from} ${name}`);
  }
  for (const [paper, card] of cards) {
    card.classList.toggle("before", before.has(paper));
    card.classList.toggle("after", after.has(paper));
    for (const port of /** @type {NodeListOf<SVGElement>} */ (card.querySelectorAll("[data-name]"))) {
      port.classList.toggle("lit", reused.has(`${paper} ${port.dataset.name}`));
    }
  }
}

/** Light a paper and its kin; none without one. @param {string | undefined} paper */
function light(paper) {
  // What is being clicked in the note must not be exchanged.
  if (paper === shown) return;
  shown = paper;
  map.classList.toggle("lit", paper !== undefined);
  if (paper === undefined) {
    mark(new Set(), new Set());
    note.replaceChildren(...hint);
    return;
  }
  mark(reach(paper, "to", "from"), reach(paper, "from", "to"));
  const row = document.getElementById(paper);
  note.replaceChildren(...[...(row?.childNodes ?? [])].map((child) => child.cloneNode(true)));
}

/** Keep a paper lit, and name it in the address. @param {string | undefined} paper */
function keep(paper) {
  cards.get(kept ?? "")?.removeAttribute("aria-current");
  kept = paper;
  cards.get(kept ?? "")?.setAttribute("aria-current", "true");
  history.replaceState(null, "", paper ? `#${paper}` : location.pathname + location.search);
  light(paper);
}

for (const [paper, card] of cards) {
  card.addEventListener("pointerenter", () => light(paper));
  card.addEventListener("pointerleave", () => light(kept));
  card.addEventListener("focus", () => light(paper));
  card.addEventListener("blur", () => light(kept));
  card.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    keep(kept === paper ? undefined : paper);
  });
}
addEventListener("keydown", (event) => event.key === "Escape" && kept && keep(undefined));

function keepAddressed() {
  const paper = location.hash.slice(1);
  if (cards.has(paper) && paper !== kept) keep(paper);
}
addEventListener("hashchange", keepAddressed);
keepAddressed();
