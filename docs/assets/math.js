// Typesets what the Markdown extension "arithmatex" marked as mathematics:
// \(…\) within a line, \[…\] on its own.
for (const element of document.querySelectorAll(".arithmatex")) {
  const source = element.textContent.trim();
  katex.render(source.slice(2, -2), element, { displayMode: source.startsWith("\\[") });
}
