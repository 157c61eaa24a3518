// @ts-check
/** Plays how points flow from the base to the data, and moves them there and back by hand. */

/**
 * @typedef {[ArrayLike<number>, ArrayLike<number>]} Cloud points: how far to the right and how far
 *   down, as shares of the square
 * @typedef {object} Scene
 * @property {Cloud[]} stages from the base to the data
 * @property {string} unit what leads from one to the next
 *
 * @typedef {object} Moment `part` of the way from a stage to the next
 * @property {number} from
 * @property {number} part
 * @typedef {(pen: CanvasRenderingContext2D, size: number, moment: Moment) => void} Paint
 */

const SECONDS_PER_LAYER = 0.75;
const SECONDS = 4.5; // at most
const COLOURS = ["--flow-far", "--flow-off", "--flow-near", "--flow-core"];

/** Where motion is unwelcome. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Slow at both ends. @param {number} t from 0 to 1 */
const ease = (t) => t * t * (3 - 2 * t);

export class Player {
  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
    this.button = /** @type {HTMLButtonElement} */ (figure.querySelector("button"));
    this.slider = /** @type {HTMLInputElement} */ (figure.querySelector("input"));
    this.place = /** @type {HTMLOutputElement} */ (figure.querySelector(".player output"));
    /** @type {Scene} */
    this.scene = { stages: [], unit: "layer" };
    /** When the clock stood at 0, or null at rest. @type {number | null} */
    this.began = null;
    /** Paints below the points. @type {Paint} */
    this.under = () => {};
    /** Paints above them. @type {Paint} */
    this.over = () => {};
    const draw = () => this.draw();
    this.button.addEventListener("click", () => (this.began === null ? this.play() : this.rest()));
    this.slider.addEventListener("input", () => this.rest());
    new ResizeObserver(draw).observe(this.canvas);
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  }

  /** The last stage, the data. */
  get last() {
    return this.scene.stages.length - 1;
  }

  get at() {
    return this.slider.valueAsNumber;
  }

  /** Show another scene at rest. @param {Scene} scene @param {number} at */
  show(scene, at) {
    this.scene = scene;
    this.slider.max = String(this.last);
    this.rest(at);
  }

  /** @param {number} at */
  rest(at = this.at) {
    this.began = null;
    this.slider.valueAsNumber = at;
    this.draw();
  }

  play() {
    const at = this.at >= this.last ? 0 : this.at;
    const speed = Math.max(1 / SECONDS_PER_LAYER, this.last / SECONDS);
    this.began = performance.now() - (at / speed) * 1000;
    const began = this.began;
    /** @param {number} now */
    const tick = (now) => {
      if (this.began !== began) return;
      this.slider.valueAsNumber = Math.min(((now - began) / 1000) * speed, this.last);
      if (this.at >= this.last) this.began = null;
      this.draw();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  draw() {
    const { last, at } = this;
    if (last < 1) return;
    const from = Math.min(Math.floor(at), last - 1);
    this.paint({ from, part: ease(at - from) });
    const between = `${this.scene.unit} ${from + 1} of ${last}`;
    const words = at <= 0 ? "the base" : at >= last ? "the data" : between;
    this.place.value = words;
    this.slider.setAttribute("aria-valuetext", words);
    this.button.textContent = this.began !== null ? "Pause" : at >= last ? "Replay" : "Play";
  }

  /** @param {Moment} moment */
  paint(moment) {
    const { canvas } = this;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    pen.clearRect(0, 0, size, size);
    this.under(pen, size, moment);
    const { stages } = this.scene;
    paintPoints(pen, size, stages[moment.from], stages[moment.from + 1], moment.part);
    this.over(pen, size, moment);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen @param {number} size
 * @param {Cloud} before @param {Cloud} after @param {number} part of the way
 */
function paintPoints(pen, size, [x0, y0], [x1, y1], part) {
  const style = getComputedStyle(pen.canvas);
  const radius = Math.max(1, size / 380);
  const share = Math.ceil(x0.length / COLOURS.length);
  COLOURS.forEach((colour, k) => {
    pen.fillStyle = style.getPropertyValue(colour);
    pen.beginPath();
    for (let i = k * share; i < Math.min((k + 1) * share, x0.length); i++) {
      const x = (x0[i] + (x1[i] - x0[i]) * part) * size;
      const y = (y0[i] + (y1[i] - y0[i]) * part) * size;
      pen.moveTo(x + radius, y);
      pen.arc(x, y, radius, 0, 2 * Math.PI);
    }
    pen.fill();
  });
}
