# %% [markdown]
# # Flow matching: learn the velocity, solve nothing
#
# A continuous flow moves noise to data along the paths of an equation. To train it by
# its likelihood, a solver follows these paths at each step: dozens of evaluations of a
# network, and derivatives of each.
#
# The way to *one* data point is easy: go straight there. The figure shows it for two
# points. The velocity towards all data is a mean, which nobody can compute.
#
# Lipman, Chen, Ben-Hamu, Nickel and Le
# ([2022](https://arxiv.org/abs/2210.02747)) show that nobody has to. A network that
# sees one pair of noise and data at a time learns this mean (right).
#
# The result: one evaluation for a gradient. The price: likelihood is not what it
# raises.

# %%
"""Flow Matching for Generative Modeling (Lipman et al., 2022, arXiv:2210.02747)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from matplotlib.patches import Circle
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.utils.flop_counter import FlopCounterMode

from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, box, diagram, line, words
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.matching import Moving, squared_misses
from implementations.core.odes import (
    Adaptive,
    FixedSteps,
    Solver,
    TimeNetwork,
    VelocityField,
    solver_cost,
)
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    densities,
    figure,
    scatter,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import eight_gaussians, kl_to
from implementations.neural_ode import Continuous

# %% Ways to one point, to another, and to all tags=["plot"]
if __name__ == "__main__":
    seed()
    data = eight_gaussians().to(device())
    recipe = {"steps": 1500, "draw": partial(data.sample, 512), "lr": 5e-3}
    first = TimeNetwork(2, (64, 64, 64), nn.SiLU).to(device())

    def first_loss(x1: Tensor) -> Tensor:
        """The network's distance from straight ways, one pair at a time."""
        return squared_misses(first, torch.randn_like(x1), x1).mean()

    fit(first, first_loss, **recipe)
    fig, axes = figure(columns=3, box=data.box)
    x0, times = torch.randn(60, 2).to(device()), torch.linspace(0, 1, 41).to(device())
    with torch.no_grad():
        learned = FixedSteps(40)(first, x0, times)
    ways = {
        "to one point": torch.stack((x0, data.means[1].expand(60, 2))),
        "to another": torch.stack((x0, data.means[4].expand(60, 2))),
        "learned: to all data": learned,
    }
    for ax, (title, way) in zip(axes, ways.items(), strict=True):
        for each in way.cpu().unbind(1):
            ax.plot(*each.T, color=BLUE, lw=0.8, alpha=0.5)
            ax.plot(*each[0], ".", color=GREY, markersize=3)
            ax.plot(*each[-1], ".", color=ORANGE, markersize=5)
        ax.set(xlim=data.box[:2], ylim=data.box[2:], title=title, aspect="equal")
        ax.axis("off")
    show(
        fig,
        "Three panels with the same sixty noise points. In the first two, straight "
        "lines lead from all of them to one point. In the third, bent curves lead from "
        "them outwards to eight groups on a circle, and to a few points between.",
    )

# %% [markdown]
# ## The idea in one picture

# %% Two ways to a gradient tags=["plot"]
if __name__ == "__main__":
    fig, (left, right) = diagram(columns=2, width=3.4, height=2.5)
    words(left, (1.7, 2.3), "by likelihood: solve")
    stops = [0.35 + 0.68 * k for k in range(5)]
    for k, (x, name) in enumerate(zip(stops, ("$x$", "", "", "", "$z$"), strict=True)):
        shape = box(left, (x, 1.5), name, BLUE, (0.36, 0.36))
        if k:
            arrow(left, (x - 0.5, 1.5), shape.left, colour=ORANGE)
            words(left, (x - 0.34, 1.85), "$g$", ORANGE)
    words(left, (3.07, 0.95), "loss", PURPLE)
    arrow(left, (2.75, 0.75), (0.35, 0.75), colour=PURPLE)
    words(left, (1.6, 0.5), "gradient, back through all steps", PURPLE)
    words(right, (1.7, 2.3), "by regression: draw")
    start = box(right, (0.5, 0.9), "$x_0$", GREEN, (0.4, 0.36))
    end = box(right, (2.9, 1.6), "$x_1$", BLUE, (0.4, 0.36))
    line(right, [start.right, end.left], GREY)
    middle = 1.58, 1.215
    arrow(right, middle, (2.3, 1.425), colour=GREEN)
    arrow(right, middle, (2.1, 1.83), colour=ORANGE)
    right.plot(*middle, ".", color=GREY, markersize=9)
    words(right, (1.55, 0.98), "$x_t$", GREY)
    words(right, (2.45, 1.2), "$dx_t/dt$", GREEN)
    words(right, (1.75, 1.8), "$g$", ORANGE)
    words(right, (1.7, 0.5), "loss: how far the arrows are apart", PURPLE)
    show(
        fig,
        "Left, a chain of five boxes from x to z, with a velocity g at each step and "
        "an arrow back below, for the gradient. Right, a line from noise to data. From "
        "one point on it start two arrows, the way of the line and the network's g.",
    )

# %% [markdown]
# On the left, each step waits for the one before, and the loss is known at the end. On
# the right there is one evaluation. A time, a noise and a data point are drawn. Their
# path says where the network is asked, and what it should answer.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $x_0$, $x_1$, $x_t$ | `x0`, `x1`, `point` | noise, data, and a point between |
# | $\alpha_t$, $\sigma_t$ | `alpha`, `sigma` | share of data and of noise in $x_t$ |
# | $u_t(x \mid x_1)$, $u_t(x)$ | `velocity`, `Mean` | to one data point, to all |
# | $g$ | `field` | the network's velocity, the paper's $v_t$ |
#
# Time runs from noise to data, as in the paper. `forward` of the flow goes from data
# to noise: from $t = 1$ to 0.
#
# ## A path for each data point
#
# On the paths to $x_1$, noise shrinks and the data point grows (eq. 10 and 11):
# $$x_t = \alpha_t x_1 + \sigma_t x_0,\qquad x_0 \sim N(0, I)$$
# So $x_t$ given $x_1$ is normal at each time. Its velocity is (eq. 15)
# $$u_t(x \mid x_1) = \frac{\sigma_t'}{\sigma_t}(x - \alpha_t x_1) + \alpha_t' x_1$$
# Choose two functions of time, and the path is chosen.


# %%
class Schedule(NamedTuple):
    """α_t and σ_t, and their derivatives by t, each of the shape of t."""

    alpha: Tensor
    sigma: Tensor
    alpha_rate: Tensor
    sigma_rate: Tensor


class GaussianPath(ABC):
    """x_t = α_t x₁ + σ_t x₀, a `core.matching.Path` (eq. 10 and 11).

    Its velocity may have no limit at t = 1; it is drawn from times up to `last`.
    """

    last: float = 1.0

    @abstractmethod
    def at(self, t: Tensor) -> Schedule:
        """α_t, σ_t and their derivatives, at times of any shape."""

    def __call__(self, t: Tensor, x0: Tensor, x1: Tensor) -> Moving:
        alpha, sigma, alpha_rate, sigma_rate = self.at(t)
        return Moving(alpha * x1 + sigma * x0, alpha_rate * x1 + sigma_rate * x0)

    def velocity(self, t: Tensor, x: Tensor, x1: Tensor) -> Tensor:
        """u_t(x | x₁), of shape (batch, dim), for t of shape () or (batch, 1)."""
        alpha, sigma, alpha_rate, sigma_rate = self.at(t)
        return sigma_rate / sigma * (x - alpha * x1) + alpha_rate * x1


# %% [markdown]
# The paper's own choice is *straight*: both change at one speed (eq. 20). At the end
# $\sigma_{\min}$ is left, a blur of each data point. Here it is $10^{-4}$; the paper
# calls it small enough.
# $$\alpha_t = t,\qquad \sigma_t = 1 - (1 - \sigma_{\min})\,t$$
# *Diffusion* is another choice (eq. 18). It adds noise at a rate that grows from
# $\beta_{\min}$ to $\beta_{\max}$ as one goes away from data. With $s = 1 - t$ and
# $T(s) = s\beta_{\min} + \tfrac12 s^2(\beta_{\max} - \beta_{\min})$:
# $$\alpha_t = e^{-T(s)/2},\qquad \sigma_t^2 = 1 - \alpha_t^2$$
# With diffusion, $x_t$ is almost all noise for a third of the time, and changes much at
# the end. A solver with few steps will feel it.
#
# The same velocity is $\tfrac12 T'(s)\,[x + \nabla_x \log p_t(x \mid x_1)]$. The
# paper's eq. 46 has a minus there, since its eq. 43 defines the score with the opposite
# sign.


# %%
@dataclass(frozen=True)
class Straight(GaussianPath):
    """α = t, σ = 1 - (1 - σ_min) t (eq. 20): lines, at one speed."""

    sigma_min: float = 1e-4

    def at(self, t: Tensor) -> Schedule:
        shrinks = 1 - self.sigma_min
        one = torch.ones_like(t)
        return Schedule(t, 1 - shrinks * t, one, -shrinks * one)


@dataclass(frozen=True)
class Diffusion(GaussianPath):
    """α = exp(-T(1 - t)/2), σ² = 1 - α² (eq. 18): a diffusion, run backwards.

    At t = 1 the derivative of σ has no limit, so times end shortly before.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    last: float = 1 - 1e-5

    def at(self, t: Tensor) -> Schedule:
        s = 1 - t.clamp(max=self.last)
        more = self.beta_max - self.beta_min
        beta_sum, beta = s * self.beta_min + s * s * more / 2, self.beta_min + s * more
        alpha, sigma = (-beta_sum / 2).exp(), (-(-beta_sum).expm1()).sqrt()
        # The square of α falls as fast as that of σ rises.
        alpha_rate = beta * alpha / 2
        return Schedule(alpha, sigma, alpha_rate, -alpha_rate * alpha / sigma)


# %% [markdown]
# Check eq. 15 against automatic differentiation of the path. `check` stops the
# notebook when a number is not inside its bound; all checks are listed at the end.


# %%
def rate(path: GaussianPath, t: Tensor, x0: Tensor, x1: Tensor) -> Tensor:
    """d x_t / dt by autograd, of shape (batch, dim), at one time of shape ()."""
    found = jacobian(lambda t: path(t, x0, x1).point, t)
    assert isinstance(found, Tensor)
    return found


# %%
if __name__ == "__main__":
    seed()
    paths: dict[str, GaussianPath] = {"straight": Straight(), "diffusion": Diffusion()}
    x0, x1 = torch.randn(2, 50, 2).double()
    for name, path in paths.items():
        off = 0.0
        for t in torch.tensor([0.01, 0.5, 0.99]).double():
            point, velocity = path(t, x0, x1)
            both = torch.stack((velocity, path.velocity(t, point, x1)))
            off = max(off, (both - rate(path, t, x0, x1)).abs().max().item())
        check(f"{name} path: velocity, less that by autograd", off, below=1e-9)

# %% [markdown]
# ## The mean of all paths
#
# Many paths pass a point $x$ at time $t$, each to another data point. Their mean
# velocity, weighted by how likely each path is there, is (eq. 8)
# $$u_t(x) = E\,[\,u_t(x \mid x_1) \mid x_t = x\,]$$
# Points that follow this mean are distributed as $x_t$ at each time (theorem 1). At
# $t = 1$ that is the data. Our data are eight Gaussians of variance $s^2$, for which
# the mean has a formula. With weights $w_k$ of the Gaussians at $x$,
# $$u_t(x) = \sum_k w_k \left[\alpha_t' m_k +
# \frac{\alpha_t \alpha_t' s^2 + \sigma_t \sigma_t'}{\alpha_t^2 s^2 + \sigma_t^2}
# (x - \alpha_t m_k)\right]$$
# With $s = 0$ it is the mean over single data points.


# %%
class Mean(VelocityField):
    """u_t(x) = E[u_t(x | x₁) | x_t = x] (eq. 8), for data Σ_k N(m_k, s² I)/K.

    What a network should learn. `means` is of shape (K, dim); `spread` is s.
    """

    means: Tensor

    def __init__(self, means: Tensor, spread: float, path: GaussianPath) -> None:
        super().__init__(means.shape[1])
        self.register_buffer("means", means)
        self.spread, self.path = spread, path

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        alpha, sigma, alpha_rate, sigma_rate = (
            each[..., None] for each in self.path.at(t)
        )
        away = z[:, None] - alpha * self.means
        variance = (alpha * self.spread).square() + sigma.square()
        weights = (-away.square().sum(-1, keepdim=True) / (2 * variance)).softmax(1)
        slope = alpha * alpha_rate * self.spread**2 + sigma * sigma_rate
        return (weights * (alpha_rate * self.means + slope / variance * away)).sum(1)


def solved(field: VelocityField, solve: Solver | None = None) -> Flow:
    """The flow from standard normal noise along a velocity, by 20 steps of order 4."""
    solve = FixedSteps(20) if solve is None else solve
    return Flow(StandardNormal((field.dim,)), Continuous(field, solve))


# %% [markdown]
# Theorem 1 as a check: solve the equation of the mean velocity, and compare the density
# with that of the data. Nothing is trained here. A path of diffusion begins only nearly
# at standard normal noise, since $\alpha_0$ is 0.0066.

# %%
if __name__ == "__main__":
    seed()
    spread = data.sigmas[0].item()
    exact = {name: Mean(data.means, spread, path) for name, path in paths.items()}
    x = data.sample(300)
    for name, field in exact.items():
        flow = solved(field, FixedSteps(60)).to(device())
        with torch.no_grad():
            off = (flow.log_prob(x) - data.log_prob(x)).abs().mean().item()
        print(f"{name}: mean error of log p, {off:.4f} nats")
        check(f"{name} path: mean error of log p in nats", off, below=0.02)

# %% [markdown]
# ## The right gradient, one pair at a time
#
# We would like to lower (eq. 5) $L_{FM} = E\,\|g(t, x_t) - u_t(x_t)\|^2$. But $u_t$
# is a mean over all data. Take the velocity of the one path that was drawn (eq. 9):
# $$L_{CFM} = E\,\|g(t, x_t) - u_t(x_t \mid x_1)\|^2$$
# Both have the same gradient (theorem 2). Expand the squares: the terms with $g$ differ
# by $-2\,E\,[g \cdot (u_t(x_t \mid x_1) - u_t(x_t))]$. Given $x_t$, the bracket is 0 on
# average. What is left has no $g$: it is the variance of the paths' velocities.


# %%
def matching_loss(
    field: Callable[[Tensor, Tensor], Tensor], x1: Tensor, path: GaussianPath
) -> Tensor:
    """L_CFM, a scalar (eq. 14): noise and times are drawn for the data x₁."""
    return squared_misses(field, torch.randn_like(x1), x1, path, path.last).mean()


# %% [markdown]
# With the formula of the mean, both gradients can be had. We take those of a network
# with random weights, on the same points, and more and more of them.

# %%
if __name__ == "__main__":
    seed()
    net, path = TimeNetwork(2, (64, 64), nn.SiLU).to(device()), Straight()
    last = net.network[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.3)
    sizes = [4**k for k in range(4, 9)]
    apart, rows = [], []
    for n in sizes:
        t = torch.rand(n, 1, device=device())
        x1 = data.sample(n)
        point, velocity = path(t, torch.randn_like(x1), x1)
        found, losses = [], []
        for target in (velocity, exact["straight"](t, point)):
            loss = (net(t, point) - target).square().sum(1).mean()
            parts = torch.autograd.grad(loss, tuple(net.parameters()))
            found.append(torch.cat([part.flatten() for part in parts]))
            losses.append(loss.item())
        apart.append(((found[0] - found[1]).norm() / found[1].norm()).item())
        rows.append((f"{n:,}", f"{apart[-1]:.3f}", *(f"{each:.2f}" for each in losses)))
    losses_of = "loss, one pair at a time", "loss, the mean of all"
    table(("pairs", "gradients apart", *losses_of), rows)
    check("both gradients: relative difference, 65,536 pairs", apart[-1], below=0.06)
    check("that difference with 256 pairs, over 65,536", apart[0] / apart[-1], above=5)

# %% [markdown]
# The gradients become equal, as fast as chance allows. The losses do not: what lies
# between them is the floor. No network gets below it, so a loss that stays high is not
# a failure.
#
# ## The flow, and its likelihood
#
# After training, the network is the velocity of a continuous flow, as
# [before](neural_ode.ipynb). So it has a density: the solver adds up the trace along
# the way (eq. 27 to 33).
# $$\log p(x) = \log p_0(z) + \log|\det J_f|$$


# %%
def flow_matching(
    dim: int, hidden: Sequence[int] = (64, 64, 64), solve: Solver | None = None
) -> Flow:
    """Build a continuous flow whose velocity is a network of x and t, with swish.

    Train its `bijection.g` by `matching_loss`. The paper's network for the plane has
    five layers of 512 units. Unless another solver is given, it takes 20 steps of a
    method of order 4 (the paper's is adaptive).
    """
    return solved(TimeNetwork(dim, hidden, nn.SiLU), solve)


# %% [markdown]
# ## Straight against diffusion
#
# The network of the first figure has learned straight paths
# (with $\sigma_{\min} = 0$). An equal one learns those of a diffusion, by as many steps
# on as many points.

# %%
if __name__ == "__main__":
    seed()
    other, path = TimeNetwork(2, (64, 64, 64), nn.SiLU).to(device()), Diffusion()
    fit(other, lambda x1: matching_loss(other, x1, path), **recipe)
    fields = {"straight": first, "diffusion": other}

# %%
if __name__ == "__main__":
    seed()
    x0, counts = torch.randn(400, 2).to(device()), (4, 8, 10, 20, 40)
    gaps, evaluations, errors, rows = {}, {}, {}, []
    accurate = FixedSteps(50)
    for name, field in fields.items():
        gaps[name] = kl_to(data, solved(field).to(device()), 4_000)
        adaptive = solver_cost(field, x0, Adaptive(1e-5), accurate)
        evaluations[name] = adaptive.evaluations
        errors[name] = [
            solver_cost(field, x0, FixedSteps(n // 2, "midpoint"), accurate).error
            for n in counts
        ]
        told = (f"{each:.3f}" for each in errors[name])
        rows.append((name, f"{gaps[name]:.2f}", f"{evaluations[name]}", *told))
    table(("", "gap in nats", "evaluations", *(f"with {n}" for n in counts)), rows)

# %% [markdown]
# Evaluations are those of an adaptive solver at tolerance $10^{-5}$. The columns after
# them have errors: how far the midpoint rule with 4 to 40 evaluations puts samples from
# where an accurate solver puts them.

# %% Samples by few evaluations tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, rows=2, width=6.0, box=data.box)
    panels = iter(axes)
    for name in paths:
        for n in (4, 8, 20):
            solve = FixedSteps(n // 2, "midpoint")
            with torch.no_grad():
                end = solve(fields[name], x0, x0.new_tensor((0.0, 1.0)))[-1]
            scatter(next(panels), end, data.box, f"{name}, {n}")
    show(
        fig,
        "Samples of two flows after 4, 8 and 20 evaluations. On straight paths eight "
        "groups show after 4, and change little after 8. On those of diffusion 4 give "
        "a ring that is too wide, 8 a ring that is too narrow, and 20 the groups.",
    )

# %% [markdown]
# Are straight paths better because the network learns them better? No: solve the
# exact means, which nobody trained.

# %%
if __name__ == "__main__":
    ratio = {}
    for n in (8, 20):
        solve, by_path = FixedSteps(n // 2, "midpoint"), {}
        for name, field in exact.items():
            by_path[name] = solver_cost(field, x0, solve, accurate).error
        ratio[n] = by_path["straight"] / by_path["diffusion"]
    check("exact means: error with 8, straight over diffusion", ratio[8], below=0.5)
    check("exact means: error with 20, straight over diffusion", ratio[20], below=0.5)

# %% [markdown]
# The ways of the *flow* are not straight: the first figure shows bends. Only the paths
# to one data point are, and only they are optimal transport.
#
# ## Against maximum likelihood
#
# The same network can be trained by its likelihood, with a solver of four steps. What
# does a step take? We count the multiplications and additions of a loss and its
# gradient, for one event.


# %%
def work(loss: Callable[[], Tensor]) -> int:
    """Count the multiply-adds of a loss and its gradient."""
    with FlopCounterMode(display=False) as count:
        loss().backward()
    return count.get_total_flops() // 2


# %%
if __name__ == "__main__":
    seed()
    counted, rows = {}, []
    for dim in (2, 4, 16):
        g, x = TimeNetwork(dim, (64, 64, 64), nn.SiLU), torch.zeros(1, dim)
        flow = solved(g, FixedSteps(4))
        losses = {
            "regression": lambda x=x, g=g: matching_loss(g, x, Straight()),
            "likelihood": lambda x=x, flow=flow: -flow.log_prob(x).mean(),
        }
        counted[dim] = {name: work(loss) for name, loss in losses.items()}
        times = counted[dim]["likelihood"] / counted[dim]["regression"]
        rows.append(
            (f"{dim}", *(f"{each:,}" for each in counted[dim].values()), f"{times:.0f}")
        )
    table(("dimensions", "regression", "likelihood", "times as much"), rows)

# %% [markdown]
# Regression hardly feels the dimension. The trace of the likelihood does: it takes a
# product with the Jacobian for each dimension. (One random vector would do, and bring
# noise.)
#
# So which is better? We give likelihood as much arithmetic as regression had, which is
# far fewer steps, and then several times as much. The network and the data are the
# same, and each has a rate that suits it. The last line is regression with few steps.

# %%
if __name__ == "__main__":
    seed()
    batch, long = 128, 300
    draw = partial(data.sample, batch)
    per_event = counted[2]["likelihood"] / counted[2]["regression"]
    few = round(recipe["steps"] * 512 / (per_event * batch))
    trained = {
        "likelihood": (few, "1"),
        "likelihood, long": (long, f"{long / few:.1f}"),
        "regression, few steps": (few, f"1/{per_event:.0f}"),
    }
    nets = {
        name: TimeNetwork(2, (64, 64, 64), nn.SiLU).to(device()) for name in trained
    }

    def lower_gap(name: str) -> None:
        """Train a network by the likelihood of its flow, solved by four steps."""
        flow = solved(nets[name], FixedSteps(4)).to(device())
        steps, _ = trained[name]
        fit(flow, lambda x: -flow.log_prob(x).mean(), steps, draw, lr=1e-2, clip=5)

    lower_gap("likelihood")
    lower_gap("likelihood, long")
    g = nets["regression, few steps"]
    fit(g, lambda x1: matching_loss(g, x1, Straight()), few, draw, lr=5e-3)
    seed()
    rows = [("regression", "1,500 of 512", "1", f"{gaps['straight']:.2f}")]
    for name, (steps, cost) in trained.items():
        gaps[name] = kl_to(data, solved(nets[name]).to(device()), 4_000)
        rows.append((name, f"{steps} of {batch}", cost, f"{gaps[name]:.2f}"))
    table(("", "steps", "arithmetic", "gap in nats"), rows)

# %% The densities tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, box=data.box)
    shown = {
        "regression": solved(first).to(device()).log_prob,
        "likelihood, as much work": solved(nets["likelihood"]).to(device()).log_prob,
        "likelihood, long": solved(nets["likelihood, long"]).to(device()).log_prob,
    }
    densities(axes, shown, data.box, 70)
    show(
        fig,
        "Three heat maps in the same colours, of eight spots on a circle. By "
        "regression they are round, with a faint ring between them. By likelihood with "
        "as much work they are smeared along the ring. After a long training they are "
        "as clear as those of regression.",
    )

# %% [markdown]
# A step of likelihood teaches the network more, since it lowers the gap itself. But it
# costs so much that regression was ahead after as much arithmetic, with every seed that
# we tried: far with some, little with others. (Seconds favour regression still more on
# a CPU: many small operations wait for each other.)
#
# After the long training likelihood wins clearly. It then had more than twice the
# arithmetic of regression. So in the plane, likelihood gives the better density to
# those who can pay for the solver.
#
# ## What the paper claims, and what holds
#
# The paper claims that regression on single paths trains a flow, and that straight
# paths need fewer evaluations than those of diffusion. Both hold here. The third claim
# is ours.

# %%
if __name__ == "__main__":
    claim(
        "With eight evaluations, the error on straight paths is {} times that of "
        "diffusion",
        errors["straight"][1] / errors["diffusion"][1],
        below=0.5,
    )
    claim(
        "An adaptive solver takes {} times as many evaluations on straight paths",
        evaluations["straight"] / evaluations["diffusion"],
        below=0.9,
    )
    claim(
        "Trained for longer, likelihood ends with {} times the gap of regression",
        gaps["likelihood, long"] / gaps["straight"],
        below=0.9,
    )
    equal = gaps["straight"] / gaps["likelihood"]
    check("as much arithmetic: gap of regression, over likelihood", equal, below=1.2)
    check("straight paths: gap in nats", gaps["straight"], below=0.7)
    worse = gaps["regression, few steps"] / gaps["likelihood"]
    check("as few steps: gap of regression, over likelihood", worse, above=1.2)

# %%
if __name__ == "__main__":
    all_checks("flow_matching")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | evaluations, straight (Table 1) | 142 against 183 | fewer, too | not CIFAR-10 |
# | bits or nats (Table 1) | 2.99 against 3.10 bits | see the table above | one seed |
# | baselines that learn noise | Table 1 | not run | to be short |
# | checkerboard (Figure 4) | straight earlier | eight Gaussians | a known density |
# | network in the plane | 5 layers of 512 | 3 of 64 | a minute |
# | images | Table 1 | not run | a minute |
#
# ## Three things to remember
#
# 1. Choose a path to each data point. Its velocity is a formula.
# 2. A network that learns from one path at a time learns the mean of all, which moves
#    noise to data.
# 3. Training needs no solver. Sampling and density need it still, and straight paths
#    make its steps few.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. A wrong sign.** Let noise grow as fast as it should shrink. Does a check notice?
#
# ```diff
# - return Moving(alpha * x1 + sigma * x0, alpha_rate * x1 + sigma_rate * x0)
# + return Moving(alpha * x1 + sigma * x0, alpha_rate * x1 - sigma_rate * x0)
# ```
#
# <details><summary>Answer</summary>
#
# Yes: the velocity is no longer the derivative of the path, and automatic
# differentiation says so. On straight paths it would be $x_1 + x_0$. Points would keep
# their noise and add to it.
#
# </details>
#
# **2. Do not shrink.** Let each path end with the width that it started with. Where
# does the flow to one data point lead?
#
# ```diff
# - sigma_min: float = 1e-4
# + sigma_min: float = 1.0
# ```
#
# <details><summary>Answer</summary>
#
# To a normal of variance 1 around the data point. All points are shifted alike, and
# volume stays. The flow learns data that are blurred by as much noise as it started
# with.
#
# </details>
#
# **3. A weak diffusion.** Let the rate end at 1. How much of the data is in the noise
# at $t = 0$?
#
# ```diff
# - beta_max: float = 20.0
# + beta_max: float = 1.0
# ```
#
# <details><summary>Answer</summary>
#
# Three quarters: $\alpha_0 = e^{-0.275} = 0.76$, instead of 0.0066. The network is
# trained on paths that begin near the data. But the flow begins at a standard normal,
# where it was not trained.
#
# </details>
#
# ## What to read next
#
# - [Neural ODEs](neural_ode.ipynb) train the same kind of flow by its likelihood.
# - [The review](flows_review.ipynb) sets continuous flows beside six others.
# - [FFJORD](ffjord.ipynb) makes the trace of the likelihood cheap in many dimensions.
# - [Rectified flow](rectified_flow.ipynb) makes the ways of the flow itself straight.
# - [OT-CFM](ot_cfm.ipynb) pairs noise with the data that are near.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    for angle, colour in zip((90, 210, 330), (BLUE, ORANGE, GREEN), strict=True):
        for t in torch.linspace(0, 1, 8).tolist():
            far, turn = 2.3 * t, math.radians(angle)
            at = far * math.cos(turn), far * math.sin(turn)
            ring = Circle(at, 1 - 0.9 * t, fill=False)
            ring.set(edgecolor=colour, linewidth=2.2, alpha=0.35 + 0.65 * t)
            ax.add_patch(ring)
            if t == 1:
                ax.plot(*at, ".", color=colour, markersize=14)
    ax.set(xlim=(-2.4, 2.4), ylim=(-2.05, 2.75))
    thumbnail(
        fig,
        "Three rows of circles that leave one large circle in three directions, and "
        "shrink on their ways to three dots: noise becomes data points.",
    )
