// @ts-check
// Typesets what the Markdown extension "arithmatex" marked as mathematics:
// \(…\) within a line, \[…\] on its own.

/** @typedef {(source: string, into: Element, how: { displayMode: boolean }) => void} Render */
/** @type {{ render: Render }} */
const { render } = /** @type {any} */ (self).katex;

for (const element of document.querySelectorAll(".arithmatex")) {
  const source = (element.textContent ?? "").trim();
  render(source.slice(2, -2), element, { displayMode: source.startsWith("\\[") });
}
