// @ts-check
/**
 * Keeps in the browser which steps of the path are done, and says which comes next. Nothing of
 * this leaves the browser. The page is whole without it.
 */

/** @type {{ __md_get(key: string): unknown, __md_set(key: string, value: unknown): void }} */
const kept = /** @type {any} */ (self); // the theme's; under an address of this site alone

/** @type {HTMLInputElement[]} */
const boxes = [...document.querySelectorAll(".rail input")].map((each) => /** @type {any} */ (each));
const path = boxes.filter((box) => box.closest(".rail") === document.querySelector(".rail"));
const progress = /** @type {HTMLElement} */ (document.getElementById("progress"));

/** @returns {Set<unknown>} ids of the steps that are done */
function read() {
  try {
    const ids = kept.__md_get("done");
    return new Set(Array.isArray(ids) ? ids : []);
  } catch {
    return new Set(); // not ours, or the browser keeps nothing
  }
}

function tell() {
  const done = path.filter((box) => box.checked).length;
  const next = path.find((box) => !box.checked)?.closest("li");
  progress.textContent = `${done} of ${path.length} steps done. `;
  if (!done) progress.textContent = "";
  if (done && next) progress.append("Next: ", link(next));
  if (done && !next) progress.append("Choose a branch below.");
}

/** @param {HTMLLIElement} step */
function link(step) {
  const to = document.createElement("a");
  to.href = `#${step.id}`;
  to.textContent = step.querySelector("h3")?.textContent ?? "";
  return to;
}

const done = read();
for (const box of boxes) {
  box.checked = done.has(box.value);
  box.addEventListener("change", () => {
    const others = [...read()].filter((id) => id !== box.value);
    kept.__md_set("done", box.checked ? [...others, box.value] : others);
    tell();
  });
}
tell();
