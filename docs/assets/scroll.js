// @ts-check
// What scrolls sideways, a wide formula or table, is reached by keyboard too.

const scrolling = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});

// The theme puts tables into boxes that scroll when the page has been read.
addEventListener("load", () => {
  const boxes = document.querySelectorAll(
    "div.arithmatex, .arithmatex[data-display], .md-typeset__scrollwrap",
  );
  for (const box of boxes) scrolling.observe(box);
});
