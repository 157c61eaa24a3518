// @ts-check
/**
 * Opens a figure whole, above the page: all its panels in one row, as large as the
 * window allows. Where that is smaller than it is drawn, a button shows its full size.
 */

const FRAME = 2.5; // rem around the figure, sideways
const WORDS = 9; // rem for its caption and the buttons

/** @param {string} label @param {() => void} act */
function makeButton(label, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(label);
  button.addEventListener("click", act);
  return button;
}

const dialog = document.createElement("dialog");
dialog.className = "whole md-typeset";
const stage = document.createElement("div");
stage.className = "stage";
stage.tabIndex = 0;
const fullSize = makeButton("Full size", () => {
  fullSize.ariaPressed = String(fullSize.ariaPressed !== "true");
});
const bar = document.createElement("p");
bar.append(fullSize, makeButton("Close", () => dialog.close()));
dialog.append(bar, stage);
document.body.append(dialog);
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

/** Give the images of a figure their shares of its width. @param {HTMLElement} figure */
function layOut(figure) {
  const images = [...figure.querySelectorAll("img")];
  const total = images.reduce((sum, image) => sum + Number(image.getAttribute("width")), 0);
  const height = Math.max(...images.map((image) => Number(image.getAttribute("height"))));
  for (const image of images) {
    image.style.width = `${(100 * Number(image.getAttribute("width"))) / total}%`;
  }
  const wide = `100vw - ${FRAME}rem`;
  const high = `(100vh - ${WORDS}rem) * ${(total / height).toFixed(4)}`;
  figure.style.setProperty("--fitting", `min(${wide}, ${high})`);
  figure.style.setProperty("--full", `${total}px`);
  return total;
}

/** @param {HTMLElement} figure */
export function openWhole(figure) {
  const copy = /** @type {HTMLElement} */ (figure.cloneNode(true));
  copy.querySelector("button")?.remove();
  dialog.ariaLabel = copy.querySelector("figcaption")?.textContent ?? "Figure";
  stage.replaceChildren(copy);
  const total = layOut(copy);
  fullSize.ariaPressed = "false";
  dialog.showModal();
  fullSize.hidden = copy.offsetWidth >= total;
}
