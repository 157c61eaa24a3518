// @ts-check
/**
 * A trained flow in the hands of the visitor: a point, its path through the layers and
 * its log-density in numbers, and a grid that bends.
 */

import { Flow } from "./flows.js";
import { written } from "./handle.js";
import { still } from "./player.js";

/**
 * @typedef {import("./flows.js").Point} Point
 * @typedef {import("./flows.js").Way} Way
 * @typedef {import("./player.js").Cloud} Cloud
 * @typedef {import("./player.js").Moment} Moment
 */

const POINTS = 1500;
const PATIENCE = 12; // milliseconds of work before the browser may draw
const PAUSE = 500; // milliseconds at rest before the numbers are spoken
const [GRID, LINES, ALONG] = [2.5, 11, 51]; // a line each half, a point each tenth

/** A Gaussian cloud, the likeliest points last: evenly spread numbers, by Box and Muller. */
function noise() {
  const golden = 1.324717957244746; // the root of g³ = g + 1
  const points = Array.from({ length: POINTS }, (_, i) => {
    const [u, v] = [(0.5 + i / golden) % 1, (0.5 + i / golden ** 2) % 1];
    const radius = Math.sqrt(-2 * Math.log(1 - u));
    const angle = 2 * Math.PI * v;
    return /** @type {Point} */ ([radius * Math.cos(angle), radius * Math.sin(angle)]);
  });
  return points.sort((a, b) => Math.hypot(...b) - Math.hypot(...a));
}

/** Points of an even grid, line after line: upright ones, then level ones. */
function grid() {
  /** @type {Point[]} */
  const upright = [];
  for (let line = 0; line < LINES; line++) {
    for (let k = 0; k < ALONG; k++) {
      upright.push([((2 * line) / (LINES - 1) - 1) * GRID, ((2 * k) / (ALONG - 1) - 1) * GRID]);
    }
  }
  return [...upright, ...upright.map(([x, y]) => /** @type {Point} */ ([y, x]))];
}

export class Toy {
  /**
   * @param {HTMLElement} figure @param {import("./player.js").Player} player
   * @param {import("./handle.js").Handle} handle
   */
  constructor(figure, player, handle) {
    this.figure = figure;
    this.player = player;
    this.handle = handle;
    /** @param {string} name */
    const menu = (name) => /** @type {HTMLSelectElement} */ (figure.querySelector(`[name=${name}]`));
    this.menus = { target: menu("target"), flow: menu("flow") };
    this.spoken = /** @type {HTMLElement} */ (figure.querySelector(".spoken"));
    this.timer = 0;
    /** The flow that was asked for last. */
    this.wanted = "";
    /** @type {Promise<void> | undefined} */
    this.loading = undefined;
    /** @type {Flow | undefined} */
    this.flow = undefined;
    /** @type {Way | undefined} */
    this.way = undefined;
    /** Where the grid is in each stage. @type {Cloud[]} */
    this.grids = [];
  }

  /** Another target or another flow was chosen. */
  choose() {
    this.loading = this.load(true);
  }

  /** The point was moved in the stage that is shown. @param {Point} to */
  async moved(to) {
    await (this.loading ??= this.load(false));
    if (!this.flow) return;
    const stages = this.flow.generate(to, Math.round(this.player.at));
    this.trace(stages[stages.length - 1]);
  }

  /** @param {boolean} play */
  async load(play) {
    const { target, flow: kind } = this.menus;
    const name = `${target.value}-${kind.value}`;
    this.wanted = name;
    const answer = await fetch(`${this.figure.dataset.flows}${name}.json`);
    const flow = new Flow(await answer.json());
    const [stages, grids] = [await this.carry(flow, noise()), await this.carry(flow, grid())];
    if (this.wanted !== name) return;
    const x = this.way?.stages[this.way.stages.length - 1] ?? this.handle.at;
    const { player } = this;
    Object.assign(this, { flow, grids, way: undefined });
    const [wants, last] = [play && !still(), stages.length - 1];
    player.under = (pen, size, moment) => this.paintGrid(pen, size, moment);
    player.over = (pen, size, moment) => this.paintWay(pen, size, moment);
    player.show({ stages, unit: flow.unit }, wants ? 0 : play ? last : player.at);
    this.describe();
    if (play) this.trace(x);
    if (wants) player.play();
  }

  /** Where points of the base are in each stage. @param {Flow} flow @param {Point[]} points */
  async carry(flow, points) {
    const stages = Array.from({ length: flow.layers.length + 1 }, () => {
      return /** @type {[Float64Array, Float64Array]} */ ([new Float64Array(points.length), new Float64Array(points.length)]);
    });
    let since = performance.now();
    for (let i = 0; i < points.length; i++) {
      flow.generate(points[i]).forEach((point, k) => {
        [stages[k][0][i], stages[k][1][i]] = this.shares(point);
      });
      if (performance.now() - since < PATIENCE) continue;
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
    return stages;
  }

  /** To the right and down, as shares of the square. @param {Point} point @returns {Point} */
  shares([x, y]) {
    const { reach } = this.handle;
    return [(1 + x / reach) / 2, (1 - y / reach) / 2];
  }

  /** Follow a point from the data to the base. @param {Point} x */
  trace(x) {
    if (!this.flow) return;
    this.way = this.flow.follow(x);
    this.tell(this.way, this.flow);
    this.player.draw();
  }

  /**
   * The numbers add up as they are shown, and what is spoken waits until the point rests.
   * @param {Way} way @param {Flow} flow
   */
  tell({ stages, base, logDets }, flow) {
    const layers = logDets.reduce((sum, logDet) => sum + logDet);
    const shown = [base, layers].map((value) => Math.round(value * 1000) / 1000);
    const total = written(shown[0] + shown[1], 3);
    const [ofBase, ofLayers] = shown.map((value) => written(value, 3));
    /** @param {Point} point */
    const place = (point) => `(${point.map((value) => written(value, 2)).join(", ")})`;
    const [z, x] = [place(stages[0]), place(stages[stages.length - 1])];
    const units = `${logDets.length} ${flow.unit}s`;
    const each = logDets.map((logDet) => written(logDet, 2)).join(" ");
    this.write({ total, x, base: ofBase, z, layers: ofLayers, units, each: `By ${flow.unit}: ${each}` });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.spoken.textContent =
        `log p of ${x} is ${total}: ${ofBase} of the base, at ${z}, and ${ofLayers} of ${units}.`;
    }, PAUSE);
  }

  /** Say which flow it is, and how good. */
  describe() {
    const { target, flow } = this.menus;
    const [aim, kind] = [target, flow].map((menu) => menu.selectedOptions[0].text);
    const picture = `Points of a Gaussian, carried by a flow (${kind.toLowerCase()}) to a target: ${aim.toLowerCase()}.`;
    this.player.canvas.setAttribute("aria-label", picture);
    this.write({ gap: `It is ${this.flow?.gap} nats away from its target.` });
    const link = /** @type {HTMLAnchorElement} */ (this.figure.querySelector("a.read"));
    link.href = `${this.figure.dataset.notebooks}${flow.selectedOptions[0].dataset.notebook}/`;
  }

  /** @param {Record<string, string>} texts by the names of their places */
  write(texts) {
    for (const [name, text] of Object.entries(texts)) {
      const place = this.figure.querySelector(`[data-number=${name}]`);
      if (place) place.textContent = text;
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} size @param {Moment} moment */
  paintGrid(pen, size, { from, part }) {
    const [[x0, y0], [x1, y1]] = [this.grids[from], this.grids[from + 1]];
    const style = getComputedStyle(pen.canvas);
    pen.globalAlpha = 0.4;
    pen.lineWidth = Math.max(1, size / 500);
    for (const [half, colour] of ["--flow-base", "--flow-data"].entries()) {
      pen.strokeStyle = style.getPropertyValue(colour);
      pen.beginPath();
      for (let i = half * LINES * ALONG; i < (half + 1) * LINES * ALONG; i++) {
        const x = (x0[i] + (x1[i] - x0[i]) * part) * size;
        const y = (y0[i] + (y1[i] - y0[i]) * part) * size;
        if (i % ALONG) pen.lineTo(x, y);
        else pen.moveTo(x, y);
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** The path of the point, its ends z and x; and the point. @param {CanvasRenderingContext2D} pen @param {number} size @param {Moment} moment */
  paintWay(pen, size, { from, part }) {
    const { handle, way } = this;
    if (!way) return;
    const ends = [way.stages[from], way.stages[from + 1]];
    handle.element.hidden = false;
    handle.show(part === 1 ? ends[1] : /** @type {Point} */ (ends[0].map((value, i) => value + (ends[1][i] - value) * part)));
    const corners = way.stages.map((point) => this.shares(point).map((share) => share * size));
    const unit = size / pen.canvas.clientWidth;
    pen.strokeStyle = pen.fillStyle = getComputedStyle(pen.canvas).color;
    pen.lineWidth = 1.5 * unit;
    pen.beginPath();
    for (const [x, y] of corners) pen.lineTo(x, y);
    pen.stroke();
    pen.font = `italic ${14 * unit}px serif`;
    for (const [k, [x, y]] of corners.entries()) {
      pen.beginPath();
      pen.arc(x, y, 2.5 * unit, 0, 2 * Math.PI);
      pen.fill();
      const name = k === 0 ? "z" : k === corners.length - 1 ? "x" : "";
      pen.fillText(name, x + 8 * unit, y - 8 * unit);
    }
  }
}
