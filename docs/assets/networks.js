// @ts-check
/** Small dense networks, and their derivatives. */

/**
 * @typedef {object} Activation of a unit in a hidden layer
 * @property {(h: number, layer: number, unit: number) => number} value
 * @property {(h: number, layer: number, unit: number) => number} slope
 */

/** @type {Activation} */
export const RELU = { value: (h) => (h > 0 ? h : 0), slope: (h) => Number(h > 0) };

/** @type {Activation} */
export const TANH = { value: Math.tanh, slope: (h) => 1 - Math.tanh(h) ** 2 };

/** h sigmoid(βh) / 1.1. @param {Float64Array[]} betas of each unit @returns {Activation} */
export const LIPSWISH = (betas) => ({
  value: (h, layer, unit) => (h * sigmoid(betas[layer][unit] * h)) / 1.1,
  slope(h, layer, unit) {
    const part = sigmoid(betas[layer][unit] * h);
    return (part + betas[layer][unit] * h * part * (1 - part)) / 1.1;
  },
});

/** @param {number} h */
const sigmoid = (h) => 1 / (1 + Math.exp(-h));

export class Network {
  /**
   * @param {{take: (n: number) => Float64Array}} weights @param {number[]} widths
   * @param {Activation} activation @param {number[]} shrink by what each matrix is multiplied
   */
  constructor(weights, widths, activation, shrink = []) {
    this.activation = activation;
    this.layers = widths.slice(1).map((n, k) => ({
      weight: weights.take(n * widths[k]).map((w) => w * (shrink[k] ?? 1)),
      bias: weights.take(n),
    }));
  }

  /** @param {ArrayLike<number>} x */
  value(x) {
    let h = x;
    this.layers.forEach(({ weight, bias }, k) => {
      const next = product(weight, h, bias);
      if (k < this.layers.length - 1) {
        for (let i = 0; i < next.length; i++) next[i] = this.activation.value(next[i], k, i);
      }
      h = next;
    });
    return /** @type {Float64Array} */ (h);
  }

  /**
   * The outputs, and their derivatives by the first and the second input.
   * @param {ArrayLike<number>} x
   * @returns {{value: Float64Array, along: [Float64Array, Float64Array]}}
   */
  derivatives(x) {
    let h = Float64Array.from(x);
    let [a, b] = [0, 1].map((input) => Float64Array.from(x, (_, i) => Number(i === input)));
    this.layers.forEach(({ weight, bias }, k) => {
      const next = product(weight, h, bias);
      const none = new Float64Array(bias.length);
      [h, a, b] = [next, product(weight, a, none), product(weight, b, none)];
      if (k === this.layers.length - 1) return;
      for (let i = 0; i < h.length; i++) {
        const slope = this.activation.slope(h[i], k, i);
        a[i] *= slope;
        b[i] *= slope;
        h[i] = this.activation.value(h[i], k, i);
      }
    });
    return { value: h, along: [a, b] };
  }
}

/** W x + b. @param {Float64Array} weight @param {ArrayLike<number>} x @param {Float64Array} bias */
function product(weight, x, bias) {
  const y = new Float64Array(bias.length);
  const n = x.length;
  for (let i = 0; i < y.length; i++) {
    let sum = bias[i];
    for (let j = 0; j < n; j++) sum += weight[i * n + j] * x[j];
    y[i] = sum;
  }
  return y;
}
