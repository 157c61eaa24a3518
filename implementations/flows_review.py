# %% [markdown]
# # The review: what makes a determinant cheap
#
# A flow is a base density, pushed through an invertible map $T$. Papamakarios,
# Nalisnick, Rezende, Mohamed and Lakshminarayanan
# ([2019](https://arxiv.org/abs/1912.02762)) sort flows by what makes the determinant of
# $T$ cheap: a triangular Jacobian, a factorised matrix, a contraction, or a trace along
# an ODE. They show why triangular maps can represent any density, that fitting from
# samples and fitting to a formula are one problem seen from two sides, and what flows
# cannot do. Their review has no experiments. This tour has: all families meet on one
# density. It builds on the notebooks of the other papers, and adds what none of them
# has: residual and continuous flows.
#
# With $x = T(u)$ and $u \sim p_u$, the change of variables (§2.1) is
# $$p_x(x) = p_u(u)\,\lvert\det J_T(u)\rvert^{-1},\qquad u = T^{-1}(x).$$
# Compositions of maps are maps: determinants multiply, inverses come in reverse order.
# In this project `forward` takes $x$ to $u$, so it is the review's $T^{-1}$, and its
# log-determinant is *added*: $\log p_x(x) = \log p_u(u) + \log\lvert\det
# J_{T^{-1}}(x)\rvert$.

# %%
"""Normalizing Flows for Probabilistic Modeling and Inference (arXiv:1912.02762)."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.func import jacrev, vjp, vmap
from torch.nn.functional import linear
from torch.utils.flop_counter import FlopCounterMode
from torchdiffeq import odeint

from implementations.core.bijection import Bijection, Compose, Inverse, Mapped
from implementations.core.claims import claim, repeated, table
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, size
from implementations.core.plots import (
    GREY,
    density,
    figure,
    grid_lines,
    scatter,
    show,
    warp,
)
from implementations.core.toy import Mixture, Toy, eight_gaussians, kl_to
from implementations.made import Autoregressive
from implementations.nice import Coupling
from implementations.nsf import Linear, Spline, alternate
from implementations.real_nvp import Affine

# %% [markdown]
# ## Why triangular maps are enough
#
# Let $F_i$ be the distribution function of $x_i$ given what comes before it (§2.2):
# $$z_i = F_i(x_i; x_{<i}) = \Pr(X_i \le x_i \mid x_{<i}),\qquad
# \det J_F(x) = \prod_i \frac{\partial F_i}{\partial x_i}
# = \prod_i p(x_i \mid x_{<i}) = p_x(x).$$
# The Jacobian is triangular, and its determinant is the density itself: hence $z$ is
# uniform on the cube, whatever $p_x$ was. Two such maps, one of them backwards, take
# any density to any other. For a mixture of Gaussians all of it is in closed form:
# what has been seen of $x$ only changes the weights $w_k$ of the components,
# $$F_i(x_i; x_{<i}) = \sum_k w_k\,\Phi\Big(\frac{x_i - \mu_{ki}}{\sigma_k}\Big),\qquad
# w_k \propto \prod_{j<i} N(x_j; \mu_{kj}, \sigma_k^2).$$
# The inverse finds each $x_i$ by halving an interval.


# %%
class ConditionalCDF(Bijection):
    """z_i = Pr(X_i ≤ x_i | x before i), uniform on the cube for x from the mixture.

    The inverse halves an interval around all means `halvings` times: it finds x to
    rounding, where it is within 12 standard deviations of one.
    """

    def __init__(self, mixture: Mixture, halvings: int = 60) -> None:
        super().__init__(mixture.shape)
        self.mixture, self.halvings = mixture, halvings

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        log_w, z = self._log_weights(x), []
        for i, column in enumerate(x.split(1, 1)):
            z.append((log_w.softmax(1) * self._normal(i).cdf(column)).sum(1))
            log_w = log_w + self._normal(i).log_prob(column)
        return torch.stack(z, 1), log_w.logsumexp(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_w, x = self._log_weights(z), []
        for i, column in enumerate(z.split(1, 1)):
            normal, weights = self._normal(i), log_w.softmax(1)
            low = (normal.mean - 12 * normal.stddev).min().expand_as(column)
            high = (normal.mean + 12 * normal.stddev).max().expand_as(column)
            for _ in range(self.halvings):
                middle = (low + high) / 2
                right = (weights * normal.cdf(middle)).sum(1, keepdim=True) < column
                low = torch.where(right, middle, low)
                high = torch.where(right, high, middle)
            x.append((low + high) / 2)
            log_w = log_w + normal.log_prob(x[i])
        return torch.cat(x, 1), -log_w.logsumexp(1)

    def _log_weights(self, x: Tensor) -> Tensor:
        k = len(self.mixture.sigmas)
        return x.new_full((x.shape[0], k), -math.log(k))

    def _normal(self, i: int) -> Normal:
        means, sigmas = self.mixture.means[:, i], self.mixture.sigmas
        return Normal(means, sigmas, validate_args=False)


# %% [markdown]
# Our density is that of eight Gaussians on a circle. On its way to the data, the square
# of uniform noise is first torn horizontally, then, differently at each $x_1$,
# vertically. So there is a triangular map that is exact; the flows below must learn
# one of theirs.


# %%
def worst_uniformity(z: Tensor) -> float:
    """√n · max |empirical - uniform distribution function|, worst of the columns."""
    n = len(z)
    ranks = (torch.arange(n, dtype=z.dtype, device=z.device) + 0.5) / n
    return (z.sort(0).values - ranks[:, None]).abs().max().item() * n**0.5


# %%
if __name__ == "__main__":
    seed()
    target = eight_gaussians().to(device())
    exact = ConditionalCDF(eight_gaussians().double()).to(device())
    x = target.sample(5000).double()
    with torch.no_grad():
        z, log_det = exact(x)
        drawn, _ = exact.inverse(torch.rand_like(z))
    jacobian = vmap(jacrev(lambda x: exact(x[None])[0][0]))(x[:200])
    by_autograd = torch.linalg.slogdet(jacobian).logabsdet
    off = (by_autograd - exact.mixture.log_prob(x[:200])).abs().max().item()
    claim("log |det|, by autograd, less log p", round(off, 6), below=1e-6)
    # Kolmogorov's statistic, for two columns: 0.1 % of all runs exceed 2.
    uniform = worst_uniformity(z)
    claim("z is uniform: √n · largest distance", uniform, below=2)
    claim("so is F of what F⁻¹ draws", worst_uniformity(exact(drawn)[0]), below=2)
    claim("correlation of z₁ and z₂", z.T.corrcoef()[0, 1].abs().item(), below=0.06)

# %% Every flow at once: data to a uniform square, and back tags=["plot"]
if __name__ == "__main__":
    lines = grid_lines((0.001, 0.999, 0.001, 0.999), n=25).double()
    with torch.no_grad():
        torn = exact.inverse(lines.flatten(0, 1))[0].view_as(lines)
    fig, axes = figure(columns=4, width=9, height=2.2)
    scatter(axes[0], x[:2000], target.box, "data $x$")
    scatter(axes[1], z[:2000], (-0.05, 1.05, -0.05, 1.05), "$z = F(x)$")
    warp(axes[2], lines, "a grid of $z$")
    warp(axes[3], torn, "$F^{-1}$ of it")
    show(
        fig,
        "Samples of eight Gaussians; their images under the conditional distribution "
        "functions, which fill a square evenly; a square grid, and its image under the "
        "inverse: lines crowd in the eight discs and cross straight between them.",
    )

# %% [markdown]
# ## Residual flows: a contraction and its power series
#
# $z = x + g(x)$ is invertible if $g$ contracts, $\lVert g(a) - g(b)\rVert \le L\,\lVert
# a - b\rVert$ with $L < 1$ (§3.3.1). No part of the Jacobian need vanish: it is
# free-form. A network contracts if its layers do, and a linear layer does if its
# largest singular value $\sigma(W)$ is below 1:
# $$W \leftarrow W \min(1, c/\sigma(W)),\qquad c = L^{1/\text{layers}}.$$
# Power iteration, the usual estimate of $\sigma$, comes from below, and with vectors
# that are stale once the weights have moved; layers as small as ours afford the exact
# value. Activations must have slopes of at most 1: LipSwish of
# [residual flows](https://arxiv.org/abs/1906.02735), $x\,\mathrm{sigmoid}(\beta x) /
# 1.1$, has, for any $\beta > 0$. Since $W$ cannot grow, it is $\beta$ that sets how
# sharply $g$ may bend. Ours is learned for each unit, and starts at 10.


# %%
def within(weight: Tensor, c: float) -> Tensor:
    """W min(1, c/σ(W)), of largest singular value at most c."""
    norm = torch.linalg.matrix_norm(widened(weight), 2)
    return weight / (norm / c).clamp(min=1).to(weight.dtype)


def widened(x: Tensor) -> Tensor:
    """Return x in float32 at least: linear algebra has no half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Contraction(nn.Module):
    """A network g with ‖g(a) - g(b)‖ ≤ L ‖a - b‖."""

    def __init__(self, dim: int, hidden: Sequence[int], lipschitz: float) -> None:
        super().__init__()
        layers = [nn.Linear(*ends) for ends in pairwise((dim, *hidden, dim))]
        self.layers = cast(Sequence[nn.Linear], nn.ModuleList(layers))
        starts = [nn.Parameter(torch.full((n,), math.log(10))) for n in hidden]
        self.log_beta = nn.ParameterList(starts)
        self.c = lipschitz ** (1 / len(layers))

    def bounded(self) -> Callable[[Tensor], Tensor]:
        """Return g, for whose many calls singular values are computed once."""
        weights = [within(layer.weight, self.c) for layer in self.layers]
        betas = [log_beta.exp() for log_beta in self.log_beta]

        def g(x: Tensor) -> Tensor:
            x = linear(x, weights[0], self.layers[0].bias)
            for k, beta in enumerate(betas, 1):
                # LipSwish: silu(βx)/β, whose slope is at most 1.0998.
                x = x * (beta * x).sigmoid() / 1.1
                x = linear(x, weights[k], self.layers[k].bias)
            return x

        return g


# %% [markdown]
# The determinant of a free-form Jacobian takes $D$ products with it in general; since
# $\rho(J_g) \le L < 1$, there is also a series (§3.3.1):
# $$\log\det(I + J_g) = \sum_{k=1}^\infty \frac{(-1)^{k+1}}{k} \operatorname{Tr} J_g^k,
# \qquad \operatorname{Tr} J_g^k = \mathbb E\,v^\top J_g^k\,v\ \text{ if }\
# \mathbb E\,vv^\top = I.$$
# One vector $v$ of random signs serves all powers, one product each. Cut off, the
# series is biased. Russian roulette is not: with $P(N \ge j) = (1-p)^{j-1}$, stop after
# $m + N$ terms, and divide the $k$-th by the probability of getting there,
# $P(N \ge k - m)$.


# %%
def basis(x: Tensor) -> list[Tensor]:
    """Return the unit vectors, a batch of each: Σ v vᵀ = I."""
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return [e.expand_as(x) for e in eye]


def signs(x: Tensor) -> list[Tensor]:
    """Draw one vector of random signs for each row of x: E v vᵀ = I."""
    return [2 * torch.empty_like(x).bernoulli_(0.5) - 1]


def products(
    g: Callable[[Tensor], Tensor], x: Tensor
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """g(x), and what multiplies rows of vectors by the Jacobian, v ↦ vᵀ J."""
    y, pull = cast(tuple[Tensor, Callable[..., tuple[Tensor]]], vjp(g, x))
    return y, lambda v: pull(v)[0]


def jacobian(g: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """g(x) and J of shape (batch, D, D), by D products."""
    y, times_j = products(g, x)
    return y, torch.stack([times_j(e) for e in basis(x)], 1)


def exact_log_det(g: Callable[[Tensor], Tensor], x: Tensor) -> Mapped:
    """g(x) and log|det(I + J)|."""
    y, j = jacobian(g, x)
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return y, torch.linalg.slogdet(widened(eye + j)).logabsdet.to(x.dtype)


def series(
    g: Callable[[Tensor], Tensor], x: Tensor, weights: Sequence[float]
) -> Mapped:
    """g(x) and Σ_k weights_k (-1)^(k+1)/k vᵀ J^k v, with one v for all k."""
    y, times_j = products(g, x)
    (v,) = signs(x)
    w, total = v, x.new_zeros(x.shape[0])
    for k, weight in enumerate(weights, 1):
        w = times_j(w)
        total = total - (-1) ** k * weight / k * (w * v).sum(1)
    return y, total


@dataclass(frozen=True)
class Roulette:
    """g(x) and an unbiased estimate of log|det(I + J)|: `first` terms and a tail."""

    first: int = 2
    p: float = 0.5

    def __call__(self, g: Callable[[Tensor], Tensor], x: Tensor) -> Mapped:
        n = int(torch.empty(()).geometric_(self.p))
        tail = [(1 - self.p) ** -j for j in range(n)]  # 1 / P(N > j)
        return series(g, x, [1.0] * self.first + tail)


# %% [markdown]
# The inverse is iterated as well, $x_{k+1} = z - g(x_k)$. Banach's theorem bounds the
# error after $k$ steps by $L^k/(1-L)$ times the first step; so the number of steps for
# a given tolerance is known beforehand, and no row waits for another. Training may
# take the estimate; the block always evaluates exactly. An estimate is not to be
# reported as a density, and neither is a sum that only has the right *gradient*
# (the memory-saving Neumann series of residual flows).


# %%
class Residual(Bijection):
    """z = x + g(x), with a contraction g of Lipschitz constant L (§3.3.1).

    `train_log_det` takes the place of the exact log-determinant in training; in high
    dimension, `Roulette()`. The inverse is off by at most `tolerance` times ‖g(z)‖, and
    by rounding.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (32, 32),
        lipschitz: float = 0.97,
        tolerance: float = 1e-5,
        train_log_det: Callable[..., Mapped] = exact_log_det,
    ) -> None:
        super().__init__((dim,))
        self.g = Contraction(dim, hidden, lipschitz)
        steps = math.log(tolerance * (1 - lipschitz)) / math.log(lipschitz)
        self.steps, self.train_log_det = math.ceil(steps), train_log_det

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        y, log_det = self._log_det(self.g.bounded(), x)
        return x + y, log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        g, x = self.g.bounded(), z
        for _ in range(self.steps):
            x = z - g(x)
        return x, -self._log_det(g, x)[1]

    def _log_det(self, g: Callable[[Tensor], Tensor], x: Tensor) -> Mapped:
        return (self.train_log_det if self.training else exact_log_det)(g, x)


# %% [markdown]
# ## Continuous flows: a trace along the way
#
# Let layers become infinitely thin (§4). Noise $u = z_0$ flows to data $x = z_1$ by
# $$\frac{dz}{dt} = g(t, z),\qquad
# \frac{d}{dt} \log p(z_t) = -\operatorname{Tr} J_g(t, z_t).$$
# Any smooth $g$ will do: solutions never cross, so the map is invertible as it is, by
# running back. A trace takes the place of the determinant: again $D$ products with $J$,
# or one with a vector of random signs, drawn once for each solution so that the field
# stays the same all along. Running from data to noise, the integral of the trace *is*
# the log-determinant that `forward` returns. An Euler step is a residual block. A
# better solver makes fewer and more accurate ones; we use torchdiffeq's, RK4 in steps
# of fixed size, and differentiate through the steps.


# %%
def rk4(steps: int) -> Callable[..., Any]:
    """Return Runge and Kutta's method of order 4, in steps of equal size."""
    return partial(odeint, method="rk4", options={"step_size": 1 / steps})


class Continuous(Bijection):
    """dz/dt = g(t, z), from noise at t = 0 to data at t = 1 (§4).

    `train_vectors` draws what estimates the trace in training: `signs` in high
    dimension; evaluation has the exact trace. Accurate as far as `solve` is, which is
    called like torchdiffeq's `odeint`.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        solve: Callable[..., Any] | None = None,
        train_vectors: Callable[[Tensor], list[Tensor]] = basis,
    ) -> None:
        super().__init__((dim,))
        self.g = mlp(dim + 1, dim, hidden, nn.Tanh)
        self.solve = rk4(6) if solve is None else solve
        self.train_vectors = train_vectors

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return self._run(x, (1.0, 0.0))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return self._run(z, (0.0, 1.0))

    def _run(self, start: Tensor, times: tuple[float, float]) -> Mapped:
        vectors = (self.train_vectors if self.training else basis)(start)

        def change(t: Tensor, state: Tensor) -> Tensor:
            def g(z: Tensor) -> Tensor:
                return self.g(torch.cat((z, t.expand(z.shape[0], 1)), 1))

            dz, times_j = products(g, state[:, :-1])
            trace = torch.stack([(times_j(v) * v).sum(1) for v in vectors]).sum(0)
            return torch.cat((dz, trace[:, None]), 1)

        state = torch.cat((start, start.new_zeros(start.shape[0], 1)), 1)
        end = self.solve(change, state, start.new_tensor(times))[-1]
        return end[:, :-1], end[:, -1]


# %% [markdown]
# ## The families
#
# Autoregressive flows separate two choices (§3.1): the *conditioner*, masked network or
# coupling, and the *transformer* that it steers, affine or spline. So there are four of
# them; with a linear flow (§3.2), which can only be Gaussian, a residual and a
# continuous one, we have seven. Four layers of conditioner and transformer, linear
# layers between them, and networks with two hidden layers of 64; eight residual blocks;
# one ODE. Parameters were not matched: what a family needs is part of the answer.


# %%
def flows_review(dim: int = 2) -> dict[str, Flow]:
    """Build one flow of each family, for vectors of width `dim`."""
    normal, m = StandardNormal((dim,)), partial(mlp, hidden=(64, 64))
    four = partial(alternate, dim, 4)
    return {
        "linear": Flow(normal, Linear(dim)),
        "affine, coupling": four(lambda: Coupling(dim, Affine(), m)),
        "affine, autoregressive": four(lambda: Autoregressive(dim, Affine())),
        "spline, coupling": four(lambda: Coupling(dim, Spline(), m)),
        "spline, autoregressive": four(lambda: Autoregressive(dim, Spline())),
        "residual": Flow(normal, Compose(*(Residual(dim) for _ in range(8)))),
        "continuous": Flow(normal, Continuous(dim, train_vectors=signs)),
    }


# %% [markdown]
# All see fresh samples, 256 a step; expensive steps are fewer. The residual flow trains
# on exact determinants, the continuous one on estimated traces; both are evaluated
# exactly, up to the solver. Besides the gap $\mathrm{KL}(p \Vert q)$ the table has
# what lies *astray*: the mass that a flow puts more than five standard deviations from
# all eight means, where the truth has $e^{-12.5}$, a few millionths. A flow is
# continuous with a continuous inverse, and its noise is in one piece: it cannot tear
# it, only stretch it thin (§5).


# %%
def astray(flow: Flow, target: Mixture) -> float:
    """Return the mass that is more than 5 σ away from all means, by quadrature."""
    x0, x1, y0, y1 = target.box
    x = torch.linspace(x0, x1, 241, device=target.means.device)
    y = torch.linspace(y0, y1, 241, device=target.means.device)
    points = torch.cartesian_prod(x, y)
    distance = (points[:, None] - target.means).norm(dim=2) / target.sigmas
    near = points[(distance < 5).any(1)]
    with torch.no_grad():
        p = flow.log_prob(near).exp()
    return 1 - p.sum().item() * (x1 - x0) * (y1 - y0) / 240**2


def learn(flow: Flow, target: Toy, steps: int, lr: float) -> History:
    """Fit the flow to fresh samples of the target, by maximum likelihood."""
    return fit(
        flow,
        lambda x: -flow.log_prob(x).mean(),
        steps,
        lambda: target.sample(256),
        lr=lr,
    )


# %%
if __name__ == "__main__":
    seed()
    flows = {name: flow.to(device()) for name, flow in flows_review().items()}
    recipes = {"residual": (350, 1e-2), "continuous": (250, 1e-2)}
    gaps: dict[str, float] = {}
    bridges: dict[str, float] = {}
    for name, flow in flows.items():
        steps, lr = recipes.get(name, (500, 5e-3))
        learn(flow, target, steps, lr)
        gaps[name] = kl_to(target, flow)
        bridges[name] = astray(flow, target)

# %% Eight discs, and seven kinds of flow fitted to them tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, rows=2, height=3.8)
    density(axes[0], target.log_prob, target.box, "the truth", n=90)
    for ax, (name, flow) in zip(axes[1:], flows.items(), strict=True):
        density(ax, flow.log_prob, target.box, name, n=90)
    show(
        fig,
        "Heat maps of the truth, eight discs on a circle, and of seven flows. The "
        "linear one is a single round hill; affine coupling and autoregressive flows "
        "join the discs by bridges; splines, residual and continuous flows separate "
        "them but for faint threads.",
    )

# %% [markdown]
# Counting multiply-adds says what an algorithm takes, and is the same everywhere.
# Seconds also hold steps that wait for one another. They differ from run to run, so
# `python -m benchmarks.families` measures them, on one thread, and we read its results.


# %%
def multiply_adds(run: Callable[[], Tensor]) -> int:
    """Count the multiply-adds of matrix products."""
    with torch.no_grad(), FlopCounterMode(display=False) as count:
        run()
    return count.get_total_flops() // 2


def milliseconds() -> dict[str, dict[str, float]]:
    """Read what benchmarks/families.py measured for 1,000 points, by family."""
    path = Path(inspect.getfile(claim)).parents[2] / "benchmarks/results/families.json"
    # An installed package comes without the benchmarks.
    return json.loads(path.read_text("utf-8"))["ms"] if path.exists() else {}


# %%
if __name__ == "__main__":
    few, measured, rows = target.sample(16), milliseconds(), []
    unit = multiply_adds(lambda: flows["affine, coupling"].log_prob(few))
    cost: dict[str, float] = {}
    estimable = {
        "residual": "exact by D products, or estimated",
        "continuous": "by D products a step, or estimated",
    }
    for name, flow in flows.items():
        runs = {
            "evaluate": partial(flow.log_prob, few),
            "sample": partial(flow.sample, 16),
        }
        times = {way: multiply_adds(run) / unit for way, run in runs.items()}
        cost[name] = times["sample"]
        shown = [f"{multiple:.3g}" for multiple in times.values()]
        if name in measured:
            seconds = measured[name].values()
            shown = [f"{n} ({ms:.3g} ms)" for n, ms in zip(shown, seconds, strict=True)]
        gap, share = f"{gaps[name]:.3f}", f"{100 * bridges[name]:.2f} %"
        how = estimable.get(name, "exact")
        rows.append((name, gap, share, f"{size(flow):,}", *shown, how))
    header = ("family", "gap, nats", "astray", "parameters", "evaluate", "sample")
    table((*header, "log-determinant"), rows)

# %% [markdown]
# Costs are multiples of evaluating the affine coupling flow (in brackets, for 1,000
# points, where measured); the linear layer's triangular solves count as none. In high
# dimension, residual and continuous flows would evaluate by estimates as well, and the
# gap would have error bars. Splines are cheap and close. The residual flow needs no
# order of the coordinates and no halves; it leaves least astray, and pays for it when
# it samples: the number of steps follows from $L$. The continuous flow comes close with
# the fewest parameters, and costs the same both ways. No flow tears the noise apart.

# %%
if __name__ == "__main__":
    claim("linear: gap", gaps["linear"], above=1.7)
    for kind in ("coupling", "autoregressive"):
        ratio = gaps[f"affine, {kind}"] / gaps[f"spline, {kind}"]
        claim(f"{kind}: affine gap, over spline gap", ratio, above=3)
    claim("residual: gap", gaps["residual"], below=0.12)
    claim("continuous: gap", gaps["continuous"], below=0.12)
    claim("least share astray, truth 4e-6", min(bridges.values()), above=5e-5)
    ratio = cost["residual"] / cost["continuous"]
    claim("residual: cost of sampling, over continuous", ratio, above=5)

# %% [markdown]
# ## How good are estimates, iterations and steps?
#
# The block of the residual flow with the largest slope, at the data. Cut off, the
# series is biased; roulette is not. Yet its variance may be infinite: a term
# $\rho^k/(1-p)^k$ with probability $(1-p)^k$ has a finite sum of squares for
# $\rho(J)^2 < 1 - p$ only. Slopes here exceed 0.8, so $p = \tfrac12$, a common choice,
# would be too bold; we take $p = \tfrac1{10}$, two terms and on average ten more. The
# inverse keeps to Banach's bound, and mostly does better. RK4 has order 4: half the
# step, a sixteenth of the error; torchdiffeq's adaptive solver agrees.

# %%
if __name__ == "__main__":
    seed()
    x, candidates = target.sample(200), []
    with torch.no_grad():
        for block in flows["residual"].modules():
            if isinstance(block, Residual):
                slopes = torch.linalg.matrix_norm(jacobian(block.g.bounded(), x)[1], 2)
                candidates.append((slopes.max().item(), block, x))
                x = block(x)[0]
        slope, block, x = max(candidates, key=lambda candidate: candidate[0])
        g = block.g.bounded()
        (_, j), (_, log_det) = jacobian(g, x), exact_log_det(g, x)
        counts = torch.arange(1, 16, device=device())
        traces = torch.stack([torch.linalg.matrix_power(j, n) for n in range(1, 16)])
        traces = traces.diagonal(dim1=2, dim2=3).sum(2).T
        cut = -(traces * (-1) ** counts / counts).cumsum(1) - log_det[:, None]
        draws = torch.stack([Roulette(p=0.1)(g, x)[1] for _ in range(500)]) - log_det
    mean, error = draws.mean().item(), draws.mean(1).std().item() / 500**0.5
    claim("largest slope of g, at most L = 0.97", slope, above=0.3, below=0.9701)
    bias = cut.mean(0).abs()
    claim("cut off after two terms: bias, nats", bias[1].item(), above=0.002)
    claim("roulette: bias, in standard errors", abs(mean) / error, below=4)

# %%
if __name__ == "__main__":
    with torch.no_grad():
        z, y, iterates = block(x)[0], block(x)[0], []
        for _ in range(60):
            y = z - g(y)
            iterates.append((y - x).norm(dim=1).max())
        first = g(z).norm(dim=1).max()
    off, ks = torch.stack(iterates), torch.arange(1, 61, device=device())
    banach = 0.97**ks / (1 - 0.97) * first
    claim("inverse: error over Banach's bound", (off / banach).max().item(), below=1)
    ode = Continuous(2, train_vectors=signs).to(device()).double().eval()
    ode.load_state_dict(flows["continuous"].bijection.state_dict())
    x = target.sample(200).double()

    def log_dets(solve: Callable[..., Any]) -> Tensor:
        """log|det| at x by another solver."""
        ode.solve = solve
        with torch.no_grad():
            return ode(x)[1]

    best, fixed = log_dets(rk4(96)), (3, 6, 12, 24)
    errors = [(log_dets(rk4(n)) - best).abs().mean().item() for n in fixed]
    claim("RK4: error of 12 steps, over that of 24", errors[2] / errors[3], above=8)
    adaptive = log_dets(partial(odeint, method="dopri5", rtol=1e-7, atol=1e-7))
    apart = round((adaptive - best).abs().max().item(), 4)
    claim("adaptive steps, less 96 of RK4", apart, below=1e-3)
    ode.train()
    noisy = torch.stack([log_dets(rk4(12)) for _ in range(20)]) - best
    t = noisy.mean().abs() / (noisy.mean(1).std() / 20**0.5)
    claim("random signs: bias, in standard errors", t.item(), below=4)

# %% What approximations cost: series, fixed points, numerical solvers tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, width=9, height=2.4)
    axes[0].semilogy(counts.cpu(), bias.cpu(), ".-", label="cut off")
    axes[0].axhline(2 * error, color=GREY, linestyle=":", label="roulette, 2 s.e.")
    axes[0].set(title="bias of log det, nats", xlabel="terms")
    axes[1].semilogy(ks.cpu(), off.cpu().clamp(1e-8), label="error")
    axes[1].semilogy(ks.cpu(), banach.cpu(), ":", color=GREY, label="Banach's bound")
    axes[1].set(title="inverse of a block", xlabel="iterations")
    axes[2].loglog(fixed, errors, ".-", label="RK4")
    fourth = [errors[0] * (fixed[0] / n) ** 4 for n in fixed]
    axes[2].loglog(fixed, fourth, ":", color=GREY, label="order 4")
    axes[2].set(title="error of log det, nats", xlabel="steps")
    axes[2].set_xticks(fixed, [str(n) for n in fixed])
    axes[2].set_xticks([], minor=True)
    for ax in axes:
        ax.legend()
    show(
        fig,
        "Three falling curves. The bias of the cut series against the number of its "
        "terms; the error of the inverse against iterations, below Banach's bound; "
        "that of RK4 against steps, along a line of slope minus four.",
    )

# %% [markdown]
# ## Two ways to fit, and what each misses
#
# From samples of $p$ one minimises $\mathrm{KL}(p \Vert q)$, which is maximum
# likelihood (§2.3.1); from a formula for $p$, even unnormalised, the reverse (§2.3.2):
# $$\mathrm{KL}(q \Vert p) = \mathbb E_{u \sim p_u}\big[\log p_u(u)
# - \log\lvert\det J_T(u)\rvert - \log p(T(u))\big].$$
# The first is infinite where $q$ has no mass and $p$ has; so a poor $q$ covers too
# much. The second only asks where $q$ is; so $q$ may sit on one of eight equal modes,
# at a price of $\log 8 = 2.08$ nats, and know no other. Neither need importance
# weights $p/q$ at its samples: their effective sample size
# $(\sum w)^2 / (n \sum w^2)$ (§6.2.1) is high for the fit that misses seven modes.


# %%
def learn_reverse(flow: Flow, target: Toy, steps: int, lr: float) -> History:
    """Fit the flow to the target's log-density, at samples of the flow."""

    def loss(u: Tensor) -> Tensor:
        x, log_det = flow.bijection.inverse(u)
        return (flow.base.log_prob(u) - log_det - target.log_prob(x)).mean()

    return fit(flow, loss, steps, partial(flow.base.sample, 256), lr=lr)


# %%
if __name__ == "__main__":
    seed()
    normal = StandardNormal((2,))
    aside = Autoregressive(2, Affine(), ())
    with torch.no_grad():  # starts with a scale of 0.4 near (1.4, 1.4), a mode
        aside.m.output.bias.copy_(torch.tensor([2.0, 2.0, -3.7, -3.7]))
    fits = {
        "one affine layer, forward": Flow(normal, Autoregressive(2, Affine(), ())),
        "one affine layer, reverse": Flow(normal, aside),
        "spline coupling, forward": flows["spline, coupling"],
        "spline coupling, reverse": flows_review()["spline, coupling"].to(device()),
    }
    learn(fits["one affine layer, forward"].to(device()), target, 300, 1e-2)
    learn_reverse(fits["one affine layer, reverse"].to(device()), target, 400, 2e-2)
    learn_reverse(fits["spline coupling, reverse"], target, 300, 5e-3)
    forward: dict[str, float] = {}
    reverse: dict[str, float] = {}
    rows = []
    for name, flow in fits.items():
        forward[name] = kl_to(target, flow)
        with torch.no_grad():
            x, log_q = flow.rsample_and_log_prob(20_000)
            log_w = (target.log_prob(x) - log_q).double()
        reverse[name] = -log_w.mean().item()
        ess = (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp() / len(x)
        nearest = (x[:, None] - target.means).norm(dim=2).argmin(1)
        modes = f"{(nearest.bincount(minlength=8) > 200).sum()} of 8"
        gap, back = f"{forward[name]:.3g}", f"{reverse[name]:.3g}"
        rows.append((name, gap, back, modes, f"{100 * ess:.0f} %"))
    table(("fit", "KL(p‖q)", "KL(q‖p)", "modes", "effective samples"), rows)

# %%
if __name__ == "__main__":
    price = reverse["one affine layer, reverse"]
    claim("one mode of eight, KL(q‖p): log 8", price, above=2.05, below=2.25)
    lost = forward["one affine layer, reverse"]
    claim("its KL(p‖q)", lost, above=20)
    covers = reverse["one affine layer, forward"] - price
    claim("covering all, KL(q‖p) more than that", covers, above=0.5)

# %% The discs, fitted by forward and by reverse KL divergence tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, width=9, height=2.3)
    for ax, (name, flow) in zip(axes, fits.items(), strict=True):
        density(ax, flow.log_prob, target.box, name.replace(", ", ",\n"), n=90)
    show(
        fig,
        "Heat maps of four fits of the eight discs. One affine layer covers all of the "
        "circle with one hill when fitted forward, and sits on a single disc in "
        "reverse; splines fitted forward have all eight discs, in reverse some of "
        "them are missing or uneven.",
    )

# %% [markdown]
# ## One problem, seen from $x$ and from $u$
#
# Let $p^*_u$ be what data become in noise, the law of $u = T^{-1}(x)$ for $x \sim p$.
# Both $p$ and $q$ change by the same determinant on the way from $x$ to $u$, so their
# ratio does not change at all (§2.3.3):
# $$\log \frac{p(x)}{q(x)} = \log \frac{p^*_u(u)}{p_u(u)},\qquad
# \mathrm{KL}(p \Vert q) = \mathrm{KL}(p^*_u \Vert p_u).$$
# To fit a MAF to data by maximum likelihood *is* to fit an IAF, the same layers read
# backwards, to the noise by reverse KL: its base is the data, its target $p_u$. Here
# `Inverse` is all that it takes. The two differ in which direction takes one pass of
# the networks, and which as many steps as there are components, each waiting for the
# one before it (§3.1). A coupling layer takes one pass both ways.

# %%
if __name__ == "__main__":
    seed()
    flow = flows["affine, autoregressive"]
    backwards = Flow(target, Inverse(flow.bijection))
    with torch.no_grad():
        x = target.sample(20_000)
        in_x = target.log_prob(x) - flow.log_prob(x)
        u = flow.bijection(x)[0]
        in_u = backwards.log_prob(u) - flow.base.log_prob(u)
        drawn, log_q = backwards.rsample_and_log_prob(50_000)
        gap = (log_q - flow.base.log_prob(drawn)).mean().item()
    apart = round((in_x - in_u).abs().median().item(), 4)
    claim("log-ratio in x, less that in u (median)", apart, below=1e-3)
    ratio = gap / gaps["affine, autoregressive"]
    claim("reverse KL of the IAF, over the MAF's gap", ratio, above=0.9, below=1.1)


# %% [markdown]
# ## Stated and measured

# %% tags=["plot"]
if __name__ == "__main__":
    least = 100 * min(bridges.values())
    grid = [gap for name, gap in gaps.items() if "," in name]
    table(
        ("stated in the review", "section", "here"),
        [
            ("F makes any density uniform", "2.2", f"to {uniform:.1f}/√n"),
            ("reverse KL seeks modes", "2.3.2", f"one of eight, {price:.2f} nats"),
            ("any transformer will do", "3.1", f"{min(grid):.2f} to {max(grid):.2f}"),
            ("contractions iterate", "3.3.1", f"{cost['residual']:.0f} × a coupling"),
            ("a trace, no determinant", "4", f"gap {gaps['continuous']:.3f} nats"),
            ("topology stays", "5", f"at least {least:.2f} % astray"),
        ],
    )

# %% [markdown]
# One seed proves little. The same claims, with other seeds:

# %%
if __name__ == "__main__":
    repeated("flows_review")

# %% [markdown]
# ## What to read next
#
# [Residual flows](https://arxiv.org/abs/1906.02735) bring the roulette, and blocks by
# the hundred; [FFJORD](https://arxiv.org/abs/1810.01367) the random signs, and solvers
# with steps of their own choice. The other families have notebooks here:
# [NICE](https://arxiv.org/abs/1410.8516), [Real NVP](https://arxiv.org/abs/1605.08803),
# [MAF](https://arxiv.org/abs/1705.07057) and
# [neural spline flows](https://arxiv.org/abs/1906.04032).
