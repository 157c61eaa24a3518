// @ts-check
/**
 * Evaluates the flows that implementations/figures/toy.py trained, as torch does: a layer
 * leads from data x to noise z, and says log|det ∂z/∂x|.
 */

import { Network, LIPSWISH, RELU, TANH } from "./networks.js";
import { affine, shift, spline } from "./univariate.js";

/**
 * @typedef {[number, number]} Point
 * @typedef {object} Layer
 * @property {(x: Point) => [Point, number]} forward
 * @property {(z: Point) => Point} inverse
 *
 * @typedef {object} About what is written of a layer beside its weights
 * @property {string} kind
 * @property {string} map
 * @property {number[]} widths of its network, from the inputs to the outputs
 * @property {number} bound
 * @property {0 | 1} kept
 * @property {0 | 1} first
 * @property {number} eps
 * @property {number[]} shrink
 * @property {number} steps
 *
 * @typedef {object} FlowFile what toy.py wrote
 * @property {number} gap
 * @property {About[]} layers
 * @property {number} steps
 * @property {number[]} weights
 *
 * @typedef {object} Way of a point from the base to the data, and what makes up log p
 * @property {Point[]} stages
 * @property {number} base
 * @property {number[]} logDets
 */

/** Hands out the weights in the order in which they were written. */
class Weights {
  /** @param {number[]} numbers @param {number} steps */
  constructor(numbers, steps) {
    this.numbers = Float64Array.from(numbers, (n) => n / steps);
    this.at = 0;
  }

  /** @param {number} n */
  take(n) {
    return this.numbers.subarray(this.at, (this.at += n));
  }
}

export class Flow {
  /** @param {FlowFile} file */
  constructor(file) {
    const weights = new Weights(file.weights, file.steps);
    this.gap = file.gap;
    this.unit = file.layers[0].kind === "continuous" ? "step" : "layer";
    /** From the data to the base. @type {Layer[]} */
    this.layers = [];
    for (const about of file.layers) {
      if (about.kind === "normalise") {
        const before = /** @type {Layer} */ (this.layers.pop());
        this.layers.push(joined(before, normalise(about, weights)));
      } else this.layers.push(...BUILD[about.kind](about, weights));
    }
  }

  /** The way of x, as seen from the base, and log p(x). @param {Point} x @returns {Way} */
  follow(x) {
    const stages = [x];
    const logDets = [];
    for (const layer of this.layers) {
      const [z, logDet] = layer.forward(stages[0]);
      stages.unshift(z);
      logDets.unshift(logDet);
    }
    const [a, b] = stages[0];
    return { stages, logDets, base: -(a * a + b * b) / 2 - Math.log(2 * Math.PI) };
  }

  /** Where a point of one stage is in this stage and all after it. @param {Point} point @param {number} stage */
  generate(point, stage = 0) {
    const stages = [point];
    for (let k = this.layers.length - stage; k > 0; k--) {
      stages.push(this.layers[k - 1].inverse(stages[stages.length - 1]));
    }
    return stages;
  }
}

/** One layer of two: the first is next to the data. @param {Layer} first @param {Layer} second @returns {Layer} */
const joined = (first, second) => ({
  forward(x) {
    const [middle, one] = first.forward(x);
    const [z, other] = second.forward(middle);
    return [z, one + other];
  },
  inverse: (z) => first.inverse(second.inverse(z)),
});

/** @type {Record<string, (about: About, weights: Weights) => Layer[]>} */
const BUILD = { autoregressive, continuous, coupling, residual, scale };

/** @param {About} about @param {Weights} weights */
function univariate({ map, bound }, weights) {
  if (map === "spline") return spline(bound);
  return map === "affine" ? affine(weights.take(1)[0]) : shift;
}

/** z₁ = x₁, z₂ = g(x₂; m(x₁)). @param {About} about @param {Weights} weights @returns {Layer[]} */
function coupling(about, weights) {
  const g = univariate(about, weights);
  const m = new Network(weights, about.widths, RELU);
  const { kept } = about;
  /** @param {Point} x @param {number} moved @returns {Point} */
  const replace = (x, moved) => (kept === 0 ? [x[0], moved] : [moved, x[1]]);
  return [
    {
      forward(x) {
        const [z, logSlope] = g.forward(x[1 - kept], m.value([x[kept]]));
        return [replace(x, z), logSlope];
      },
      inverse: (z) => replace(z, g.inverse(z[1 - kept], m.value([z[kept]]))),
    },
  ];
}

/** z_i = g(x_i; m_i(x before i)), affine. @param {About} about @param {Weights} weights @returns {Layer[]} */
function autoregressive(about, weights) {
  const g = univariate(about, weights);
  const m = new Network(weights, about.widths, RELU);
  /** Parameters of one kind stand side by side. @param {Float64Array} out @param {number} i */
  const of = (out, i) => Float64Array.of(out[i], out[2 + i]);
  return [
    {
      forward(x) {
        const out = m.value(x);
        const [z0, slope0] = g.forward(x[0], of(out, 0));
        const [z1, slope1] = g.forward(x[1], of(out, 1));
        return [[z0, z1], slope0 + slope1];
      },
      inverse(z) {
        /** @type {Point} */
        const x = [0, 0];
        for (const i of [about.first, 1 - about.first]) x[i] = g.inverse(z[i], of(m.value(x), i));
        return x;
      },
    },
  ];
}

/** z = (x - μ) / √(σ² + ε). @param {About} about @param {Weights} weights @returns {Layer} */
function normalise({ eps }, weights) {
  const [mean, variance] = [weights.take(2), weights.take(2)];
  const [s0, s1] = variance.map((v) => Math.sqrt(v + eps));
  return {
    forward: (x) => [[(x[0] - mean[0]) / s0, (x[1] - mean[1]) / s1], -Math.log(s0 * s1)],
    inverse: (z) => [z[0] * s0 + mean[0], z[1] * s1 + mean[1]],
  };
}

/** z = exp(s) ⊙ x. @param {About} _ @param {Weights} weights @returns {Layer[]} */
function scale(_, weights) {
  const [s0, s1] = weights.take(2);
  return [
    {
      forward: (x) => [[x[0] * Math.exp(s0), x[1] * Math.exp(s1)], s0 + s1],
      inverse: (z) => [z[0] * Math.exp(-s0), z[1] * Math.exp(-s1)],
    },
  ];
}

/** z = x + g(x), with a contraction g. @param {About} about @param {Weights} weights @returns {Layer[]} */
function residual({ widths, shrink }, weights) {
  const betas = widths.slice(1, -1).map((n) => weights.take(n).map(Math.exp));
  const g = new Network(weights, widths, LIPSWISH(betas), shrink);
  return [
    {
      forward(x) {
        const { value, along } = g.derivatives(x);
        return [[x[0] + value[0], x[1] + value[1]], Math.log(determinant(along))];
      },
      inverse: (z) => solve(g, z),
    },
  ];
}

/** det(I + J). @param {[Float64Array, Float64Array]} along the columns of J */
const determinant = ([a, b]) => (1 + a[0]) * (1 + b[1]) - b[0] * a[1];

/** Solve x + g(x) = z by Newton's steps, halved while they lead astray. @param {Network} g @param {Point} z */
function solve(g, z) {
  /** @param {Point} x */
  const look = (x) => {
    const { value, along } = g.derivatives(x);
    const off = [x[0] + value[0] - z[0], x[1] + value[1] - z[1]];
    return { x, along, off, size: Math.hypot(off[0], off[1]) };
  };
  let at = look(z);
  for (let steps = 0; at.size > 1e-11 && steps < 60; steps++) {
    const { along, off, x } = at;
    const det = determinant(along);
    const d0 = ((1 + along[1][1]) * off[0] - along[1][0] * off[1]) / det;
    const d1 = ((1 + along[0][0]) * off[1] - along[0][1] * off[0]) / det;
    let next = look([x[0] - d0, x[1] - d1]);
    for (let part = 0.5; next.size >= at.size && part > 1e-3; part /= 2) {
      next = look([x[0] - part * d0, x[1] - part * d1]);
    }
    at = next;
  }
  return at.x;
}

/** dz/dt = g(z, t), from noise at 0 to data at 1, in steps. @param {About} about @param {Weights} weights @returns {Layer[]} */
function continuous({ widths, steps }, weights) {
  const g = new Network(weights, widths, TANH);
  return Array.from({ length: steps }, (_, k) => {
    const [late, early] = [1 - k / steps, 1 - (k + 1) / steps];
    return {
      forward(x) {
        const [a, b, trace] = advance([...x, 0], late, early, (z, t) => {
          const { value, along } = g.derivatives([z[0], z[1], t]);
          return [value[0], value[1], along[0][0] + along[1][1]];
        });
        return [[a, b], trace];
      },
      inverse: (z) => /** @type {Point} */ (advance(z, early, late, ([a, b], t) => [...g.value([a, b, t])])),
    };
  });
}

/**
 * One step by Kutta's rule of 3/8, which torchdiffeq calls rk4.
 * @param {number[]} y @param {number} t0 @param {number} t1
 * @param {(y: number[], t: number) => number[]} f
 */
function advance(y, t0, t1, f) {
  const dt = t1 - t0;
  /** @param {(i: number) => number} change */
  const moved = (change) => y.map((value, i) => value + dt * change(i));
  const k1 = f(y, t0);
  const k2 = f(moved((i) => k1[i] / 3), t0 + dt / 3);
  const k3 = f(moved((i) => k2[i] - k1[i] / 3), t0 + (2 * dt) / 3);
  const k4 = f(moved((i) => k1[i] - k2[i] + k3[i]), t1);
  return moved((i) => (k1[i] + 3 * (k2[i] + k3[i]) + k4[i]) / 8);
}
