// @ts-check
/**
 * A point on a canvas that is moved by mouse, finger or arrow keys. Only where a finger
 * begins on the point itself does the page not scroll; a tap elsewhere brings the point.
 */

/** @typedef {import("./flows.js").Point} Point */

const MOST = 3; // of a coordinate, so that it stays whole at the edge
const HUNDREDTHS = 100; // its coordinates are whole hundredths
const [STEP, STRIDE] = [0.05, 0.5]; // by an arrow key, and with shift

/** @type {Record<string, Point>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** With a minus sign. @param {number} value @param {number} digits */
export function written(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export class Handle {
  /** @param {HTMLElement} figure @param {(to: Point) => void} moved */
  constructor(figure, moved) {
    this.canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
    this.element = /** @type {HTMLElement} */ (figure.querySelector(".handle"));
    this.reach = Number(figure.dataset.reach);
    this.moved = moved;
    /** @type {Point} */
    this.at = [1.2, 0.4];
    /** From the pointer to the point, in pixels. @type {Point} */
    this.grip = [0, 0];
    this.canvas.addEventListener("click", (event) => {
      this.grip = [0, 0];
      this.pull(event);
      this.element.focus({ preventScroll: true });
    });
    this.element.addEventListener("pointerdown", (event) => this.hold(event));
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) this.pull(event);
    });
    this.element.addEventListener("keydown", (event) => this.press(event));
  }

  /** Show it where it is now. @param {Point} at */
  show(at) {
    this.at = at;
    const { canvas, element } = this;
    const [x, y] = at.map((value) => Math.max(-MOST, Math.min(MOST, value)) / this.reach);
    const left = canvas.offsetLeft + ((1 + x) / 2) * canvas.clientWidth;
    const top = canvas.offsetTop + ((1 - y) / 2) * canvas.clientHeight;
    element.style.transform = `translate(${left}px, ${top}px)`;
    element.setAttribute("aria-valuenow", at[0].toFixed(2));
    element.setAttribute("aria-valuetext", at.map((value) => written(value, 2)).join(", "));
  }

  /** Move it, and say so. @param {Point} to */
  move(to) {
    const [x, y] = to.map(
      (value) => Math.round(Math.max(-MOST, Math.min(MOST, value)) * HUNDREDTHS) / HUNDREDTHS,
    );
    this.show([x, y]);
    this.moved([x, y]);
  }

  /** @param {PointerEvent} event */
  hold(event) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    this.grip = [left + width / 2 - event.clientX, top + height / 2 - event.clientY];
    this.element.setPointerCapture(event.pointerId);
  }

  /** @param {MouseEvent} event */
  pull({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const x = (2 * (clientX + this.grip[0] - left)) / width - 1;
    const y = 1 - (2 * (clientY + this.grip[1] - top)) / height;
    this.move([x * this.reach, y * this.reach]);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const step = event.shiftKey ? STRIDE : STEP;
    this.move([this.at[0] + step * arrow[0], this.at[1] + step * arrow[1]]);
  }
}
