// @ts-check
/** Increasing maps of one number, which networks steer, and the logarithms of their slopes. */

/**
 * @typedef {object} Univariate
 * @property {(x: number, params: Float64Array) => [number, number]} forward
 * @property {(z: number, params: Float64Array) => number} inverse
 */

/** z = x + t. @type {Univariate} */
export const shift = {
  forward: (x, [t]) => [x + t, 0],
  inverse: (z, [t]) => z - t,
};

/** z = exp(s) x + t, where s = a tanh(ŝ). @param {number} a @returns {Univariate} */
export const affine = (a) => ({
  forward(x, params) {
    const s = a * Math.tanh(params[0]);
    return [x * Math.exp(s) + params[1], s];
  },
  inverse: (z, params) => (z - params[1]) * Math.exp(-a * Math.tanh(params[0])),
});

// No share of a spline's width or height, and no slope, is smaller.
const LEAST = 1e-3;
// positive(0) = 1
const UNIT = Math.log(Math.expm1(1 - LEAST));

/** @param {number} theta */
function positive(theta) {
  const h = theta + UNIT;
  return Math.max(h, 0) + Math.log1p(Math.exp(-Math.abs(h))) + LEAST;
}

/**
 * A rational-quadratic spline on [-B, B], the identity outside.
 * @param {number} bound @returns {Univariate}
 */
export const spline = (bound) => ({
  forward(x, params) {
    if (Math.abs(x) > bound) return [x, 0];
    const bin = find(x, params, bound, 0);
    const u = (x - bin.x) / bin.width;
    const [share, logSlope] = curve(u, 1 - u, bin);
    return [bin.y + bin.height * share, logSlope];
  },
  inverse(z, params) {
    if (Math.abs(z) > bound) return z;
    const bin = find(z, params, bound, 1);
    const { s, left, right } = bin;
    const e = (z - bin.y) / bin.height;
    const m = left * (1 - e) - right * e;
    const [low, high] = [2 * s * e, 2 * s * (1 - e)];
    const r = Math.sqrt(m * m + low * high) + Math.abs(m);
    return bin.x + bin.width * (m >= 0 ? low / (low + r) : r / (r + high));
  },
});

/**
 * The bin that a point is in: among the knots' x for axis 0, among their y for axis 1.
 * @param {number} point @param {Float64Array} params @param {number} bound @param {0 | 1} axis
 */
function find(point, params, bound, axis) {
  const bins = (params.length + 1) / 3;
  const xs = knots(params.subarray(0, bins), bound);
  const ys = knots(params.subarray(bins, 2 * bins), bound);
  const places = axis === 0 ? xs : ys;
  let k = 0;
  while (k < bins - 1 && point >= places[k + 1]) k++;
  /** @param {number} i of a knot */
  const slope = (i) => (i % bins === 0 ? 1 : positive(params[2 * bins + i - 1]));
  const [width, height] = [xs[k + 1] - xs[k], ys[k + 1] - ys[k]];
  return { x: xs[k], y: ys[k], width, height, s: height / width, left: slope(k), right: slope(k + 1) };
}

/** Cut [-B, B] into shares. @param {Float64Array} logits @param {number} bound */
function knots(logits, bound) {
  const top = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - top));
  const total = parts.reduce((sum, part) => sum + part);
  const places = [-bound];
  for (const part of parts) {
    const share = LEAST + (1 - LEAST * parts.length) * (part / total);
    places.push(places[places.length - 1] + 2 * bound * share);
  }
  return places;
}

/**
 * The share of the bin's height at u = 1 - v of its width, and the logarithm of the slope.
 * @param {number} u @param {number} v @param {ReturnType<typeof find>} bin
 * @returns {[number, number]}
 */
function curve(u, v, { s, left, right }) {
  const p = s * u + left * v;
  const q = s * v + right * u;
  const total = u * p + v * q;
  return [(u * p) / total, Math.log(u * q + v * p) + 2 * Math.log(s / total)];
}
