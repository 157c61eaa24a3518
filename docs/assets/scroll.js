// @ts-check
// What is wider than the page. What scrolls sideways, a formula, table or line of code,
// fades where it goes on, and is reached by keyboard. A figure opens whole.

const BOXES =
  "div.arithmatex, .arithmatex[data-display], .md-typeset__scrollwrap, .md-typeset pre > code, .scroller";

/** Say on which sides of a box there is more. @param {Element} box */
function markHidden(box) {
  const hidden = box.scrollWidth - box.clientWidth;
  const sides = [];
  if (box.scrollLeft > 1) sides.push("left");
  if (box.scrollLeft < hidden - 1) sides.push("right");
  if (sides.length) {
    box.setAttribute("data-more", sides.join(" "));
    box.setAttribute("tabindex", "0");
  } else {
    box.removeAttribute("data-more");
    box.removeAttribute("tabindex");
  }
}

const resized = new ResizeObserver((changes) => {
  for (const { target } of changes) markHidden(target);
});

// The theme puts tables into boxes that scroll when the page has been read.
addEventListener("load", () => {
  for (const box of document.querySelectorAll(BOXES)) {
    box.addEventListener("scroll", () => markHidden(box), { passive: true });
    resized.observe(box);
  }
});

/** @param {HTMLElement} figure */
async function openFigure(figure) {
  const { openWhole } = await import("./whole.js");
  openWhole(figure);
}

for (const node of document.querySelectorAll("article figure:has(> img, > .slices)")) {
  const figure = /** @type {HTMLElement} */ (node);
  const caption = figure.querySelector("figcaption");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "enlarge";
  button.title = "Open the whole figure";
  button.ariaLabel = `${button.title}: ${caption?.textContent}`;
  button.addEventListener("click", () => openFigure(figure));
  caption?.append(" ", button);
  for (const image of figure.querySelectorAll("img")) {
    image.addEventListener("click", () => openFigure(figure));
  }
}
