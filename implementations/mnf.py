# %% [markdown]
# # MNF: multiplicative normalizing flows
#
# How sure may a network be? Training finds one value for each weight, but others fit
# the data as well. A Bayesian network keeps a density of weights, the *posterior*.
# Mostly each weight gets a Gaussian of its own. The figure shows what that loses.
#
# Louizos and Welling ([2017](https://arxiv.org/abs/1703.01961)) multiply all weights of
# a unit by one random number $z$. Units are few, so a flow can give their $z$ any
# density.

# %%
"""MNF (Louizos and Welling, 2017, arXiv:1703.01961)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.distributions import Normal as Gaussian
from torch.nn.functional import conv2d, cross_entropy

from implementations.core.bijection import Compose, Inverse
from implementations.core.claims import all_checks, check, claim
from implementations.core.diagrams import arrow, box, cells, diagram, disc, words
from implementations.core.doubt import (
    MNIST,
    Halves,
    LeNet,
    draw_entropies,
    halves,
    judge,
)
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import LOG_2PI, Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    densities,
    figure,
    scatter,
    show,
    square,
    thumbnail,
)
from implementations.iaf import Gated
from implementations.nice import Coupling
from implementations.vi_flows import Diagonal

# %% Two weights whose sum is known, and independent Gaussians tags=["plot"]
if __name__ == "__main__":
    # w ~ N(0, I), and w₁ + w₂ was seen to be 1, with an error of 0.3.
    precision = torch.eye(2, device=device()) + 0.3**-2
    mean = torch.full((2,), 1 / (2 + 0.3**2), device=device())
    exact = MultivariateNormal(mean, precision_matrix=precision)
    alone = Gaussian(mean, precision.diag().rsqrt())
    plane = (-1.5, 2.5, -1.5, 2.5)
    fig, axes = figure(columns=2, width=4.8, box=plane)
    shown = {"independent": lambda w: alone.log_prob(w).sum(1)}
    densities(axes, {"the posterior": exact.log_prob, **shown}, plane)
    show(
        fig,
        "Two heat maps in the same colours. The posterior of two weights is a long, "
        "thin ridge that falls from left to right. Independent Gaussians are a small, "
        "dense disc in the middle of it: they are too sure of both weights.",
    )

# %% [markdown]
# ## The idea in one picture

# %% One z for each row, drawn by one flow and guessed by another tags=["plot"]
if __name__ == "__main__":
    fig, (left, right) = diagram(columns=2, height=2.2)
    names = [[rf"$z_{i}\mu_{{{i}{j}}}$" for j in (1, 2, 3)] for i in (1, 2, 3)]
    weights = cells(left, (1.3, 0.2), [[0] * 3, [1] * 3, [2] * 3], 0.55, names)
    for i, colour in enumerate((BLUE, ORANGE, GREEN)):
        y = weights.top[1] - 0.55 * (i + 0.5)
        z = disc(left, (0.5, y), f"$z_{i + 1}$", colour)
        arrow(left, z, (weights.left[0], y), colour=colour)
    words(left, (2.1, 2.0), "means of $W$")
    z, w = (disc(right, (x, 1.45), t) for x, t in ((2.1, "$z$"), (3.0, "$W$")))
    q = box(right, (1.15, 1.45), "flow $q$", ORANGE)
    r = box(right, (2.55, 0.55), "flow $r$", GREEN)
    noise = disc(right, (0.3, 1.45), r"$\varepsilon$", GREY)
    for start, end in ((noise, q), (q, z), (z, w), (z, r), (w, r)):
        arrow(right, start, end)
    words(right, (1.05, 0.55), r"guessing: $\log r(z \mid W)$", GREEN)
    show(
        fig,
        "Left, a matrix of weights whose three rows have three colours: one number z "
        "leads to each row, and scales all means in it. Right, a flow q makes z of "
        "noise, and W is drawn given z. A second flow r sees z and W.",
    )

# %% [markdown]
# ## Symbols and direction
#
# | Symbol | In code | Meaning |
# | :-- | :-- | :-- |
# | $W$, $\mu$, $\sigma$ | `weights` | weights, their means and standard deviations |
# | $z$, $q(z)$ | `z`, `q` | what multiplies each row of $\mu$, and its density |
# | $r(z \mid W)$ | `r` | a guess of $z$ from $W$ |
# | $s$ | `prior` | standard deviation of weights before any data |
#
# `forward` goes from $z$ to noise. The paper's $q$ is our `inverse`.
#
# ## Gaussians, given z
#
# A row of $W$ is an *input* of a dense layer (eq. 4), or a *filter* of a convolution
# (eq. 5). Its $z_i$ scales means, not variances.
# $$q(W \mid z) = \prod_{i,j} N(w_{ij};\; z_i \mu_{ij},\; \sigma_{ij}^2)$$
# The divergence from the prior $N(0, s^2)$ is known:
# $$\mathrm{KL}(q(W \mid z) \Vert p) = \sum_{i,j} \log\frac{s}{\sigma_{ij}}
# + \frac{\sigma_{ij}^2 + z_i^2 \mu_{ij}^2}{2 s^2} - \frac12$$


# %%
class Gaussians(nn.Module):
    """w_ij ~ N(z_i μ_ij, σ_ij²), with a row for each z; the prior is N(0, prior²)."""

    def __init__(
        self, mu: Tensor, prior: float = 1.0, sigma: float = math.exp(-2)
    ) -> None:
        super().__init__()
        self.prior = prior
        self.mu = nn.Parameter(mu)
        self.log_sigma = nn.Parameter(torch.full_like(mu, math.log(sigma)))

    @property
    def var(self) -> Tensor:
        """σ², of shape (rows, columns)."""
        return (2 * self.log_sigma).exp()

    def draw(self, z: Tensor) -> Tensor:
        """Draw W, of shape (batch, rows, columns), for z of (batch, rows)."""
        return drawn(z[:, :, None] * self.mu, self.var)

    def project(self, c: Tensor, z: Tensor) -> Tensor:
        """Draw cᵀW, of shape (batch, columns), without drawing W."""
        return drawn((z * c) @ self.mu, c.square() @ self.var)

    def kl(self, z: Tensor) -> Tensor:
        """KL(q(W | z) ‖ p(W)) in nats, of shape (batch,), for z of (batch, rows)."""
        fixed = math.log(self.prior) - self.log_sigma + self.var / (2 * self.prior**2)
        moved = z.square() @ self.mu.square().sum(1) / (2 * self.prior**2)
        return moved + (fixed - 0.5).sum()


def drawn(mean: Tensor, var: Tensor) -> Tensor:
    """Draw from N(mean, var)."""
    return mean + var.sqrt() * torch.randn_like(mean)


# %% [markdown]
# ## A layer draws its outputs
#
# Sums of Gaussians are Gaussian. So a layer draws its outputs instead of $W$, for each
# example anew (algorithms 1 and 2).
# $$\text{dense:}\quad N\big((h \odot z)\mu + \mu_b,\; h^2 \sigma^2 + \sigma_b^2\big)$$
# $$\text{convolution:}\quad N\big(z \odot (h * \mu + \mu_b),\;
# h^2 * \sigma^2 + \sigma_b^2\big)$$
# Without $z$, layers are *mean-field*.


# %%
class MeanField(nn.Module, ABC):
    """A layer of independent Gaussians, of which z multiplies the means."""

    def __init__(self, weights: Gaussians) -> None:
        super().__init__()
        self.weights = weights

    @abstractmethod
    def given(self, x: Tensor, z: Tensor) -> Tensor:
        """Draw outputs given z, of shape (batch, units)."""

    def kl_given(self, z: Tensor) -> Tensor:
        """KL(q(W | z) ‖ p(W)), of shape (batch,)."""
        return self.weights.kl(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.given(x, self._ones(len(x)))

    def kl(self, n: int = 1) -> Tensor:
        """KL(q(W) ‖ p(W)) in nats, n times."""
        return self.kl_given(self._ones(n))

    def _ones(self, n: int) -> Tensor:
        return self.weights.mu.new_ones(n, len(self.weights.mu))


class MeanFieldLinear(MeanField):
    """y ~ N((x ⊙ z) μ + μ_b, x² σ² + σ_b²) (algorithm 1); z for each input."""

    def __init__(self, n_in: int, n_out: int, **start: float) -> None:
        mu = torch.randn(n_in, n_out) * math.sqrt(2 / n_in)
        super().__init__(Gaussians(mu, **start))
        self.bias = Gaussians(torch.zeros(1, n_out), **start)

    def given(self, x: Tensor, z: Tensor) -> Tensor:
        mean = (x * z) @ self.weights.mu + self.bias.mu
        return drawn(mean, x.square() @ self.weights.var + self.bias.var)

    def kl_given(self, z: Tensor) -> Tensor:
        return self.weights.kl(z) + self.bias.kl(z.new_ones(1, 1))


class MeanFieldConv2d(MeanField):
    """y ~ N(z ⊙ (x * μ + μ_b), x² * σ² + σ_b²) (algorithm 2); z for each filter."""

    def __init__(self, n_in: int, n_out: int, size: int, **start: float) -> None:
        n = n_in * size**2
        mu = torch.randn(n_out, n) * math.sqrt(2 / n)
        # A filter and its bias are one row.
        super().__init__(Gaussians(torch.cat((mu, torch.zeros(n_out, 1)), 1), **start))
        self.shape = (n_in, size, size)

    def given(self, x: Tensor, z: Tensor) -> Tensor:
        mean = z[:, :, None, None] * conv2d(x, *self._split(self.weights.mu))
        return drawn(mean, conv2d(x.square(), *self._split(self.weights.var)))

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows[:, :-1].unflatten(1, self.shape), rows[:, -1]


# %%
if __name__ == "__main__":
    seed()
    layer, x, z = MeanFieldLinear(3, 4, sigma=0.4), torch.randn(3), 2 + torch.rand(3)
    with torch.no_grad():
        fast = layer.given(x.expand(20_000, 3), z)
        slow = x @ layer.weights.draw(z.expand(20_000, 3))
        slow += layer.bias.draw(torch.ones(20_000, 1))[:, 0]
    ratio = (fast.std(0) / slow.std(0) - 1).abs().max().item()
    print(f"standard deviations of outputs: off by {ratio:.1%} at most")
    check("outputs and drawn weights: spread, difference", ratio, below=0.03)

# %% [markdown]
# ## Flows for z
#
# $q$ is a Gaussian, and after it couplings as in [NICE](nice.ipynb), with the gates of
# [IAF](iaf.ipynb). A network of one half gives $m$ and $g$ for the other (eq. 6):
# $$z' = g \odot z + (1 - g) \odot m,\qquad \log|\det J| = \sum_i \log g_i$$


# %%
def gates(dim: int, steps: int, hidden: int) -> list[Coupling]:
    """Return steps from z_t to z_{t+1}, each with one hidden layer of tanh (eq. 6)."""
    m = partial(mlp, hidden=(hidden,), activation=nn.Tanh)
    return [Coupling(dim, Gated(), m, swap=t % 2 == 1) for t in range(steps)]


class Normal(Inverse):
    """ε = (z - m) / σ, of which m and log σ may be affine in a context (eq. 9, 10).

    It starts at m = `mean` and σ² = `spread` m².
    """

    def __init__(
        self, dim: int, mean: float, context: int = 0, spread: float = 0.1
    ) -> None:
        gaussian = Diagonal(dim, context)
        start = torch.tensor((mean, math.log(spread * mean**2) / 2))
        gaussian.steering.start.data = start.repeat_interleave(dim)
        if (slopes := gaussian.steering.weight) is not None:
            nn.init.normal_(slopes, std=dim**-0.5)
        super().__init__(gaussian)


# %% [markdown]
# ## The bound
#
# $q(W) = \int q(W \mid z)\, q(z)\, dz$ has no closed form. But for *any* density
# $r(z \mid W)$ (eq. 7)
# $$\mathrm{KL}(q(W) \Vert p(W)) \le \mathrm E_{q(z)}\,\mathrm{KL}(q(W \mid z)
# \Vert p(W))$$
# $$+ \;\mathrm E_{q(z, W)}\big[\log q(z) - \log r(z \mid W)\big]$$
# It loses $\mathrm E_{q(W)} \mathrm{KL}(q(z \mid W) \Vert r(z \mid W))$, so $r$ should
# guess well. $r$ is a flow to a Gaussian that depends on one number of $W$ (eq. 8 to
# 12): $a$, the mean of $\tanh(c^\top W)$ over columns.


# %%
class MNF(nn.Module):
    """A layer whose z has a flow of so many steps as its density (eq. 4 to 12).

    r's networks are twice as wide as q's. z starts around 1, with variance `spread`.
    """

    def __init__(
        self, layer: MeanField, steps: int = 2, hidden: int = 50, spread: float = 0.1
    ) -> None:
        super().__init__()
        self.layer = layer
        dim = len(layer.weights.mu)
        base = StandardNormal((dim,))
        # Gates shrink z at first, half of the units at each step.
        shrink = (1 + math.exp(-2)) ** (-steps / 2)
        back = [Inverse(step) for step in reversed(gates(dim, steps, hidden))]
        onwards = gates(dim, steps, 2 * hidden)
        self.q = Flow(base, Compose(*back, Normal(dim, 1 / shrink, 0, spread)))
        self.r = Flow(base, Compose(*onwards, Normal(dim, shrink, 1, spread)))
        self.c = nn.Parameter(torch.randn(dim) / dim**0.5)

    def forward(self, x: Tensor) -> Tensor:
        z, _ = self.q.rsample_and_log_prob(len(x))
        return self.layer.given(x, z)

    def kl(self, n: int = 1) -> Tensor:
        """Draw z n times; the mean bounds KL(q(W) ‖ p(W)) from above, in nats."""
        z, log_q = self.q.rsample_and_log_prob(n)
        a = self.layer.weights.project(self.c, z).tanh().mean(1, keepdim=True)
        return self.layer.kl_given(z) + log_q - self.r.log_prob(z, a)


# %% [markdown]
# The loss is cross-entropy plus $\mathrm{KL}/N$: all $N$ examples share one posterior.
# A prediction is a mean of *probabilities*.


# %%
def mnf(
    sizes: LeNet = MNIST,
    wrap: Callable[[MeanField], nn.Module] = MNF,
    **start: float,
) -> nn.Sequential:
    """Build a LeNet of MNF layers, or of mean-field ones with this prior and sigma."""
    return sizes.build(
        lambda n_in, n: wrap(MeanFieldConv2d(n_in, n, sizes.size, **start)),
        lambda n_in, n: wrap(MeanFieldLinear(n_in, n, **start)),
    )


def kl(net: nn.Sequential, n: int = 1) -> Tensor:
    """Add up the layers' KL, in nats, on average over n draws; 0 if there is none."""
    layers = (layer for layer in net if isinstance(layer, MeanField | MNF))
    return sum((layer.kl(n).mean() for layer in layers), torch.zeros(()))


def learn(net: nn.Sequential, data: Halves, steps: int, lr: float) -> None:
    """Minimise cross-entropy + KL / N."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(net(x), y) + kl(net) / len(data.labels)

    fit(net.to(device()), loss, steps, data.batch, lr=lr)


# %% [markdown]
# ## Two weights whose posterior is known
#
# The weights of the first figure have a correlation of $\rho = -0.92$. Independent
# Gaussians stay $-\tfrac12\log(1 - \rho^2)$ nats away, or more. A flow can tie $z_1$ to
# $z_2$. But $q$ and $r$ must learn that together, and some starts fail: the best of
# three counts. A mean over many $z$ gives $q(W)$, and so what the bound loses.


# %%
def excess(model: MNF, target: MultivariateNormal, n: int) -> Tensor:
    """Bound KL(q(W) ‖ target) from above, in nats, by the mean of n draws."""
    z, _ = model.q.rsample_and_log_prob(n)
    w = model.layer.weights.draw(z)[..., 0]
    prior = -0.5 * (w.square() + LOG_2PI).sum(1)
    return model.kl(n) + prior - target.log_prob(w)


def log_q(model: MNF, w: Tensor, n: int = 2000) -> Tensor:
    """log q(W), by a mean of q(W | z) over n draws of z, for w of shape (batch, 2)."""
    weights = model.layer.weights
    mean, sigma = model.q.sample(n) * weights.mu[:, 0], weights.var[:, 0].sqrt()
    given = Gaussian(mean, sigma).log_prob(w[:, None]).sum(2)
    return given.logsumexp(1) - math.log(n)


def two_weights(target: MultivariateNormal, steps: int = 2) -> MNF:
    """Fit a layer of two inputs and one output, from a small σ and a wide z."""
    layer = MeanFieldLinear(2, 1, sigma=0.05)
    nn.init.constant_(layer.weights.mu, 0.5)
    nn.init.zeros_(layer.bias.log_sigma)  # as in the prior
    model = MNF(layer, steps, spread=2).to(device())
    fit(model, lambda: excess(model, target, 64).mean(), 600, lr=2e-2)
    return model


# %%
if __name__ == "__main__":
    seed()
    starts = [two_weights(exact) for _ in range(3)]
    with torch.no_grad():
        tied = min(starts, key=lambda model: excess(model, exact, 20_000).mean().item())
        at_most = excess(tied, exact, 20_000)
        w = tied.layer.weights.draw(tied.q.sample(4000))[..., 0]
        truly = log_q(tied, w) - exact.log_prob(w)
    rho = -(0.3**-2) / (1 + 0.3**-2)
    least = -0.5 * math.log(1 - rho**2)
    print(f"independent Gaussians: {least:.3f} nats from the posterior, or more")
    for name, values in {"at most": at_most, "truly": truly}.items():
        error = values.std() / len(values) ** 0.5
        print(f"MNF, {name}: {values.mean():.3f} nats, standard error {error:.3f}")
    lost = (at_most.mean() - truly.mean()).item()
    check("two weights: nats that the bound loses", lost, above=0.05, below=0.25)

# %% From noise to weights that are tied tags=["plot"]
if __name__ == "__main__":
    f = tied.q.bijection
    assert isinstance(f, Compose)
    z, clouds = torch.randn(2000, 2, device=device()), {}
    with torch.no_grad():
        for t, step in enumerate(reversed(f.layers)):
            z, _ = step.inverse(z)
            clouds[f"$z_{t}$"] = z
        clouds["$W$"] = tied.layer.weights.draw(z)[..., 0]
    fig, axes = figure(columns=4, box=(0, 1, 0, 1))
    for ax, (name, points) in zip(axes, clouds.items(), strict=True):
        scatter(ax, points, (-4, 6, -4, 6), name)
    show(
        fig,
        "Four clouds of points. A round one becomes a thin, falling band in two steps, "
        "which move the points along one axis each. The weights are a shorter band.",
    )

# %% [markdown]
# ## Digits that it has never seen
#
# A small LeNet learns the digits 0 to 4, from 655 images. Does it doubt the others?
# Doubt is the *entropy* of its probabilities. With its flows, MNF has 151,000
# parameters, mean-field 30,000. Mean-field gets three times as many steps, which takes
# as long.


# %%
def networks(sizes: LeNet, **start: float) -> dict[str, nn.Sequential]:
    """Build a network with five kinds of weights."""
    return {
        "plain": sizes.plain(),
        "dropout": sizes.plain(dropout=0.5),
        "mean-field": mnf(sizes, nn.Identity(), **start),
        "noise, no flow": mnf(sizes, partial(MNF, steps=0), **start),
        "MNF": mnf(sizes, MNF, **start),
    }


# %%
if __name__ == "__main__":
    seed()
    data = halves()
    nets = networks(LeNet((1, 8, 8), 5, (16,), 3, (100,)))
    for name, net in nets.items():
        learn(net, data, 1200 if name == "mean-field" else 400, 3e-3)
    doubts = judge(nets, data, kl)

# %% The entropies of predictions tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=2, width=6.4)
    names = ("MNF", "mean-field", "dropout", "plain")
    draw_entropies(axes, {name: doubts[name] for name in names}, 5)
    show(
        fig,
        "Shares of digits up to some entropy. On seen digits the plain network is "
        "nearly certain, then comes MNF, then the other two. Unseen ones have more "
        "entropy for all four, and again the least for the plain network.",
    )

# %% [markdown]
# Bayesian networks doubt unseen digits more than the plain one, and err as rarely. In
# as much time, MNF has better likelihood and calibration than mean-field. It does *not*
# doubt most, and the plain network is calibrated best.
#
# But bounds are far from converged: the prior, which learned nothing, has
# $N \log 5 = 1054$ nats! Try fewer weights: 50 hidden units, and $s = 0.2$.

# %%
if __name__ == "__main__":
    seed()
    nets = networks(LeNet((1, 8, 8), 5, (), 3, (50,)), prior=0.2, sigma=0.06)
    for name, net in nets.items():
        learn(net, data, 2400 if name == "mean-field" else 800, 1e-2)
    converged = judge(nets, data, kl)

# %% [markdown]
# Now bounds are near their minimum, and the flow gains nothing. All posteriors doubt
# unseen digits more than the plain network, and seen ones too.
#
# ## What the paper claims, and what holds
#
# The paper claims a better posterior, and so better doubt. The first holds where it can
# be measured, the second against a plain network. Mean-field doubts as well.

# %%
if __name__ == "__main__":
    claim(
        "Of the gap that independent Gaussians leave, MNF leaves {} at most",
        at_most.mean().item() / least,
        below=0.4,
    )
    claim(
        "Digits never seen: MNF has {} times the entropy of a plain network",
        (doubts["MNF"].unseen.mean() / doubts["plain"].unseen.mean()).item(),
        above=1.35,
    )
    claim(
        "Digits seen: MNF needs {} times the nats per label of mean-field",
        doubts["MNF"].nats_per_label / doubts["mean-field"].nats_per_label,
        below=1,
    )

# %%
if __name__ == "__main__":
    check("MNF: share of seen digits it errs on", doubts["MNF"].errors, below=0.025)
    for name in ("mean-field", "noise, no flow"):
        ratio = doubts["MNF"].calibration_error / doubts[name].calibration_error
        check(f"calibration error, MNF over {name}", ratio, below=0.9)
    bound, prior = converged["MNF"].bound, len(data.labels) * math.log(5)
    ratio = bound / converged["mean-field"].bound
    check("converged: bound, MNF over mean-field", ratio, above=1, below=1.1)
    check("converged: bound, MNF over the prior", bound / prior, below=0.55)
    all_checks("mnf")

# %% [markdown]
# The paper shows entropies as curves, not as numbers.
#
# | | The paper | Here | Why |
# | :-- | :-- | :-- | :-- |
# | data | MNIST, CIFAR-10 | digits, 8×8 | nothing to download |
# | network | LeNet, 20-50-500 | 16-100, and 50 | 655 images |
# | masks | random | every other unit | $q(z)$ is a density |
# | mean of $r$'s Gaussian | $b a$ | $m + b a$ | fair to noise without a flow |

# | $\sigma$ | from $e^{-9}$ to 0.5 (code) | from $e^{-2}$ | nearer to convergence |
# | $z$ of a single input | planar flow (code) | Gaussian | simpler |
#
# ## Three things to remember
#
# 1. One random number ties the weights of a row. A flow ties the rows.
# 2. A layer draws its outputs, never $W$.
# 3. A second flow bounds $q(W)$, and $q$ gains only what $r$ can guess.
#
# ## Three to try
#
# Predict, then change the line and run.
#
# **1. Scale variances too.** Does the layer still do what drawn weights do?
#
# ```diff
# - return drawn(mean, x.square() @ self.weights.var + self.bias.var)
# + return drawn(mean, (x * z).square() @ self.weights.var + self.bias.var)
# ```
#
# <details><summary>Answer</summary>
#
# No: the check fails. $z$ multiplies means only.
#
# </details>
#
# **2. One $z$ for a batch.** Is the loss right on average, and as steady?
#
# ```diff
# - z, _ = self.q.rsample_and_log_prob(len(x))
# + z, _ = self.q.rsample_and_log_prob(1)
# ```
#
# <details><summary>Answer</summary>
#
# Right, but noisier: $z$ no longer averages out over the batch.
#
# </details>
#
# **3. A blind guess.** Do not show $W$ to $r$. Which gap is left for two weights?
#
# ```diff
# - a = self.layer.weights.project(self.c, z).tanh().mean(1, keepdim=True)
# + a = z.new_zeros(n, 1)
# ```
#
# <details><summary>Answer</summary>
#
# 0.92 nats or more, as for independent Gaussians: their average over $z$ is no closer
# than the closest.
#
# </details>
#
# ## What to read next
#
# - [Variational flows](vi_flows.ipynb), [IAF](iaf.ipynb), for hidden variables
# - [Graph flows](gnf.ipynb), for the nodes of a graph

# %% tags=["plot", "thumbnail"]
if __name__ == "__main__":
    fig, ax = square()
    rows = {BLUE: (0.9, [4, -2, 3, 1, -3]), ORANGE: (0.3, [-3, 4, 1, -4, 2])}
    rows[GREEN] = (0.6, [2, 3, -4, 2, 4])
    for k, (colour, (z, bars)) in enumerate(rows.items()):
        for scale, alpha in ((1, 0.3), (z, 1)):
            heights = [0.25 * scale * bar for bar in bars]
            ax.bar(range(5), heights, 0.7, -2 * k, color=colour, alpha=alpha)
    thumbnail(
        fig,
        "Three rows of bars that point up and down, in three colours. In each row all "
        "bars are shorter than the pale ones behind them, by the same share.",
    )
