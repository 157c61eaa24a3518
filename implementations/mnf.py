# %% [markdown]
# # MNF: multiplicative normalizing flows
#
# A Bayesian network has a posterior over its weights, mostly approximated by independent
# Gaussians. Louizos and Welling ([2017](https://arxiv.org/abs/1703.01961)) multiply
# their means by random numbers $z$, one for each unit, so that the weights of a unit
# vary together; and since there are few units, $z$ may have any density that a
# normalizing flow can give it. The mixture over $z$ has no density in closed form, but
# a second flow, which guesses $z$ back from the weights, bounds what that costs.

# %%
"""MNF (Louizos and Welling, 2017, arXiv:1703.01961)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy, linear, logsigmoid

from implementations.core.bijection import (
    Bijection,
    Compose,
    Inverse,
    Mapped,
    Univariate,
)
from implementations.core.claims import claim, repeated, table
from implementations.core.digits import digits
from implementations.core.environment import device, seed
from implementations.core.fit import History, fit
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.plots import BLUE, GREY, figure, images, show
from implementations.nice import Coupling

# %% [markdown]
# ## Gaussians, given $z$
#
# Given $z$, weights are independent Gaussians; $z$ multiplies means, not variances. For
# a dense layer there is one $z_i$ for each *input* (eq. 4), for a convolution one $z_k$
# for each *filter* (eq. 5):
# $$q(W \mid z) = \prod_{i,j} N(w_{ij};\; z_i \mu_{ij},\; \sigma_{ij}^2).$$
# With $W$ as a matrix that has a row for each $z$, both are the same. The prior is
# $N(0, s^2)$, with $s = 1$ in the paper, and the divergence from it is known:
# $$\mathrm{KL}(q(W \mid z) \Vert p) = \sum_{i,j} \log\frac{s}{\sigma_{ij}}
# + \frac{\sigma_{ij}^2 + z_i^2 \mu_{ij}^2}{2 s^2} - \frac12.$$


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

    def kl(self, z: Tensor) -> Tensor:
        """KL(q(W | z) ‖ p(W)) in nats, of shape (batch,), for z of (batch, rows)."""
        fixed = math.log(self.prior) - self.log_sigma + self.var / (2 * self.prior**2)
        moved = z.square() @ self.mu.square().sum(1) / (2 * self.prior**2)
        return moved + (fixed - 0.5).sum()

    def project(self, c: Tensor, z: Tensor) -> Tensor:
        """Draw cᵀW, of shape (batch, columns), without drawing W."""
        mean, var = (z * c) @ self.mu, c.square() @ self.var
        return mean + var.sqrt() * torch.randn_like(mean)


# %% [markdown]
# Nor does a layer draw $W$: what it adds up is a Gaussian too, and drawing that, anew
# for each example, is cheaper and less noisy. This is the *local reparametrisation*. A
# dense layer multiplies its inputs by $z$ (algorithm 1), a convolution its outputs
# (algorithm 2):
# $$\text{dense:}\quad N\big((h \odot z)\mu + \mu_b,\; h^2 \sigma^2 + \sigma_b^2\big),
# \qquad \text{convolution:}\quad
# N\big(z \odot (h * \mu + \mu_b),\; h^2 * \sigma^2 + \sigma_b^2\big).$$
# So the bias of a filter belongs to its row, that of a dense layer to no $z$. Without
# $z$ these are mean-field layers.


# %%
class Bayesian(nn.Module, ABC):
    """A layer with a posterior over its weights; each call draws from it."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Draw outputs, independently for each example."""

    @abstractmethod
    def kl(self, n: int = 1) -> Tensor:
        """Bound KL(q(W) ‖ p(W)) from above, in nats, on average over n draws of z."""


class MeanField(Bayesian):
    """A layer of independent Gaussians, of which z multiplies the means."""

    def __init__(self, weights: Gaussians) -> None:
        super().__init__()
        self.weights = weights

    @abstractmethod
    def given(self, x: Tensor, z: Tensor) -> Tensor:
        """Draw outputs given z, of shape (batch, units)."""

    @abstractmethod
    def kl_given(self, z: Tensor) -> Tensor:
        """KL(q(W | z) ‖ p(W)), of shape (batch,)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.given(x, self._ones(len(x)))

    def kl(self, n: int = 1) -> Tensor:
        return self.kl_given(self._ones(1)).mean()

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
        var = x.square() @ self.weights.var + self.bias.var
        return mean + var.sqrt() * torch.randn_like(mean)

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
        var = conv2d(x.square(), *self._split(self.weights.var))
        return mean + var.sqrt() * torch.randn_like(mean)

    def kl_given(self, z: Tensor) -> Tensor:
        return self.weights.kl(z)

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows[:, :-1].unflatten(1, self.shape), rows[:, -1]


# %% [markdown]
# ## The flow
#
# From a Gaussian $q(z_0)$, steps of a masked Real NVP, with gates as in IAF, lead to
# $z_T$ (eq. 6):
# $$h = \tanh(f(m \odot z_t)),\quad \mu = g(h),\quad s = \sigma(k(h)),\quad
# z_{t+1} = m \odot z_t + (1 - m) \odot \big(s \odot z_t + (1 - s) \odot \mu\big),$$
# $$\log\left|\det \frac{\partial z_{t+1}}{\partial z_t}\right|
# = \sum_i (1 - m_i) \log s_i,$$
# with linear $f$, $g$ and $k$. Fix the mask $m$ to every other unit, taking turns, and
# this is NICE's coupling layer with another scalar map. (The paper draws masks at
# random each time; fixed ones make $q(z)$ a density that can be tested.) The bias of
# $k$ starts at 2, as in the authors' code: $s = 0.88$, nearly the identity.


# %%
class Gated(Univariate):
    """z = s x + (1 - s) μ, s = σ(k + 2), steered by (k, μ) (eq. 6)."""

    n_params = 2

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        k, mu = params.unbind(-1)
        s = (k + 2).sigmoid()
        return s * x + (1 - s) * mu, logsigmoid(k + 2)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        k, mu = params.unbind(-1)
        s = (k + 2).sigmoid()
        return (z - (1 - s) * mu) / s, -logsigmoid(k + 2)


def gates(dim: int, steps: int, hidden: int) -> list[Coupling]:
    """Return steps from z_t to z_{t+1}, each with one hidden layer of tanh."""
    m = partial(mlp, hidden=(hidden,), activation=nn.Tanh)
    return [Coupling(dim, Gated(), m, swap=t % 2 == 1) for t in range(steps)]


class Normal(Bijection):
    """ε = (z - m) / σ: a diagonal Gaussian as a layer, of mean m and precision σ⁻².

    With a context a, a number for each row, both depend on it: m + b₁ a, log-precision
    + b₂ a (eq. 9, 10). It starts at N(1, 0.1).
    """

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        self.mean = nn.Parameter(torch.ones(dim))
        self.log_precision = nn.Parameter(torch.full((dim,), math.log(10)))
        self.b = nn.Parameter(torch.randn(2, dim, context) / dim**0.5)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        mean, log_scale = self._at(x, context)
        return (x - mean) * log_scale.exp(), log_scale.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        mean, log_scale = self._at(z, context)
        return z * (-log_scale).exp() + mean, -log_scale.sum(1)

    def _at(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if context is None or not self.context:
            return self.mean.expand_as(x), 0.5 * self.log_precision.expand_as(x)
        b1, b2 = self.b
        mean = linear(context, b1, self.mean)
        return mean, 0.5 * linear(context, b2, self.log_precision)


# %% [markdown]
# ## The bound
#
# $q(W) = \int q(W \mid z)\, q(z)\, dz$ has no closed form. But for *any* density
# $r(z \mid W)$ (eq. 7)
# $$\mathrm{KL}(q(W) \Vert p(W)) \le \mathbb E_{q(z)}\big[\mathrm{KL}(q(W \mid z)
# \Vert p(W))\big] + \mathbb E_{q(z, W)}\big[\log q(z) - \log r(z \mid W)\big],$$
# and what is lost is $\mathbb E_{q(W)} \mathrm{KL}(q(z \mid W) \Vert r(z \mid W))$. So
# $r$ should guess $z$ from $W$ as well as it can, and is a flow as well: its steps take
# $z_T$ on to some $z_B$, a Gaussian whose mean and precision depend on one number,
# computed from a projection of $W$ (eq. 8 to 12):
# $$\log r(z_T \mid W) = \log N(z_B; \tilde\mu, \tilde\sigma^2)
# + \log\left|\det\frac{\partial z_B}{\partial z_T}\right|,\qquad
# a = \operatorname*{mean}_j \tanh(c^\top W)_j .$$
# The sign is a plus, as for any flow that goes from data to noise; that of $q$, drawn
# the other way, is a minus. `Flow` knows both.
#
# Where the paper has $\tilde\mu = b_1 a$, we have $\tilde\mu = m + b_1 a$, and the same
# for the log-precision (a sigmoid in print, this in the authors' code). Without $m$,
# only flows could learn that $z$ is around 1, and even where $z$ tells nothing of $W$
# and $W$ nothing of $z$, plain noise would pay for it: a comparison with flows would be
# unfair.


# %%
class MNF(Bayesian):
    """A layer whose z has a flow of `steps` steps as its density (eq. 4 to 12).

    Without steps, q(z) and r(z | W) are Gaussians. `hidden` is the width of q's
    networks; r's are twice as wide.
    """

    def __init__(self, layer: MeanField, steps: int = 2, hidden: int = 50) -> None:
        super().__init__()
        self.layer = layer
        dim = len(layer.weights.mu)
        base = StandardNormal((dim,))
        forth = gates(dim, steps, hidden)
        back = [Inverse(step) for step in reversed(forth)]
        self.q = Flow(base, Compose(*back, Normal(dim)))
        onwards = gates(dim, steps, 2 * hidden)
        self.r = Flow(base, Compose(*onwards, Normal(dim, context=1)))
        self.c = nn.Parameter(torch.randn(dim) / dim**0.5)

    def forward(self, x: Tensor) -> Tensor:
        z, _ = self.q.rsample_and_log_prob(len(x))
        return self.layer.given(x, z)

    def kl(self, n: int = 1) -> Tensor:
        z, log_q = self.q.rsample_and_log_prob(n)
        projected = self.layer.weights.project(self.c, z)
        a = projected.tanh().mean(1, keepdim=True)
        return (self.layer.kl_given(z) + log_q - self.r.log_prob(z, a)).mean()


# %% [markdown]
# ## The network
#
# LeNet, with every layer replaced: convolutions of 20 and 50 filters, 5×5, each with
# pooling, then 500 units (the authors' code). The loss is the cross-entropy plus
# $\mathrm{KL} / N$, since there are $N$ examples but one posterior. A prediction is a
# mean over draws of the *probabilities*.


# %%
def network(
    shape: Sequence[int],
    n_out: int,
    wrap: Callable[[MeanField], nn.Module],
    maps: Sequence[int] = (),
    size: int = 5,
    hidden: Sequence[int] = (500,),
    **start: float,
) -> nn.Sequential:
    """Build convolutions with pooling, then dense layers, all of them wrapped.

    `shape` is that of an input, `size` that of filters; `start` gives the layers'
    prior and sigma.
    """
    layers: list[nn.Module] = []
    shape = tuple(shape)
    for n in maps:
        conv = MeanFieldConv2d(shape[0], n, size, **start)
        layers += [wrap(conv), nn.ReLU(), nn.MaxPool2d(2)]
        shape = (n, *((side - size + 1) // 2 for side in shape[1:]))
    layers.append(nn.Flatten())
    for before, after in pairwise((math.prod(shape), *hidden, n_out)):
        layers += [wrap(MeanFieldLinear(before, after, **start)), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def mnf(
    shape: Sequence[int] = (1, 28, 28),
    n_out: int = 10,
    maps: Sequence[int] = (20, 50),
    size: int = 5,
    hidden: Sequence[int] = (500,),
    steps: int = 2,
) -> nn.Sequential:
    """Build a network of MNF layers, as the paper's LeNet for MNIST."""
    wrap = partial(MNF, steps=steps)
    return network(shape, n_out, wrap, maps, size, hidden)


def kl(net: nn.Sequential, n: int = 1) -> Tensor:
    """Add up the layers' KL, in nats; 0 for a network without Bayesian layers."""
    terms = [layer.kl(n) for layer in net if isinstance(layer, Bayesian)]
    return torch.stack(terms).sum() if terms else torch.zeros((), device=device())


@torch.no_grad()
def predict(net: nn.Module, x: Tensor, n: int = 50) -> Tensor:
    """Return the mean of n draws of the classes' probabilities."""
    return torch.stack([net(x).softmax(1) for _ in range(n)]).mean(0)
