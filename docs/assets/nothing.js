// @ts-check
/** Where the search finds nothing, offers the filter of the list and other searches. */

const SEARCHES = ["spline", "Real NVP", "variational inference"];
const root = new URL("..", import.meta.url);

/** @param {string} selector @returns {any} */
const one = (selector) => document.querySelector(selector);
const [input, results, meta] = [
  one(".md-search__input"),
  one(".md-search-result__list"),
  one(".md-search-result__meta"),
];
const none = JSON.parse(one("#__config").textContent).translations["search.result.none"];

const offer = document.createElement("div");
offer.className = "md-search-result__none";
offer.hidden = true;

const filter = document.createElement("a");
const label = document.createElement("span");
// The theme follows the link with the highest score when Enter is pressed.
label.dataset.mdScore = "0";
filter.append(label);

const others = document.createElement("p");
others.append("Or search for ");
for (const words of SEARCHES) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", () => {
    input.value = words;
    input.focus();
    input.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
  });
  others.append(button, " ");
}
offer.append(filter, others);
meta.after(offer);

function show() {
  const words = input.value.trim();
  offer.hidden = !words || results.childElementCount > 0 || meta.textContent !== none;
  const list = new URL(`list/?${new URLSearchParams({ words })}`, root);
  // The theme goes through all links by the arrow keys, those out of sight too.
  if (offer.hidden) filter.removeAttribute("href");
  else filter.href = list.href;
  label.textContent = `Filter the list by “${words}”`;
}

new MutationObserver(show).observe(meta, { childList: true, characterData: true, subtree: true });
input.addEventListener("input", show);
