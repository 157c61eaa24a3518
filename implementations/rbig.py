# %% [markdown]
# # RBIG: a flow without gradients, fitted layer by layer
#
# Flows are trained by many small steps down a gradient. In 2011 there was a flow that
# needs none. Laparra, Camps-Valls and Malo
# ([arXiv:1602.00229](https://arxiv.org/abs/1602.00229)) alternate two moves. Make each
# coordinate Gaussian by itself. Turn the axes, even by chance. Repeat.
#
# In the figure, two moons become one Gaussian cloud. The two lines in the loop are the
# whole method.
#
# The result: two moons in thirty layers and about a second. Each layer also says how
# much the variables told about each other. The price: a layer is never revised, and a
# poor estimate is paid for in every layer.

# %%
"""Iterative Gaussianization (Laparra, Camps-Valls and Malo, 2011; arXiv:1602.00229)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from time import process_time

import torch
from matplotlib.patches import Circle
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.special import ndtri

from implementations.core.bijection import Compose, DataDependent, Mapped
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, box, diagram, words
from implementations.core.digits import baselines, bits_per_dim, dequantise, digits
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.normal import quantile
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    densities,
    figure,
    images,
    label_lines,
    show,
    square,
    thumbnail,
)
from implementations.core.toy import Toy, TwoMoons, eight_gaussians

# %% Two moons on their way to noise tags=["plot"]
if __name__ == "__main__":
    seed()
    x = TwoMoons().to(device()).sample(3000)
    from_upper, from_lower = (
        (x - c).norm(dim=1) for c in (x.new_zeros(2), x.new_tensor((1, 0.5)))
    )
    upper = ((from_upper - 1).abs() < (from_lower - 1).abs()).cpu()
    stages = {"two moons": x - x.mean(0)}
    for k in range(1, 31):
        x = ndtri((x.argsort(0).argsort(0) + 0.5) / x.shape[0])
        turned = x @ torch.linalg.qr(torch.randn(2, 2, device=x.device))[0]
        if k == 1:
            stages |= {"each axis Gaussian": x, "turned": turned}
        x, last = turned, x
    stages["after 30 layers"] = last
    moon_colours = ((upper, BLUE), (~upper, ORANGE))
    fig, axes = figure(columns=4, box=(-3.6, 3.6, -3.6, 3.6))
    for ax, (title, points) in zip(axes, stages.items(), strict=True):
        for which, colour in moon_colours:
            ax.plot(*points.cpu()[which].T, ".", color=colour, markersize=1.5)
        ax.set(xlim=(-3.6, 3.6), ylim=(-3.6, 3.6), aspect="equal", title=title)
        ax.axis("off")
    show(
        fig,
        "Four clouds of points, one moon blue and one orange. First two moons; then "
        "the same with Gaussian axes, still two arcs; then turned; after 30 layers one "
        "round cloud, in which both colours lie in folds.",
    )

# %% [markdown]
# ## The idea in one picture

# %% The chain of moves, each fitted to what reaches it tags=["plot"]
if __name__ == "__main__":
    fig, (ax,) = diagram(width=4.8, height=1.7)
    named = ("$x$", r"$\Psi_1$", "$R_1$", r"$\Psi_2$", "$R_2$", "…", r"$\Psi_K$", "$z$")
    colours = (GREY, BLUE, ORANGE, BLUE, ORANGE, GREY, BLUE, GREY)
    boxes = [
        box(ax, (0.35 + 0.585 * k, 0.95), name, colour, (0.42, 0.42))
        for k, (name, colour) in enumerate(zip(named, colours, strict=True))
    ]
    for a, b in pairwise(boxes):
        arrow(ax, a.right, b.left)
    words(ax, (1.6, 1.5), r"$\Psi$: each axis by its own density", BLUE)
    words(ax, (1.6, 0.35), "$R$: turn, any way", ORANGE)
    words(ax, (3.75, 0.35), "each fitted once,\nto what reaches it", GREY)
    show(
        fig,
        "A chain of boxes from data x to noise z: marginal moves and turns take turns, "
        "and a marginal move is the last. Each is fitted once, to what reaches it.",
    )

# %% [markdown]
# A marginal move looks at one axis at a time. So it cannot see how axes depend on each
# other. But it leaves all axes Gaussian, and what is still not Gaussian is dependence.
# A turn makes new axes, which mix the old ones. On those, dependence shows as marginals
# that are not Gaussian any more. The next move can remove it.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $\Psi_k$, $R_k$ | `FittedMarginals`, `FittedRotation` | moves of layer $k$ |
# | $F$, $\Phi$ | $\Phi^{-1}$: `quantile` | distribution function: data, $N(0, 1)$ |
# | $J$ | | $\mathrm{KL}(p \,\Vert\, N(0, I))$: how far data are from noise |
# | $L_k$, $I$ | `climb`, `multi_information` | log-likelihood, $k$ layers; dependence |
#
# `forward` goes from data to noise, here and in the paper.
#
# ## One axis at a time
#
# A number with distribution function $F$ becomes uniform by $F$, then Gaussian by
# $\Phi^{-1}$:
# $$\psi(x) = \Phi^{-1}(F(x)), \qquad
# \log\psi'(x) = \log p(x) - \log\varphi(\psi(x))$$
# $F$ must be estimated. The paper counts points in $\sqrt n$ bins. A smoother way is to
# put a small Gaussian kernel on each point. Both tell how much probability each of many
# narrow cells has. The first and the last share lie beyond all points.


# %%
# Straight lines that make up the map of an axis, with those of its ends.
PIECES = 1024


def counts(x: Tensor, edges: Tensor) -> Tensor:
    """Share of the points in each cell, for x (n, dim) and even edges (dim, K + 1)."""
    n, cells = x.shape[0], edges.shape[1] - 1
    low, high = edges[:, :1], edges[:, -1:]
    which = ((x.T - low) / (high - low) * cells).long().clamp(0, cells - 1)
    return x.new_zeros(x.shape[1], cells).scatter_add_(
        1, which, torch.full_like(x.T, 1 / n)
    )


def kernels(x: Tensor, edges: Tensor, width: float = 1.06) -> Tensor:
    """Shares of cells under kernels of standard deviation width · σ n^(-1/5).

    Returns (dim, K + 2): what is below all cells comes first, what is above last.
    """
    share = counts(x, edges)
    cells = share.shape[1]
    h = width * x.std(0, correction=0) * x.shape[0] ** -0.2
    wave = torch.fft.rfftfreq(2 * cells, dtype=x.dtype, device=x.device)
    blur = -2 * (math.pi * wave * (h / (edges[:, 1] - edges[:, 0]))[:, None]).square()
    # Blurred by Fourier's way, on a circle twice as long: what leaves has room there.
    found = torch.fft.irfft(torch.fft.rfft(share, 2 * cells) * blur.exp(), 2 * cells)
    inside, above, below = found.clamp(min=0).split((cells, cells // 2, cells // 2), 1)
    return torch.cat((below.sum(1, True), inside, above.sum(1, True)), 1)


def histogram_bins(x: Tensor, edges: Tensor) -> Tensor:
    """Shares of cells under the paper's histogram, of √n bins; see `kernels`."""
    share = counts(x, edges)
    cells = share.shape[1]
    bins = min(cells, round(x.shape[0] ** 0.5))
    bin_of = torch.arange(cells, device=x.device) * bins // cells
    each = x.new_zeros(x.shape[1], bins).index_add_(1, bin_of, share)
    inside = (each / bin_of.bincount())[:, bin_of]
    return torch.nn.functional.pad(inside, (1, 1))


# %% [markdown]
# The sums of the shares give $F$ at the knots between the cells. Then $\psi$ is known
# there. Between knots it is a straight line; so are its ends, as steep as those of a
# Gaussian. So the map and its inverse are exact, and its slope *is* the density. No
# table of $p$ can disagree with it.
#
# Three things are needed in practice. Half a point beyond either end keeps $F$ away
# from 0 and 1. One percent of a straight line keeps $\psi$ rising where no point is.
# And $\Phi^{-1}$ takes the logarithms of $F$ and of $1 - F$: near 1, nothing of $1 - F$
# would be left in $F$.

# %%
LEAST = 0.01


class FittedMarginals(DataDependent):
    """z_i = Φ⁻¹(F_i(x_i)), by straight lines between knots, which a first batch sets.

    It has no parameters. Until a batch comes, it is the identity.
    """

    x_knots: Tensor
    z_knots: Tensor

    def __init__(
        self, dim: int, estimate: Callable[[Tensor, Tensor], Tensor] = kernels
    ) -> None:
        super().__init__((dim,))
        self.estimate = estimate
        line = torch.linspace(-4, 4, PIECES + 1).repeat(dim, 1)
        self.register_buffer("x_knots", line)
        self.register_buffer("z_knots", line.clone())

    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        x = x.double()
        low, high, mean, std = (
            each[:, None]
            for each in (x.amin(0), x.amax(0), x.mean(0), x.std(0, correction=0))
        )
        # A column of one value is taken for one of spread 1.
        high, std = torch.where(high > low, high, low + 1), std + (std == 0)
        unit = torch.linspace(0, 1, PIECES - 1, dtype=x.dtype, device=x.device)
        edges = low + (high - low) * unit
        share = self.estimate(x, edges)
        share[:, [0, -1]] += 0.5 / x.shape[0]
        share = share / share.sum(1, True)
        log_p = share.cumsum(1)[:, :-1].log()
        log_q = share.flip(1).cumsum(1).flip(1)[:, 1:].log()
        line = (edges - mean) / std
        z = (1 - LEAST) * quantile(log_p, log_q) + LEAST * line
        self.x_knots.copy_(torch.cat((low - std, edges, high + std), 1))
        self.z_knots.copy_(torch.cat((z[:, :1] - 1, z, z[:, -1:] + 1), 1))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return along(x, self.x_knots, self.z_knots)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return along(z, self.z_knots, self.x_knots)


def along(t: Tensor, start: Tensor, end: Tensor) -> Mapped:
    """Go along straight lines from knots `start` to knots `end`, and log|det|.

    t is of shape (n, dim), knots are of shape (dim, PIECES + 1), and rise.
    """
    t = t.T
    k, step = torch.zeros_like(t, dtype=torch.long), PIECES // 2
    while step:
        k = torch.where(t >= start.gather(1, k + step), k + step, k)
        step //= 2
    a, b, c, d = (e.gather(1, at) for e in (start, end) for at in (k, k + 1))
    slope = (d - c) / (b - a)
    return (c + slope * (t - a)).T, slope.log().sum(0)


# %% [markdown]
# Check it on the height of the moons: the way back, the slope, and how far from
# Gaussian fresh points are. (That is the largest distance of distribution functions.
# For 10,000 points, chance makes 0.01.)

# %%
if __name__ == "__main__":
    seed()
    moons = TwoMoons().to(device()).double()
    x, fresh = moons.sample(20_000), moons.sample(10_000)
    marginals = {"kernels": kernels, "histogram": histogram_bins}
    layers = {
        name: FittedMarginals(2, estimate).to(x) for name, estimate in marginals.items()
    }
    for layer in layers.values():
        layer.initialise(x)
    layer = layers["kernels"]
    z, log_det = layer(fresh)
    back, negated = layer.inverse(z)
    check(
        "a layer: error of the way back", (back - fresh).abs().max().item(), below=1e-9
    )
    check(
        "a layer: error of log|det|", (log_det + negated).abs().max().item(), below=1e-9
    )
    ranks = (torch.arange(10_000, device=z.device)[:, None] + 0.5) / 10_000
    distance = (torch.special.ndtr(z.sort(0).values) - ranks).abs().max().item()
    check("a layer: distance of its marginals from N(0, 1)", distance, below=0.05)

# %% One axis: density and map, by both estimates tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, height=2.6)
    ruler = torch.linspace(-1.2, 1.7, 800, device=device()).double()
    points = torch.stack((0 * ruler, ruler), 1).requires_grad_()
    for (name, layer), colour in zip(layers.items(), (BLUE, ORANGE), strict=True):
        image = layer(points)[0][:, 1]
        (slope,) = torch.autograd.grad(image.sum(), points)
        p = slope[:, 1].log() - (image.square() + math.log(2 * math.pi)) / 2
        for ax, each in zip(axes, (p.exp(), image), strict=True):
            look = {"lw": 1.8 if name == "kernels" else 0.8, "color": colour}
            ax.plot(ruler.cpu(), each.detach().cpu(), **look, label=name)
    axes[0].set(title="density of the height", xlabel="$x_2$", ylim=(0, None))
    axes[1].set(title=r"its map $\psi$ to noise", xlabel="$x_2$")
    label_lines(axes[0])
    show(
        fig,
        "Left, the density of the moons' height: a smooth curve by kernels, a ragged "
        "one by the histogram. Right, their maps to noise: the same rising curve, "
        "but for the ends, where both go on as straight lines.",
    )

# %% [markdown]
# The maps look alike. Their slopes do not, and likelihoods are made of slopes. That
# will matter.
#
# ## Turns
#
# Which turn? The paper tries three: a random one, the principal axes (PCA), and the
# axes of independent components (ICA), as Chen and Gopinath did in 2000 in the [first
# flow](https://proceedings.neurips.cc/paper/2000/hash/3c947bc2f7ff007b86a9428b74654de5-Abstract.html)
# of this kind. A turn has log-determinant 0.


# %%
def haar(x: Tensor) -> Tensor:
    """Draw a rotation or reflection, all of them equally likely; x is not looked at."""
    normal = torch.randn(x.shape[1], x.shape[1], device=x.device).to(x)
    q, r = torch.linalg.qr(normal)
    return q * r.diagonal().sign()


def pca(x: Tensor) -> Tensor:
    """Principal axes of x, one in each row: eigenvectors of the covariance."""
    return torch.linalg.eigh(x.T.cov().view(x.shape[1], -1))[1].T


def ica(x: Tensor, steps: int = 30) -> Tensor:
    """The rotation next to what FastICA finds: axes along which x is least Gaussian.

    E[tanh(s) y] - E[tanh′(s)] w for each row w, where y is x whitened, s = wᵀy.
    """
    x = x - x.mean(0)
    variance, axes = torch.linalg.eigh(x.T.cov(correction=0).view(x.shape[1], -1))
    whiten = axes / variance.sqrt() @ axes.T
    y, w = x @ whiten, haar(x)
    for _ in range(steps):
        g = (y @ w.T).tanh()
        w = nearest(g.T @ y / y.shape[0] - (1 - g * g).mean(0)[:, None] * w)
    return nearest(w @ whiten)


def nearest(w: Tensor) -> Tensor:
    """The orthogonal matrix that is nearest to w."""
    u, _, v = torch.linalg.svd(w)
    return u @ v


class FittedRotation(DataDependent):
    """z = R x, for an orthogonal R that `choose` finds for a first batch."""

    r: Tensor

    def __init__(self, dim: int, choose: Callable[[Tensor], Tensor] = haar) -> None:
        super().__init__((dim,))
        self.choose = choose
        self.register_buffer("r", torch.eye(dim))

    def set_from(self, x: Tensor, context: Tensor | None) -> None:
        self.r.copy_(self.choose(x.double()))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x @ self.r.T, x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z @ self.r, z.new_zeros(z.shape[0])


# %% [markdown]
# Two remarks. Draw the random matrix from a normal distribution: from numbers between 0
# and 1, as in the authors' first code, some turns are far more likely than others. And
# end with a marginal move: after the last turn, one is left that costs nothing.


# %%
def rbig(
    dim: int,
    layers: int = 30,
    choose: Callable[[Tensor], Tensor] = haar,
    estimate: Callable[[Tensor, Tensor], Tensor] = kernels,
) -> Flow:
    """Build the flow: marginal moves, `layers` of them, with a turn between each two.

    It has no parameters: `flow.initialise(x)` fits it, to all of the data at once.
    """
    maps: list[DataDependent] = [FittedMarginals(dim, estimate)]
    for _ in range(layers - 1):
        maps += [FittedRotation(dim, choose), FittedMarginals(dim, estimate)]
    return Flow(StandardNormal((dim,)), Compose(*maps))


@torch.no_grad()
def climb(flow: Flow, x: Tensor) -> Tensor:
    """L_k: mean log-likelihood of x under the first k layers, for k = 0 … K."""
    assert isinstance(flow.bijection, Compose)
    total, found = x.new_zeros(x.shape[0]), [flow.base.log_prob(x).mean()]
    for layer in flow.bijection.layers:
        x, log_det = layer(x)
        total = total + log_det
        if isinstance(layer, FittedMarginals):
            found.append((flow.base.log_prob(x) + total).mean())
    return torch.stack(found)


# %% [markdown]
# `Compose` has initialised layers in this way all along: each on what the layers before
# make of a first batch. In [Glow](glow.ipynb) that is a start for training. Here it is
# everything.
#
# ## Why any turn will do
#
# How far from noise are data? The distance $J$ has two parts:
# $$J(x) = \underbrace{\sum_i \mathrm{KL}(p_i \,\Vert\, N(0, 1))}_{\text{the marginals}}
# + \underbrace{I(x)}_{\text{dependence}}$$
# $I$ is the *multi-information*: 0 for independent axes, else above 0. A marginal move
# removes the first part, and leaves $I$ alone, since stretching an axis changes no
# dependence. A turn leaves $J$ alone, since it changes no distance from the origin. It
# only moves some of $I$ into the first part. So $J$ never rises. It stays only if all
# marginals are Gaussian, whichever way the axes are turned. Only a Gaussian is so.
#
# The likelihood shows it. Layer $k$ gains $L_k - L_{k-1}$, and that is what its
# marginals still lacked. The first layer pays for the marginals of the data. All that
# comes later is dependence. So, once noise is reached,
# $$I(x) = L_K - L_1$$
#
# Try the three turns, on two moons and on eight Gaussians.


# %%
def fitted(flow: Flow, x: Tensor) -> Flow:
    """Fit the flow to x, in its dtype; the flow itself is returned."""
    flow.to(x).initialise(x)
    return flow


def gaps(target: Toy, flow: Flow, n: int = 10_000) -> list[float]:
    """KL(target ‖ first k layers) on n fresh points, for k = 0 … K, in nats."""
    x = target.sample(n)
    return (target.log_prob(x).mean() - climb(flow, x)).tolist()


# %%
if __name__ == "__main__":
    seed()
    turns = {"random": haar, "PCA": pca, "ICA": ica}
    toys = {
        "two moons": moons,
        "eight Gaussians": eight_gaussians().to(device()).double(),
    }
    paths: dict[str, dict[str, list[float]]] = {}
    rows, flows = [], {}
    for toy, target in toys.items():
        x, paths[toy] = target.sample(20_000), {}
        for name, choose in turns.items():
            began = process_time()
            flows[toy, name] = fitted(rbig(2, 50, choose), x)
            seconds = process_time() - began
            path = paths[toy][name] = gaps(target, flows[toy, name])
            some = [f"{path[k]:.2f}" for k in (1, 2, 5, 10, 30, 50)]
            rows.append((toy, name, *some, f"{seconds:.1f}"))
    header = ("gap in nats", "turns", *map(str, (1, 2, 5, 10, 30, 50)), "seconds")
    table(header, rows)
    second = {
        name: sum(gaps(target, fitted(rbig(2, 2, choose), x))[2] for _ in range(8)) / 8
        for name, choose in turns.items()
    }

# %% The gap against the number of layers tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.6, height=2.6)
    for ax, (toy, each) in zip(axes, paths.items(), strict=True):
        for (name, path), colour in zip(
            each.items(), (BLUE, GREEN, ORANGE), strict=True
        ):
            ax.plot(range(1, 51), path[1:], color=colour, label=name)
        ax.set(
            title=f"{toy}: gap in nats", xlabel="layers", yscale="log", ylim=(0.04, 1.2)
        )
        label_lines(ax)
    show(
        fig,
        "The gap against the number of layers, for two moons and eight Gaussians. All "
        "turns bring it from nearly 1 to about 0.1. ICA falls first, and PCA is behind "
        "for twenty layers.",
    )

# %% [markdown]
# (Columns count marginal moves; seconds are those of the processor.) All turns arrive.
# ICA is ahead at first, and takes longer. A random turn may be lucky, so a check below
# takes the mean of eight. PCA can stall: after a marginal move the covariance is often
# $I$ already, and then its axes are chance, or nearly those of before. To cut a flow
# short, drop its last layers: the first $k$ of 50 are what a fit of $k$ would give.
#
# ## Which estimate pays
#
# Near the end, data are Gaussian already. Then a layer should do nothing. But it cannot
# know this, and fits its own noise. So each layer loses a little, on each axis, and all
# later ones again. First see the loss of a single layer on exact noise.

# %%
if __name__ == "__main__":
    seed()
    lost: dict[str, float] = {}
    for name, estimate in marginals.items():
        noise, other = (torch.randn(20_000, 50, device=device()) for _ in "ab")
        path = climb(fitted(rbig(50, 1, estimate=estimate), noise), other)
        lost[name] = (path[0] - path[1]).item() / 50
    rows = [(name, f"{1000 * each:.2f}") for name, each in lost.items()]
    table(("estimate", "thousandths of a nat lost, per axis and layer"), rows)

# %% [markdown]
# Now the moons again, with both estimates, on the points of the fit and on fresh ones.

# %%
if __name__ == "__main__":
    seed()
    x = moons.sample(20_000)
    on_fit: dict[str, list[float]] = {}
    on_fresh: dict[str, list[float]] = {}
    for name, estimate in marginals.items():
        flow = fitted(rbig(2, 50, estimate=estimate), x)
        on_fit[name] = (moons.log_prob(x).mean() - climb(flow, x)).tolist()
        on_fresh[name] = gaps(moons, flow)

# %% The gap on the points of the fit, and on fresh ones tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.6, height=2.6)
    for ax, (where, each) in zip(
        axes,
        {"points of the fit": on_fit, "fresh points": on_fresh}.items(),
        strict=True,
    ):
        for name, colour in (("kernels", BLUE), ("histogram", ORANGE)):
            ax.plot(range(1, 51), each[name][1:], color=colour, label=name)
        ax.axhline(0, color=GREY, lw=0.8, ls=":")
        ax.set(title=f"{where}: gap in nats", xlabel="layers", ylim=(-0.4, 0.8))
        label_lines(ax)
    show(
        fig,
        "The gap against the number of layers. On the points of the fit both go on "
        "falling, and the histogram ends below 0. On fresh points kernels come near 0 "
        "and stay there; the histogram turns after ten layers, and rises.",
    )

# %% [markdown]
# On the points of the fit the histogram looks best: its gap falls below 0, which no
# honest density can do. On fresh points it turns round and rises: its layers lose more
# than they still gain. So judge layers by points that took no part.
#
# ## Information by difference
#
# $I = L_K - L_1$ needs no estimate of an entropy. Take points that took no part; choose
# $K$ by others still, where $L_k$ is highest. For a Gaussian $I$ is known, $-\frac12
# \log\det$ of its correlations. For the moons it is the gap that marginals leave.


# %%
def multi_information(flow: Flow, x: Tensor, choosing: Tensor) -> float:
    """L_K - L_1 on x, in nats, for the K that is best on other points, `choosing`."""
    best = 1 + int(climb(flow, choosing)[1:].argmax())
    path = climb(flow, x)
    return (path[best] - path[1]).item()


def marginal_entropy(p: Tensor, step: float) -> float:
    """-∫ p log p, for values p on a ruler of this step."""
    return -(torch.xlogy(p, p).sum() * step).item()


# %%
if __name__ == "__main__":
    seed()
    a = torch.randn(5, 5, device=device()).double()
    covariance = a @ a.T / 5 + 0.5 * torch.eye(5).to(a)
    known = MultivariateNormal(a.new_zeros(5), covariance)
    truth = (covariance.diagonal().log().sum() - covariance.logdet()).item() / 2
    step = 0.02
    across = torch.arange(-2.5, 3.5, step, device=device()).double()
    joint = moons.log_prob(torch.cartesian_prod(across, across)).exp().view(300, 300)
    each = sum(marginal_entropy(joint.sum(k) * step, step) for k in (0, 1))
    information = {"Gaussian, 5-d": truth, "two moons": each - moons.entropy}
    drawn = {
        "Gaussian, 5-d": [
            known.sample(torch.Size((n,))) for n in (20_000, 20_000, 5000)
        ],
        "two moons": [moons.sample(n) for n in (20_000, 20_000, 5000)],
    }
    depth = {"Gaussian, 5-d": 20, "two moons": 50}
    found = {
        (name, turn): multi_information(
            fitted(rbig(x.shape[1], depth[name], choose), x), fresh, choosing
        )
        for name, (x, fresh, choosing) in drawn.items()
        for turn, choose in turns.items()
    }
    rows = [
        (name, f"{exact:.3f}", *(f"{found[name, turn]:.3f}" for turn in turns))
        for name, exact in information.items()
    ]
    table(("multi-information in nats", "exact", *turns), rows)

# %% [markdown]
# What layers have not found is missing, and what they lose is subtracted. So the number
# comes out a little low. For a Gaussian, one turn to the principal axes is enough.
#
# ## What it is worth
#
# `fit` has nothing to do here: there is no parameter and no loss. What is that worth?
# Train a [spline flow](nsf.ipynb) on fresh moons, and stop where it passes ours.

# %%
if __name__ == "__main__":
    from implementations.nsf import nsf

    seed()
    target = TwoMoons().to(device())
    x, fresh = target.sample(20_000), target.sample(10_000)
    exact = target.log_prob(fresh).mean()
    began = process_time()
    greedy = fitted(rbig(2, 30), x)
    spent = {"RBIG, 30 layers": process_time() - began}
    spline = nsf(2).to(device())

    def gap_now(q: Flow = spline) -> Tensor:
        """The gap on fresh points."""
        return exact - q.log_prob(fresh).mean()

    began = process_time()
    history = fit(
        spline,
        lambda x: -spline.log_prob(x).mean(),
        300,
        lambda: target.sample(256),
        lr=2e-3,
        validate=gap_now,
        every=25,
    )
    spent["spline flow, 300 steps"] = process_time() - began
    with torch.no_grad():
        reached = gap_now(greedy).item()
        trained = gap_now().item()
    passed = next((step for step, gap in history.validation if gap < reached), 300)
    table(
        ("flow", "gap in nats", "seconds", "numbers kept"),
        [
            (name, f"{gap:.3f}", f"{spent[name]:.1f}", f"{numbers:,}")
            for name, gap, numbers in zip(
                spent,
                (reached, trained),
                (
                    sum(b.numel() for b in greedy.buffers()),
                    sum(w.numel() for w in spline.parameters()),
                ),
                strict=True,
            )
        ],
    )
    print(f"the spline flow is as close after {passed} steps (300: or never)")

# %% Densities: the truth, and both flows tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3, box=target.box)
    log_probs = {
        "truth": target.log_prob,
        "RBIG": greedy.log_prob,
        "spline flow": spline.log_prob,
    }
    densities(axes, log_probs, target.box)
    show(
        fig,
        "Three densities in one scale of colours. RBIG has both moons, a little rough, "
        "with faint streaks between them. The spline flow's moons are cleaner.",
    )

# %% [markdown]
# RBIG is there in a fraction of the seconds, from 20,000 points. Then the spline flow
# goes on, and RBIG cannot: more layers add little, and none is revised. It also keeps
# more numbers. It is a good first density, and a good start.
#
# ## Sixty-four numbers
#
# The digits of [NICE](nice.ipynb), five layers, turned to principal axes. Each image is
# taken ten times, with other noise.

# %%
if __name__ == "__main__":
    seed()
    train, _, test = (part.images for part in digits())
    flow = fitted(rbig(64, 5, pca), dequantise(train, 10).double())
    path = climb(flow, dequantise(test, 4).double())
    bits = [bits_per_dim(each, 64).item() for each in path]
    others = baselines(train, test)
    told = {**others, "RBIG, one layer": bits[1], "RBIG, five layers": bits[5]}
    table(
        ("model", "bits per dimension, test"),
        [(n, f"{b:.2f}") for n, b in told.items()],
    )
    print(f"multi-information of the pixels: {(path[5] - path[1]).item():.1f} nats")

# %% Digits, and what the flow draws tags=["plot"]
if __name__ == "__main__":
    fig, (ax,) = figure(height=1.3)
    drawn = flow.sample(12).clamp(0, 1).float()
    images(
        ax, {"digits": (test[:12] / 16).view(-1, 8, 8), "RBIG": drawn.view(-1, 8, 8)}
    )
    show(
        fig,
        "A row of twelve digits, and a row of twelve samples: strokes in the middle of "
        "the image that resemble digits, with some specks.",
    )

# %% [markdown]
# The pixels' marginals alone cannot tell one digit from another. Four turns more, and
# the flow needs fewer bits than any of the simple models.
#
# ## What the paper claims, and what holds
#
# It has no table of likelihoods. It claims that any rotation converges, that ICA needs
# the fewest layers but costs most, and that the sum over layers is the
# multi-information.

# %%
if __name__ == "__main__":
    claim(
        "Two moons: 30 layers with random turns leave a gap of {} nats",
        paths["two moons"]["random"][30],
        below=0.1,
    )
    claim(
        "Two moons: 50 layers with histograms leave {} times the gap of kernels",
        on_fresh["histogram"][50] / on_fresh["kernels"][50],
        above=3,
    )
    claim(
        "Digits: five layers save {} bits per dimension on the best simple model",
        min(others.values()) - bits[5],
        above=0.1,
    )
    worst = max(path[50] for each in paths.values() for path in each.values())
    check("any turn, 50 layers: the largest gap", worst, below=0.2)
    ratio = second["ICA"] / second["random"]
    check("eight Gaussians, two layers: gap of ICA, over random", ratio, below=0.8)
    check(
        "histogram on the points of the fit, 50 layers: gap",
        on_fit["histogram"][50],
        below=0,
    )
    check(
        "histogram: gap at 50 layers, less at 10",
        on_fresh["histogram"][50] - on_fresh["histogram"][10],
        above=0.02,
    )
    rise = on_fresh["histogram"][50] - on_fresh["histogram"][30]
    expected = 20 * 2 * lost["histogram"]
    check(
        "histogram: rise in 20 layers, over its losses",
        rise / expected,
        above=0.2,
        below=1.5,
    )
    check(
        "histogram: loss per axis and layer, over kernels",
        lost["histogram"] / lost["kernels"],
        above=3,
    )
    for name, known_value in information.items():
        least, most = (
            f(found[name, turn] for turn in turns) / known_value for f in (min, max)
        )
        check(
            f"{name}: the least multi-information found, over exact", least, above=0.8
        )
        check(f"{name}: the greatest, over exact", most, below=1.05)
    check("steps until a spline flow is as close", passed, above=50)

# %%
if __name__ == "__main__":
    all_checks("rbig")

# %% [markdown]
# Reported and obtained:
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | any rotation converges | yes | all three do; PCA stalls on the way | chance axes |
# | ICA: fewest layers | yes | yes, at first | later all are near the floor |
# | multi-information | from entropies | from likelihoods | no entropy is needed |
# | marginals | histogram, $\sqrt n$ bins | kernels | fresh points |
# | beyond the points | support widened | straight lines | finite everywhere |
# | between knots | $F$ is straight | $\psi$ is straight | slope is the density |
#
# ## Three things to remember
#
# 1. Make marginals Gaussian, turn, repeat: data become noise, and no gradient is
#    needed.
# 2. What each layer gains adds up to the multi-information.
# 3. A layer that has nothing to do still loses. Use smooth estimates, and judge by
#    fresh points.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. Not all turns.** Draw the random matrix from numbers between 0 and 1. Where does
# the first axis go now? Does the gap after 30 layers change?
#
# ```diff
# - normal = torch.randn(x.shape[1], x.shape[1], device=x.device).to(x)
# + normal = torch.rand(x.shape[1], x.shape[1], device=x.device).to(x)
# ```
#
# <details><summary>Answer</summary>
#
# It goes only where all numbers have one sign: a quarter of the plane, and in ten
# dimensions a thousandth of all directions. Still, the gap after 30 layers is about the
# same. Almost any turn will do.
#
# </details>
#
# **2. Steep ends.** Make $\psi$ three times as steep beyond the points of the fit. No
# such point is there. What do fresh points say after 30 layers?
#
# ```diff
# - self.z_knots.copy_(torch.cat((z[:, :1] - 1, z, z[:, -1:] + 1), 1))
# + self.z_knots.copy_(torch.cat((z[:, :1] - 3, z, z[:, -1:] + 3), 1))
# ```
#
# <details><summary>Answer</summary>
#
# The gap explodes. Of many fresh points, a few lie beyond. Each layer triples their
# distance, and the next one finds them further out.
#
# </details>
#
# **3. Flat places.** Leave out the one percent of a straight line, and fit a histogram
# to a hundred points with far ones among them: cubes of Gaussian numbers. Which density
# does it give to fresh points?
#
# ```diff
# - LEAST = 0.01
# + LEAST = 0.0
# ```
#
# <details><summary>Answer</summary>
#
# 0 in an empty bin. So the mean log-likelihood of fresh points is $-\infty$, while that
# of the hundred is finite.
#
# </details>
#
# ## What to read next
#
# - [Gaussianization flows](gaussianization.ipynb) train these layers, with few of them.
# - [Glow](glow.ipynb) has rotations that are learned, and a first batch that starts it.
# - [Neural spline flows](nsf.ipynb) bend each axis as freely, steered by the others.
# - The [authors' code](https://github.com/IPL-UV/rbig) has more of information theory.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    for which, colour in moon_colours:
        points = last.cpu()[:1100][which[:1100]]
        ax.plot(*points.T, ".", color=colour, markersize=4)
    ax.add_patch(Circle((0, 0), 3.6, fill=False, color=GREY, lw=1.5))
    ax.set(xlim=(-3.7, 3.7), ylim=(-3.7, 3.7))
    thumbnail(fig, "A round cloud of points in two colours, folded into each other.")
