# %% [markdown]
# # OT-CFM: short pairs make straight paths
#
# [Flow matching](flow_matching.ipynb) draws lines from noise to data, and learns their
# mean velocity. It pairs the ends at random, so lines cross (left). Where they cross, a
# point follows their mean. So paths bend, and the loss stays high.
#
# Tong et al. ([2023](https://arxiv.org/abs/2302.00482)) pair the points of each batch
# by *optimal transport*: with the least total of squared distances (right). One line of
# code changes.
#
# The loss becomes many times lower, and paths nearly straight. One step of a solver
# gives good samples. Any data may take the place of noise. There is a price: each batch
# needs a plan.

# %%
"""Conditional flow matching with minibatch optimal transport (Tong et al., 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from time import process_time
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.functional import jvp

from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, diagram, disc, line, words
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Base, Flow, StandardNormal
from implementations.core.matching import Moving, Path, squared_misses
from implementations.core.matching import line as straight
from implementations.core.odes import FixedSteps, Solver, TimeNetwork, VelocityField
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    figure,
    label_lines,
    levels,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import Mixture, TwoMoons, kl_to
from implementations.core.transport import assignment, squared_wasserstein, travel
from implementations.neural_ode import Continuous


# %%
def ring() -> Mixture:
    """Eight Gaussians around two moons: the paper's data, three times smaller."""
    angles, r = [k * math.pi / 4 for k in range(8)], 5 / 3
    places = [(0.5 + r * math.cos(a), 0.25 + r * math.sin(a)) for a in angles]
    return Mixture(places, [0.187] * 8, 1.562132, (-2.2, 3.2, -2.45, 2.95))


# %% One batch: pairs at random, and optimal pairs tags=["plot"]
if __name__ == "__main__":
    seed()
    source, moons = ring().to(device()), TwoMoons().to(device())
    x0, x1, view = source.sample(64), moons.sample(64), (-1.9, 2.9, -2.1, 2.6)
    orders = {"at random": torch.arange(64), "optimal": assignment(x0, x1)}
    fig, axes = figure(columns=2, width=6.4, box=view)
    for ax, (title, order) in zip(axes, orders.items(), strict=True):
        for start, end in zip(x0.tolist(), x1[order].tolist(), strict=True):
            ax.plot(*zip(start, end, strict=True), color=GREY, lw=0.8)
        for points, colour in ((x0, BLUE), (x1, ORANGE)):
            ax.plot(*points.T.cpu(), ".", color=colour, markersize=5)
        ax.set(xlim=view[:2], ylim=view[2:], aspect="equal", title=title)
        ax.axis("off")
    show(
        fig,
        "Twice the same 64 blue points on a ring of eight clouds and 64 orange points "
        "on two moons, joined by lines. On the left the lines are long and cross "
        "everywhere. On the right they are short and run side by side.",
    )

# %% [markdown]
# ## The idea in one picture

# %% What regression learns where two lines cross, and where they do not tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(columns=2, width=3.4, height=2.3)
    for ax, crossing in zip(axes, (True, False), strict=True):
        words(ax, (1.7, 2.1), "pairs at random" if crossing else "optimal pairs")
        for k, y in enumerate((1.6, 0.6)):
            start, end = (0.4, y), (3.0, y)
            line(ax, [start, (3.0, (0.6, 1.6)[k]) if crossing else end], GREY)
            disc(ax, start, "", BLUE, 0.07)
            disc(ax, end, "", ORANGE, 0.07)
        words(ax, (0.4, 1.12), "$x_0$", BLUE)
        words(ax, (3.0, 1.12), "$x_1$", ORANGE)
        if crossing:
            arrow(
                ax, (1.7, 1.1), (2.45, 1.1), "$v$: the mean", GREEN, beside=(-0.4, 0.45)
            )
        else:
            for y in (1.6, 0.6):
                arrow(ax, (1.4, y), (2.2, y), "$v$", GREEN)
        told = "the loss keeps a floor" if crossing else "the loss can vanish"
        words(ax, (1.7, 0.2), told)
    show(
        fig,
        "Left, two lines from two starts to two ends cross; at the crossing an arrow "
        "points along neither, but between them. Right, the same points with the other "
        "pairs: the lines are parallel, and an arrow lies on each.",
    )

# %% [markdown]
# The field $v$ has one velocity at each place and time. Where two lines meet, it learns
# their mean. What differs from the mean stays in the loss. Lines of optimal pairs never
# meet at the same time: with their ends exchanged, they would be shorter. So each keeps
# its own velocity.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $x_0$, $x_1$ | `x0`, `x1` | a point of the source at time 0, and of the data at 1 |
# | $\pi$ | `Pairs`, `plan` | which $x_0$ goes with which $x_1$ (the paper's $q(z)$) |
# | $v$, $u_t$ | `g`, `velocity` | the velocity that is learned, and that of one path |
# | $\sigma$ | `sigma` | how far a path is blurred |
#
# `forward` goes from data to the source: from $t = 1$ to 0. The paper goes from the
# source to data.
#
# ## Any two ends will do
#
# Take a pair $z = (x_0, x_1)$, by any rule. Its path is a narrow Gaussian that moves
# from one end to the other (eq. 14 and 15):
# $$p_t(x \mid z) = N(x;\, (1-t)\,x_0 + t\,x_1,\, \sigma^2 I),\qquad
# u_t(x \mid z) = x_1 - x_0$$
# The mean velocity of all paths that pass $x$ carries the source to the data
# (theorem 3.1). Regression on single paths finds it (theorem 3.2):
# $$L = \mathbb{E}\, \lVert v(t, x_t) - u_t(x_t \mid z) \rVert^2$$
# So the source need not be Gaussian. It can be a second data set, of unknown density.


# %%
@dataclass(frozen=True)
class Tube:
    """x_t ~ N((1 - t) x₀ + t x₁, σ² I), of velocity x₁ - x₀ (eq. 14, 15).

    A `Path` of `core.matching`. The paper's data are three times as wide as ours, and
    its σ is 0.1.
    """

    sigma: float = 0.03

    def __call__(self, t: Tensor, x0: Tensor, x1: Tensor) -> Moving:
        point, velocity = straight(t, x0, x1)
        return Moving(point + self.sigma * torch.randn_like(point), velocity)


# %% [markdown]
# Pairs at random make I-CFM of it: I is for independent. With $\sigma = 0$, that is the
# first step of [rectified flow](rectified_flow.ipynb).
#
# ## Pairs by a plan
#
# Two problems have one answer. The first asks for pairs, the second for a velocity that
# carries the source to the data:
# $$W_2^2 = \min_\pi\, \mathbb{E}_\pi \lVert x_1 - x_0 \rVert^2
# = \min_v \int_0^1 \mathbb{E}\, \lVert v(t, x_t) \rVert^2\, dt$$
# The integral is the *path energy*. Take the pairs that solve the first problem
# (eq. 17). As $\sigma \to 0$, the mean velocity solves the second (proposition 3.4).
#
# A plan for all data would be too large. So each batch gets its own. Between two
# batches of $n$ points, an optimal plan is an order. SciPy finds it.


# %%
class Pairs(Protocol):
    """Two batches of one shape, (n, dim) → the same batches, row by row in pairs."""

    def __call__(self, x0: Tensor, x1: Tensor, /) -> tuple[Tensor, Tensor]: ...


def independent(x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
    """The pairs as they were drawn: q(z) = q(x₀) q(x₁) (I-CFM)."""
    return x0, x1


def optimal(x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
    """The pairs of least Σ ‖x₁ - x₀‖² in this batch (eq. 17).

    Each point stays in one pair. Labels of x1 must move with it.

    Raises:
        ValueError: when the shapes differ.
    """
    order = assignment(x0, x1)
    return x0, x1[order]


def in_parts(size: int, pairs: Pairs = optimal) -> Pairs:
    """Make pairs within parts of `size` rows each; with parts of 1, at random."""

    def within(x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
        parts = zip(x0.split(size), x1.split(size), strict=True)
        starts, ends = zip(*(pairs(*part) for part in parts), strict=True)
        return torch.cat(starts), torch.cat(ends)

    return within


# %% [markdown]
# Check that all points are still there, and that no order of six points is cheaper. The
# first is not enough: until 2026, a library gave the order of $x_1$ to $x_0$
# ([mended](https://github.com/atong01/conditional-flow-matching/pull/178)).

# %%
if __name__ == "__main__":
    seed()
    x0, x1 = source.sample(6), moons.sample(6)
    least = min(
        (x1[list(p)] - x0).square().sum().item() for p in permutations(range(6))
    )
    found = optimal(x0, x1)
    more = (found[1] - found[0]).square().sum().item() - least
    lost = max(
        (each.sort(0).values - kept.sort(0).values).abs().max().item()
        for each, kept in zip(found, (x0, x1), strict=True)
    )
    print(f"cost above the least: {more:.1g}; points that changed: {lost:.1g}")
    check("optimal pairs: cost, less the least of all orders", more, below=1e-4)
    check("optimal pairs: points that are not those of the batch", lost, below=1e-6)


# %% [markdown]
# ## The model and its training
#
# The model is a continuous flow, as in [neural ODEs](neural_ode.ipynb) and
# [FFJORD](ffjord.ipynb). Those are trained by their likelihood. Here, training solves
# no equation and needs no trace.


# %%
def ot_cfm(
    dim: int,
    hidden: Sequence[int] = (64, 64, 64),
    base: Base | None = None,
    solve: Solver | None = None,
) -> Flow:
    """Build a continuous flow, its velocity a perceptron of x and t (the paper's 2-D).

    `base` is the source: a standard normal unless another is given.
    Eight steps of a method of order 4 solve it, unless another solver is given.
    """
    source = StandardNormal((dim,)) if base is None else base
    solve = FixedSteps(8) if solve is None else solve
    return Flow(source, Continuous(TimeNetwork(dim, hidden, nn.SELU), solve))


def velocity(flow: Flow) -> VelocityField:
    """The field of a continuous flow."""
    assert isinstance(flow.bijection, Continuous)
    return flow.bijection.g


def learn(
    flow: Flow,
    data: Callable[[int], Tensor],
    pairs: Pairs,
    path: Path,
    steps: int = 600,
    batch: int = 128,
) -> History:
    """Regress the flow's velocity on paths between pairs of its base and `data`."""
    g = velocity(flow)

    def draw() -> tuple[Tensor, Tensor]:
        return pairs(flow.base.sample(batch), data(batch))

    def loss(x0: Tensor, x1: Tensor) -> Tensor:
        return squared_misses(g, x0, x1, path).mean()

    return fit(flow, loss, steps, draw, lr=5e-3)


# %% [markdown]
# ## Eight Gaussians become two moons
#
# Two flows learn in as many steps, with pairs at random and with optimal pairs. A plan
# takes time, too. So a third flow has pairs at random and twice as many steps.

# %%
if __name__ == "__main__":
    TRAINED = {
        "at random": (independent, 600),
        "at random, longer": (independent, 1200),
        "optimal": (optimal, 600),
    }
    flows, losses, seconds = {}, {}, {}
    for name, (pairs, steps) in TRAINED.items():
        seed()
        flows[name] = ot_cfm(2, base=ring(), solve=FixedSteps(10)).to(device())
        began = process_time()
        losses[name] = learn(flows[name], moons.sample, pairs, Tube(), steps).loss
        seconds[name] = process_time() - began


# %% [markdown]
# We measure processor time and the last loss. On 600 fresh points, we measure how far
# the path energy is from $W_2^2$, and how far from the data Euler's method ends, in
# $W_2$. Two samples of the moons are apart, too: that is the floor.


# %%
class Trip(NamedTuple):
    """A path energy, and W₂ to the data after some numbers of Euler steps."""

    energy: float
    distances: list[float]


def trip(flow: Flow, x0: Tensor, x1: Tensor, counts: Sequence[int]) -> Trip:
    """Carry x0 to the data x1, both of shape (n, dim), by so many steps each time."""
    g, distances = velocity(flow), []
    for steps in counts:
        end = travel(g, x0, FixedSteps(steps, "euler")).end
        distances.append(squared_wasserstein(end, x1) ** 0.5)
    return Trip(travel(g, x0, FixedSteps(20)).energy.mean().item(), distances)


# %%
if __name__ == "__main__":
    seed()
    starts, ends, counts = source.sample(600), moons.sample(600), (1, 2, 4, 10, 50)
    least = squared_wasserstein(starts, ends)
    floor = squared_wasserstein(moons.sample(600), ends) ** 0.5
    trips = {name: trip(flow, starts, ends, counts) for name, flow in flows.items()}
    left = {name: sum(loss[-100:]) / len(loss[-100:]) for name, loss in losses.items()}
    off = {name: abs(each.energy - least) / least for name, each in trips.items()}
    rows = [
        (
            name,
            f"{seconds[name]:.0f}",
            f"{left[name]:.3f}",
            f"{each.energy:.2f}",
            f"{off[name]:.2f}",
            *(f"{distance:.2f}" for distance in each.distances),
        )
        for name, each in trips.items()
    ]
    header = ("pairs", "seconds", "loss", "energy", "off $W_2^2$ by", "$W_2$ after 1")
    table((*header, *(f"{steps}" for steps in counts[1:])), rows)
    print(f"W₂² from source to data: {least:.2f}; two samples of moons: {floor:.2f}")

# %% Losses, and the distance to the data after Euler steps tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=6.4)
    for name in ("at random", "optimal"):
        smooth = torch.tensor(losses[name]).unfold(0, len(losses[name]) // 40 or 1, 10)
        steps = torch.linspace(0, len(losses[name]), len(smooth))
        axes[0].semilogy(steps, smooth.mean(1), label=name)
        axes[1].semilogx(counts, trips[name].distances, ".-", label=name)
    levels(axes[1], {"floor": floor})
    axes[0].set(title="loss", xlabel="training steps")
    axes[1].set(title="$W_2$ to the moons", xlabel="Euler steps", ylim=(0, None))
    axes[1].set_xticks(counts, [str(steps) for steps in counts])
    for ax in axes:
        label_lines(ax)
    show(
        fig,
        "Left, on a logarithmic axis, the loss with pairs at random stays high, and "
        "with optimal pairs it falls far lower. Right, the distance with pairs at "
        "random falls slowly with the number of steps; with optimal pairs it is near "
        "the floor after one.",
    )

# %% Paths, and where one Euler step ends tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, box=view)
    for k, name in enumerate(("at random", "optimal")):
        g, times = velocity(flows[name]), torch.linspace(0, 1, 21).to(starts)
        with torch.no_grad():
            paths = FixedSteps(20)(g, starts[:80], times).cpu()
        one = travel(g, starts, FixedSteps(1, "euler")).end.cpu()
        for path in paths.unbind(1):
            axes[k].plot(*path.T, color=GREY, lw=0.8)
        axes[k].plot(*paths[0].T, ".", color=BLUE, markersize=4)
        axes[k].plot(*paths[-1].T, ".", color=ORANGE, markersize=4)
        axes[2 + k].plot(*one.T, ".", color=ORANGE, markersize=1.5)
        axes[k].set_title(f"paths, {name}")
        axes[2 + k].set_title(f"one step, {name}")
    for ax in axes:
        ax.set(xlim=view[:2], ylim=view[2:], aspect="equal")
        ax.axis("off")
    show(
        fig,
        "Four panels in the same axes. Paths after pairs at random run to the middle "
        "first and turn there; those after optimal pairs are short and straight. One "
        "Euler step after pairs at random ends in a blot in the middle; after optimal "
        "pairs it ends in eight heaps along the two moons.",
    )

# %% [markdown]
# After 50 Euler steps, the three differ little. None is quite on the moons: after so
# short a training, eight heaps can still be seen. The plan straightens paths. Longer
# training does not.
#
# ## What shorter pairs buy
#
# The best $v$ is a mean of $x_1 - x_0$. So squares add up, as in Pythagoras' theorem:
# $$\mathbb{E} \lVert x_1 - x_0 \rVert^2
# = \int_0^1 \mathbb{E} \lVert v \rVert^2 dt + \min L$$
# The squared length of pairs is the path energy plus the floor of the loss. Shorter
# pairs leave less for both. How large must a plan be? We cut each batch of 128 into
# parts, and pair within each. Parts of one are pairs at random.


# %%
class PairBudget(NamedTuple):
    """E‖x₁ - x₀‖² of pairs, the loss of a flow on them, and its path energy."""

    length: float
    loss: float
    energy: float


@torch.no_grad()
def budget(
    flow: Flow,
    data: Callable[[int], Tensor],
    pairs: Pairs,
    path: Path,
    batches: int = 16,
    batch: int = 128,
) -> PairBudget:
    """Measure the three on fresh batches; the first is about the sum of the others."""
    drawn = [pairs(flow.base.sample(batch), data(batch)) for _ in range(batches)]
    x0, x1 = (torch.cat(each) for each in zip(*drawn, strict=True))
    length = (x1 - x0).square().sum(1).mean().item()
    loss = squared_misses(velocity(flow), x0, x1, path).mean().item()
    energy = travel(velocity(flow), x0, FixedSteps(20)).energy.mean().item()
    return PairBudget(length, loss, energy)


# %%
if __name__ == "__main__":
    sizes, budgets = (1, 4, 16, 128), {}
    for part in sizes:
        seed()
        pairs = in_parts(part)
        if part in (1, 128):
            q = flows["at random" if part == 1 else "optimal"]
        else:
            q = ot_cfm(2, base=ring()).to(device())
            learn(q, moons.sample, pairs, Tube())
        budgets[part] = budget(q, moons.sample, pairs, Tube())
    unbalanced = max(
        abs(b.energy + b.loss - b.length) / b.length for b in budgets.values()
    )
    check("budget: energy and loss, off the length by", unbalanced, below=0.1)

# %% What pairs cost, by the size of a plan tags=["plot"]
if __name__ == "__main__":
    fig, (ax,) = figure(height=2.8)
    energies = [budgets[part].energy for part in sizes]
    floors = [budgets[part].loss for part in sizes]
    places = range(len(sizes))
    ax.bar(places, energies, 0.7, color=BLUE)
    ax.bar(places, floors, 0.7, energies, color=ORANGE)
    ax.plot(places, [budgets[part].length for part in sizes], "_", color=GREY, ms=24)
    levels(ax, {"$W_2^2$": least})
    ax.set_xticks(places, [str(part) for part in sizes])
    ax.set(title="mean square, per pair", xlabel="points in a plan")
    top = budgets[1].length
    names = {"length of pairs": GREY, "loss": ORANGE, "path energy": BLUE}
    for k, (name, colour) in enumerate(names.items()):
        ax.annotate(name, (1.6, (0.92 - 0.13 * k) * top), color=colour)
    label_lines(ax)
    show(
        fig,
        "Stacked bars for plans of 1, 4, 16 and 128 points. Each bar is the path "
        "energy with the loss on top, and ends at a mark for the squared length of the "
        "pairs. Bars fall quickly; at 128 points, the loss is a thin strip and the "
        "energy is that of optimal transport.",
    )

# %% [markdown]
# A point must take a partner from its own batch. So lines are a little longer than in a
# plan for all data, and cross a little. More points help, but time grows as $n^3$.
#
# ## The density of data that start from data
#
# The eight Gaussians are a `Mixture` of known density. So the moons get one, too:
# $\log p(x) = \log p_0(z) + \log|\det J|$, with the trace of
# [neural ODEs](neural_ode.ipynb#a-trace-instead-of-a-determinant). Training never saw
# it. The gap is the divergence from the true density. All flows are about a nat away or
# more: they keep the eight heaps. The plan does not help there.

# %%
if __name__ == "__main__":
    seed()
    gaps = {name: kl_to(moons, flow, 2000) for name, flow in flows.items()}
    table(
        ("pairs", "gap in nats"), [(name, f"{gap:.2f}") for name, gap in gaps.items()]
    )

# %% [markdown]
# ## Noise on the way: Schrödinger bridges
#
# Let a point move at random, as a Brownian motion of size $\sigma$, and fix its start
# and end. What it does between is a *bridge* (eq. 20 and 21). With
# $\mu_t = (1-t)\,x_0 + t\,x_1$:
# $$p_t(x \mid z) = N(x;\, \mu_t,\, t(1-t)\,\sigma^2 I)$$
# $$u_t(x \mid z) = \frac{1 - 2t}{2t(1-t)}\,(x - \mu_t) + x_1 - x_0$$

# %%
# Closer than this to an end, a bridge stands still: u grows like 1 / √t.
NEAR = 1e-3


@dataclass(frozen=True)
class Bridge:
    """x_t ~ N(μ_t, t (1 - t) σ² I), and its velocity (eq. 20, 21); a `Path`."""

    sigma: float = 1.0

    def __call__(self, t: Tensor, x0: Tensor, x1: Tensor) -> Moving:
        t = t.clamp(NEAR, 1 - NEAR)
        middle, velocity = straight(t, x0, x1)
        away = self.sigma * (t * (1 - t)).sqrt() * torch.randn_like(middle)
        return Moving(middle + away, (1 - 2 * t) / (2 * t * (1 - t)) * away + velocity)


# %% [markdown]
# Its pairs are not the optimal ones. They have the least squared distance less
# $2\sigma^2$ times their entropy (proposition 3.5). Sinkhorn's method finds this
# *entropic plan*: scale rows and columns in turns, until each sums to $1/n$. A partner
# of $x_0$ is then drawn from its row.


# %%
def plan(x0: Tensor, x1: Tensor, sigma: float, rounds: int = 100) -> Tensor:
    """The entropic plan for noise σ, of shape (n, n); its sum is 1 (prop. 3.5).

    It minimises Σ π ‖x₁ - x₀‖² + 2σ² Σ π log π, as far as `rounds` of Sinkhorn's method
    go. Columns sum to 1/n exactly, rows nearly.
    """
    cost = (x0[:, None] - x1).square().sum(2)
    score = -cost / (2 * sigma**2)
    columns = score.new_zeros(len(x1))
    for _ in range(rounds):
        rows = -(score + columns).logsumexp(1, keepdim=True)
        columns = -(score + rows).logsumexp(0)
    return (score + rows + columns).exp() / len(x0)


# %% [markdown]
# Check the velocities by automatic differentiation, and the plan by a closed form.
# Between $N(0, s_0^2)$ and $N(0, s_1^2)$ the covariance of pairs is
# $$c = \tfrac12 \Big(\sqrt{4 s_0^2 s_1^2 + \sigma^4} - \sigma^2\Big)$$

# %%
if __name__ == "__main__":
    seed()
    x0, x1 = torch.randn(2, 50, 3).double()
    t = torch.linspace(0.01, 0.99, 50).double()[:, None]
    wrong_speed = 0.0
    for path in (Tube(0.3), Bridge(0.7)):
        noises = torch.get_rng_state()
        by_t = jvp(lambda t, f=path: f(t, x0, x1).point, (t,), (t**0,))[1]
        torch.set_rng_state(noises)
        off_by = (path(t, x0, x1).velocity - by_t).abs().max().item()  # pyright: ignore
        wrong_speed = max(wrong_speed, off_by)
    quantiles = (torch.arange(400).double() + 0.5) / 400
    normal = torch.special.ndtri(quantiles)[:, None]
    found = (plan(normal, 2 * normal, 1.5) * (normal * 2 * normal.T)).sum().item()
    closed = (math.sqrt(4 * 4 + 1.5**4) - 1.5**2) / 2
    print(f"velocities: off by {wrong_speed:.1g}; covariance {found:.2f}, {closed:.2f}")
    check("paths: velocity, less that by autograd", wrong_speed, below=1e-8)
    check(
        "entropic plan: covariance over the closed form",
        found / closed,
        above=0.97,
        below=1.03,
    )

# %% The paths of one pair: a tube, and a bridge tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=6.4, height=2.2)
    torch.manual_seed(0)
    t = torch.rand(1500, 1)
    for ax, (title, path) in zip(
        axes, {"tube": Tube(0.15), "bridge": Bridge(0.5)}.items(), strict=True
    ):
        points = path(t, 0 * t, 0 * t + 1).point
        ax.plot(t, points, ".", color=BLUE, markersize=2)
        ax.plot((0, 1), (0, 1), color=ORANGE)
        ax.set(title=title, xlabel="$t$", ylim=(-0.6, 1.6))
    show(
        fig,
        "Points around a line from 0 to 1, over time. Those of the tube are as far "
        "from the line at all times. Those of the bridge are on the line at both ends, "
        "and farthest from it in the middle.",
    )

# %% [markdown]
# No library is needed for Sinkhorn's method: it stands above. The paper's author
# recommends the exact plan for bridges, too
# ([thread](https://github.com/atong01/conditional-flow-matching/issues/143)).
#
# Near both ends, the velocity of a bridge has no bound, and its mean square is not
# finite. So times must stay some way from the ends. We train no bridge.
#
# ## What the paper claims, and what holds
#
# A lower loss, better samples from few steps, and paths of nearly the least energy: all
# three hold here. The density gains nothing.

# %%
if __name__ == "__main__":
    first = {name: each.distances[0] for name, each in trips.items()}
    last = {name: each.distances[-1] for name, each in trips.items()}
    claim(
        "Optimal pairs leave a loss that is {} times lower",
        left["at random"] / left["optimal"],
        above=10,
    )
    claim(
        "After one Euler step, pairs at random leave points {} times as far away",
        first["at random"] / first["optimal"],
        above=2,
    )
    claim(
        "With optimal pairs, the path energy is off that of transport by {} of it",
        off["optimal"],
        below=0.2,
    )
    check("pairs at random: path energy, off W₂² by", off["at random"], above=0.6)
    check(
        "one Euler step: distance with longer training, over optimal pairs",
        first["at random, longer"] / first["optimal"],
        above=2,
    )
    check(
        "50 Euler steps: distance of optimal pairs, over those at random",
        last["optimal"] / last["at random"],
        below=1.4,
    )
    check(
        "plans of 16: loss, over that of plans of one",
        budgets[16].loss / budgets[1].loss,
        below=0.4,
    )

# %%
if __name__ == "__main__":
    all_checks("ot_cfm")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | what stays in the loss | 10 times less, or more | 17 to 19 times less | same data |
# | path energy, off $W_2^2$ | near 0, or large | 0.03 to 0.1, or 1 | one data set |
# | what a plan costs | below 1 % of training | about half | a small network |
# | from few steps | better samples | much better below 10 | a little after 50 |
# | bridges | trained, too | formulas only | two minutes |
# | CIFAR-10 | FID 3.5 | not run | no images here |
# | plan of a batch | drawn from | an order | each point counts |
# | training | 20,000 steps at rate 0.001 | 600, from 0.005 to 0 | two minutes |
#
# ## Three things to remember
#
# 1. A velocity can be learned from any pairs, so a flow can start from any data.
# 2. The squared length of pairs is the path energy plus the floor of the loss. Shorter
#    pairs lower both.
# 3. A plan for each batch is nearly a plan for all. Its time grows as $n^3$. It leaves
#    both ends as they are.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. The order on the wrong side.** Give the order to the other batch. All points are
# still there. Does a check notice?
#
# ```diff
# - return x0, x1[order]
# + return x0[order], x1
# ```
#
# <details><summary>Answer</summary>
#
# Yes, the one that compares the cost with all orders. These pairs are little better
# than random ones. A flow that learns from them still ends on the moons, but its paths
# are bent.
#
# </details>
#
# **2. Another unit.** Divide the costs by the largest. Does the plan change?
#
# ```diff
# - score = -cost / (2 * sigma**2)
# + score = -cost / cost.max() / (2 * sigma**2)
# ```
#
# <details><summary>Answer</summary>
#
# The entropic plan does. It is that of much more noise, so its pairs are nearly random.
# The covariance is no longer that of the closed form. An exact plan stays the same.
#
# </details>
#
# **3. Plans of one.** Let the flow of optimal pairs learn from parts of one point each.
# How does its row of the table change?
#
# ```diff
# - "optimal": (optimal, 600),
# + "optimal": (in_parts(1), 600),
# ```
#
# <details><summary>Answer</summary>
#
# It becomes the row of pairs at random, to the last digit: with one point there is
# nothing to choose.
#
# </details>
#
# ## What to read next
#
# - [Flow matching](flow_matching.ipynb) chooses the path and keeps random pairs.
# - [Rectified flow](rectified_flow.ipynb) straightens paths after training, with the
#   pairs that its own flow makes.
# - [FFJORD](ffjord.ipynb) trains the same flow by its likelihood.
# - [Multisample flow matching](https://arxiv.org/abs/2304.14772) had the same idea at
#   the same time.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    clouds = ring().means.repeat(3, 1)
    moon = TwoMoons().nodes[4::8]
    for start, end in zip(
        *(each.tolist() for each in optimal(clouds, moon)), strict=True
    ):
        ax.plot(*zip(start, end, strict=True), color=GREY, lw=2.5)
        ax.plot(*end, ".", color=ORANGE, markersize=13)
    ax.plot(*ring().means.T, ".", color=BLUE, markersize=44)
    ax.margins(0.12)
    thumbnail(
        fig, "Eight discs on a ring, each joined by three lines to dots of two moons."
    )
