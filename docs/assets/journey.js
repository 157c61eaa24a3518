// @ts-check
/**
 * Draws how points of a base density flow into data, from what
 * implementations/figures/journey.py wrote. It plays once, in less than five seconds,
 * when it comes into view; where motion is unwelcome it rests until it is asked.
 */

/**
 * @typedef {object} Journey
 * @property {number} levels coordinates go from 0 to here
 * @property {[number[], number[]]} start
 * @property {{axis: 0 | 1, moves: number[]}[]} layers
 */

const SECONDS_PER_LAYER = 0.75;
const COLOURS = ["--flow-far", "--flow-off", "--flow-near", "--flow-core"];

const figure = /** @type {HTMLElement} */ (document.querySelector(".journey"));
const canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
const button = /** @type {HTMLButtonElement} */ (figure.querySelector("button"));
const slider = /** @type {HTMLInputElement} */ (figure.querySelector("input"));
const place = /** @type {HTMLOutputElement} */ (figure.querySelector("output"));

/** Where the points are after each layer. @param {Journey} journey */
function unroll({ start, layers }) {
  const stages = [start];
  for (const { axis, moves } of layers) {
    const next = /** @type {[number[], number[]]} */ ([...stages[stages.length - 1]]);
    next[axis] = next[axis].map((value, i) => value + moves[i]);
    stages.push(next);
  }
  return stages;
}

/** @param {[number[], number[]][]} stages @param {number} levels */
function animate(stages, levels) {
  const last = stages.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  /** When the clock stood at 0, or null at rest. @type {number | null} */
  let began = null;

  function draw() {
    const at = slider.valueAsNumber;
    const from = Math.min(Math.floor(at), last - 1);
    const part = ease(at - from);
    paint(stages[from], stages[from + 1], part, levels);
    const words = at <= 0 ? "the base" : at >= last ? "the data" : `layer ${from + 1} of ${last}`;
    place.value = words;
    slider.setAttribute("aria-valuetext", words);
    button.textContent = began !== null ? "Pause" : at >= last ? "Replay" : "Play";
  }

  /** @param {number} now */
  function tick(now) {
    if (began === null) return;
    const at = (now - began) / 1000 / SECONDS_PER_LAYER;
    slider.valueAsNumber = Math.min(at, last);
    if (at >= last) began = null;
    draw();
    requestAnimationFrame(tick);
  }

  function play() {
    const at = slider.valueAsNumber >= last ? 0 : slider.valueAsNumber;
    began = performance.now() - at * SECONDS_PER_LAYER * 1000;
    requestAnimationFrame(tick);
  }

  function pause() {
    began = null;
    draw();
  }

  slider.max = String(last);
  slider.valueAsNumber = still ? last : 0;
  button.addEventListener("click", () => (began === null ? play() : pause()));
  slider.addEventListener("input", pause);
  new ResizeObserver(draw).observe(canvas);
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  if (still) return;
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    play();
  }, { threshold: 0.6 });
  seen.observe(canvas);
}

/** Slow at both ends. @param {number} t from 0 to 1 */
const ease = (t) => t * t * (3 - 2 * t);

/**
 * @param {[number[], number[]]} from @param {[number[], number[]]} to
 * @param {number} part of the way @param {number} levels
 */
function paint([x0, y0], [x1, y1], part, levels) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const size = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== size) canvas.width = canvas.height = size;
  context.clearRect(0, 0, size, size);
  const style = getComputedStyle(canvas);
  const scale = size / levels;
  const radius = Math.max(1, size / 380);
  const share = Math.ceil(x0.length / COLOURS.length);
  COLOURS.forEach((colour, k) => {
    context.fillStyle = style.getPropertyValue(colour);
    context.beginPath();
    for (let i = k * share; i < Math.min((k + 1) * share, x0.length); i++) {
      const x = (x0[i] + (x1[i] - x0[i]) * part) * scale;
      const y = (y0[i] + (y1[i] - y0[i]) * part) * scale;
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
  });
}

const answer = await fetch(/** @type {string} */ (figure.dataset.journey));
const journey = /** @type {Journey} */ (await answer.json());
animate(unroll(journey), journey.levels);
