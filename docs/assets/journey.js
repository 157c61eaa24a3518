// @ts-check
/**
 * A flow at work. On the home page the film comes first, from what
 * implementations/figures/journey.py wrote: it plays once, in less than five seconds,
 * when it comes into view; where motion is unwelcome it rests until it is asked. Whoever
 * moves the point, or chooses another flow, gets ./toy.js, which computes.
 */

import { Handle } from "./handle.js";
import { Player, still } from "./player.js";

/**
 * @typedef {object} Film
 * @property {number} levels coordinates go from 0 to here
 * @property {[number[], number[]]} start
 * @property {{axis: 0 | 1, moves: number[]}[]} layers
 */

const figure = /** @type {HTMLElement} */ (document.querySelector(".journey"));
const player = new Player(figure);
const handle = new Handle(figure, moved);

/** @type {Promise<import("./toy.js").Toy> | undefined} */
let coming;

function toy() {
  return (coming ??= import("./toy.js").then(({ Toy }) => new Toy(figure, player, handle)));
}

/** @param {import("./flows.js").Point} to */
async function moved(to) {
  // Between two stages there is no point to move.
  if (player.began !== null || player.at % 1) player.rest(Math.round(player.at));
  (await toy()).moved(to);
}

async function choose() {
  (await toy()).choose();
}

/** Where the points are in each stage, as shares of the square. @param {Film} film */
function unroll({ levels, start, layers }) {
  const stages = [start];
  for (const { axis, moves } of layers) {
    const next = /** @type {[number[], number[]]} */ ([...stages[stages.length - 1]]);
    next[axis] = next[axis].map((value, i) => value + moves[i]);
    stages.push(next);
  }
  /** @param {number[]} values */
  const shares = (values) => values.map((value) => value / levels);
  return stages.map(([x, y]) => /** @type {[number[], number[]]} */ ([shares(x), shares(y)]));
}

/** Call back when the figure is first seen. @param {() => void} then */
function whenSeen(then) {
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    then();
  }, { threshold: 0.6 });
  seen.observe(player.canvas);
}

/** @param {string} address */
async function showFilm(address) {
  const answer = await fetch(address);
  const stages = unroll(/** @type {Film} */ (await answer.json()));
  if (coming) return; // Somebody was faster.
  player.over = () => {
    handle.element.hidden = player.began !== null || player.at === 0;
    handle.show(handle.at);
  };
  player.show({ stages, unit: "layer" }, still() ? stages.length - 1 : 0);
  if (still()) return;
  whenSeen(() => {
    if (!coming) player.play();
  });
}

for (const menu of figure.querySelectorAll("select")) menu.addEventListener("change", choose);
if (figure.dataset.film) await showFilm(figure.dataset.film);
else whenSeen(choose);
