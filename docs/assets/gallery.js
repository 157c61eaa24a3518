// @ts-check
/**
 * Narrows the gallery by family and purpose. What is chosen stands in the address, so that a view
 * can be shared and the back button works. The page is whole without it: the form is hidden
 * where scripts do not run.
 */

/** @type {HTMLFormElement} */
const form = /** @type {any} */ (document.getElementById("gallery"));
/** @type {HTMLElement} */
const nothing = /** @type {any} */ (document.getElementById("nothing"));
/** @type {HTMLButtonElement} */
const all = /** @type {any} */ (form.querySelector("button"));
/** @type {HTMLOutputElement} */
const number = /** @type {any} */ (form.querySelector("output"));
const choices = [...form.querySelectorAll("select")];
/** @type {HTMLElement[]} */
const cards = [...document.querySelectorAll("article.work")].map((card) => /** @type {any} */ (card));

/** What a paper is, by the name of the question. @param {HTMLElement} card @param {string} name */
function answers(card, name) {
  return (name === "family" ? card.dataset.family : card.dataset.purposes)?.split(" ") ?? [];
}

function show() {
  const asked = choices.filter((choice) => choice.value);
  for (const card of cards) {
    card.hidden = !asked.every((choice) => answers(card, choice.name).includes(choice.value));
  }
  const shown = cards.filter((card) => !card.hidden).length;
  number.value = asked.length ? `${shown} of ${cards.length} notebooks` : `${shown} notebooks`;
  nothing.hidden = shown > 0;
  all.hidden = !asked.length;
}

/** Take from the address what is chosen; what no option has counts as nothing. */
function read() {
  const chosen = new URLSearchParams(location.search);
  for (const choice of choices) {
    choice.value = chosen.get(choice.name) ?? "";
    if (choice.selectedIndex < 0) choice.value = "";
  }
  show();
}

function write() {
  const asked = choices.filter((choice) => choice.value).map(({ name, value }) => [name, value]);
  const query = new URLSearchParams(asked).toString();
  history.pushState(null, "", query ? `?${query}` : location.pathname);
  show();
}

form.addEventListener("change", write);
all.addEventListener("click", () => {
  form.reset();
  write();
  choices[0].focus();
});
addEventListener("popstate", read);
read();
