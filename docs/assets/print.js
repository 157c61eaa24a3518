// @ts-check
/**
 * Leaves out of print what the reader has not unfolded. The theme unfolds all of it before
 * printing; what was folded until then is marked here, and styles/print.css hides it.
 */

// Before the theme's listener, which captures nothing.
addEventListener("beforeprint", () => mark("details:not([open])", true), { capture: true });
addEventListener("afterprint", () => mark("details", false));

/** @param {string} which @param {boolean} folded */
function mark(which, folded) {
  for (const each of document.querySelectorAll(which)) each.toggleAttribute("data-folded", folded);
}
