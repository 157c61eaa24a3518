// @ts-check
/**
 * Aims the switch of colours, so that whoever uses it sees a change. Material's own goes from
 * "as the system" to light to dark, of which two look alike. Ours leads from what is
 * seen to its opposite: to "as the system" where that is the opposite, else to light or dark.
 */

const switcher = /** @type {HTMLElement} */ (document.querySelector("[data-md-component=palette]"));
/** @type {HTMLInputElement[]} in the order of mkdocs.yml */
const options = [...switcher.querySelectorAll("input")];
const [system, light, dark] = options;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** What is seen and clicked while an option is chosen. @param {HTMLInputElement} option */
const label = (option) => /** @type {HTMLLabelElement} */ (option.nextElementSibling);

function aim() {
  const { matches } = prefersDark;
  label(system).htmlFor = (matches ? light : dark).id;
  label(light).htmlFor = (matches ? system : dark).id;
  label(dark).htmlFor = (matches ? light : system).id;
  const { title } = label(matches ? dark : light);
  label(system).title = title;
  system.setAttribute("aria-label", title);
}

/** Enter does what a click does. @param {KeyboardEvent} event */
function press(event) {
  const seen = options.map(label).find((each) => !each.hidden);
  if (event.key !== "Enter" || !seen) return;
  event.stopImmediatePropagation();
  const next = /** @type {HTMLInputElement} */ (seen.control);
  next.click();
  next.focus();
}

aim();
prefersDark.addEventListener("change", aim);
switcher.addEventListener("keydown", press, { capture: true });
