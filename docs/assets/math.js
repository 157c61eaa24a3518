// @ts-check
/**
 * Typesets what the Markdown extension "arithmatex" marked as mathematics: \(…\) within
 * a line, \[…\] on its own. Each formula as soon as it has been read, before it is
 * painted; else all that is below it would move.
 */

/** @typedef {(source: string, into: Element, how: { displayMode: boolean }) => void} Render */
/** @type {{ render: Render }} */
const { render } = /** @type {any} */ (self).katex;

const formulas = document.getElementsByClassName("arithmatex");
let typeset = 0;

function typesetNew() {
  for (; typeset < formulas.length; typeset++) {
    const source = (formulas[typeset].textContent ?? "").trim();
    if (!/\\[)\]]$/.test(source)) return; // read in part
    const displayMode = source.startsWith("\\[");
    render(source.slice(2, -2), formulas[typeset], { displayMode });
  }
}

const reading = new MutationObserver(typesetNew);
reading.observe(document, { childList: true, subtree: true });
addEventListener("DOMContentLoaded", () => {
  typesetNew();
  reading.disconnect();
});
