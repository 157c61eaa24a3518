# %% [markdown]
# # NIS: integrals by neural importance sampling
#
# An integral is a mean: draw points evenly, and average $f$. If $f$ is two small hills,
# most points miss them (middle), and the mean is noisy. *Importance sampling* draws
# more points where $f$ is large, and divides each value by the density $q$ there. The
# mean stays right, with less noise (right). But who knows a good $q$?
#
# Müller, McWilliams, Rousselle, Gross and Novák
# ([2018](https://arxiv.org/abs/1808.03856)) let a flow learn it, from values of $f$.
# The result: in four dimensions, the variance falls more than a thousand times, and
# light on a table is seen with 16 points a place. We also show how a sampler can look
# better than it is.

# %%
"""Neural Importance Sampling (Müller, McWilliams, Rousselle, Gross, Novák, 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from matplotlib.patches import Rectangle
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.nn.functional import pad

from implementations.core.bijection import Compose, Mapped, Univariate
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.couplings import Couplings
from implementations.core.diagrams import arrow, box, diagram, disc, halves, words
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp, size
from implementations.core.pictures import show, thumbnail
from implementations.core.plots import BLUE, ORANGE, densities, figure, scatter, square
from implementations.core.spaces import Uniform
from implementations.core.weights import effective_share, effective_share_of_target
from implementations.nice import Coupling
from implementations.real_nvp import Logit, real_nvp_vector

# %% Two hills, even points, and points from a density that is close tags=["plot"]
if __name__ == "__main__":
    seed()
    unit, two = (0.0, 1.0, 0.0, 1.0), torch.tensor([[0.3, 0.35], [0.7, 0.65]])
    hills, near = (
        MixtureSameFamily(Categorical(torch.ones(2)), Independent(Normal(two, s), 1))
        for s in (0.05, 0.065)
    )
    even, close = torch.rand(300, 2), near.sample((300,))
    fig, axes = figure(columns=3, width=6.6, box=unit)
    densities(axes[:1], {"$f$, of integral 1": hills.log_prob}, unit)
    for ax, x, log_q in ((axes[1], even, 0.0), (axes[2], close, near.log_prob(close))):
        w = (hills.log_prob(x) - log_q).exp()
        scatter(ax, x, unit, f"mean {w.mean():.2f} ± {w.std() / 300**0.5:.2f}")
    alt = "Three squares: two small hills; 300 even points, few of them on a hill; 300"
    show(fig, f"{alt} points on and near the hills, whose mean is closer to 1.")

# %% [markdown]
# ## The idea in one picture

# %% A coupling whose map is the area under a density tags=["plot"]
if __name__ == "__main__":
    fig, (ax,) = diagram(width=4.7, height=2.5)
    start = halves(ax, (0.35, 1.25), apart=1.6)
    end = halves(ax, (4.35, 1.25), ("$z_1$", "$z_2$"), apart=1.6)
    net, area = (
        box(ax, (2.05, 1.3), "network"),
        disc(ax, (3.28, 0.45), "area", radius=0.25),
    )
    bars = {BLUE: (0.72, 0.05, 0.3, 0.27, 0.05), ORANGE: (2.95, 0.2, 0.5, 0.35, 0.15)}
    for colour, (at, *heights) in bars.items():
        for k, height in enumerate(heights):
            corner = at + 0.16 * k, 1.1
            ax.add_patch(Rectangle(corner, 0.13, height, color=colour, lw=0))
    words(ax, (1.04, 0.95), "one-blob", BLUE)
    words(ax, (3.28, 1.75), "a density", ORANGE)
    arrow(ax, start[0], end[0], "copy", BLUE)
    arrow(ax, (1.04, 2.05), (1.04, 1.45), colour=BLUE)
    arrow(ax, (1.36, 1.3), net, colour=BLUE)
    arrow(ax, net, (2.92, 1.3), colour=ORANGE)
    arrow(ax, (3.28, 1.08), area, colour=ORANGE)
    arrow(ax, start[1], area, colour=ORANGE)
    arrow(ax, area, end[1], colour=ORANGE)
    alt = "A coupling layer. One half is copied, and becomes a bump; from it a network"
    show(
        fig, f"{alt} makes a density of bars. The other half becomes the area under it."
    )

# %% [markdown]
# For each number of the second half, a network gives a density on $[0, 1]$. The number
# becomes the area to its left: $[0, 1]$ is mapped onto itself, and the slope is the
# density. A chain of such couplings maps a cube to itself.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $f$, $I$ | `log_f` | a function on the cube, never negative, and its integral |
# | $x$, $z$ | `x`, `z` | a point of the cube, and the even noise that it becomes |
# | $Q$, $W$ | `shares`, `widths` | areas and widths of bins |
# | $q$, $w$ | `log_q`, `log_w` | density of the points, and weights $f(x) / q(x)$ |
#
# `forward` goes from points to noise, `inverse` from noise to points.
#
# ## Bars: a map of straight pieces
#
# Cut $[0, 1]$ into $K$ equal bins. The softmax $Q$ of the network's $K$ numbers is the
# area of each. For $x$ in bin $b$, past a share $\alpha$ of its width,
# $$z = \sum_{k<b} Q_k + \alpha Q_b,\qquad \frac{dz}{dx} = K Q_b$$
# We mix in $10^{-4}$ of an even density, so no slope is 0. Outside of the cube, where
# the density is 0, our maps are the identity.

# %%
LEAST = 1e-4


def before(shares: Tensor) -> Tensor:
    """Sums of the shares before each: where bins begin."""
    return pad(shares[..., :-1].cumsum(-1), (1, 0))


def at_bin(point: Tensor, shares: Tensor, *of_bins: Tensor) -> list[Tensor]:
    """Share of its bin that a point has passed, and what else is known of the bin."""
    begin = before(shares)
    k = (point[..., None] >= begin[..., 1:]).sum(-1, keepdim=True)
    start, share, *rest = (
        t.gather(-1, k).squeeze(-1) for t in (begin, shares, *of_bins)
    )
    return [((point - start) / share).clamp(0, 1), *rest]


def on_unit(way: Callable[..., Mapped], x: Tensor, params: Tensor) -> Mapped:
    """Map what is between 0 and 1; leave the ends, and what is outside."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    points = wide.clamp(0, 1)
    image, log_slope = way(points, params.to(wide.dtype))
    z = torch.where((wide > 0) & (wide < 1), image.clamp(0, 1), wide)
    return z.to(x.dtype), torch.where(wide == points, log_slope, 0).to(x.dtype)


class PiecewiseLinear(Univariate):
    """The area under K bars of equal width on [0, 1], steered by K numbers."""

    def __init__(self, bins: int = 32) -> None:
        super().__init__()
        self.n_params = bins

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return on_unit(self._area, x, params)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return on_unit(self._point, z, params)

    def _area(self, x: Tensor, params: Tensor) -> Mapped:
        shares, widths = self._bins(params)
        alpha, start, share, width = at_bin(x, widths, before(shares), shares, widths)
        return start + alpha * share, (share / width).log()

    def _point(self, z: Tensor, params: Tensor) -> Mapped:
        shares, widths = self._bins(params)
        alpha, start, share, width = at_bin(z, shares, before(widths), shares, widths)
        return start + alpha * width, (width / share).log()

    def _bins(self, params: Tensor) -> tuple[Tensor, Tensor]:
        widths = torch.full_like(params, 1 / self.n_params)
        return LEAST * widths + (1 - LEAST) * params.softmax(-1), widths


# %% [markdown]
# ## Slanted bars: a map of parabolas
#
# Now straight lines are the density, over bins of any widths. A softmax of $K$ numbers
# gives the widths, an exp of $K + 1$ the heights at the knots, divided so that the area
# is 1. Where a bin has heights $l$ and $r$ at its ends, and $v$ at $x$, the area to the
# left of $x$ is a trapezoid:
# $$v = l + \alpha\,(r - l),\qquad z = z_b + \alpha W_b\,\frac{l + v}{2}$$
# Backwards, the area is known; let $s$ be its share of the bin. The textbook solves a
# quadratic equation for $\alpha$, and divides by $r - l$. For equal heights that is
# 0 / 0, and when training begins all are equal. So ask for $v$ first. A car that
# accelerates evenly knows: the square of the speed grows evenly with the way.
# $$v^2 = (1 - s)\,l^2 + s\,r^2,\qquad \alpha = s\,\frac{l + r}{l + v}$$
# Every term is positive. Nothing cancels, and no root is that of a negative number.


# %%
class PiecewiseQuadratic(Univariate):
    """The area under K joined lines on [0, 1], steered by 2K + 1 numbers."""

    def __init__(self, bins: int = 32) -> None:
        super().__init__()
        self.bins, self.n_params = bins, 2 * bins + 1

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return on_unit(self._area, x, params)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return on_unit(self._point, z, params)

    def _area(self, x: Tensor, params: Tensor) -> Mapped:
        shares, widths, *ends = self._bins(params)
        alpha, z, width, left, right = at_bin(x, widths, before(shares), widths, *ends)
        v = torch.lerp(left, right, alpha)
        return z + alpha * width * (left + v) / 2, v.log()

    def _point(self, z: Tensor, params: Tensor) -> Mapped:
        shares, widths, *ends = self._bins(params)
        s, x, width, left, right = at_bin(z, shares, before(widths), widths, *ends)
        v = torch.lerp(left.square(), right.square(), s).sqrt()
        alpha = s * (left + right) / (left + v)
        return x + alpha * width, -v.log()

    def _bins(self, params: Tensor) -> tuple[Tensor, ...]:
        """Areas and widths of bins, and heights at their left and right ends."""
        wide, high = params.split((self.bins, self.bins + 1), -1)
        widths = LEAST + (1 - self.bins * LEAST) * wide.softmax(-1)
        v = (high - high.detach().amax(-1, keepdim=True)).exp()
        total = (widths * (v[..., :-1] + v[..., 1:]) / 2).sum(-1, keepdim=True)
        v = LEAST + (1 - LEAST) * v / total
        left, right = v[..., :-1], v[..., 1:]
        return widths * (left + right) / 2, widths, left, right


# %% [markdown]
# Check the slope by automatic differentiation, and the ways back, also at the start,
# where all numbers are 0. (`check` stops the notebook when a bound is broken.)

# %%
if __name__ == "__main__":
    seed()
    for g in (PiecewiseLinear(8), PiecewiseQuadratic(8)):
        x, params = (
            torch.rand(1000).double(),
            2 * torch.randn(1000, g.n_params).double(),
        )
        z, log_slope = g(x.requires_grad_(), params)
        wrong = log_slope.exp() - torch.autograd.grad(z.sum(), x)[0]
        lost = g.inverse(z, params)[0] - x, g.inverse(x, 0 * params)[0] - x
        for what, e in {"slope": (wrong,), "ways back": lost}.items():
            most = torch.stack(e).abs().max().item()
            check(f"{type(g).__name__}: error of {what}", most, below=1e-9)

# %% [markdown]
# ## One-blob: a number as a bump
#
# From a single number, a network hardly learns to do one thing at 0.40 and another at
# 0.45. The paper puts a small Gaussian bump on the number, and shows its heights in the
# middle of $k$ bins. Near numbers share units, far ones do not:
# $$\exp\big(-\tfrac12 k^2 (x - c_j)^2\big),\qquad c_j = (j - \tfrac12) / k$$
# (That the bump's width is $1/k$ is from memory: we have not seen the section.)


# %%
def one_blob(x: Tensor, units: int = 32) -> Tensor:
    """Heights of a bump at each number: (…, n) becomes (…, n · units)."""
    centres = (torch.arange(units, dtype=x.dtype, device=x.device) + 0.5) / units
    return (-(units * (x[..., None] - centres)).square() / 2).exp().flatten(-2)


class OneBlobs(nn.Module):
    """A network that sees its first numbers as bumps, and a context as it is."""

    def __init__(
        self, n_in: int, n_out: int, hidden: Sequence[int], units: int, context: int
    ) -> None:
        super().__init__()
        self.split, self.units = (n_in - context, context), units
        self.net = mlp(self.split[0] * max(units, 1) + context, n_out, hidden)

    def forward(self, x: Tensor) -> Tensor:
        numbers, context = x.split(self.split, 1)
        seen = one_blob(numbers, self.units) if self.units else numbers
        return self.net(torch.cat((seen, context), 1))


def nis(
    dim: int,
    layers: int = 2,
    hidden: Sequence[int] = (64, 64),
    univariate: Callable[[int], Univariate] = PiecewiseQuadratic,
    bins: int = 32,
    blobs: int = 32,
    context: int = 0,
) -> Flow:
    """Build a flow on the unit cube of `dim` numbers, even at the start.

    Networks see each number as `blobs` units, or as it is if 0; a context as it is.
    """
    m = partial(OneBlobs, hidden=hidden, units=blobs, context=context)
    # One component alone is the first, which a coupling moves only if swapped.
    swaps = (k % 2 == 1 or dim == 1 for k in range(layers))
    chain = (Coupling(dim, univariate(bins), m, swap, context) for swap in swaps)
    return Flow(Uniform((dim,)), Couplings(*chain))


# %% [markdown]
# ## A picture as a density
#
# The paper first learns pictures as densities of the square. Ours is a photograph of
# scikit-learn, of 104 by 160 pixels; squares of its values stand for light. So the gap
# $\mathrm{KL}(p \Vert q)$ is a sum over pixels. As in the paper, training draws even
# points and weighs them by $p$. [Real NVP](real_nvp.ipynb) behind a logit has eight
# affine layers for two of ours. All flows have the same steps and points, and about as
# many parameters.


# %%
def photograph() -> Tensor:
    """Light of the pixels, 104 rows from below by 160 columns, 1 on average."""
    pixels = torch.tensor(load_sample_image("china.jpg")[:416] / 255).float().mean(2)
    light = pixels.view(104, 4, 160, 4).mean((1, 3)).square().flip(0)
    return (light / light.mean()).to(device())


def pixel_at(x: Tensor, photo: Tensor) -> Tensor:
    """Light of the pixel that each point (across, up) of the square is in."""
    i, j = (photo.new_tensor([104, 160]) * x.flip(1)).long().unbind(1)
    return photo[i.clamp(0, 103), j.clamp(0, 159)]


def middles(rows: int, columns: int) -> Tensor:
    """Centres (across, up) of the cells of the square, row by row from below."""
    y, x = ((torch.arange(n, device=device()) + 0.5) / n for n in (rows, columns))
    return torch.cartesian_prod(y, x).flip(1)


# %%
if __name__ == "__main__":
    photo, pixels, gaps, rows = photograph(), middles(104, 160), {}, []
    affine = Compose(Logit((2,), 1e-6), real_nvp_vector(2, 8, (48, 48)).bijection)
    for name, build in {
        "affine": lambda: Flow(StandardNormal((2,)), affine),
        "linear": lambda: nis(2, univariate=PiecewiseLinear, hidden=(72, 72)),
        "quadratic": lambda: nis(2),
        "quadratic, plain numbers": lambda: nis(2, blobs=0, hidden=(80, 72)),
    }.items():
        seed()
        q = build().to(device())

        def loss(x: Tensor, q: Flow = q) -> Tensor:
            """-∫ p log q, by even points x."""
            return -(pixel_at(x, photo) * q.log_prob(x)).mean()

        fit(q, loss, 250, lambda: torch.rand(1000, 2, device=device()), lr=5e-3)
        with torch.no_grad():
            log_ratio = photo.flatten().log() - q.log_prob(pixels)
        gaps[name] = (photo.flatten() * log_ratio).mean().item()
        rows.append((name, f"{size(q)}", f"{gaps[name]:.4f}"))
    table(("couplings", "parameters", "gap in nats"), rows)

# %% [markdown]
# Both new couplings are far ahead of affine ones, and bumps help.
#
# ## Learning from values of f
#
# For an integral there are no samples of $p = f / I$, and $I$ is not known. But points
# of any density $q'$ will do, if they are weighed:
# $$\nabla\,\mathrm{KL}(p \Vert q) = -\mathrm E_{x \sim q'}\Big[\frac{p(x)}{q'(x)}
# \nabla \log q(x)\Big]$$
# The weights are held fixed: `detach` says so. We divide them by their sum, so $I$
# drops out. (The paper also has squared weights, $\chi^2$: the variance itself.)
#
# The flow can draw the points itself. But where $q$ is too small, its own points never
# tell it so. The paper mixes $q$ with another sampler, and learns how much. We fix it:
# in training and in use, 5 % of the points are even.


# %%
def draw(flow: Flow, n: int, even: float, context: Tensor | None = None) -> Tensor:
    """Draw n points, a share `even` of them evenly; they have no gradients."""
    x = flow.sample(n, context)
    return torch.where(torch.rand_like(x[:, :1]) < even, torch.rand_like(x), x)


def mixed(log_q: Tensor, even: float) -> Tensor:
    """Logarithm of q' = (1 - even) q + even, the density of what `draw` draws."""
    part = torch.full_like(log_q, even)
    return torch.logaddexp(log_q + (1 - part).log(), part.log())


def weighted_loss(
    q: Flow, log_f: Callable[..., Tensor], n: int, even: float, c: Tensor | None = None
) -> Tensor:
    """-Σ w log q(x), w ∝ f(x) / q'(x) held fixed: its gradient is that of KL(p ‖ q)."""
    x = draw(q, n, even, c)
    log_q = q.log_prob(x, c)
    log_w = log_f(x) - mixed(log_q.detach(), even)
    return -(log_w.softmax(0) * log_q).sum()


# %% [markdown]
# ## An integral in four dimensions
#
# The *camel* is two small hills, of width 0.07, on the diagonal of the cube. Its
# integral is 1. Even points have a variance of 126. Samplers are judged by their
# *effective share*: so many points of equal weight would be as good. It is
# $1 / (1 + \text{variance})$, for $I = 1$. Usually it comes from points of $q$, so it
# cannot see what $q$ never draws. Here the truth can be asked: exact points of the
# camel give $\mathrm E_p[p / q]$ without a point of $q$.


# %%
def camel(dim: int) -> MixtureSameFamily:
    """½ Σ_c exp(-‖x - c‖² / 0.01) / (0.1 √π)ᴰ, c = ⅓ and ⅔: 1 on the cube, to 10⁻⁵."""
    centres = torch.tensor([1 / 3, 2 / 3], device=device())[:, None].expand(2, dim)
    hills = Independent(Normal(centres, 0.005**0.5), 1)
    return MixtureSameFamily(Categorical(torch.ones(2, device=device())), hills)


# %%
if __name__ == "__main__":
    EVEN, N, f, flows = 0.05, 50_000, camel(4), {}
    for name, even in (("flow, own points only", 0.0), ("flow, 5 % even", EVEN)):
        seed()
        q = nis(4, 4, bins=16).to(device())
        fit(q, partial(weighted_loss, q, f.log_prob, 1000, even), 200, lr=5e-3)
        flows[name] = q, even
    # Of the exact points, one in 200,000 is outside, and is moved to the edge.
    truth, rows, share, off = f.sample((N,)).clamp(0, 1), [], {}, {}
    flows["even points"] = q, 1.0
    for name, (q, even) in flows.items():
        with torch.no_grad():
            log_w, at_truth = (
                (f.log_prob(x) - mixed(q.log_prob(x), even)).double()
                for x in (draw(q, N, even), truth)
            )
        share[name] = effective_share_of_target(at_truth, 0.0)
        mean, error = log_w.exp().mean().item(), (log_w.exp().std() / N**0.5).item()
        off[name] = abs(mean - 1) / error
        shares = f"{effective_share(log_w):.3f}", f"{share[name]:.3f}"
        rows.append((name, f"{mean:.4f} ± {error:.4f}", *shares))
    table(("points", "estimate of 1", "share, as seen", "share, in truth"), rows)

# %% [markdown]
# By its own points, the first flow looks good. The truth is worse: around the hills,
# where $f$ is small, its $q$ is smaller still. Points seldom fall there, and then their
# weights are huge. With 5 % even points, no weight is above $20 f$, and both agree.
# Is a simpler sampler enough? A product of four densities, each exact in one dimension,
# has 16 hills where two are wanted. Its share is 0.13.
#
# ## Light on a table
#
# Last, the paper's use. The photograph glows, upright behind a table with a ball on it.
# The light at a place of the table is an integral over the photograph: its light, a
# cosine at each end, over the squared distance, and 0 behind the ball. Each place has
# its own integral, so the place is the flow's context. Exact values are sums of pixels.


# %%
def light(x: Tensor, places: Tensor, photo: Tensor) -> Tensor:
    """Logarithm of the light from each x to each place, both (n, 2); -inf in shade."""
    a = x.new_tensor([2, 1.3]) * places + x.new_tensor([-1, 0.03])
    a, b = pad(a, (0, 1)), x.new_tensor([1.6, 1.04]) * x - x.new_tensor([0.8, 0])
    way = torch.stack((b[:, 0], 0 * b[:, 0], b[:, 1]), 1) - a
    to_ball, r2 = x.new_tensor([0.35, 0.45, 0.2]) - a, way.square().sum(1)
    nearest = ((to_ball * way).sum(1) / r2).clamp(0, 1)
    free = (nearest[:, None] * way - to_ball).norm(dim=1) > 0.2
    return (pixel_at(x, photo) * free * a[:, 1] * b[:, 1] / r2.square()).log()


# %%
if __name__ == "__main__":
    seed()
    q, places, rows, errors = nis(2, context=64).to(device()), middles(36, 48), [], {}

    def light_loss() -> Tensor:
        """Mean of the loss over places: one point each."""
        some = torch.rand(1000, 2, device=device())
        f = partial(light, places=some, photo=photo)
        return weighted_loss(q, f, 1000, EVEN, one_blob(some))

    fit(q, light_loss, 250, lr=5e-3)
    whole = [
        light(pixels, p.expand(len(pixels), 2), photo).exp().mean() for p in places
    ]
    exact, many = torch.stack(whole), places.repeat_interleave(16, 0)
    views = {"the photograph": photo, "light, exact": exact.view(36, 48)}
    at = photo.flatten().multinomial(len(many), replacement=True)
    with torch.no_grad():
        by_flow = draw(q, len(many), EVEN, context := one_blob(many))
        log_q = mixed(q.log_prob(by_flow, context), EVEN)
    for name, x, log_q_of_x in (
        ("even points", torch.rand_like(many), 0.0),
        ("as the photograph", pixels[at], photo.flatten()[at].log()),
        ("flow", by_flow, log_q),
    ):
        log_w = (light(x, many, photo) - log_q_of_x).view(-1, 16)
        found = log_w.exp().mean(1)
        errors[name] = ((found - exact).square().mean() / exact.square().mean()).item()
        own = [effective_share(each) for each in log_w if each.isfinite().any()]
        rows.append((name, f"{errors[name]:.3f}", f"{sum(own) / len(own):.2f}"))
        views[name] = found.view(36, 48)
    table(("16 points a place", "squared error", "share, as seen"), rows)

# %% The photograph, and its light on the table tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, width=8.4, box=(0, 48, 0, 34))
    views.pop("as the photograph")
    views["the photograph"] = photo.flip(0)
    for ax, (name, grey) in zip(axes, views.items(), strict=True):
        top = 1.5 if name == "the photograph" else exact.max().sqrt().item()
        ax.imshow(grey.sqrt().cpu().numpy(), cmap="gray", vmin=0, vmax=top)
        ax.set_title(name)
        ax.axis("off")
    alt = "A photograph. A table from above, bright at its upper edge, with the shadow"
    show(
        fig, f"{alt} of a ball: smooth; with coarse noise by even points; with little."
    )

# %% [markdown]
# By their weights, points drawn as the photograph is look better than even ones. But
# their error is no smaller: it comes from a few bright places at the edge. The flow is
# better by both. (So are affine couplings, in one trial: this light is smooth.) Only, a
# point of the flow costs more than a hundred even ones. At equal time it would lose
# here. It pays where $f$ is dear, as in the paper: there $f$ traces rays in a scene.
#
# ## What the paper claims, and what holds
#
# The new couplings model far more than affine ones, bumps help, and flows that learn
# online draw good points for integrals. All three hold here.

# %%
if __name__ == "__main__":
    claim(
        "A photograph: quadratic couplings leave {} of the gap of affine ones",
        gaps["quadratic"] / gaps["affine"],
        below=0.65,
    )
    # Of the exact variance, 1 / share - 1; that of even points is known.
    variance = 1 / share["flow, 5 % even"] - 1
    claim(
        "Four dimensions: the variance is {} times smaller than by even points",
        125.7 / variance,
        above=700,
    )
    best = min(errors["even points"], errors["as the photograph"])
    claim(
        "The table: the squared error is {} times smaller than by the simple samplers",
        best / errors["flow"],
        above=2,
    )
    check("gap of linear over affine", gaps["linear"] / gaps["affine"], below=0.75)
    bumps = gaps["quadratic"] / gaps["quadratic, plain numbers"]
    check("gap with bumps over plain", bumps, below=0.85)
    check("camel: estimate, off in errors", off["flow, 5 % even"], below=4)

# %%
if __name__ == "__main__":
    all_checks("nis")

# %% [markdown]
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | couplings | new ones "greatly" better | gap half of affine ones | same |
# | integrals | paths of light | 4-D; a table | two minutes |
# | networks | U-nets, 256 wide | two layers of 64 | two minutes |
# | mixture; loss | learned; KL and $\chi^2$ | 5 % even; KL | to see what it does |
#
# ## Three things to remember
#
# 1. The area under a density is a map of the interval onto itself.
# 2. Weights train a flow on values of $f$. They are held fixed.
# 3. Some even points bound the weights, and the effective share can be believed.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. The textbook's root.** What comes back at the start of training?
#
# ```diff
# - alpha = s * (left + right) / (left + v)
# + alpha = (v - left) / (right - left)
# ```
#
# <details><summary>Answer</summary>
#
# No number at all: 0 / 0. After some training, it is nearly as exact as ours.
#
# </details>
#
# **2. Gradients through the weights.** Does the flow learn better without `detach`?
#
# ```diff
# - log_w = log_f(x) - mixed(log_q.detach(), even)
# + log_w = log_f(x) - mixed(log_q, even)
# ```
#
# <details><summary>Answer</summary>
#
# No: the gap is about five times as large. Now the loss also falls where it takes
# weight from points, and the flow stays too wide.
#
# </details>
#
# **3. Weights without the mixture.** Divide by $q$ alone. What becomes of the integral?
#
# ```diff
# - return torch.logaddexp(log_q + (1 - part).log(), part.log())
# + return log_q
# ```
#
# <details><summary>Answer</summary>
#
# It is too small, by up to 5 %: most even points fall where $f$ is 0. The error bar is
# as small as before.
#
# </details>
#
# ## What to read next
#
# - [NICE](nice.ipynb) has the couplings, [Real NVP](real_nvp.ipynb) the affine ones.
# - [Neural spline flows](nsf.ipynb) took these maps to all numbers.
# - [Planar flows](vi_flows.ipynb) learn a density from their own points, by KL(q ‖ p).

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    for k, height in enumerate((0.8, 2.6, 5.1, 3.5, 1.4, 1.1, 3.0, 4.3, 2.1, 0.7)):
        ax.add_patch(Rectangle((k, 0), 0.92, height, color=BLUE, alpha=0.6, lw=0))
        dots = k + torch.linspace(0.1, 0.9, round(2 * height))
        ax.plot(dots, 0 * dots - 0.6, "|", color=ORANGE, markersize=13, mew=2.5)
    ax.set(xlim=(-0.3, 10.2), ylim=(-3.2, 7.3))
    thumbnail(fig, "Bars of two hills; below, marks, close under high bars.")
