# %% [markdown]
# # NAF: a rising network for each number
#
# A [masked autoregressive flow](maf.ipynb) moves each number by an affine map, which
# depends on the numbers before it. So given those, each number has a density of one
# peak. Eight Gaussians need more. One affine layer fills what lies between them
# (middle), and five leave bridges (right).
#
# Huang, Krueger, Lacoste and Courville ([2018](https://arxiv.org/abs/1804.00779)) put a
# small network in the place of the affine map. It has positive weights, so it rises.
# All its weights come from the network that sees the earlier numbers.
#
# The result: one layer has as many peaks as it needs. The price: the inverse has no
# formula, and the start decides what is learned.

# %%
"""Neural Autoregressive Flows (Huang et al., 2018, arXiv:1804.00779)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from implementations.core.bijection import Compose, Inverse, Mapped, Univariate
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, box, diagram, disc, words
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import relu, size
from implementations.core.plots import (
    BLUE,
    GREY,
    ORANGE,
    densities,
    figure,
    label_lines,
    scatter,
    show,
    square,
    thumbnail,
)
from implementations.core.roots import Unsolved
from implementations.core.toy import eight_gaussians, kl_to
from implementations.iaf import excess
from implementations.made import Autoregressive
from implementations.nice import Logistic
from implementations.real_nvp import Affine
from implementations.vi_flows import Diagonal

# %% Eight Gaussians, and what affine layers make of them tags=["plot"]
if __name__ == "__main__":
    seed()
    target, flows = eight_gaussians().to(device()), {}
    steps, draw = 600, partial(target.sample, 256)

    def learn(flow: Flow) -> Flow:
        """Fit the flow to fresh points."""
        fit(
            flow.to(device()),
            lambda x: -flow.log_prob(x).mean(),
            *(steps, draw),
            lr=5e-3,
            clip=5,
        )
        return flow

    for layers, name in ((1, "affine, one layer"), (5, "affine, five layers")):
        turns = [range(2)[:: -1 if k % 2 else 1] for k in range(layers)]
        f = [Autoregressive(2, Affine(), (64, 64), each) for each in turns]
        flows[name] = learn(Flow(StandardNormal((2,)), Compose(*f)))
    fig, axes = figure(columns=3, box=target.box)
    shown = {name: flow.log_prob for name, flow in flows.items()}
    densities(axes, {"the data": target.log_prob} | shown, target.box)
    show(
        fig,
        "Three heat maps in the same colours. The data are eight small discs on a "
        "circle. One affine layer makes a wide haze that fills the circle. Five affine "
        "layers make a bent ring of blots that hang together by bridges.",
    )

# %% [markdown]
# ## The idea in one picture

# %% Two maps of one number, steered by the numbers before it tags=["plot"]
if __name__ == "__main__":
    fig, axes = diagram(columns=2, width=3.5, height=2.7)
    for ax, title in zip(axes, ("an affine map", "a small network"), strict=True):
        words(ax, (1.75, 2.5), title)
        network = box(ax, (0.6, 0.95), "network", BLUE, (0.9, 0.4))
        arrow(ax, disc(ax, (0.6, 0.25), "$x_{<t}$", BLUE, 0.2), network, colour=BLUE)
        x = disc(ax, (2.5, 0.25), "$x_t$", ORANGE)
        z = disc(ax, (2.5, 2.15), "$z_t$", ORANGE)
        if title == "an affine map":
            g = box(ax, (2.5, 0.95), "$s\\,x_t + b$", ORANGE, (1.2, 0.4))
            arrow(ax, x, g, colour=ORANGE)
            arrow(ax, g, z, colour=ORANGE)
            arrow(ax, network, g, "$s, b$", BLUE)
            continue
        units = [disc(ax, (1.9 + 0.6 * k, 0.95), "$\\sigma$", ORANGE) for k in range(3)]
        back = disc(ax, (2.5, 1.57), "", ORANGE, 0.2)
        words(ax, back[:2], "$\\sigma^{-1}$", ORANGE)
        for unit in units:
            arrow(ax, x, unit, colour=ORANGE)
            arrow(ax, unit, back, colour=ORANGE)
        arrow(ax, back, z, colour=ORANGE)
        arrow(ax, network, units[0], "$a, b$", BLUE, beside=(-0.02, -0.14))
        arrow(ax, network, back, "$w$", BLUE, beside=(-0.1, 0.14))
    show(
        fig,
        "Two diagrams. In both, a network sees the numbers before x_t and steers a map "
        "from x_t to z_t. Left, the map is affine, and the network gives its two "
        "numbers. Right, it is a network itself: three sigmoid units, their weighted "
        "sum, and a logit; the first network gives all its weights.",
    )

# %% [markdown]
# The paper calls the map of one number the *transformer*, and the network that steers
# it the *conditioner*. Only the transformer is new.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $x$, $z$ | `x`, `z` | one number of the data, and its noise |
# | $a_k$, $b_k$, $w_k$ | `log_a`, `b`, `log_w` | of unit $k$: slope, offset, weight |
# | $s_k$ | `s` | what unit $k$ sees: $a_k x + b_k$ |
# | $p$ | `log_p`, `log_rest` | weighted sum of the units; logs of $p$ and $1 - p$ |
#
# Here $\sigma(s) = 1 / (1 + e^{-s})$. `forward` goes from data to noise. The paper uses
# its transformer in both directions: with data below as in MAF, and with noise below as
# in [IAF](iaf.ipynb).
#
# ## A network that rises
#
# The *deep sigmoidal flow* is a layer of sigmoid units, their average, and a logit:
# $$z = \sigma^{-1}(p),\qquad p = \sum_k w_k\,\sigma(a_k x + b_k)$$
# with $a_k > 0$, $w_k > 0$ and $\sum_k w_k = 1$. So $p$ rises from 0 to 1, and $z$ from
# $-\infty$ to $\infty$. With one unit, $z = a x + b$: the affine map is a special case.

# %% Four units, their average, and its logit tags=["plot"]
if __name__ == "__main__":
    ruler = torch.linspace(-4, 4, 401)
    a, b = torch.tensor([[6.0, 3.0, 6.0, 2.0], [12.0, 2.0, -6.0, -5.0]])
    w = torch.tensor([0.3, 0.2, 0.3, 0.2])
    each = w * (a * ruler[:, None] + b).sigmoid()
    fig, axes = figure(columns=2, width=7.0, height=2.5)
    for k, unit in enumerate(each.T):
        axes[0].plot(ruler, unit, color=GREY, lw=1, label="units" if k == 0 else "_")
    axes[0].plot(ruler, each.sum(1), color=BLUE, lw=2, label="$p$")
    axes[0].set(title="weighted units, and their sum", xlabel="$x$", ylim=(0, 1))
    axes[1].plot(ruler, each.sum(1).double().logit(), color=ORANGE, lw=2)
    axes[1].set(title="its logit $z$", xlabel="$x$")
    label_lines(axes[0])
    show(
        fig,
        "Left, four grey sigmoid curves of different height, place and steepness, and "
        "their sum, a staircase from 0 to 1. Right, the logit of the sum: a curve that "
        "rises steeply at each unit and slowly between them, and is straight far out.",
    )

# %% [markdown]
# Far out, $p$ rounds to 0 or 1, and its logit is infinite. The authors' code squeezes
# $p$ between $\delta/2$ and $1 - \delta/2$, with $\delta = 10^{-6}$. Then $|z|$ stays
# below 14.6, and far points have a slope near 0: the map is onto no more. So never
# build $p$. Take its logarithm, and that of $1 - p = \sum_k w_k\,\sigma(-s_k)$.


# %%
def log_cdf(s: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p), with p = Σ_k w_k σ(s_k) over the last axis.

    The weights add up to 1. p is never built, so nothing is rounded to 0 or 1.
    """
    log_p = (log_w + logsigmoid(s)).logsumexp(-1)
    log_rest = (log_w + logsigmoid(-s)).logsumexp(-1)
    return log_p, log_rest


# %% [markdown]
# ## The slope, exactly
#
# The logit has the slope $1 / (p(1 - p))$, which is $1/p + 1/(1-p)$. With
# $\sigma' = \sigma(s)\,\sigma(-s)$, this gives a sum without differences of large
# numbers:
# $$\frac{\partial z}{\partial s_k} = r_k\,\sigma(-s_k) + \bar r_k\,\sigma(s_k)$$
# $$r_k = \frac{w_k\,\sigma(s_k)}{p},\qquad
# \bar r_k = \frac{w_k\,\sigma(-s_k)}{1 - p}$$
# $r_k$ is the share of unit $k$ in $p$, and $\bar r_k$ its share in the rest. The slope
# is $\sum_k a_k\,\partial z / \partial s_k$, and all of it is computed by logarithms.


# %%
def log_moves(s: Tensor, log_w: Tensor) -> Tensor:
    """log ∂z/∂s_k, of the shape of s: how far z moves with each unit."""
    up, down = logsigmoid(s), logsigmoid(-s)
    below = (log_w + up).log_softmax(-1) + down
    above = (log_w + down).log_softmax(-1) + up
    return torch.logaddexp(below, above)


def logit_of_sum(s: Tensor, log_rise: Tensor, log_w: Tensor) -> Mapped:
    """z = σ⁻¹(Σ_k w_k σ(s_k)) and log dz/dx, where log_rise is log ds_k/dx."""
    log_p, log_rest = log_cdf(s, log_w)
    return log_p - log_rest, (log_moves(s, log_w) + log_rise).logsumexp(-1)


# %% [markdown]
# Far out only the flattest unit counts, as all others are done. So the slope becomes
# $\min_k a_k$ on both sides.
#
# ## The start
#
# The network's outputs start at 0. If all units then had the same $a$, $b$ and $w$,
# they would get the same gradient, at each step. They would stay alike for ever, and
# alike units are one unit: an affine map. (The authors escape by small random weights.)
# So we give each unit a fixed place, from which the network moves it.
#
# Places are spread over $[-3, 3]$, where standardised data lie. Slopes start at 8, so
# that a unit is narrower than most peaks. One more unit has slope 1. It is the
# flattest, so at the start far points move by $\log K$, and no more. The network
# multiplies each slope by a factor between $e^{-3}$ and $e^3$. (The authors' code has
# $a = \mathrm{softplus}(\cdot)$, without a bound.)


# %%
def spread_units(
    units: int, slope: float, reach: float
) -> tuple[list[float], list[float]]:
    """log a and b at the start: a unit of slope 1 at 0, then steep ones side by side.

    Raises:
        ValueError: when there is no unit, or the slope is not positive.
    """
    if units < 1 or slope <= 0:
        raise ValueError(
            "spread_units: expected units and a positive slope, got "
            f"{units} of slope {slope}"
        )
    steep = units - 1
    log_a = [0.0, *[math.log(slope)] * steep]
    centres = [reach * (2 * k + 1 - steep) / steep for k in range(steep)]
    return log_a, [0.0, *(-slope * centre for centre in centres)]


class Sigmoidal(Unsolved):
    """z = σ⁻¹(Σ_k w_k σ(a_k x + b_k)): the transformer of a deep sigmoidal flow.

    Steered by 3K numbers: what log a, b and log w are moved by. With `slope` 1 and
    `reach` 0 all units start alike, and stay so.
    """

    log_a: Tensor
    b: Tensor

    def __init__(self, units: int = 16, slope: float = 8.0, reach: float = 3.0) -> None:
        super().__init__()
        self.n_params = 3 * units
        log_a, b = spread_units(units, slope, reach)
        self.register_buffer("log_a", torch.tensor(log_a))
        self.register_buffer("b", torch.tensor(b))

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        log_a, b, w = self.units(params)
        s = log_a.exp() * x[..., None] + b
        z, log_slope = logit_of_sum(s, log_a, w.log_softmax(-1))
        return z.to(x.dtype), log_slope.to(x.dtype)

    def bracket(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        log_a, b, _ = self.units(params)
        ends = (z[..., None] - b) * (-log_a).exp()
        return ends.amin(-1), ends.amax(-1)

    def units(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log a, b and the logits of w, of shape (…, K) each, in float32 at least."""
        wide = params.to(torch.promote_types(params.dtype, torch.float32))
        a, b, w = wide.chunk(3, -1)
        return self.log_a + bounded(a), self.b + b, w


def bounded(theta: Tensor) -> Tensor:
    """θ near 0, and never beyond ±3."""
    return 3 * (theta / 3).tanh()


# %% [markdown]
# Check it on random units: the slope against automatic differentiation, far points, and
# the special case.

# %%
if __name__ == "__main__":
    seed()
    g, params = Sigmoidal(16), torch.randn(1000, 48)
    x = (3 * torch.randn(1000)).double().requires_grad_()
    z, log_slope = g.double()(x, params.double())
    (slope,) = torch.autograd.grad(z.sum(), x)
    wrong = (log_slope - slope.log()).abs().max().item()
    check("a transformer: log-slope, against autograd", wrong, below=1e-9)
    far, log_slope = g.float()(torch.full((1000,), -1e4), params)
    flattest = g.units(params)[0].amin(-1)
    tail = (log_slope - flattest).abs().max().item()
    check("x = -10,000 in float32: log-slope, less log min a", tail, below=0.01)
    one = Sigmoidal(1).double()
    log_a, b, _ = one.units(params[:, :3].double())
    affine = log_a.exp() * x[:, None] + b
    apart = (one(x, params[:, :3].double())[0] - affine[:, 0]).abs().max().item()
    check("one unit, less the affine map", apart, below=1e-9)
    print(f"log-slope off by {wrong:.1g}, far out by {tail:.1g}; affine by {apart:.1g}")

# %% [markdown]
# ## What it is: a mixture of logistics
#
# $p$ is the distribution function of a mixture of $K$ logistic densities, with centres
# $-b_k / a_k$ and scales $1 / a_k$. So let the noise be logistic, whose distribution
# function is $\sigma$. Then $p$ is uniform, and the density of $x$ *is* that mixture:
# $$\log p(x) = \log \sum_k w_k\, a_k\, \sigma(s_k)\, \sigma(-s_k)$$

# %%
if __name__ == "__main__":
    seed()
    mixing = Sigmoidal(8)
    layer = Autoregressive(3, mixing, (32,)).double()
    for weights in layer.m.parameters():
        nn.init.normal_(weights, std=0.3)
    x = 2 * torch.randn(500, 3).double()
    with torch.no_grad():
        by_flow = Flow(Logistic((3,)), layer).log_prob(x)
        log_a, b, w = mixing.units(layer.m(x))
        s = log_a.exp() * x[..., None] + b
        parts = w.log_softmax(-1) + log_a + logsigmoid(s) + logsigmoid(-s)
        apart = (by_flow - parts.logsumexp(-1).sum(1)).abs().max().item()
    check("logistic noise: the flow, less a mixture of logistics", apart, below=1e-9)
    print(f"flow and mixture of logistics differ by {apart:.1g}")

# %% [markdown]
# Mixtures of narrow logistics come close to any density. So does one layer, if $K$ and
# the conditioner are large enough; the paper proves it. Here it is by hand, without
# training. Unit $k$ stands at the quantile $(k - \tfrac12)/K$ of the target. It is as
# steep as its neighbours are close: $a_k = 2 K f$, with the target's density $f$ there.

# %% The map of two peaks to logistic noise, by 4, 16 and 64 units tags=["plot"]
if __name__ == "__main__":
    ruler = torch.linspace(-4, 4, 4001).double()
    peaks = torch.distributions.Normal(torch.tensor([[-1.5], [1.5]]).double(), 0.4)
    true_p, f = peaks.cdf(ruler).mean(0), peaks.log_prob(ruler).exp().mean(0)
    fig, axes = figure(columns=3, width=7.0, height=2.3)
    for ax, units in zip(axes, (4, 16, 64), strict=True):
        middles = (torch.arange(units) + 0.5).double() / units
        at = torch.searchsorted(true_p, middles)
        s = 2 * units * f[at] * (ruler[:, None] - ruler[at])
        log_p, log_rest = log_cdf(s, torch.full_like(f[at], -math.log(units)))
        ax.plot(ruler, true_p.logit(), color=GREY, lw=4, alpha=0.5)
        ax.plot(ruler, log_p - log_rest, color=BLUE)
        ax.set(title=f"{units} units", xlim=(-3, 3), ylim=(-9, 9), xlabel="$x$")
        missed = (log_p.exp() - true_p).abs().max().item()
        check(f"by hand, {units} units: largest error of p", missed, below=1 / units)
    show(
        fig,
        "Three panels of the same grey target, which rises steeply, is nearly level "
        "around 0, and rises again, and of a blue curve. With 4 units the blue curve "
        "follows it roughly, with 16 well, and with 64 it covers it but for the ends.",
    )

# %% [markdown]
# ## Backwards
#
# The inverse has no formula, but it has a bracket. $p$ is an average of $\sigma(s_k)$,
# so $z$ lies between the least $s_k$ and the greatest. Then $x$ lies between the least
# $(z - b_k) / a_k$ and the greatest. `Unsolved` starts there, and takes 32 steps by
# Newton's method, halving where a step is poor. Gradients come from the implicit
# function theorem. So a number costs 35 evaluations, where the way to noise takes one.

# %%
if __name__ == "__main__":
    seed()
    g, params = Sigmoidal(16).double(), torch.randn(1000, 48).double()
    x = 3 * torch.randn(1000).double()
    z, _ = g(x, params)
    low, high = g.bracket(z, params)
    outside = ((x < low) | (x > high)).double().mean().item()
    error = (g.inverse(z, params)[0] - x).abs().max().item()
    check("a transformer: share of x outside its bracket", outside, below=1e-9)
    check("a transformer: error of the round trip", error, below=1e-7)
    print(f"round trip: off by {error:.1g}; outside the bracket: {outside:.0%}")

# %% [markdown]
# ## Layer upon layer
#
# A *deep dense sigmoidal flow* has several such layers, with vectors between them. Each
# layer averages its inputs by a matrix $U$, lets units squash them, and averages these
# by a matrix $W$:
# $$h \leftarrow \sigma^{-1}\big(W\,\sigma(a \odot U h + b)\big)$$
# Rows of $U$ and $W$ are positive and add up to 1. A conditioner cannot give whole
# matrices. So, as in the authors' code, they are the softmax of free weights, to which
# the conditioner adds one number for each column. Slopes go from layer to layer as
# logarithms:
# $$\log\textstyle\sum_k U_{ik}\,\frac{dh_k}{dx}
# = \mathrm{logsumexp}_k\big(\log U_{ik} + \log\tfrac{dh_k}{dx}\big)$$
# Free weights start at random, as alike rows would stay alike.


# %%
class DenseSigmoidal(Unsolved):
    """h ← σ⁻¹(W σ(a ⊙ U h + b)), `layers` times, from one number to one number.

    Steered by 4K numbers for each layer, 3K for the last: for a, b, W and the next U.
    The first U is 1. Each layer starts as a `Sigmoidal` does.

    Raises:
        ValueError: when there is no layer.
    """

    log_a: Tensor
    b: Tensor

    def __init__(
        self,
        units: int = 16,
        layers: int = 2,
        slope: float = 8.0,
        reach: float = 3.0,
    ) -> None:
        if layers < 1:
            raise ValueError(f"DenseSigmoidal: expected a layer, got {layers}")
        super().__init__()
        self.n_units, self.n_params = units, (4 * layers - 1) * units
        log_a, b = spread_units(units, slope, reach)
        self.register_buffer("log_a", torch.tensor(log_a))
        self.register_buffer("b", torch.tensor(b))
        free = (layers - 1, units, units)
        self.w, self.u = (nn.Parameter(torch.randn(free)) for _ in range(2))

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        *inner, last = self.steps(params)
        h, log_rise = x[..., None], torch.zeros_like(x)[..., None]
        for k, (log_a, b, w, u) in enumerate(inner):
            s, log_rise = log_a.exp() * h + b, log_a + log_rise
            log_w = (self.w[k] + w[..., None, :]).log_softmax(-1)
            h, log_rise = logit_of_sum(s[..., None, :], log_rise[..., None, :], log_w)
            log_u = (self.u[k] + u[..., None, :]).log_softmax(-1)
            h = (log_u.exp() * h[..., None, :]).sum(-1)
            log_rise = (log_u + log_rise[..., None, :]).logsumexp(-1)
        log_a, b, w = last
        s = log_a.exp() * h + b
        z, log_slope = logit_of_sum(s, log_a + log_rise, w.log_softmax(-1))
        return z.to(x.dtype), log_slope.to(x.dtype)

    def bracket(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        low = high = z
        for log_a, b, *_ in reversed(self.steps(params)):
            ends = [(end[..., None] - b) * (-log_a).exp() for end in (low, high)]
            low, high = ends[0].amin(-1), ends[1].amax(-1)
        return low, high

    def steps(self, params: Tensor) -> list[tuple[Tensor, ...]]:
        """Of each layer log a, b, and what is added for W and, but in the last, U."""
        wide = params.to(torch.promote_types(params.dtype, torch.float32))
        layers = [
            each.split(self.n_units, -1) for each in wide.split(4 * self.n_units, -1)
        ]
        return [(self.log_a + bounded(a), self.b + b, *wu) for a, b, *wu in layers]


# %% [markdown]
# The builder has the paper's sizes. The order is reversed from layer to layer, and a
# free affine map comes last. `transformer` may be any map of one number: so the same
# function builds the flows that we compare.


# %%
def naf(
    dim: int,
    layers: int = 5,
    hidden: Sequence[int] = (100,),
    context: int = 0,
    transformer: Callable[[], Univariate] = Sigmoidal,
    activation: Callable[[], nn.Module] = nn.ELU,
) -> Flow:
    """Build a neural autoregressive flow for vectors of width `dim`.

    Each layer has a transformer of its own: `Sigmoidal`, of 16 units, or for example
    `partial(DenseSigmoidal, 8)`. `context` is the width of what the density is
    conditioned on.
    """
    turns = (range(dim)[:: -1 if k % 2 else 1] for k in range(layers))
    f = [
        Autoregressive(dim, transformer(), hidden, order, context, activation)
        for order in turns
    ]
    return Flow(StandardNormal((dim,)), Compose(*f, Diagonal(dim, context)))


# %%
if __name__ == "__main__":
    seed()
    g = DenseSigmoidal(6, 3).double()
    params = torch.randn(500, g.n_params).double()
    x = (3 * torch.randn(500)).double().requires_grad_()
    z, log_slope = g(x, params)
    (slope,) = torch.autograd.grad(z.sum(), x)
    wrong = (log_slope - slope.log()).abs().max().item()
    error = (g.inverse(z, params)[0] - x).abs().max().item()
    check("three layers: log-slope, against autograd", wrong, below=1e-9)
    check("three layers: error of the round trip", error, below=1e-6)
    print(f"three layers: log-slope off by {wrong:.1g}, round trip by {error:.1g}")

# %% [markdown]
# ## Eight Gaussians in one layer
#
# All flows below have *one* layer, and the training of the affine ones in the first
# figure: 600 steps of 256 fresh points. They differ in the transformer and its start.
# The truth is known, so the gap $\mathrm{KL}(\text{truth} \Vert \text{flow})$ is, too.

# %%
if __name__ == "__main__":
    ONE, small = "NAF, slopes 8", partial(naf, 2, hidden=(64, 64), activation=relu)
    transformers: dict[str, Callable[[], Univariate]] = {
        "NAF, units alike": partial(Sigmoidal, slope=1.0, reach=0.0),
        "NAF, slopes 1": partial(Sigmoidal, slope=1.0),
        ONE: Sigmoidal,
        "NAF, slopes 8, 4 units": partial(Sigmoidal, 4),
        "NAF, dense, two layers of 8 units": partial(DenseSigmoidal, 8),
    }
    for name, transformer in transformers.items():
        seed()
        flows[name] = learn(small(layers=1, transformer=transformer))
    gaps = {name: kl_to(target, flow, 20_000) for name, flow in flows.items()}
    table(
        ("flow", "parameters", "gap, nats"),
        [(name, f"{size(q):,}", f"{gaps[name]:.3f}") for name, q in flows.items()],
    )

# %% One layer of NAF, from three starts tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, width=7.6, box=target.box)
    starts = ("units alike", "slopes 1", "slopes 8")
    shown = {name: flows[f"NAF, {name}"].log_prob for name in starts}
    densities(axes, {"the data": target.log_prob} | shown, target.box)
    show(
        fig,
        "Four heat maps in the same colours. Data: eight small discs. With units that "
        "start alike, the flow is a wide haze, as one affine layer is. With slopes of "
        "1, discs run together in bands. With slopes of 8, it is eight discs.",
    )

# %% [markdown]
# Alike units end where one affine layer ends, with twice as many parameters. Spread
# units of slope 1 come as far as five affine layers. With steep ones, a single layer
# gets close to the truth. Four units are too few: they are narrow, and stand far apart.
# For the dense flow, eight units in each of two layers are enough to part the discs.
#
# ## From a density alone
#
# Turn the flow round, as in [IAF](iaf.ipynb#maf-read-backwards), and fit it to a
# density $\pi$ that can be evaluated, but not sampled. The mean of
# $\log q - \log \pi$ over draws of the flow is $\mathrm{KL}(q \Vert \pi)$. Such fits
# tend to miss modes: where the flow draws nothing, it learns nothing.

# %%
if __name__ == "__main__":
    found = {}
    for name, layers, transformer, lr in (
        ("five affine layers", 5, Affine, 5e-3),
        ("one layer of NAF", 1, Sigmoidal, 1e-2),
    ):
        seed()
        there = small(layers=layers, transformer=transformer).bijection
        flow = Flow(StandardNormal((2,)), Inverse(there)).to(device())
        noise = partial(flow.base.sample, 256)

        def loss(noise: Tensor, q: Flow = flow) -> Tensor:
            """KL(q ‖ target), by the draws that come from this noise."""
            return excess(q, target, noise).mean()

        fit(flow, loss, 400, noise, lr=lr, clip=5)
        with torch.no_grad():
            noise = flow.base.sample(20_000)
            drawn, kl = flow.bijection.inverse(noise)[0], loss(noise).item()
        nearest = torch.cdist(drawn, target.means).argmin(1)
        shares = nearest.bincount(minlength=8) / drawn.shape[0]
        modes, least = int((shares > 0.02).sum()), shares.min().item()
        found[name] = modes, least, kl, drawn[:2000]
    table(
        ("flow", "modes with over 2% of the draws", "least share", "KL, nats"),
        [
            (name, f"{modes} of 8", f"{least:.3f}", f"{kl:.2f}")
            for name, (modes, least, kl, _) in found.items()
        ],
    )
    (missing, _, affine_kl, _), (covered, _, naf_kl, _) = found.values()
    check("from a density alone, affine layers: modes of 8", missing, above=0.5)
    check("from a density alone, NAF: modes of 8", covered, above=4.5)
    check(
        "from a density alone: KL of NAF, in KL of affine",
        naf_kl / affine_kl,
        below=1,
    )

# %% Draws of two flows that were fitted to the density alone tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=4.8, box=target.box)
    for ax, (name, (*_, points)) in zip(axes, found.items(), strict=True):
        scatter(ax, points, target.box, name)
    show(
        fig,
        "Draws of two flows. Five affine layers draw from some of the eight discs. "
        "One layer of NAF draws from all eight, with thin bridges between them.",
    )

# %% [markdown]
# Here, too, the start helps: the units are spread over all modes before the first step.
# It is no guarantee. The folded table below counts the modes over five seeds, and for
# one seed NAF has fewer than five affine layers. Its divergence is the smaller one.
#
# ## What the paper claims, and what holds
#
# The paper claims that one such layer approximates any density, and that flows of them
# beat affine ones on data. The first holds here, from a good start. The second we test
# on the plane only.

# %%
if __name__ == "__main__":
    claim(
        "One layer of NAF comes within {} nats of eight Gaussians",
        gaps[ONE],
        below=0.03,
    )
    claim(
        "Five affine layers, of twice as many parameters, leave {} times its gap",
        gaps["affine, five layers"] / gaps[ONE],
        above=8,
    )
    claim(
        "Units that start alike leave {} times the gap of one affine layer",
        gaps["NAF, units alike"] / gaps["affine, one layer"],
        above=0.95,
        below=1.1,
    )
    check("spread units of slope 1: gap, nats", gaps["NAF, slopes 1"], above=0.15)
    check("slopes 8, 4 units: gap, nats", gaps["NAF, slopes 8, 4 units"], above=0.1)

# %%
if __name__ == "__main__":
    all_checks("naf")

# %% [markdown]
# Reported and obtained:

# %% tags=["plot"]
if __name__ == "__main__":
    gain = gaps["affine, one layer"] - gaps[ONE]
    table(
        ("", "the paper", "here", "why"),
        [
            (
                "gain on affine maps, nats",
                "0.5 to 2.9, five data sets",
                f"{gain:.2f}",
                "a toy",
            ),
            ("layers", "several", "one", "one is enough"),
            ("slopes", "softplus, near 1", "bounded, near 8", "the start decides"),
            ("units at the start", "alike, but for noise", "spread", "the same"),
            ("$p$", "clipped", "by logarithms", "the map stays onto"),
            ("conditioner", "ELU, width 100", "ReLU, 64 and 64", "as the affine ones"),
            ("its last layer", "shared by all numbers", "a masked layer", "simpler"),
        ],
    )

# %% [markdown]
# (The gain is that over MAF of five layers, as later papers quote both.) A cost that
# the table does not show: all $K$ units of all numbers are kept for the gradient, so
# memory is about $K$ times that of an affine layer.
#
# ## Three things to remember
#
# 1. An autoregressive layer has two parts. The transformer need not be affine: any
#    rising network will do.
# 2. Sigmoid units, an average and a logit are a mixture of logistics, seen through its
#    distribution function.
# 3. Alike units stay alike. Spread them, and let them start as narrow as the peaks.
#
# ## Three to try
#
# Predict first, then change the line and run.
#
# **1. Build $p$.** Sum the sigmoids, and take the logarithm after that. What is $z$ at
# $x = -1000$, and what at $x = 1000$?
#
# ```diff
# - log_p = (log_w + logsigmoid(s)).logsumexp(-1)
# + log_p = (log_w.exp() * s.sigmoid()).sum(-1).log()
# ```
#
# <details><summary>Answer</summary>
#
# Minus infinity on the left, where $p$ is rounded to 0. On the right $z$ is as before:
# there $\log p$ is nearly 0, and $\log(1 - p)$, which was not changed, gives $z$.
#
# </details>
#
# **2. The wrong axis.** Let the columns of $W$ add up to 1, and not its rows. Does a
# check of the dense flow notice? What is lost?
#
# ```diff
# - log_w = (self.w[k] + w[..., None, :]).log_softmax(-1)
# + log_w = (self.w[k] + w[..., None, :]).log_softmax(-2)
# ```
#
# <details><summary>Answer</summary>
#
# None notices. The map still rises, and $z$ is the logarithm of a ratio, in which the
# sum of a row cancels. But the conditioner adds the same number to all of a column.
# Over a column, the softmax takes that out: the conditioner steers $W$ no more.
#
# </details>
#
# **3. Steep tails.** Let the flat unit be as steep as the others. At the start, what is
# $z$ for $x = 100$, after one layer, and after five?
#
# ```diff
# - log_a = [0.0, *[math.log(slope)] * steep]
# + log_a = [math.log(slope), *[math.log(slope)] * steep]
# ```
#
# <details><summary>Answer</summary>
#
# About 780 after one layer, as the slope far out is 8, and more than two million after
# five. With the flat unit it is 103, and 114. A point far off, of which data have some,
# would then dominate the loss.
#
# </details>
#
# ## What to read next
#
# - [MAF](maf.ipynb) and [IAF](iaf.ipynb) have affine transformers, in two directions.
# - [Neural spline flows](nsf.ipynb) have a transformer whose inverse has a formula.
# - [BNAF](bnaf.ipynb) makes one network of the two; [SOS](sos.ipynb) and
#   [UMNN](umnn.ipynb) have other maps that rise.
# - The [authors' code](https://github.com/CW-Huang/NAF) has the conditioners and data.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    ruler = torch.linspace(-1.5, 1.5, 120)
    places, steepness = torch.tensor([[-1.0, 0.0, 1.0], [14.0, 7.0, 14.0]])
    units = (steepness * (ruler[:, None] - places)).sigmoid()
    for unit in units.T:
        ax.plot(ruler, unit - 1.5, color=BLUE, lw=5, alpha=0.5)
    ax.plot(ruler, units.sum(1) - 1.5, color=ORANGE, lw=9, solid_capstyle="round")
    ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6))
    thumbnail(fig, "Three thin steps side by side, and their sum, a thick staircase.")
