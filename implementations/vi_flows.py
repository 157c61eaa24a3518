# %% [markdown]
# # Planar flows: variational inference with normalizing flows
#
# A model of data often has hidden variables $z$. What is known of them after the data
# were seen is the *posterior*. It seldom has a formula. So one fits a Gaussian to it,
# with independent components. The figure shows what it misses.
#
# Rezende and Mohamed ([2015](https://arxiv.org/abs/1505.05770)) send samples of the
# Gaussian through a chain of simple maps. Each map bends space a little, and its
# log-determinant is as cheap as the map. The longer the chain, the richer the
# posterior.
#
# The result: 32 maps come within 0.2 nats of four densities that no Gaussian fits. In
# a model of images, a chain raises the bound on the likelihood. We measure why.

# %%
"""Variational inference with normalizing flows (Rezende and Mohamed, 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import count

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal
from torch.func import jacrev, vmap
from torch.nn.functional import linear, softplus

from implementations.core.bijection import Bijection, Compose, Inverse, Mapped
from implementations.core.claims import all_checks, check, claim, table
from implementations.core.diagrams import arrow, box, diagram, disc, line, words
from implementations.core.digits import digits
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    densities,
    figure,
    grid_lines,
    images,
    label_lines,
    scatter,
    show,
    square,
    thumbnail,
    warps,
)
from implementations.core.roots import find_root
from implementations.core.toy import TwoMoons

# %% Two moons, and the Gaussian that variational inference finds tags=["plot"]
if __name__ == "__main__":
    torch.manual_seed(0)
    moons = TwoMoons().to(device())
    centre = torch.zeros(2, device=device(), requires_grad=True)
    spread = torch.zeros(2, device=device(), requires_grad=True)
    optimiser = torch.optim.Adam([centre, spread], 0.05)
    for _ in range(300):
        near = centre + spread.exp() * torch.randn(128, 2, device=device())
        missed = -moons.log_prob(near).mean() - spread.sum()
        optimiser.zero_grad()
        missed.backward()
        optimiser.step()
    best = Normal(centre.detach(), spread.detach().exp())
    shown = {
        "a posterior": moons.log_prob,
        "the Gaussian found": lambda z: best.log_prob(z).sum(1),
    }
    fig, axes = figure(columns=2, width=6.0, box=moons.box)
    densities(axes, shown, moons.box, 120)
    show(
        fig,
        "Two heat maps. The posterior is two half circles that interlock. The Gaussian "
        "that is found is one patch at the bottom of one of them; it misses the rest.",
    )

# %% [markdown]
# ## The idea in one picture

# %% A planar map; a chain of maps, steered by an encoder tags=["plot"]
if __name__ == "__main__":
    fig, (push, chain) = diagram(columns=2, width=3.4, height=2.6)
    line(push, [(0.75, 0.15), (2.35, 2.45)], PURPLE, dashed=True)
    words(push, (2.85, 2.4), "$w^\\top z + b = 0$", PURPLE)
    for i in range(5):
        for j in range(4):
            x, y = 0.5 + 0.55 * i, 0.4 + 0.55 * j
            t = math.tanh(2.2 * ((x - 1.55) * 0.82 - (y - 1.3) * 0.57))
            push.plot(x, y, "o", color=GREY, markersize=2.5)
            if abs(t) > 0.3:
                arrow(push, (x, y), (x + 0.42 * t, y + 0.1 * t), colour=BLUE)
    arrow(push, (1.55, 1.3), (2.05, 0.95), "$w$", PURPLE, beside=(0.05, -0.15))
    words(push, (3.1, 1.3), "$u$", BLUE)
    seen = box(chain, (0.4, 2.2), "$x$", GREY, (0.45, 0.4))
    encoder = box(chain, (1.9, 2.2), "encoder", GREY, (1.3, 0.4))
    arrow(chain, seen, encoder)
    noise = disc(chain, (0.25, 0.95), "$\\varepsilon$", GREY)
    first = box(chain, (1.0, 0.95), r"$\mu + \sigma\varepsilon$", BLUE, (0.75, 0.42))
    second = box(chain, (1.9, 0.95), "$f_1$", ORANGE, (0.4, 0.42))
    last = box(chain, (2.65, 0.95), "$f_K$", ORANGE, (0.4, 0.42))
    end = disc(chain, (3.17, 0.95), "$z_K$", GREEN, 0.19)
    arrow(chain, noise, first)
    arrow(chain, first, second, "$z_0$", beside=(0, 0.16))
    arrow(chain, second, last, "…", beside=(0, 0.16))
    arrow(chain, last, end)
    for part in (first, second, last):
        arrow(chain, (part.x, 2.0), part.top, dashed=True)
    words(chain, (1.85, 0.42), "from a Gaussian to the posterior of $x$")
    show(
        fig,
        "Left, a planar map: a dashed line cuts the plane, and arrows push the points "
        "on its two sides apart, in parallel. Right, a chain: noise becomes a sample "
        "of a Gaussian, which passes through K maps. An encoder looks at x and steers "
        "the Gaussian and all maps.",
    )

# %% [markdown]
# A *planar map* cuts space by a plane. It pushes the points on one side along a
# direction $u$, and pulls those on the other side back. Close to the plane the density
# falls or rises. Many such cuts make almost any shape.
#
# Drawing from the chain is cheap, and so is the density of what was drawn. Variational
# inference needs no more than that.
#
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $z_0$, $z_K$ | `z` | a sample of the Gaussian, and what the chain makes of it |
# | $w$, $b$; $u$ | `w`, `b`; `u` | where a planar map cuts; where it pushes |
# | $q$, $p$ | `log_q`, `log_p` | the density of the chain, and its target |
# | $K$ | `layers` | how many maps follow each other |
#
# Here $z$ is hidden, and the noise is $\varepsilon$. The `forward` of a map goes from
# $z_{k-1}$ to $z_k$, as in the paper. But a `Flow` of this project goes from data to
# noise. So the flow is the `Inverse` of the chain.
#
# ## Parameters, free or amortised
#
# A few numbers steer a map. If there is one density to fit, they are free parameters.
# If there is a posterior for each $x$, a network that sees $x$ gives them (§4.2). Then
# inference is *amortised*. Here they are an affine function of a context, and a network
# computes the context.
#
# Some numbers must be positive. Softplus does that, until it underflows to 0 and its
# logarithm is $-\infty$. So we add $10^{-18}$, which is too little to see.


# %%
class Steering(nn.Module):
    """The numbers that steer a layer: `start`, or start + Wc for a context c.

    W starts small, but not at 0, where the context itself would learn nothing.
    """

    def __init__(self, start: Tensor, context: int) -> None:
        super().__init__()
        self.start = nn.Parameter(start)
        w = 0.1 * torch.randn(len(start), context) / max(1, context) ** 0.5
        self.weight = nn.Parameter(w) if context else None

    def forward(self, context: Tensor | None) -> Tensor:
        if context is None or self.weight is None:
            return self.start
        return linear(context, self.weight, self.start)


def positive(x: Tensor) -> Tensor:
    """log(1 + eˣ), and never 0."""
    return softplus(x) + 1e-18


# %% [markdown]
# ## The planar map
#
# The amount of the push depends on where $z$ lies along $w$ (eq. 10 to 12). With
# $a = w^\top z + b$,
# $$f(z) = z + \hat u \tanh(a)$$
# $$|\det J| = 1 + w^\top\hat u\,\big(1 - \tanh^2(a)\big)$$
# The map turns $a$ into $a + w^\top\hat u \tanh(a)$. If this rises with $a$, then $a$
# can be found back, and with it $z$. Its slope is the determinant. It is positive
# everywhere exactly if $w^\top\hat u > -1$.
#
# So any $u$ is mended along $w$ (appendix A.1). With $m(x) = -1 + \log(1 + e^x)$,
# $$\hat u = u + \big(m(w^\top u) - w^\top u\big)\frac{w}{\lVert w\rVert^2}$$
# Then $w^\top\hat u = m(w^\top u) > -1$. The square of the norm matters: some programs
# divide by $\lVert w\rVert$, and then maps can fold.
#
# Two remarks on the code. With $p = 1 + w^\top\hat u$, the determinant is
# $\tanh^2 + p\,(1 - \tanh^2)$, a sum of positive terms. And $u = 0$ is *not* the
# identity: it squeezes along $w$. Our maps start where $\hat u = 0$, which is
# $w^\top u = \log(e - 1)$ with $u$ along $w$.
#
# The inverse has no formula. `find_root` finds $a$ between two ends by Newton's method,
# which works because the function rises. Variational inference never needs this; we use
# it to draw densities.


# %%
class Planar(Bijection):
    """z' = z + û tanh(wᵀz + b), with wᵀû > -1 (eq. 10; appendix A.1).

    `forward` is cheap; `inverse` is numerical. u, w and b are free, or affine in a
    context of width `context`. The map starts as the identity, or close to it. û has a
    pole at w = 0.
    """

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        w, b = torch.randn(dim) / dim**0.5, torch.randn(1)
        u = w * math.log(math.e - 1) / w.square().sum()
        self.split = (dim, dim, 1)
        self.steering = Steering(torch.cat((u, w, b)), context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        u, w, b, p = self._constrained(context)
        t = ((x * w).sum(-1, keepdim=True) + b).tanh()
        return x + u * t, _slope(t, p).log().squeeze(-1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        u, w, b, p = self._constrained(context)
        c, most = (z * w).sum(-1, keepdim=True) + b, (p - 1).abs()
        a, _ = find_root(lambda a: bent(a, p), c, c - most, c + most)
        t = a.tanh()
        return z - u * t, -_slope(t, p).log().squeeze(-1)

    def _constrained(self, context: Tensor | None) -> tuple[Tensor, ...]:
        """Return û, w, b, and p = 1 + wᵀû > 0."""
        u, w, b = self.steering(context).split(self.split, -1)
        wu, ww = (w * u).sum(-1, keepdim=True), (w * w).sum(-1, keepdim=True)
        p = positive(wu)
        return u + (p - 1 - wu) / ww * w, w, b, p


def _slope(t: Tensor, p: Tensor) -> Tensor:
    """1 + wᵀû (1 - t²), with t the hyperbolic tangent and p = 1 + wᵀû."""
    tt = t * t
    return tt + p * (1 - tt)


def bent(a: Tensor, p: Tensor) -> Mapped:
    """a + (p - 1) tanh(a), which rises with a for p > 0, and its log-slope.

    A planar map sends a = wᵀz + b there, with p = 1 + wᵀû.
    """
    t = a.tanh()
    return a + (p - 1) * t, _slope(t, p).log()


# %% [markdown]
# ## The radial map
#
# It pulls towards a point $c$, or pushes away from it (eq. 14, which calls it $z_0$):
# $$f(z) = z + \frac{\beta}{\alpha + r}(z - c)$$
# Here $r = \lVert z - c\rVert$ and $\alpha > 0$. Directions stay, and the radius
# becomes $r\,(1 + \beta/(\alpha + r))$. Its slope is
# $$1 + \frac{\alpha\beta}{(\alpha + r)^2}$$
# For $\beta > 0$ this is above 1 everywhere. For $\beta < 0$ it is least at $r = 0$,
# where it is $1 + \beta/\alpha$. So the radius rises exactly if $\beta > -\alpha$
# (appendix A.2; at $\beta = -\alpha$ the slope at 0 is 0).
#
# Let $\gamma = \alpha + \beta > 0$ be a softplus, as $\alpha$ is. In $d$ dimensions,
# the determinant has $d - 1$ factors for the directions and one for the radius:
# $$|\det J| = \Big(\frac{r + \gamma}{r + \alpha}\Big)^{d-1} \rho$$
# $$\rho = \frac{r^2 + 2\alpha r + \alpha\gamma}{(r + \alpha)^2}$$
# This map has an inverse in closed form: from the new radius $g$, the old one is the
# positive root of $r^2 + (\gamma - g)\,r = \alpha g$.


# %%
class Radial(Bijection):
    """z' = z + β (z - z₀) / (α + ‖z - z₀‖), with α > 0 and β > -α (eq. 14).

    z₀, α and β are free, or affine in a context of width `context` before they are
    constrained (appendix A.2). The map starts as the identity, or close to it.
    """

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        self.split = (dim, 1, 1)
        start = torch.cat((torch.randn(dim), torch.zeros(2)))
        self.steering = Steering(start, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        centre, alpha, gamma = self._constrained(context)
        away = x - centre
        r = torch.linalg.vector_norm(away, dim=-1, keepdim=True)
        z = centre + away * (r + gamma) / (r + alpha)
        return z, self._log_det(r, alpha, gamma)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        centre, alpha, gamma = self._constrained(context)
        away = z - centre
        g = torch.linalg.vector_norm(away, dim=-1, keepdim=True)
        # Of the two ways to write the root, the one in which nothing cancels.
        root = (((g - gamma).square() + 4 * alpha * g).sqrt() + (g - gamma).abs()) / 2
        r = torch.where(g > gamma, root, alpha * g / root)
        x = centre + away * (r + alpha) / (r + gamma)
        return x, -self._log_det(r, alpha, gamma)

    def _constrained(self, context: Tensor | None) -> tuple[Tensor, ...]:
        """Return z₀, α and γ = α + β."""
        centre, a, c = self.steering(context).split(self.split, -1)
        return centre, positive(a), positive(c)

    def _log_det(self, r: Tensor, alpha: Tensor, gamma: Tensor) -> Tensor:
        directions = (r + gamma).log() - (r + alpha).log()
        radius = (r * (r + 2 * alpha) + alpha * gamma).log() - 2 * (r + alpha).log()
        return ((self.x_shape[0] - 1) * directions + radius).squeeze(-1)


# %% [markdown]
# Check both: the log-determinant against automatic differentiation, the way there and
# back, and that a new planar map changes nothing. `check` stops the notebook when a
# number is not inside its bound; all checks are listed at the end.

# %%
if __name__ == "__main__":
    seed()
    x = torch.randn(200, 3).double()
    with torch.no_grad():
        start = (Planar(3).double()(x)[0] - x).abs().max().item()
    print(f"a new planar map moves z by {start:.1g}")
    for name, layer in {"planar": Planar(3), "radial": Radial(3)}.items():
        numbers = layer.double().steering.start
        numbers.data.add_(torch.randn(len(numbers)))
        with torch.no_grad():
            z, log_det = layer(x)
            back = layer.inverse(z)[0]
        J = vmap(jacrev(lambda row, f=layer: f(row[None])[0][0]))(x)
        wrong = (log_det - torch.linalg.slogdet(J).logabsdet).abs().max().item()
        lost = (back - x).abs().max().item()
        print(f"{name}: log |det J| off by {wrong:.1g}, there and back by {lost:.1g}")
        check(f"{name}: log |det J|, by autograd", wrong, below=1e-9)
        check(f"{name}: error of the round trip", lost, below=1e-7)
    check("a new planar map: how far it moves z", start, below=1e-5)

# %% [markdown]
# Of 20,000 planar maps with random $u$ and $w$ in the plane, none folds once $u$ is
# mended. With $\lVert w\rVert$ in the place of its square, some do.

# %%
if __name__ == "__main__":
    u, w = torch.randn(2, 20_000, 2, device=device()).double()
    wu, norm = (w * u).sum(1, keepdim=True), w.norm(dim=1, keepdim=True)
    ours, wrong = (u + (softplus(wu) - 1 - wu) * w / norm**k for k in (2, 1))
    least = 1 + (w * ours).sum(1).min().item()
    folding = (1 + (w * wrong).sum(1) < 0).double().mean().item()
    print(f"mended: least slope {least:.1g}; with the norm itself {folding:.1%} fold")
    check("least slope of 20,000 planar maps", least, above=0)
    check("share that folds, divided by the norm itself", folding, above=0.003)

# %% Keeping the map invertible; what it does to a grid tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=4, height=2.3)
    a, lines = torch.linspace(-4, 4, 200), grid_lines((-2.0, 2.0, -2.0, 2.0), 9)
    for wu, name, at, colour in (
        (-0.9, "mended", (-1.8, 2.5), BLUE),
        (-2.5, "folds", (0.3, -2.4), ORANGE),
    ):
        axes[0].plot(a, a + wu * a.tanh(), color=colour)
        axes[0].annotate(name, at, color=colour)
    axes[0].set(xlabel="$a$", title="what becomes of $a$")
    maps = {
        "planar": (Planar(2), [1.5, 0.5, 1.5, 0.5, 0.0]),
        "radial, pulls": (Radial(2), [0.5, 0.5, 0.0, -2.0]),
        "radial, pushes": (Radial(2), [0.5, 0.5, 0.0, 2.0]),
    }
    stages = {}
    with torch.no_grad():
        for name, (layer, values) in maps.items():
            layer.steering.start.copy_(torch.tensor(values))
            moved, _ = layer.to(device())(lines.flatten(0, 1))
            stages[name] = moved.view_as(lines)
    warps(axes[1:], stages)
    show(
        fig,
        "What becomes of a: two curves, of which the mended one rises everywhere and "
        "the other falls in the middle. Then a square grid, pushed apart along a line, "
        "pulled towards a point, and pushed away from it.",
    )

# %% [markdown]
# ## From a Gaussian to a posterior
#
# The chain begins with $z_0 = \mu + \sigma \odot \varepsilon$. It ends with
# $z_K = f_K \circ \dots \circ f_1(z_0)$. The density is known along the way (§3.1):
# $$\log q_K(z_K) = \log q_0(z_0) - \sum_{k=1}^K \log|\det J_k|$$
# Here $J_k$ is the matrix of derivatives of $f_k$ at $z_{k-1}$.


# %%
class Diagonal(Bijection):
    """z = μ + exp(s) ⊙ ε; μ and s are free, or affine in a context."""

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        self.steering = Steering(torch.zeros(2 * dim), context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        mean, s = self.steering(context).chunk(2, -1)
        return mean + x * s.exp(), s.sum(-1).expand(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        mean, s = self.steering(context).chunk(2, -1)
        return (z - mean) * (-s).exp(), -s.sum(-1).expand(z.shape[0])


def vi_flows(
    dim: int,
    layers: int = 32,
    layer: type[Planar] | type[Radial] = Planar,
    context: int = 0,
) -> Flow:
    """Build q_K for vectors of width `dim`: a Gaussian, and a chain of `layers` maps.

    `rsample_and_log_prob` is the cheap way; `log_prob` has to invert the chain. Do not
    fit that by `fit(compile=True)` with planar maps: a minute does not compile it.
    """
    chain = (layer(dim, context) for _ in range(layers))
    f = Compose(Diagonal(dim, context), *chain)
    return Flow(StandardNormal((dim,)), Inverse(f))


# %% [markdown]
# ## Four energies
#
# The paper's first test are densities that are known up to a constant,
# $p(z) = e^{-U(z)}/Z$ (Table 1): a ring with two dense sides, a wave, and two waves
# that split. The formulas of $U_1$ to $U_4$ are in the code. They use
# $$w_1 = \sin\tfrac{2\pi z_1}{4}$$
# $$w_2 = 3\exp\big(-\tfrac12(\tfrac{z_1 - 1}{0.6})^2\big)$$
# $$w_3 = 3\,\sigma\big(\tfrac{z_1 - 1}{0.3}\big)$$
# As printed, the last three are no densities: along $z_1$ they go on for ever. The
# paper shows them on $[-4, 4]^2$. So we put a soft wall around that square. It adds
# $\tfrac12 (d/0.2)^2$ where a coordinate is $d$ outside. Then $Z$ is an integral over
# the plane, which a grid finds to many digits. So the distance can be measured, not
# only compared:
# $$\mathrm{KL}(q_K \Vert p) = \mathrm E_{q_K}[\log q_K(z) + U(z)] + \log Z$$


# %%
def bump(x: Tensor, width: float) -> Tensor:
    """-½ (x / width)²."""
    return -(x / width).square() / 2


def u1(z: Tensor) -> Tensor:
    """Return the energy of a ring, most of it left and right."""
    sides = torch.logaddexp(bump(z[:, 0] - 2, 0.6), bump(z[:, 0] + 2, 0.6))
    return -bump(z.norm(dim=1) - 2, 0.4) - sides


def height(z: Tensor) -> Tensor:
    """z₂ - w₁(z)."""
    return z[:, 1] - (2 * math.pi / 4 * z[:, 0]).sin()


def u2(z: Tensor) -> Tensor:
    """Return the energy of a wave."""
    return -bump(height(z), 0.4)


def u3(z: Tensor) -> Tensor:
    """Return the energy of a wave that splits in two, which meet again."""
    h, w2 = height(z), 3 * bump(z[:, 0] - 1, 0.6).exp()
    return -torch.logaddexp(bump(h, 0.35), bump(h + w2, 0.35))


def u4(z: Tensor) -> Tensor:
    """Return the energy of a wave that splits in two."""
    h, w3 = height(z), 3 * ((z[:, 0] - 1) / 0.3).sigmoid()
    return -torch.logaddexp(bump(h, 0.4), bump(h + w3, 0.35))


def wall(z: Tensor) -> Tensor:
    """½ Σᵢ (dᵢ / 0.2)², where zᵢ is dᵢ outside of [-4, 4]."""
    return -bump((z.abs() - 4).clamp(min=0), 0.2).sum(1)


ENERGIES = (u1, u2, u3, u4)


def energy(z: Tensor) -> Tensor:
    """U(z) and the wall: the first quarter of the rows sees U₁, the next U₂, …."""
    parts = zip(ENERGIES, z.chunk(4), strict=True)
    return torch.cat([u(part) for u, part in parts]) + wall(z)


def log_constants(n: int = 501) -> Tensor:
    """log Z of the four, in float64, by the trapezoidal rule on [-7, 7]²."""
    line = torch.linspace(-7, 7, n, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    log_p = -energy(z.repeat(4, 1)).view(4, -1)
    return (log_p.logsumexp(1) + 2 * math.log(14 / (n - 1))).to(device())


# %% [markdown]
# One loop fits all four. The context says which energy a sample is for: it is one of
# four unit vectors. An affine function of those is four sets of parameters, each free.
#
# While training, the energy is scaled by $\beta_t = \min(1, 0.01 + t/T)$ (§6). At first
# the target is wide, so that all modes are found. The paper's $T$ is 10,000 of 500,000
# steps, ours is half of all.


# %%
def beta(t: int, over: float = 10_000) -> float:
    """min(1, 0.01 + t / over), after t steps (§6)."""
    return min(1.0, 0.01 + t / over)


def which(n: int) -> Tensor:
    """Return a context for each of 4n samples: n for U₁, n for U₂, …."""
    return torch.eye(4, device=device()).repeat_interleave(n, 0)


@torch.no_grad()
def kl(flow: Flow, log_z: Tensor, n: int = 20_000) -> Tensor:
    """KL(q ‖ p) for each energy, in nats, estimated on n samples."""
    z, log_q = flow.rsample_and_log_prob(4 * n, which(n))
    return (log_q + energy(z)).view(4, n).double().mean(1) + log_z


def learn(flow: Flow, log_z: Tensor, steps: int = 800) -> History:
    """Minimise the annealed free energy, Σ KL(q ‖ p) but for β and constants."""
    t, context = count(), which(64)

    def draw() -> tuple[Tensor, Tensor]:
        return context, torch.tensor(beta(next(t), steps / 2))

    def loss(context: Tensor, beta: Tensor) -> Tensor:
        z, log_q = flow.rsample_and_log_prob(len(context), context)
        return (log_q + beta * energy(z)).mean()

    def validate() -> Tensor:
        return kl(flow, log_z, 1000).mean()

    return fit(flow, loss, steps, draw, lr=2e-2, clip=5, validate=validate)


# %%
if __name__ == "__main__":
    seed()
    log_z = log_constants()
    chains = {
        "K = 0, a diagonal Gaussian": vi_flows(2, 0, context=4),
        "K = 2": vi_flows(2, 2, context=4),
        "K = 8": vi_flows(2, 8, context=4),
        "K = 32": vi_flows(2, 32, context=4),
        "K = 8, radial": vi_flows(2, 8, Radial, context=4),
    }
    histories, gaps = {}, {}
    for name, flow in chains.items():
        histories[name] = learn(flow.to(device()), log_z)
        gaps[name] = kl(flow, log_z)
    means = {name: gap.mean().item() for name, gap in gaps.items()}
    rows = [(name, *gap.tolist(), means[name]) for name, gap in gaps.items()]
    table(
        ("KL in nats", "$U_1$", "$U_2$", "$U_3$", "$U_4$", "mean"),
        [(name, *(f"{value:.2f}" for value in values)) for name, *values in rows],
    )

# %% [markdown]
# The longer the chain, the closer. Radial maps are weaker: eight do much better than a
# Gaussian, but not as well as eight planar ones.

# %%
if __name__ == "__main__":
    names = list(chains)
    for longer, shorter, bound in ((1, 0, 0.5), (2, 1, 1), (3, 2, 0.6)):
        text = f"mean KL, {names[longer]} over {names[shorter]}"
        check(text, means[names[longer]] / means[names[shorter]], below=bound)
    worst = (gaps["K = 32"] / gaps["K = 2"]).max().item()
    check("KL, K = 32 over K = 2, largest of the four", worst, below=0.5)
    ratio = means["K = 8, radial"] / means[names[0]]
    check("mean KL, K = 8, radial, over K = 0", ratio, below=0.45)

# %% Four densities, and chains of maps fitted to them tags=["plot"]
if __name__ == "__main__":
    view, context = (-4.0, 4.0, -4.0, 4.0), which(1)

    def log_p(z: Tensor, u: Callable[[Tensor], Tensor]) -> Tensor:
        """log p(z) of an energy."""
        own = log_z[ENERGIES.index(u)].float()
        return -u(z) - wall(z) - own

    def log_q(z: Tensor, flow: Flow, c: Tensor) -> Tensor:
        """log q(z) of a chain, for one of the energies."""
        return flow.log_prob(z, c.expand(len(z), -1))

    fig, axes = figure(columns=4, rows=4, width=6.0, height=6.6)
    for k, (u, c) in enumerate(zip(ENERGIES, context, strict=True)):
        drawn = {f"$U_{k + 1}$: the truth": partial(log_p, u=u)}
        for name in ("K = 2", "K = 8", "K = 32"):
            drawn[name] = partial(log_q, flow=chains[name], c=c)
        densities(axes[k::4], drawn, view, 60)
    show(
        fig,
        "Heat maps of the four densities, and below them what chains of 2, 8 and 32 "
        "maps make of a Gaussian. Two maps find the rough place. Eight find ring and "
        "waves, with weak or missing links. With 32 they look like the truth.",
    )

# %% [markdown]
# A Gaussian becomes a wave that splits, map by map. (The heat maps above are the
# inverse of this: each pixel was followed back through the chain.)

# %% A Gaussian on its way through 32 maps tags=["plot"]
if __name__ == "__main__":
    chain_of = chains["K = 32"].bijection
    assert isinstance(chain_of, Inverse) and isinstance(chain_of.bijection, Compose)
    fig, axes = figure(columns=4, height=2.1)
    seen = iter(axes)
    with torch.no_grad():
        z = torch.randn(600, 2, device=device())
        for n, layer in enumerate(chain_of.bijection.layers):
            z, _ = layer(z, context[3].expand(len(z), -1))
            if n in (0, 10, 20, 32):
                scatter(next(seen), z, view, f"$z_{{{n}}}$")
    show(
        fig,
        "Samples after 0, 10, 20 and 32 maps for the last energy. A round cloud is "
        "stretched and bent step by step, until it is a wave of two branches.",
    )

# %% [markdown]
# ## A deep latent Gaussian model
#
# Now a model of binary images. The hidden variables are $z \sim N(0, I)$. Given $z$,
# the pixels are independent. Their probabilities come from a network, the *decoder*.
# Another network, the *encoder*, looks at $x$ and gives $\mu$, $\log\sigma$ and the
# context of the maps.
#
# Both maximise a lower bound on $\log p(x)$, the negative free energy (eq. 15):
# $$-\mathcal F(x) = \mathrm E_{q}\big[\beta \log p(x, z_K) - \log q_K(z_K)\big]$$
# It is a bound for $\beta = 1$; training starts lower (§6). Note that $p$ sees $z_K$,
# not $z_0$. What the bound misses is $\mathrm{KL}(q \Vert p(z \mid x))$, the *gap*.


# %%
class LatentGaussian(nn.Module):
    """p(x, z) = N(z; 0, I) ∏ᵢ p(xᵢ | z) for binary x, and q(z | x), to infer z (§4.2).

    The encoder outputs mean and log-scale of a diagonal Gaussian, and the context h of
    `flow`, whose `forward` maps z₀ to z_K. Without a flow, z_K is z₀.
    """

    def __init__(
        self,
        dim: int,
        latent: int,
        hidden: tuple[int, ...],
        flow: Bijection | None = None,
    ) -> None:
        super().__init__()
        context = flow.context if flow is not None else 0
        self.flow = flow
        self.latent = latent
        self.prior = StandardNormal((latent,))
        self.sizes = (latent, latent, context)
        self.encoder = mlp(dim, sum(self.sizes), hidden, nn.ELU)
        self.decoder = mlp(latent, dim, hidden, nn.ELU)
        for net in (self.encoder, self.decoder):
            # From 0, where mlp starts, they learn slowly: each waits for the other.
            last = net[-1]
            assert isinstance(last, nn.Linear)
            last.reset_parameters()

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a z for each x, and return log q(z | x), of shape (batch,), too."""
        mean, log_std, h = self.encoder(x).split(self.sizes, -1)
        noise = self.prior.sample(len(x))
        z, log_q = mean + log_std.exp() * noise, self.prior.log_prob(noise)
        log_q = log_q - log_std.sum(-1)
        if self.flow is None:
            return z, log_q
        z, log_det = self.flow(z, h if self.flow.context else None)
        return z, log_q - log_det

    def elbo(self, x: Tensor, beta: float | Tensor = 1.0) -> Tensor:
        """β log p(x, z) - log q(z | x) for one z each, of shape (batch,) (eq. 15)."""
        z, log_q = self.posterior(x)
        pixels = Bernoulli(logits=self.decoder(z), validate_args=False)
        log_p = pixels.log_prob(x).sum(-1) + self.prior.log_prob(z)
        return beta * log_p - log_q

    @torch.no_grad()
    def log_likelihood(self, x: Tensor, n: int) -> Tensor:
        """log p(x), of shape (batch,), from n importance samples: low on average."""
        weights = torch.stack([self.elbo(x) for _ in range(n)])
        return weights.logsumexp(0) - math.log(n)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n images."""
        return Bernoulli(logits=self.decoder(self.prior.sample(n))).sample()


# %% [markdown]
# ## Digits
#
# The paper's model of MNIST has 40 hidden variables. Ours, of scikit-learn's digits,
# has 16, and chains of up to 16 maps. Pixels are drawn anew for each batch, with their
# grey level as probability. Those of the test set are drawn once.
#
# The true $\log p(x)$ is not known, but 300 importance samples come close. Maps are
# either free, the same for every image, or amortised as in the paper.


# %%
def learn_digits(model: LatentGaussian, x: Tensor, steps: int = 1000) -> History:
    """Minimise the annealed free energy of x, binarised anew for each batch."""
    t = count()

    def draw() -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(x), (128,), device=device())
        return x[rows].bernoulli(), torch.tensor(beta(next(t), steps / 10))

    def loss(x: Tensor, beta: Tensor) -> Tensor:
        return -model.elbo(x, beta).mean()

    return fit(model.to(device()), loss, steps, draw, lr=5e-3)


def digits_model(maps: int = 0, context: int = 0) -> LatentGaussian:
    """Build a model of 64 pixels and 16 latents, with so many planar maps."""
    chain = [Planar(16, context) for _ in range(maps)]
    return LatentGaussian(64, 16, (200,), Compose(*chain) if chain else None)


# %%
if __name__ == "__main__":
    seed()
    train, _, test = (part.images / 16 for part in digits())
    binary = test.bernoulli()
    models = {
        "K = 0": digits_model(),
        "K = 4, free": digits_model(4),
        "K = 4": digits_model(4, context=32),
        "K = 16": digits_model(16, context=32),
    }
    curves, bounds, log_ps = {}, {}, {}
    for name, model in models.items():
        curves[name] = learn_digits(model, train)
        with torch.no_grad():
            weights = torch.stack([model.elbo(binary) for _ in range(300)])
        bounds[name] = weights.mean().item()
        # As `log_likelihood`, of the same draws: the gap has less noise.
        log_p_of_each = weights.logsumexp(0) - math.log(300)
        log_ps[name] = log_p_of_each.mean().item()
    gaps_left = {name: log_ps[name] - bounds[name] for name in models}
    table(
        ("nats per image, test", "bound", "log-likelihood", "gap"),
        [
            (name, f"{bounds[name]:.2f}", f"{log_ps[name]:.2f}", f"{gap:.2f}")
            for name, gap in gaps_left.items()
        ],
    )

# %% [markdown]
# A chain raises the bound by less than a tenth of a nat. Why? The bound is the
# log-likelihood less the gap. So it can rise in two ways: the posterior is closer (the
# gap falls), or the decoder is better (the log-likelihood rises). Split the gain:

# %%
if __name__ == "__main__":
    rows = []
    for name in ("K = 4, free", "K = 4", "K = 16"):
        gain = bounds[name] - bounds["K = 0"]
        tighter = gaps_left["K = 0"] - gaps_left[name]
        decoder = log_ps[name] - log_ps["K = 0"]
        rows.append((name, f"{gain:.3f}", f"{tighter:.3f}", f"{decoder:.3f}"))
    table(("nats gained on K = 0", "in all", "smaller gap", "better decoder"), rows)
    # Those of the last row, K = 16.
    share = tighter / gain
    print(f"K = 16: {share:.0%} of the gain is a smaller gap")
    check("nats gained by 4 maps", bounds["K = 4"] - bounds["K = 0"], above=0.01)
    amortised = bounds["K = 4"] - bounds["K = 4, free"]
    check("nats gained by amortising 4 maps", amortised, above=0.01)
    ratio = gaps_left["K = 16"] / gaps_left["K = 0"]
    check("gap, K = 16 over K = 0", ratio, below=0.97)

# %% [markdown]
# So the chain does tighten the bound, but this is only a part of the gain: over five
# seeds, a third to four fifths. The rest is a better decoder. Trained with a better
# posterior, it fits the data better. Free maps hardly help, for what they do the
# decoder can do as well. We do not claim that 16 maps beat 4.

# %% Digits of the test set, samples, and reconstructions tags=["plot"]
if __name__ == "__main__":
    drawn = {"test set": binary[:12], "samples": models["K = 16"].sample(12)}
    with torch.no_grad():
        z, _ = models["K = 16"].posterior(binary[:12])
        drawn["rebuilt"] = models["K = 16"].decoder(z).sigmoid()
    fig, axes = figure(height=1.4)
    images(axes[0], {name: x.reshape(12, 8, 8) for name, x in drawn.items()})
    show(
        fig,
        "Three rows of twelve images: binary digits of the test set, samples of the "
        "model, which mostly look like digits with some noise, and the probabilities "
        "of the pixels given an inferred z, smooth versions of the first row.",
    )

# %% Longer chains, for the four densities and for digits tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=7.4)
    colours = (BLUE, ORANGE, GREEN, PURPLE)
    for name, colour in zip(names[1:], colours, strict=True):
        curve = zip(*histories[name].validation, strict=True)
        axes[0].plot(*curve, color=colour, label=name)
    axes[0].set(xlabel="step", title="energies: mean KL, nats", yscale="log")
    for name, colour in (("K = 0", GREY), ("K = 16", BLUE)):
        blocks = torch.tensor(curves[name].loss[100:]).split(50)
        rising = [-block.mean().item() for block in blocks]
        steps = range(150, 150 + 50 * len(rising), 50)
        axes[1].plot(steps, rising, color=colour, label=name)
    axes[1].set(xlabel="step", title="digits: bound on batches, nats")
    for ax in axes:
        label_lines(ax)
    show(
        fig,
        "Left, the mean KL to the four densities falls fast, and ends lower the more "
        "maps there are. Right, the bound for digits, from the end of the annealing "
        "on, rises; with 16 maps it stays a little above that with none.",
    )

# %% [markdown]
# ## What the paper claims, and what holds
#
# The paper claims that longer chains come closer to a posterior, and that this tightens
# the bound. The first holds clearly. The second holds too, but on digits it is not the
# whole reason why the bound rises.

# %%
if __name__ == "__main__":
    claim(
        "Chains of 32 maps come within {} nats of the four densities, on average",
        means["K = 32"],
        below=0.2,
    )
    claim(
        "On digits, 16 maps raise the bound by {} nats per image",
        gain,
        above=0.02,
    )
    claim(
        "A share of {} of this is a tighter bound; the rest is a better decoder",
        share,
        above=0.05,
        below=1.2,
    )

# %%
if __name__ == "__main__":
    all_checks("vi_flows")

# %% [markdown]
# Reported and obtained: the images differ, so the bounds cannot be the same.

# %% tags=["plot"]
if __name__ == "__main__":
    table(
        ("", "the paper", "here", "why"),
        [
            (
                "four energies",
                "pictures (Figure 3)",
                f"KL {means['K = 2']:.2f}, {means['K = 8']:.2f}, "
                f"{means['K = 32']:.2f} nats for K = 2, 8, 32",
                "the constants are known",
            ),
            ("plane", "seen on $[-4, 4]^2$", "a wall around it", "else improper"),
            (
                "bound on the negative log-likelihood",
                "85.1 nats, MNIST, at best (§6.2)",
                f"{-bounds['K = 16']:.2f} nats, digits, K = 16",
                "64 pixels, not 784",
            ),
            (
                "training",
                "RMSprop, 500,000 steps, annealed over 10,000",
                "Adam, 800 and 1,000, over 400 and 100",
                "a short run",
            ),
            ("networks", "400 Maxout units", "200 ELU units", "small images"),
        ],
    )

# %% [markdown]
# ## Three things to remember
#
# 1. Variational inference needs samples and their density. A chain of maps gives both
#    in one cheap pass, and needs no inverse.
# 2. A planar map is invertible only if $w^\top\hat u > -1$. Build the constraint into
#    the parameters, then training cannot break it.
# 3. A better bound has two causes: a closer posterior and a better model. Only the gap
#    tells them apart.
#
# ## Three to try
#
# Predict first, then change the line and run its cell and those that need it again.
#
# **1. The norm for its square.** Divide by $\lVert w\rVert$. Is the log-determinant
# still right?
#
# ```diff
# - return u + (p - 1 - wu) / ww * w, w, b, p
# + return u + (p - 1 - wu) / ww.sqrt() * w, w, b, p
# ```
#
# <details><summary>Answer</summary>
#
# No, unless $\lVert w\rVert = 1$. The code computes the determinant from
# $p = 1 + w^\top\hat u$, and this $\hat u$ has another product with $w$. Some maps even
# fold. The check against automatic differentiation fails.
#
# </details>
#
# **2. Start at $u = 0$.** Is a new planar map the identity?
#
# ```diff
# - u = w * math.log(math.e - 1) / w.square().sum()
# + u = torch.zeros(dim)
# ```
#
# <details><summary>Answer</summary>
#
# No. With $w^\top u = 0$, $w^\top\hat u = \log 2 - 1 < 0$: the map squeezes along $w$,
# where $a = 0$ by a factor of $\log 2$. A chain of 32 such maps would start far from a
# Gaussian.
#
# </details>
#
# **3. The radius alone.** Leave out the directions in the determinant of a radial map.
# In how many dimensions does nothing change?
#
# ```diff
# - return ((self.x_shape[0] - 1) * directions + radius).squeeze(-1)
# + return radius.squeeze(-1)
# ```
#
# <details><summary>Answer</summary>
#
# In one dimension: there $d - 1 = 0$. In two or more the log-determinant is wrong, and
# our check in three dimensions fails. So test a formula in more than one dimension.
#
# </details>
#
# ## What to read next
#
# - [IAF](iaf.ipynb) puts an autoregressive network in the place of a planar map, which
#   is like a layer with a single hidden unit.
# - [Neural spline flows](nsf.ipynb) fit posteriors and data alike.
# - [Multiplicative normalizing flows](mnf.ipynb) use such chains for the weights of a
#   network.
# - [The review of flows](flows_review.ipynb) sorts all kinds of maps.

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    ticks = torch.linspace(-4, 4, 70)
    grid = torch.cartesian_prod(ticks, ticks).to(device())
    for k, c in enumerate(context):
        with torch.no_grad():
            learned = log_q(grid, chains["K = 32"], c)
        p = learned.exp().view(70, 70).T.cpu()
        p = (p / p.max()).numpy()
        right, up = 9 * (k % 2), -9 * (k // 2)
        heights, look = (0.1, 0.35, 0.65, 1.01), (BLUE, PURPLE, ORANGE)
        ax.contourf(ticks + right, ticks + up, p, heights, colors=look)
    thumbnail(
        fig,
        "Four shapes that chains of 32 planar maps make of a Gaussian: a ring with two "
        "dense sides, a wave, and two waves that split.",
    )
