# %% [markdown]
# # The review: what makes a determinant cheap
#
# Every flow turns noise into data by a map that can be undone. To know a density, it
# needs the determinant of that map, which in general is expensive. Each paper has its
# own trick. Is one of them enough for the data in the figure, or for any?
#
# Papamakarios, Nalisnick, Rezende, Mohamed and Lakshminarayanan
# ([2019](https://arxiv.org/abs/1912.02762)) sort all flows by their trick. They have no
# experiments. Here are seven flows, on one density.
#
# The result: a triangular map can represent any density. In practice splines come
# more than ten times as close as affine maps. And no flow tears the noise into eight
# pieces.

# %%
"""Normalizing Flows for Probabilistic Modeling and Inference (arXiv:1912.02762)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from implementations.core.bijection import Bijection, Compose, Mapped
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, box, cells, diagram, words
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, size
from implementations.core.numerics import (
    Contraction,
    Map,
    exact_log_det,
    jacobian,
    multiply_adds,
    products,
    roulette,
    signs,
)
from implementations.core.odes import TimeNetwork
from implementations.core.plots import (
    BLUE,
    GREEN,
    ORANGE,
    densities,
    figure,
    grid_lines,
    show,
    square,
    thumbnail,
    warp,
)
from implementations.core.roots import find_root
from implementations.core.toy import Mixture, eight_gaussians, kl_to
from implementations.iaf import excess, learn
from implementations.made import Autoregressive
from implementations.neural_ode import Continuous
from implementations.nice import Coupling
from implementations.nsf import Linear, Spline, alternate
from implementations.real_nvp import Affine

# %% Noise in one piece, and data in eight tags=["plot"]
if __name__ == "__main__":
    target, normal = eight_gaussians().to(device()), StandardNormal((2,)).to(device())
    fig, axes = figure(columns=2, width=4.8, box=target.box)
    densities(axes, {"noise": normal.log_prob, "data": target.log_prob}, target.box)
    show(
        fig,
        "Two heat maps in the same colours. The noise is one wide and faint hill. The "
        "data are eight small discs on a circle, with nothing between them.",
    )

# %% [markdown]
# ## The idea in one picture

# %% Five constructions, and what the determinant needs of each tags=["plot"]
if __name__ == "__main__":
    drawn = {
        "autoregressive": (["o... bo.. bbo. bbbo"], r"$\sum\log J_{ii}$"),
        "coupling": (["b... .b.. bbo. bb.o"], "half of it"),
        "linear": (["b... bb.. bbb. bbbb", "obbb .obb ..ob ...o"], "that of $U$"),
        "residual": (["oooo oooo oooo oooo"], "a series"),
        "continuous": (["obbb bobb bbob bbbo"], r"$\int\,\mathrm{Tr}\,J_g\,dt$"),
    }
    colour = {"b": 0, "o": 1, ".": None}
    fig, [ax] = diagram(width=4.8, height=3.7)
    triangles = box(ax, (0.45, 2.6), "triangles", ORANGE, (0.8, 0.4))
    full = box(ax, (0.45, 0.75), "full", ORANGE, (0.8, 0.4))
    for row, (name, (matrices, needed)) in enumerate(drawn.items()):
        y = 3.3 - 0.7 * row - 0.1 * (row > 2)
        group = triangles if row < 3 else full
        arrow(ax, group, box(ax, (1.8, y), name, BLUE, (1.2, 0.4)))
        for k, matrix in enumerate(matrices):
            filled = [[colour[c] for c in line] for line in matrix.split()]
            cells(ax, (3.2 - 0.3 * len(matrices) + 0.6 * k, y - 0.26), filled, 0.13)
        words(ax, (3.85, y), needed, ORANGE, "left")
    show(
        fig,
        "A tree of five constructions. Autoregressive, coupling and linear flows have "
        "Jacobians made of triangles, and need a diagonal. Those of residual and "
        "continuous flows are full: one needs all, one the diagonal along a path.",
    )

# %% [markdown]
# The matrices are Jacobians. Orange entries are what $\log|\det J|$ needs. Three are
# made of triangles. Two are full: they need a series or an integral, up to an error.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $x$, $z$ | `x`, `z` | data, and noise (the review writes $u$) |
# | $J$ | | first derivatives of the map from $x$ to $z$ |
# | $g$, $J_g$ | `g` | the network of a residual or continuous flow, its derivatives |
# | $L$ | `lipschitz` | how much $g$ may stretch, less than 1 |
#
# `forward` goes from data to noise. The review's $T$ is our `inverse`.
#
# ## Why triangular maps are enough
#
# Let $F_i$ be the distribution function of $x_i$, given what comes before it (§2.2):
# $$z_i = F_i(x_i; x_{<i}) = \Pr(X_i \le x_i \mid x_{<i})$$
# $$\det J = \prod_i \frac{\partial F_i}{\partial x_i} = \prod_i p(x_i \mid x_{<i})
# = p(x)$$
# $J$ is triangular, and its determinant is the density itself. So $z$ is uniform on a
# cube, whatever $p$ was. One such map there and another one back lead from any density
# to any other.
#
# In a mixture of Gaussians, what was seen of $x$ only changes the weights $w_j$:
# $$F_i(x_i; x_{<i}) = \sum_j w_j\,\Phi\Big(\frac{x_i - \mu_{ji}}{\sigma_j}\Big)$$


# %%
class ConditionalCDF(Bijection):
    """z_i = Pr(X_i ≤ x_i | x before i), uniform on the cube for x from the mixture.

    The inverse finds x to rounding, within 12 standard deviations of the means.
    """

    def __init__(self, mixture: Mixture) -> None:
        super().__init__(mixture.shape)
        self.mixture, self.n = mixture, len(mixture.sigmas)
        self.reach = (mixture.means.abs() + 12 * mixture.sigmas[:, None]).max().item()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        log_w, z = x.new_full((x.shape[0], self.n), -math.log(self.n)), []
        for i, column in enumerate(x.split(1, 1)):
            z.append(self._conditional(i, log_w, column)[0])
            log_w = log_w + self._normal(i).log_prob(column)
        return torch.cat(z, 1), log_w.logsumexp(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_w, x = z.new_full((z.shape[0], self.n), -math.log(self.n)), []
        for i, column in enumerate(z.split(1, 1)):
            g = partial(self._conditional, i, log_w)
            x.append(find_root(g, column, -self.reach, self.reach)[0])
            log_w = log_w + self._normal(i).log_prob(x[i])
        return torch.cat(x, 1), -log_w.logsumexp(1)

    def _conditional(self, i: int, log_w: Tensor, column: Tensor) -> Mapped:
        """Return the CDF of x_i given those before it, and its log-density."""
        normal, log_w = self._normal(i), log_w.log_softmax(1)
        cdf = (log_w.exp() * normal.cdf(column)).sum(1, keepdim=True)
        return cdf, (log_w + normal.log_prob(column)).logsumexp(1, keepdim=True)

    def _normal(self, i: int) -> Normal:
        means, sigmas = self.mixture.means[:, i], self.mixture.sigmas
        return Normal(means, sigmas, validate_args=False)


# %% [markdown]
# Try it on the discs.

# %%
if __name__ == "__main__":
    seed()
    exact = ConditionalCDF(eight_gaussians().double()).to(device())
    x = target.sample(5000).double()
    _, j = jacobian(lambda x: exact(x)[0], x)
    off = j.det().log() - exact.mixture.log_prob(x)
    ranks = (torch.arange(5000, device=device()) + 0.5) / 5000
    # Kolmogorov's statistic for each column: one in a thousand exceeds 1.95.
    uneven = (exact(x)[0].sort(0).values - ranks[:, None]).abs().max() * 5000**0.5
    check("F: log |det J|, by autograd, less log p", off.abs().max().item(), below=1e-6)
    check("F: √n · largest distance of z from uniform", uneven.item(), below=2)

# %% A square grid of noise, and what F⁻¹ makes of it tags=["plot"]
if __name__ == "__main__":
    lines = grid_lines((0.001, 0.999, 0.001, 0.999), n=25).double()
    torn, _ = exact.inverse(lines.flatten(0, 1))
    fig, axes = figure(columns=2, width=4.8, height=2.5)
    warp(axes[0], lines, "a grid of $z$")
    warp(axes[1], torn.view_as(lines), "$x = F^{-1}(z)$", target.box)
    show(
        fig,
        "A square grid, and its image under the inverse: lines crowd where the discs "
        "are, and few cross the empty middle.",
    )

# %% [markdown]
# ## Residual flows: a contraction and its power series
#
# $z = x + g(x)$ can be undone if $g$ brings points closer together (§3.3.1):
# $$\lVert g(a) - g(b)\rVert \le L\,\lVert a - b\rVert,\qquad L < 1$$
# Then $x_{n+1} = z - g(x_n)$ runs into $x$: after $n$ steps it is at most
# $\lVert g(z)\rVert\,L^n / (1 - L)$ away. A `Contraction` is a network that bounds the
# largest singular value of each layer.
#
# The determinant is a series. Each trace is an average over random signs $v$:
# $$\log\det(I + J_g) = \sum_{n=1}^\infty \frac{(-1)^{n+1}}{n} \operatorname{Tr} J_g^n,
# \qquad \operatorname{Tr} J_g^n = \mathrm E\,v^\top J_g^n\,v$$


# %%
def series(g: Map, x: Tensor, weights: Sequence[float]) -> Mapped:
    """g(x) and Σ_n weights_n (-1)^(n+1)/n vᵀ J^n v, with one v for all n."""
    y, times_j = products(g, x)
    (v,) = signs(x)
    w, total = v, x.new_zeros(x.shape[0])
    for n, weight in enumerate(weights, 1):
        w = times_j(w)
        total = total - (-1) ** n * weight / n * (w * v).sum(1)
    return y, total


class Residual(Bijection):
    """z = x + g(x), with a contraction g of Lipschitz constant L (§3.3.1).

    The inverse is off by at most `tolerance` times ‖g(z)‖, and by rounding. The
    log-determinant is exact; in high dimension, train on `series` in its place.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (32, 32),
        lipschitz: float = 0.97,
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__((dim,))
        self.g = Contraction(dim, hidden, lipschitz)
        self.steps = math.ceil(math.log(tolerance * (1 - lipschitz), lipschitz))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        y, log_det = exact_log_det(self.g.bounded(), x)
        return x + y, log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        g, x = self.g.bounded(), z
        for _ in range(self.steps):
            x = z - g(x)
        return x, -exact_log_det(g, x)[1]


# %% [markdown]
# ## Continuous flows: a trace along the way
#
# Let steps become infinitely small (§4), as [neural ODEs](neural_ode.ipynb) do. Noise
# $z_0$ flows to data $z_1 = x$:
# $$\frac{dz_t}{dt} = g(t, z_t),\qquad
# \frac{d}{dt} \log p(z_t) = -\operatorname{Tr} J_g(t, z_t)$$
# Any smooth $g$ can be undone: run back. The trace takes $D$ products with $J_g$, or
# one with random signs. The price is a solver's accuracy. `TimeNetwork` is a perceptron
# of $z$ and $t$.

# %% [markdown]
# Check both on random weights, against the whole $J$ by autograd.

# %%
if __name__ == "__main__":
    x = torch.randn(200, 2, device=device()).double()
    block = Residual(2).to(device()).double()
    ode = Continuous(TimeNetwork(2)).to(device()).double()
    maps = {"residual block": (block, 1.0, 1.0), "continuous flow": (ode, 0.0, 0.2)}
    for name, (f, mean, std) in maps.items():
        for weights in f.g.parameters():
            nn.init.normal_(weights, mean, std)
        z, j = jacobian(lambda x, f=f: f(x)[0], x)
        off = (f(x)[1] - torch.linalg.slogdet(j).logabsdet).abs().max().item()
        error = (f.inverse(z)[0] - x).abs().max().item()
        print(f"{name}: back to {error:.1g}; log |det J| to {off:.1g}")
        check(f"{name}: error of the way back", error, below=1e-3)
        check(f"{name}: log |det J|, less that by autograd", off, below=1e-3)

# %% [markdown]
# Cut off, the series is biased. *Russian roulette* stops at random, divides each term
# by the probability of getting there, and is not.

# %%
if __name__ == "__main__":
    g, log_det, rows = block.g.bounded(), block(x)[1].detach(), []
    ways = {f"{n}": partial(list, [1.0] * n) for n in (1, 2, 4, 8, 16)}
    for name, draw in {**ways, "roulette": partial(roulette, p=0.1)}.items():
        off = torch.stack([series(g, x, draw())[1] - log_det for _ in range(200)])
        bias, error = off.mean().item(), off.mean(1).std().item() / 200**0.5
        rows.append((name, f"{bias:.4f} ± {error:.4f}"))
    table(("terms of the series", "bias ± standard error, nats"), rows)
    check("roulette: bias, in standard errors", abs(bias) / error, below=4)

# %% [markdown]
# ## Seven flows on one density
#
# An autoregressive flow is two choices (§3.1). The *conditioner* is a masked network
# or a coupling. The *transformer* that it steers is affine or a spline. That makes
# four flows. The others are a linear layer, eight residual blocks, and a continuous
# flow.


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
        "continuous": Flow(normal, Continuous(TimeNetwork(dim), trace="signs")),
    }


# %% [markdown]
# All see batches of 256 fresh samples. The *gap* is $\mathrm{KL}(p \Vert q)$, in nats.
# *Astray* is the mass more than $5\sigma$ from all eight means, where the truth has
# $e^{-12.5}$. Costs are multiply-adds of matrix products, for each point.


# %%
@torch.no_grad()
def astray(flow: Flow, target: Mixture) -> float:
    """Return the mass more than 5 σ away from all means, by quadrature on a square."""
    line = torch.linspace(*target.box[:2], 241, device=target.means.device)
    points = torch.cartesian_prod(line, line)
    distance = (points[:, None] - target.means).norm(dim=2) / target.sigmas
    p = flow.log_prob(points[(distance < 5).any(1)]).exp()
    return 1 - p.sum().item() * (line[1] - line[0]).item() ** 2


# %%
if __name__ == "__main__":
    seed()
    flows, draw = flows_review(), partial(target.sample, 256)
    recipes = {"residual": (350, 1e-2), "continuous": (250, 1e-2)}
    gaps, bridges, rows = {}, {}, []
    for name, q in flows.items():
        steps, lr = recipes.get(name, (500, 5e-3))
        fit(q.to(device()), lambda x, q=q: -q.log_prob(x).mean(), steps, draw, lr=lr)
        gaps[name], bridges[name] = kl_to(target, q), astray(q, target)
        ways = partial(q.log_prob, target.sample(16)), partial(q.sample, 16)
        costs = [f"{multiply_adds(way) // 16:,}" for way in ways]
        share = f"{100 * bridges[name]:.2f} %"
        rows.append((name, f"{gaps[name]:.3f}", share, f"{size(q):,}", *costs))
    table(("flow", "gap", "astray", "parameters", "evaluate", "sample"), rows)

# %% The truth and seven flows; faint places are made stronger tags=["plot"]
if __name__ == "__main__":

    def root(q: Flow | Mixture) -> Callable[[Tensor], Tensor]:
        """Third root of a density, which shows faint places."""
        return lambda x: q.log_prob(x) / 3

    fig, axes = figure(columns=4, rows=2, height=4.0)
    shown = {"the truth": target, **flows}
    densities(axes, {name: root(q) for name, q in shown.items()}, target.box, n=90)
    show(
        fig,
        "Heat maps of third roots of densities. The truth is eight separate discs. The "
        "linear flow is a round hill. The others join the discs, by bands or threads.",
    )

# %% [markdown]
# Splines are close and cheap. Residual blocks pay when they sample, since $L$ gives the
# number of iterations. The continuous flow costs the same both ways.
#
# All leave something between the discs. Noise is in one piece, and a flow is continuous
# both ways: it can stretch the noise thin, but not tear it (§5).
#
# ## Two ways to fit, and what each misses
#
# From samples of $p$ one minimises $\mathrm{KL}(p \Vert q)$ (§2.3.1). From a formula
# for $p$ one minimises the reverse, which asks only where $q$ is (§2.3.2):
# $$\mathrm{KL}(q \Vert p) = \mathrm E_{q}\big[\log q(x) - \log p(x)\big]$$
# So $q$ may leave discs out. Let $w_j$ be the share of $q$ that is nearest to disc $j$
# (for $p$ it is $\frac18$), and $q_j$, $p_j$ both densities there:
# $$k = \exp\Big(-\sum_j w_j \log w_j\Big)$$
# $$\mathrm{KL}(q \Vert p) = \log\frac8k + \sum_j w_j\,\mathrm{KL}(q_j \Vert p_j)$$
# $k$ is the *effective number* of discs: 8 if all shares are equal, 1 if one has all.
# $\log(8/k)$ is the price of missing discs, the rest that of wrong shapes.

# %%
if __name__ == "__main__":
    seed()
    one_layer = Autoregressive(2, Affine(), ())
    # All log-scales, then all shifts: it starts near (1.4, 1.4), where a disc is.
    one_layer.m.output.bias.data = torch.tensor([2.0, 2.0, -3.7, -3.7])
    single = Flow(StandardNormal((2,)), one_layer)
    _ = learn(single, target, 1500)

# %%
if __name__ == "__main__":
    by_formula = flows_review()["spline, coupling"]
    learn(by_formula, target, 300)
    fits = {
        "linear, by samples": flows["linear"],
        "one layer, by formula": single,
        "splines, by samples": flows["spline, coupling"],
        "splines, by formula": by_formula,
    }
    found, shares = {}, {}
    for name, flow in fits.items():
        noise = flow.base.sample(20_000)
        reverse = excess(flow, target, noise).mean().item()
        x, _ = flow.bijection.inverse(noise)
        nearest = (x[:, None] - target.means).norm(dim=2).argmin(1)
        shares[name] = nearest.bincount(minlength=8) / len(x)
        k = torch.special.entr(shares[name]).sum().exp().item()
        found[name] = kl_to(target, flow), reverse, k, math.log(8 / k)
    rows = [(name, *(f"{n:.3g}" for n in numbers)) for name, numbers in found.items()]
    table(("fit", "KL(p‖q)", "KL(q‖p)", "discs, k", "log(8/k)"), rows)

# %% Four fits, and the share of each disc in percent tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, height=2.4)
    titled = {name.replace(", ", ",\n"): root(q) for name, q in fits.items()}
    densities(axes, titled, (-3.6, 3.6, -3.6, 3.6), n=90)
    for ax, share in zip(axes, shares.values(), strict=True):
        for (a, b), part in zip((1.5 * target.means).tolist(), share, strict=True):
            words(ax, (a, b), f"{100 * part:.0f}")
    show(
        fig,
        "Heat maps of four fits, with the share of each disc. The linear flow is one "
        "hill. One layer fitted by formula sits on a single disc. Splines have all "
        "discs when fitted by samples, and a part of them when fitted by formula.",
    )

# %% [markdown]
# For the splines, $\mathrm{KL}(q \Vert p)$ is mostly $\log(8/k)$: what they found is
# almost right, and the rest is missing.
#
# Both ways are one problem, seen from $x$ and from $z$ (§2.3.3). To fit
# [MAF](maf.ipynb) to data is to fit [IAF](iaf.ipynb), its inverse, to noise.
#
# ## What the paper claims, and what holds

# %%
if __name__ == "__main__":
    kinds = "coupling", "autoregressive"
    times = min(gaps[f"affine, {kind}"] / gaps[f"spline, {kind}"] for kind in kinds)
    more = min(bridges.values()) / math.exp(-12.5)
    _, price, k, missing = found["splines, by formula"]
    claim("Splines come at least {} times as close as affine maps", times, above=10)
    claim("Flows leave at least {} times too much between the discs", more, above=50)
    claim("Splines fitted by formula find {} of eight discs", k, below=7)
    check("splines by formula: KL(q‖p), less log(8/k)", price - missing, below=0.5)
    check("splines by samples: discs", found["splines, by samples"][2], above=7.9)
    price = found["one layer, by formula"][1]
    check("one layer by formula: KL(q‖p)", price, above=2.08, below=2.2)
    check("residual: gap", gaps["residual"], below=0.12)
    check("continuous: gap", gaps["continuous"], below=0.12)

# %%
if __name__ == "__main__":
    all_checks("flows_review")

# %% [markdown]
# The review has no numbers. It states, and we obtain:

# %% tags=["plot"]
if __name__ == "__main__":
    table(
        ("stated", "section", "here"),
        [
            ("F makes any density uniform", "2.2", f"√n · distance {uneven:.2f}"),
            ("reverse KL seeks modes", "2.3.2", f"splines find {k:.1f} of 8"),
            ("any map may be steered", "3.1", f"splines {times:.0f} times as close"),
            ("a contraction is undone by iteration", "3.3.1", f"{block.steps} times"),
            ("topology stays", "5", f"{more:.0f} times too much between discs"),
        ],
    )

# %% [markdown]
# ## Three things to remember
#
# 1. A flow needs a trick for its determinant: triangles, a series, or a trace.
# 2. In theory triangular maps are enough. In practice the transformer decides.
# 3. A flow fitted by formula may miss modes, which costs $\log(8/k)$ nats. No flow
#    tears its noise.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. Forget what was seen.** Let `forward` keep all weights equal. Is $z$ still
# uniform?
#
# ```diff
# - log_w = log_w + self._normal(i).log_prob(column)
# + log_w = log_w + 0
# ```
#
# <details><summary>Answer</summary>
#
# Each column is. The pair is not: the check of the determinant fails.
#
# </details>
#
# **2. Stretch too much.** Let $g$ stretch by twice as much. Does the block come back?
#
# ```diff
# - self.g = Contraction(dim, hidden, lipschitz)
# + self.g = Contraction(dim, hidden, 2 * lipschitz)
# ```
#
# <details><summary>Answer</summary>
#
# No. Where the slope of $g$ exceeds 1, the iteration runs away.
#
# </details>
#
# **3. Start in the middle.** Where does the single affine layer end, if it starts as
# the identity?
#
# ```diff
# - one_layer.m.output.bias.data = torch.tensor([2.0, 2.0, -3.7, -3.7])
# + one_layer.m.output.bias.data = torch.tensor([0.0, 0.0, 0.0, 0.0])
# ```
#
# <details><summary>Answer</summary>
#
# Not on a disc. After 1,500 steps it still covers gaps, and $\mathrm{KL}(q \Vert p)$ is
# 4 to 11 nats (five seeds), where one disc costs $\log 8 = 2.08$. What a fit by formula
# finds depends on its start.
#
# </details>
#
# ## What to read next
#
# - [NICE](nice.ipynb), [Real NVP](real_nvp.ipynb), [MAF](maf.ipynb) and
#   [neural spline flows](nsf.ipynb) build the first flows.
# - [Neural ODEs](neural_ode.ipynb) bring the continuous flow, [FFJORD](ffjord.ipynb)
#   its random signs, [residual flows](https://arxiv.org/abs/1906.02735) the roulette.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    line = torch.linspace(*target.box[:2], 120)
    points = torch.cartesian_prod(line, line).to(device())
    heights = flows["residual"].log_prob(points).view(120, 120).T.detach().cpu()
    ax.contourf(line, line, heights, (-5, -2, 9), colors=(GREEN, ORANGE))
    thumbnail(fig, "A wreath: eight discs on a circle, as a residual flow joins them.")
