# %% [markdown]
# # Rectified flow: paths made straight
#
# A continuous flow draws a sample by solving an equation: noise moves along a path
# until it is data. Paths bend. So a solver takes many steps, and each of them runs a
# network. The figure shows what one step makes of a flow that was trained by its
# likelihood.
#
# Liu, Gong and Liu ([2022](https://arxiv.org/abs/2209.03003)) draw straight lines from
# noise to data, and a network learns their directions. Lines cross and paths cannot, so
# paths still bend. But they pair noise with data anew, and lines between *these* pairs
# hardly cross. A second flow learns them.
#
# The result: good samples in one step. The price is a second training. Density gets no
# better.

# %%
"""Flow Straight and Fast: rectified flow (Liu et al., 2022, arXiv:2209.03003)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, diagram, line, words
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Base, Flow, StandardNormal
from implementations.core.matching import squared_misses
from implementations.core.odes import FixedSteps, Solver, TimeNetwork, VelocityField
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    figure,
    label_lines,
    legend,
    scatter,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import Mixture, TwoMoons, eight_gaussians, kl_to
from implementations.core.transport import squared_wasserstein, travel
from implementations.neural_ode import Continuous, neural_ode

# %% A flow trained by its likelihood: many steps of its solver, and one tags=["plot"]
if __name__ == "__main__":
    seed()
    target = eight_gaussians().to(device())
    earlier = neural_ode(2, solve=FixedSteps(4)).to(device())
    recipe = {"steps": 200, "draw": partial(target.sample, 256), "lr": 1e-2, "clip": 5}
    fit(earlier, lambda x: -earlier.log_prob(x).mean(), **recipe)
    fig, axes = figure(columns=3, box=target.box)
    scatter(axes[0], target.sample(1000), target.box, "the data")
    bijection = earlier.bijection
    assert isinstance(bijection, Continuous)
    for ax, steps in zip(axes[1:], (32, 1), strict=True):
        bijection.solve = FixedSteps(steps, "euler")
        title = "one step" if steps == 1 else f"{steps} steps"
        scatter(ax, earlier.sample(1000), target.box, title)
    show(
        fig,
        "Three clouds of points. The data are eight round spots on a circle. With 32 "
        "steps of its solver, the flow has the spots too. With one step the points are "
        "elsewhere.",
    )

# %% [markdown]
# ## The idea in one picture

# %% Lines cross, paths turn away, and their ends are joined anew tags=["plot"]
if __name__ == "__main__":
    fig, panels = diagram(columns=3, width=2.3, height=2.0)
    shapes = {
        "random pairs": lambda a: -0.5 * a,
        "first flow: paths": lambda a: math.hypot(0.5 * a, 0.1 * (1 - a * a)),
        "its pairs: second flow": lambda a: 0.5,
    }
    for panel, (title, shape) in zip(panels, shapes.items(), strict=True):
        words(panel, (1.15, 1.8), title)
        words(panel, (0.35, 0.2), "noise")
        words(panel, (1.95, 0.2), "data")
        for side, colour in ((1, BLUE), (-1, ORANGE)):
            along_it = [k / 20 - 1 for k in range(41)]
            path = [(1.15 + 0.8 * a, 1 + side * shape(a)) for a in along_it]
            line(panel, path[:-3], colour)
            arrow(panel, path[-6], path[-1], colour=colour)
    show(
        fig,
        "Left, two arrows from noise to data cross. Middle, two curves come from the "
        "same places, turn away from each other and end at the same places. Right, two "
        "straight arrows join the ends of these curves, and do not cross.",
    )

# %% [markdown]
# Where lines cross, a network can answer with one velocity only: their mean. So paths
# turn there, and the pairs of the flow are other than those of the lines.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $X_0$, $X_1$ | `x0`, `x1` | ends of a line: noise at time 0, data at time 1 |
# | $Z_0$, $Z_1$ | `x0`, `x1` | ends of a path of the flow |
# | $v$ | `v` | velocity, at a point and a time |
# | $S$, $V$ | `bends`, `crossings` | what paths that bend, and lines that cross, cost |
#
# `forward` goes from data to noise: from $t = 1$ to 0. The paper goes from noise to
# data.
#
# ## Learn the directions of lines
#
# Draw $X_0$ from the noise and $X_1$ from the data. The line between them is
# $X_t = t X_1 + (1 - t) X_0$, and its direction is $X_1 - X_0$. A network learns it by
# regression (eq. 1):
# $$\min_v \int_0^1 \mathbb{E}\,
# \big\| (X_1 - X_0) - v(X_t, t) \big\|^2\, dt$$
# No equation is solved. Training by likelihood, above, took 16 evaluations of the
# velocity for each step, with their traces. This takes one.


# %%
class OrderedPairs(NamedTuple):
    """Ends of lines, row by row: x0 at t = 0, x1 at t = 1, both (n, dim)."""

    x0: Tensor
    x1: Tensor


def rectify(
    v: VelocityField,
    draw: Callable[[], OrderedPairs],
    steps: int,
    lr: float = 5e-3,
    last: float = 1.0,
) -> History:
    """Minimise ∫₀¹ E ‖(X₁ - X₀) - v(X_t, t)‖² dt over the weights of v (eq. 1).

    Times are uniform from 0 to `last`. It goes on from the weights that v has.
    """

    def loss(x0: Tensor, x1: Tensor) -> Tensor:
        # At X_t = t X₁ + (1 - t) X₀, with a time for each row.
        return squared_misses(v, x0, x1, last=last).mean()

    return fit(v, loss, steps, draw, lr=lr)


def along(v: VelocityField, source: Base, solve: Solver | None = None) -> Flow:
    """Build the flow whose points move with v, from `source` at t = 0 to data at 1.

    Ten steps of a method of order 4 solve it, unless another solver is given.
    """
    return Flow(source, Continuous(v, FixedSteps(10) if solve is None else solve))


def rectified_flow(
    dim: int,
    hidden: Sequence[int] = (64, 64),
    solve: Solver | None = None,
    source: Base | None = None,
) -> Flow:
    """Build a flow whose velocity is a perceptron, by default with two layers of 64.

    The source is noise from N(0, I), unless another distribution is given: the paper
    also moves data to data. `rectify` trains its velocity, `flow.bijection.g`.
    """
    source = StandardNormal((dim,)) if source is None else source
    return along(TimeNetwork(dim, hidden, nn.SiLU), source, solve)


# %% [markdown]
# The best velocity is the mean direction of all lines that pass a point (eq. 2):
# $$v(x, t) = \mathbb{E}\,[X_1 - X_0 \mid X_t = x]$$
# Between a normal and a mixture of normals it has a closed form. Each normal of the
# mixture alone gives a velocity that is linear in $x$. They are weighted by how likely
# it is that $x$ is on the way to each. We use it as a yardstick for networks.


# %%
class MeanOfLines(VelocityField):
    """v(x, t) = E[X₁ - X₀ | X_t = x] (eq. 2), from N(0, I) to Gaussians of the plane.

    X₀ and X₁ are drawn on their own. It has no weights, and is exact.
    """

    def __init__(self, target: Mixture) -> None:
        super().__init__(2)
        self.target = target

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        t, sigmas = t.expand(z.shape[0], 1), self.target.sigmas
        # Where X₁ is of component k, X_t has mean t μ_k and this variance.
        variance = (t * sigmas).square() + (1 - t).square()
        away = z[:, None] - t[:, :, None] * self.target.means
        weights = (-away.square().sum(2) / (2 * variance) - variance.log()).softmax(1)
        slope = (t * sigmas.square() - (1 - t)) / variance
        return (
            weights[:, :, None] * (self.target.means + slope[:, :, None] * away)
        ).sum(1)


# %% [markdown]
# Check it in another way. The score $\nabla \log p_t$ of $X_t$ gives the mean of $X_0$
# at a point, so $v = (x + (1 - t) \nabla \log p_t(x)) / t$. Automatic differentiation
# finds the score. `check` stops the notebook when a number is not inside its bound; all
# checks are listed at the end.

# %%
if __name__ == "__main__":
    seed()
    exactly, t = MeanOfLines(eight_gaussians()).double(), torch.tensor(0.6).double()
    x = 2 * torch.randn(200, 2).double()
    at_t = deepcopy(exactly.target)
    at_t.means = t * at_t.means
    at_t.sigmas = ((t * at_t.sigmas).square() + (1 - t).square()).sqrt()
    x.requires_grad_()
    (score,) = torch.autograd.grad(at_t.log_prob(x).sum(), x)
    off = (exactly(t, x) - (x + (1 - t) * score) / t).abs().max().item()
    print(f"velocity, less that by the score: at most {off:.1g}")
    check("best velocity, less that by the score", off, below=1e-10)

# %% [markdown]
# Now train the first flow, on random pairs of noise and data. Both losses are measured
# on fresh pairs.

# %%
if __name__ == "__main__":
    seed()
    noise, steps = StandardNormal((2,)).to(device()), 1600

    def random_pairs(n: int = 512) -> OrderedPairs:
        """Draw noise and data, each on its own."""
        return OrderedPairs(noise.sample(n), target.sample(n))

    first = TimeNetwork(2, (64, 64, 64), nn.SiLU).to(device())
    rectify(first, random_pairs, steps)
    exact, fresh = MeanOfLines(target), random_pairs(100_000)
    with torch.no_grad():
        losses = [squared_misses(v, *fresh).mean().item() for v in (exact, first)]
    print("loss of the best velocity: {:.3f}; of the network: {:.3f}".format(*losses))
    check("loss of the first flow, over the least", losses[1] / losses[0], below=1.05)

# %% [markdown]
# The loss stays near 4, and that is no failure: it cannot fall below the spread of
# directions where lines cross.
#
# Paths of an equation never meet. Yet at each time the points of the flow are spread as
# those of the lines are (theorem 3.3): as many come to a place, with the same mean
# velocity. So the flow ends in the data. It only joins noise to other data.
#
# And it joins them better. Call $\mathbb{E}\,c(X_1 - X_0)$ the cost of pairs. For
# *every* convex $c$, the flow's pairs cost no more than the pairs it learned from
# (theorem 3.5).
#
# ## Again, on the flow's own pairs
#
# Carry noise along the flow, and keep each $Z_0$ with its $Z_1$. These pairs take the
# place of random ones (algorithm 1). The paper calls this *reflow*. Who belongs to whom
# is what the second flow learns: mixed up, the pairs would be random again.


# %%
@torch.no_grad()
def pairs_of(v: VelocityField, x0: Tensor, solve: Solver) -> OrderedPairs:
    """(Z₀, Z₁): each point with the one to which the flow carries it (algorithm 1).

    Errors of `solve` become part of what the next flow learns.
    """
    x1 = solve(v, x0, x0.new_tensor((0.0, 1.0)))[-1]
    return OrderedPairs(x0, x1)


def some(pairs: OrderedPairs, n: int) -> OrderedPairs:
    """Draw n of the pairs, each as a whole."""
    rows = torch.randint(len(pairs.x0), (n,), device=pairs.x0.device)
    return OrderedPairs(pairs.x0[rows], pairs.x1[rows])


def reflow(
    v: VelocityField, pairs: OrderedPairs, steps: int, last: float = 1.0
) -> VelocityField:
    """Return a copy of v that was trained further, on pairs that v made."""
    straighter = deepcopy(v)
    rectify(straighter, partial(some, pairs, 512), steps, last=last)
    return straighter


# %%
if __name__ == "__main__":
    seed()
    names, accurate = ("first flow", "second flow", "third flow"), FixedSteps(16)
    flows: list[VelocityField] = [first]
    own: list[OrderedPairs] = []
    for _ in range(2):
        own.append(pairs_of(flows[-1], noise.sample(10_000), accurate))
        flows.append(reflow(flows[-1], own[-1], 500))


# %%
@torch.no_grad()
def paths_of(v: VelocityField, x0: Tensor, n: int = 33) -> Tensor:
    """Return Z_t at n times from 0 to 1, of shape (n, batch, dim)."""
    times = torch.linspace(0, 1, n).to(x0)
    return FixedSteps(n - 1)(v, x0, times)


def draw_paths(ax: Axes, paths: Tensor, blue: Tensor, title: str, width: float) -> None:
    """Draw paths of shape (times, n, 2) and their ends, blue or orange."""
    for path, is_blue in zip(paths.cpu().unbind(1), blue.tolist(), strict=True):
        colour = BLUE if is_blue else ORANGE
        ax.plot(*path.T, color=colour, lw=1, alpha=0.7)
        ax.plot(*path[-1], ".", color=colour, markersize=5)
    limits = (-width, width)
    ax.set(xlim=limits, ylim=limits, aspect="equal", title=title)
    ax.axis("off")


# %% Lines of random pairs, paths of two flows, and single steps tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, box=target.box)
    few, ends = random_pairs(70)
    ways = {
        "random pairs": torch.stack((few, ends)),
        "first flow": paths_of(first, few),
        "second flow": paths_of(flows[1], few),
    }
    look = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.01}
    for ax, (title, paths) in zip(axes, ways.items(), strict=True):
        draw_paths(ax, paths, paths[-1, :, 0] > 0, title, 3.2)
    for ax, v in zip(axes[1:], flows, strict=False):
        with torch.no_grad():
            step = v(few.new_zeros(()), few[:9]).cpu()
        ax.quiver(*few[:9].cpu().T, *step.T, color=PURPLE, zorder=3, **look)
    show(
        fig,
        "Left, straight lines from noise in the middle to eight spots on a circle: "
        "those to the right half are blue, the others orange, and they cross. Middle, "
        "paths of the first flow bend and do not cross; purple arrows of one step all "
        "end near the centre. Right, paths of the second flow look straight, and "
        "arrows end where paths do.",
    )

# %% [markdown]
# One step of the first flow goes to $z + v(z, 0)$. At time 0 nothing is known of the
# line's other end. So the best velocity is $\mathbb{E}[X_1] - z$, and *every* step ends
# in the mean of the data. Longer training cannot help.
#
# ## What crossings and bends cost
#
# Paths that look straight may not be. So measure them:
# $$S = \int_0^1 \mathbb{E}\, \big\| (Z_1 - Z_0) - v(Z_t, t) \big\|^2\, dt$$
# $S$ is 0 when paths are straight, at one speed. Let $V$ be the least value of the
# loss: the spread of directions where lines cross. Then
# $$\mathbb{E}\|X_1 - X_0\|^2 = \mathbb{E}\|Z_1 - Z_0\|^2 + S + V$$
# The reason is Pythagoras, used twice. Directions are their mean and a spread, so the
# left side is $\int \mathbb{E}\|v(X_t, t)\|^2 dt + V$. Points of the flow are spread as
# $X_t$ is, so $v(Z_t, t)$ may stand there. Along a path, velocities are *their* mean,
# $Z_1 - Z_0$, and a spread, $S$.
#
# So all that a round saves was spent on crossings and bends. Over $K$ rounds, savings
# add up to no more than the first cost. Some round has at most a $K$-th of it left in
# $S + V$ (theorem 3.7).


# %%
class CostBudget(NamedTuple):
    """Where the cost of pairs goes: before = after + bends + crossings."""

    before: float
    after: float
    bends: float
    crossings: float


@torch.no_grad()
def budget(v: VelocityField, pairs: OrderedPairs, solve: Solver) -> CostBudget:
    """E‖X₁ - X₀‖², E‖Z₁ - Z₀‖², S and V, as measured on these pairs.

    They add up where v is the best velocity for such pairs, but for errors of sampling
    and of `solve`. The energy of a path is ‖Z₁ - Z₀‖² and its share of S.
    """
    end, energy = travel(v, pairs.x0, solve)
    before = (pairs.x1 - pairs.x0).square().sum(1).mean().item()
    after = (end - pairs.x0).square().sum(1).mean().item()
    crossings = squared_misses(v, *pairs).mean().item()
    return CostBudget(before, after, energy.mean().item() - after, crossings)


# %% [markdown]
# Check this where the answer is known. Between two standard normals of the plane, the
# best velocity brings each point back to where it was. Cost falls from 4 to 0,
# $S = 4 - \pi$ and $V = \pi$.

# %%
if __name__ == "__main__":
    seed()
    normal = Mixture([(0.0, 0.0)], [1.0], 1 + math.log(2 * math.pi), target.box)
    v = MeanOfLines(normal).to(device())
    same = OrderedPairs(noise.sample(50_000), noise.sample(50_000))
    found = budget(v, same, accurate)
    print("before {:.2f} = after {:.2f} + S {:.2f} + V {:.2f}".format(*found))
    check("two normals: cost of the flow's pairs", found.after, below=1e-6)
    check("two normals: S, less 4 - π", abs(found.bends - 4 + math.pi), below=0.02)
    check("two normals: V, less π", abs(found.crossings - math.pi), below=0.1)

# %% [markdown]
# And for the flows on eight Gaussians. Each is measured on fresh pairs of the one
# before it.

# %%
if __name__ == "__main__":
    seed()
    given = [random_pairs(6000)]
    given += [pairs_of(v, noise.sample(6000), accurate) for v in flows[:2]]
    budgets = [
        budget(v, pairs, accurate) for v, pairs in zip(flows, given, strict=True)
    ]
    best = budget(exact, given[0], accurate)
    rows = [
        (name, *(f"{each:.4f}" for each in (*b, sum(b[1:]))))
        for name, b in zip(("best first flow", *names), (best, *budgets), strict=True)
    ]
    parts = ("cost before", "cost after", "S", "V", "the three together")
    table(("", *parts), rows)
    sums = [sum(b[1:]) / b.before for b in (best, *budgets)]
    # Costs of other kinds: lengths, their squares, and their fourth powers.
    lengths = [(x1 - x0).norm(dim=1) for x0, x1 in given[:2]]
    means = {p: [(each**p).mean().item() for each in lengths] for p in (1, 2, 4)}
    straighter = budgets[1].bends / budgets[0].bends

# %% The cost of pairs, and what a round saves tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.0)
    at, floor = torch.arange(1, 4), torch.zeros(3)
    heights = torch.tensor(budgets)
    looks = {"cost before": GREY, "cost after": BLUE, "S: bends": ORANGE}
    looks |= {"V: crossings": GREEN}
    for k, (name, colour) in enumerate(looks.items()):
        side = 0.19 if k else -0.19
        axes[0].bar(at + side, heights[:, k], 0.36, floor, color=colour, label=name)
        floor = floor + heights[:, k] if k else floor
        if k > 1:
            axes[1].semilogy(at, heights[:, k], ".-", color=colour, label=name[0])
    axes[0].set(title="cost before, and where it goes", xlabel="flow")
    axes[1].set(title="bends and crossings", xlabel="flow")
    for ax in axes:
        ax.set_xticks(at.tolist())
    legend(axes[0])
    label_lines(axes[1])
    show(
        fig,
        "Left, for each of three flows a bar of the cost before, and beside it a bar "
        "of the same height, stacked from three parts. The first is mostly crossings, "
        "then bends. The other two are nearly all cost after. "
        "Right, on a logarithmic axis, bends and crossings fall from the first flow to "
        "the third, most of it in the first round.",
    )

# %% [markdown]
# Nearly all is saved in the first round. The paper says the same: one reflow is usually
# enough.
#
# ## One step
#
# On straight paths, one step of Euler's method is exact. We measure samples by $W_2^2$:
# the mean squared distance to as many points of data, where each goes to one of its own
# at least cost. It is above 0 for perfect samples, too: a dotted line shows what
# another sample of the data gives. Reflow can reach what the first flow reaches in many
# steps, and no more.

# %%
if __name__ == "__main__":
    seed()
    trials = [(noise.sample(500), target.sample(500)) for _ in range(4)]

    def apart_from_data(move: Callable[[Tensor], Tensor]) -> float:
        """Mean W₂² between 500 points that `move` makes of noise, and of data."""
        with torch.no_grad():
            found = [squared_wasserstein(move(z), x) for z, x in trials]
        return sum(found) / len(found)

    def ends_of(v: VelocityField, steps: int, z: Tensor) -> Tensor:
        """Where z is after so many steps of Euler's method."""
        return pairs_of(v, z, FixedSteps(steps, "euler")).x1

    counts = (1, 2, 4, 8)
    another = apart_from_data(lambda z: target.sample(len(z)))
    apart_by = {
        name: [apart_from_data(partial(ends_of, v, n)) for n in counts]
        for name, v in zip(names, flows, strict=True)
    }
    solved = apart_from_data(lambda z: pairs_of(first, z, accurate).x1)
    in_one_step = {name: found[0] / solved for name, found in apart_by.items()}
    of_best = apart_from_data(partial(ends_of, exact, 1)) / another

# %% Distance to the data, by steps tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(width=4.8)
    for name, found in apart_by.items():
        axes[0].loglog(counts, found, ".-", label=name)
    axes[0].axhline(another, color=GREY, lw=0.8, ls=":", label="other data")
    axes[0].set(title="squared distance to the data", xlabel="steps of Euler's method")
    axes[0].set_xticks(counts, [str(n) for n in counts])
    axes[0].set_xticks([], minor=True)
    label_lines(axes[0])
    show(
        fig,
        "The distance of the first flow starts far above the others and falls to "
        "theirs with 8 steps. The second and the third flow are as near to the data in "
        "one step as in more, close to the dotted line of other data.",
    )

# %% Samples in many steps, and in one tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, box=target.box)
    z = noise.sample(1000)
    shown = {
        "the data": target.sample(1000),
        "first, 8 steps": ends_of(first, 8, z),
        "first, 1 step": ends_of(first, 1, z),
        "second, 1 step": ends_of(flows[1], 1, z),
    }
    for ax, (title, points) in zip(axes, shown.items(), strict=True):
        scatter(ax, points, target.box, title)
    show(
        fig,
        "Four clouds of points. The data and 8 steps of the first flow are eight "
        "spots. One step of the first flow is one spot in the middle. One step of the "
        "second flow is eight spots again, with some points between them.",
    )

# %% [markdown]
# ### A last polish
#
# If only one step is ever taken, only $v(z, 0)$ matters. So train it alone: the same
# loss on the flow's pairs, at time 0 only (§2.2, *distillation*). We distil the first
# and the second flow, each on its own pairs.

# %%
if __name__ == "__main__":
    seed()
    off_by, rows, z = {}, [], noise.sample(5000)
    for name, v, pairs in zip(names, flows, own, strict=False):
        one_step = reflow(v, pairs, 400, last=0.0)
        misses = pairs_of(v, z, accurate).x1 - ends_of(one_step, 1, z)
        off_by[name] = misses.square().sum(1).mean().item()
        distance = apart_from_data(partial(ends_of, one_step, 1))
        rows.append(
            (name, f"{apart_by[name][0]:.3f}", f"{distance:.3f}", f"{off_by[name]:.4f}")
        )
    rows.append(("other data", f"{another:.3f}", "", ""))
    harder = off_by["first flow"] / off_by["second flow"]
    heads = ("one step", "distilled", "distilled: squared error against its flow")
    table(("distance to the data", *heads), rows)

# %% [markdown]
# On this plane even the first flow can be distilled. But its one step misses its own
# flow by more: a map along bent paths is harder to learn. On images that decides.
#
# ## What it does not buy
#
# Reflow learns from its own samples, never from data. So it repairs paths, not
# densities: errors of each round are copied and new ones are added. The gap to the
# truth, in nats:

# %%
if __name__ == "__main__":
    seed()
    gaps = [kl_to(target, along(v, noise), 2000) for v in flows]
    told = [(name, f"{gap:.3f}") for name, gap in zip(names, gaps, strict=True)]
    table(("", "gap in nats"), told)

# %% [markdown]
# ## From data to data
#
# Nothing asks that $X_0$ be noise. Take eight Gaussians as the source, and two moons as
# the data. The same functions do it.

# %%
if __name__ == "__main__":
    seed()
    moons = TwoMoons().to(device())
    few_steps = 400
    transfer = rectified_flow(2, (64, 64, 64), source=target).to(device())
    assert isinstance(transfer.bijection, Continuous)
    v1 = transfer.bijection.g

    def both(n: int = 512) -> OrderedPairs:
        """Draw from both data sets, each on its own."""
        return OrderedPairs(target.sample(n), moons.sample(n))

    rectify(v1, both, few_steps)
    v2 = reflow(v1, pairs_of(v1, target.sample(10_000), accurate), few_steps)
    sources = [both(3000), pairs_of(v1, target.sample(3000), accurate)]
    moved = [budget(v, p, accurate) for v, p in zip((v1, v2), sources, strict=True)]

# %% From eight Gaussians to two moons tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, box=target.box)
    few, ends = both(100)
    ways = {
        "random pairs": torch.stack((few, ends)),
        "first flow": paths_of(v1, few),
        "second flow": paths_of(v2, few),
    }
    for ax, (title, paths) in zip(axes, ways.items(), strict=True):
        nearest = torch.cdist(paths[-1], moons.nodes).argmin(1)
        draw_paths(ax, paths, nearest < len(moons.nodes) // 2, title, 2.9)
    show(
        fig,
        "Paths from eight spots on a circle to two moons inside it, blue to the upper "
        "moon and orange to the lower one. Lines of random pairs cross everywhere. "
        "Paths of the first flow bend near their ends. Those of the second are "
        "straight, and none of the two flows' paths cross at one time.",
    )

# %% [markdown]
# ## Straight is not shortest
#
# On a line, straight paths join points in their order, and no pairs cost less. In the
# plane that is not so (§3.4). Turn all noise by a quarter: $X_1 = R X_0$. The lines
# cross in a picture, yet never at one time. So the flow follows them exactly, with
# $v(x, t) = (R - I)\,((1 - t) I + t R)^{-1} x$, and $S = V = 0$. Reflow returns the
# same pairs, for ever. But noise that is turned is noise: to stay in place would cost
# nothing.


# %%
class QuarterTurn(VelocityField):
    """v(x, t) = (R - I) ((1 - t) I + t R)⁻¹ x, where R turns the plane by 90°."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        # A point of the plane as a complex number: R is multiplication by i.
        t = t.expand(z.shape[0], 1)[:, 0]
        x = torch.view_as_complex(z.contiguous())
        return torch.view_as_real((1j - 1) * x / (1 - t + 1j * t))


# %%
if __name__ == "__main__":
    seed()
    x0 = noise.sample(1000)
    turned = OrderedPairs(x0, torch.stack((-x0[:, 1], x0[:, 0]), 1))
    found = budget(QuarterTurn(), turned, accurate)
    to_stay = squared_wasserstein(turned.x1, noise.sample(1000))
    off = (ends_of(QuarterTurn(), 1, x0) - turned.x1).abs().max().item()
    print("before {:.2f} = after {:.2f} + S {:.2f} + V {:.2f}".format(*found))
    print(f"least cost between such samples: {to_stay:.2f}")
    check("a quarter turn: S and V", abs(found.bends) + found.crossings, below=1e-4)
    check("a quarter turn: one step, less the end of the path", off, below=1e-5)
    check("a quarter turn: cost, over the least", found.after / to_stay, above=20)

# %% [markdown]
# ## What the paper claims, and what holds
#
# The paper claims that reflow straightens paths, that pairs get no more costly, and
# that one step is then enough. All three hold here.

# %%
if __name__ == "__main__":
    claim(
        "After one reflow, paths have {} of the bends S that they had",
        straighter,
        below=0.05,
    )
    claim(
        "Cost after, bends and crossings add up to {} of the cost of random pairs",
        sums[1],
        above=0.95,
        below=1.05,
    )
    claim(
        "One step of the second flow is {} times as far from the data as the first "
        "flow, solved accurately",
        in_one_step["second flow"],
        below=1.5,
    )
    check("first flow: one step, over many", in_one_step["first flow"], above=5)
    check("best first flow: one step, over other data", of_best, above=10)
    check(
        "third flow: one step, over the first solved",
        in_one_step["third flow"],
        below=1.5,
    )
    check(
        "first flow, solved accurately, over other data",
        solved / another,  # pyright: ignore[reportOperatorIssue]
        below=4,
    )
    check(
        "best velocity: the three parts over the cost", sums[0], above=0.95, below=1.05
    )
    check("second flow: the three parts over the cost", sums[2], above=0.9, below=1.1)
    check("third flow: the three parts over the cost", sums[3], above=0.9, below=1.1)
    for p, (before, after) in means.items():
        told = f"mean of lengths to the power {p}, the flow's over random"
        check(told, after / before, below=0.6)
    for name, b in zip(names[1:], budgets[1:], strict=True):
        check(f"{name}: cost after over before", b.after / b.before, below=1.05)
    check("distilled: error of the first flow over the second", harder, above=1.2)
    check(
        "moons: bends of the second flow over the first",
        moved[1].bends / moved[0].bends,
        below=0.2,
    )

# %%
if __name__ == "__main__":
    all_checks("rectified_flow")

# %% [markdown]
# Reported and obtained. FID is a distance between images; lower is better.
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | bends and cost, by round | both fall (Figure 3d) | both fall | most in one round |
# | one step, distilled | FID 6.18, 4.85, 5.21 | all near the data | easier data |
# | many steps | FID 2.58, 3.36, 3.96 | gaps grow a little | errors add up |
# | velocity of toys | a kernel, or 2 layers of 64 | 3 layers | nearer to the best |
# | images | CIFAR-10 and others | not run | two minutes |
#
# ## Three things to remember
#
# 1. Learn directions of straight lines. Where they cross, the flow joins noise to other
#    data, at less cost.
# 2. What a round saves is what crossings and bends cost: before = after + $S$ + $V$.
# 3. On its own pairs, in order, a flow becomes straight, and one step is enough. Its
#    density becomes no better.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. Pairs out of order.** Mix up the rows of $Z_1$. Both ends still have the right
# densities. Does reflow still straighten?
#
# ```diff
# - return OrderedPairs(x0, x1)
# + return OrderedPairs(x0, x1[torch.randperm(len(x1))])
# ```
#
# <details><summary>Answer</summary>
#
# No. The pairs are random again, and cost as much as those of the first round. The
# second flow is the first one, trained longer.
#
# </details>
#
# **2. Ends exchanged.** Give the loss data for noise, and noise for data. What does the
# flow learn?
#
# ```diff
# - return squared_misses(v, x0, x1, last=last).mean()
# + return squared_misses(v, x1, x0, last=last).mean()
# ```
#
# <details><summary>Answer</summary>
#
# The way back. At $1 - t$ its velocity is minus what it should be at $t$. Solved from
# noise at $t = 0$, it ends in no data.
#
# </details>
#
# **3. Pairs by one step.** Make the pairs with one step of Euler's method. Is the
# second flow straight?
#
# ```diff
# - x1 = solve(v, x0, x0.new_tensor((0.0, 1.0)))[-1]
# + x1 = FixedSteps(1, "euler")(v, x0, x0.new_tensor((0.0, 1.0)))[-1]
# ```
#
# <details><summary>Answer</summary>
#
# Perfectly straight, and useless: all pairs end in the mean of the data. $S$ says how
# straight paths are, not where they lead. So pairs need an accurate solver.
#
# </details>
#
# ## What to read next
#
# - [Neural ODEs](neural_ode.ipynb) are flows in continuous time, trained by their
#   likelihood.
# - [The review](flows_review.ipynb) sets continuous flows beside six others.
# - [Flow matching](flow_matching.ipynb) came to the same loss a month
#   later, from densities, and asks which paths to choose.
# - [OT-CFM](ot_cfm.ipynb) pairs each batch
#   well before training, where reflow pairs after it.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    ticks = torch.linspace(-1, 1, 61)
    for k in range(4):
        steep, gap = 0.55 + 0.13 * k, 0.1 + 0.09 * k
        for side, colour in ((1, BLUE), (-1, ORANGE)):
            ax.plot(ticks, side * steep * ticks, color=GREY, lw=1.2, alpha=0.6)
            turned = side * torch.hypot(steep * ticks, gap * (1 - ticks**2))
            ax.plot(ticks, turned, color=colour, lw=4)
            ax.plot(ticks[[0, -1]], turned[[0, -1]], ".", color=colour, markersize=20)
    thumbnail(
        fig,
        "Thin grey lines cross in the middle. Over them, thick blue curves come from "
        "above and turn back up, and orange ones come from below and turn back down.",
    )
