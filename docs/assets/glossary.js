// @ts-check
/**
 * Explains a word while the pointer rests on it, it has the focus, or a finger has touched it:
 * what the glossary, to which the word is a link, says of it. A second tap follows the link.
 * Escape and a tap elsewhere hide the explanation.
 */

const PATIENCE = 200; // milliseconds in which the pointer may reach the explanation
const MARGIN = 8;

const box = document.createElement("div");
box.className = "explanation md-typeset";
box.id = "explanation";
box.role = "tooltip";
box.hidden = true;
document.body.append(box);

/** @type {Promise<Document> | undefined} */
let glossary;
/** @type {HTMLAnchorElement | null} the word that is explained, or about to be */
let word = null;
let timer = 0;

/** @param {HTMLAnchorElement} link */
async function explain(link) {
  clearTimeout(timer);
  if (word === link) return;
  hide();
  word = link;
  glossary ??= load(link);
  const heading = (await glossary).getElementById(link.hash.slice(1));
  const text = heading?.nextElementSibling;
  if (word !== link || !heading || !text) return;
  const name = document.createElement("strong");
  name.textContent = heading.firstChild?.textContent ?? "";
  box.replaceChildren(name, " ", prose(text));
  box.hidden = false;
  link.setAttribute("aria-describedby", box.id);
  place(link.getClientRects()[0]);
}

/** The text without the link to a notebook that ends it. @param {Element} text */
function prose(text) {
  const copy = /** @type {Element} */ (text.cloneNode(true));
  copy.querySelector("a:last-child")?.remove();
  return (copy.textContent ?? "").trim();
}

/** @param {HTMLAnchorElement} link */
async function load(link) {
  const answer = await fetch(link.pathname);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Put the box under the word, or above it where there is no room. @param {DOMRect} at */
function place(at) {
  const { clientWidth, clientHeight } = document.documentElement;
  const left = Math.min(at.left, clientWidth - box.offsetWidth - MARGIN);
  const fits = at.bottom + box.offsetHeight + MARGIN < clientHeight;
  const top = fits ? at.bottom : at.top - box.offsetHeight;
  box.style.left = `${Math.max(MARGIN, left) + scrollX}px`;
  box.style.top = `${top + scrollY}px`;
}

function hide() {
  clearTimeout(timer);
  word?.removeAttribute("aria-describedby");
  word = null;
  box.hidden = true;
}

function hideSoon() {
  clearTimeout(timer);
  timer = setTimeout(hide, PATIENCE);
}

/** A finger's first tap explains. @param {HTMLAnchorElement} link */
function listen(link) {
  let explains = false;
  link.addEventListener("pointerdown", (event) => {
    explains = event.pointerType !== "mouse" && word !== link; // before the focus comes
  });
  link.addEventListener("click", (event) => {
    if (!explains || !event.detail) return; // of a keyboard, it has no detail
    explains = false;
    event.preventDefault();
    explain(link);
  });
  link.addEventListener("focus", () => explain(link));
  link.addEventListener("blur", hide);
  link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && explain(link));
  link.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideSoon());
}

for (const link of document.querySelectorAll("a.word")) {
  listen(/** @type {HTMLAnchorElement} */ (link));
}
box.addEventListener("pointerenter", () => clearTimeout(timer));
box.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideSoon());
addEventListener("keydown", (event) => event.key === "Escape" && hide());
addEventListener("pointerdown", ({ target }) => {
  const inside = target instanceof Node && (box.contains(target) || word?.contains(target));
  if (!inside) hide();
});
