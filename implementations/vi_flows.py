# %% [markdown]
# # Variational inference with normalizing flows
#
# Rezende and Mohamed ([2015](https://arxiv.org/abs/1505.05770)) approximate a posterior
# by a simple one, a diagonal Gaussian, whose samples then pass through a chain of
# invertible maps. Each map, *planar* or *radial*, is so simple that its log-determinant
# costs no more than the map itself; yet the longer the chain, the richer the posterior,
# and the tighter the bound on the likelihood. In a deep model, the network that looks
# at the data also chooses the parameters of the maps: inference is amortised.

# %%
"""Variational inference with normalizing flows (Rezende and Mohamed, 2015)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli
from torch.nn.functional import linear, softplus

from implementations.core.bijection import Bijection, Compose, Inverse, Mapped
from implementations.core.flow import Flow, StandardNormal
from implementations.core.nets import mlp

# %% [markdown]
# ## Parameters, free or amortised
#
# A layer is steered by a few numbers. When there is one density to fit they are free;
# when there is one for each $x$, a network that sees $x$ outputs them (§4.2). Here they
# are an affine function of a context, which that network computes.
#
# Some must be positive. So are softplus's values, until they underflow and a logarithm
# becomes $-\infty$; hence $10^{-18}$ is added, too little to see, and its square is
# still a float32.


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
# Pull and push along $u$, by an amount that depends on where $z$ lies along $w$ (eq. 10
# to 12):
# $$f(z) = z + \hat u \tanh(a + b),\quad a = w^\top z,\qquad
# \Big|\det\frac{\partial f}{\partial z}\Big|
# = 1 + w^\top\hat u\,\big(1 - \tanh^2(a + b)\big).$$
# What happens to $a$ decides everything: it moves to $a + w^\top\hat u \tanh(a + b)$.
# Where this is increasing, $a$ can be found back, and with it $z$. Its slope is the
# determinant, positive everywhere just if $w^\top\hat u > -1$. So any $u$ is mended
# along $w$ (appendix A.1):
# $$\hat u = u + \big(m(w^\top u) - w^\top u\big)\frac{w}{\lVert w\rVert^2},\qquad
# m(x) = -1 + \log(1 + e^x),\qquad\text{so}\quad w^\top\hat u = m(w^\top u) > -1.$$
# (The square of the norm matters. Many programs divide by $\lVert w\rVert$, and their
# maps fold over themselves.) With $p = 1 + m(w^\top u)$, the determinant is
# $\tanh^2 + p\,(1 - \tanh^2)$: a sum of positive terms, in which nothing cancels.
#
# Note that $u = 0$ is not the identity, but squeezes along $w$, by up to $\log 2$. Our
# layers start where $w^\top u = \log(e - 1)$ and $u \parallel w$: there $\hat u = 0$.
#
# There is no formula for the inverse. But $s = a + b$ solves
# $s + w^\top\hat u \tanh s = c$ with $c = w^\top f(z) + b$, lies no farther from $c$
# than $|w^\top\hat u|$, and the left side is increasing: halve that interval. Two steps
# of Newton's method then give what halving cannot, derivatives: each step makes one
# more of them exact.


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
        t = _solve((z * w).sum(-1, keepdim=True) + b, p).tanh()
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


def _solve(c: Tensor, p: Tensor) -> Tensor:
    """Return the s for which s + (p - 1) tanh s = c, with its derivatives."""
    with torch.no_grad():
        radius = (p - 1).abs()
        low, high = c - radius, c + radius
        for _ in range(torch.finfo(c.dtype).bits):
            s = (low + high) / 2
            above = s + (p - 1) * s.tanh() > c
            low, high = torch.where(above, low, s), torch.where(above, s, high)
    for _ in range(2):
        t = s.tanh()
        s = s - (s + (p - 1) * t - c) / _slope(t, p)
    return s


# %% [markdown]
# ## The radial map
#
# Pull towards a point $z_0$, or push away from it (eq. 14):
# $$f(z) = z + \frac{\beta}{\alpha + r}(z - z_0),\qquad r = \lVert z - z_0\rVert,\qquad
# \alpha > 0.$$
# Directions stay; the radius becomes $r\,(1 + \beta/(\alpha + r))$. Its slope is least
# at $r = 0$, where it is $1 + \beta/\alpha$, so we need $\beta > -\alpha$ (appendix
# A.2). Let $\gamma = \alpha + \beta > 0$ be a softplus, as $\alpha$ is. The determinant
# has $d - 1$ factors for the directions, and one for the radius, all positive:
# $$\Big|\det\frac{\partial f}{\partial z}\Big|
# = \Big(\frac{r + \gamma}{r + \alpha}\Big)^{d-1}\,
# \frac{r^2 + 2\alpha r + \alpha\gamma}{(r + \alpha)^2}.$$
# From the new radius $g$, the old one is the positive root of
# $r^2 + (\gamma - g)\,r = \alpha g$.


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
# ## From a Gaussian to a posterior
#
# The chain begins with $z_0 = \mu + \sigma \odot \varepsilon$ and ends with
# $z_K = f_K \circ \dots \circ f_1(z_0)$, whose density is known along the way (§3.1):
# $$\log q_K(z_K) = \log q_0(z_0)
# - \sum_{k=1}^K \log\Big|\det\frac{\partial f_k}{\partial z_{k-1}}\Big|.$$
# In this project's words, `forward` goes from data to noise; here noise comes first,
# so a flow for variational inference is the *inverse* of the chain. Drawing from it and
# knowing the density of what was drawn costs one cheap pass.


# %%
class Diagonal(Bijection):
    """z = μ + exp(s) ⊙ ε; μ and s are free, or affine in a context."""

    def __init__(self, dim: int, context: int = 0) -> None:
        super().__init__((dim,), context=context)
        self.steering = Steering(torch.zeros(2 * dim), context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        mean, s = self.steering(context).chunk(2, -1)
        return mean + x * s.exp(), s.sum(-1).expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        mean, s = self.steering(context).chunk(2, -1)
        return (z - mean) * (-s).exp(), -s.sum(-1).expand(len(z))


def vi_flows(
    dim: int,
    layers: int = 32,
    layer: type[Planar] | type[Radial] = Planar,
    context: int = 0,
) -> Flow:
    """Build q_K for vectors of width `dim`: a Gaussian, and a chain of `layers` maps.

    `rsample_and_log_prob` is the cheap way; `log_prob` has to invert the chain.
    """
    chain = (layer(dim, context) for _ in range(layers))
    f = Compose(Diagonal(dim, context), *chain)
    return Flow(StandardNormal((dim,)), Inverse(f))


# %% [markdown]
# ## A deep latent Gaussian model
#
# Binary images: $z \sim N(0, I)$, and given $z$ the pixels are independent, with
# probabilities from a network, the decoder. Another one, the encoder, looks at $x$ and
# outputs $\mu$, $\log\sigma$ and the context $h$ of the maps. Together they minimise
# the free energy (eq. 15), that is, maximise
# $$-\mathcal F(x) = \mathbb E_{q_0}\Big[\beta \log p(x, z_K) - \log q_0(z_0)
# + \sum_k \log\Big|\det\frac{\partial f_k}{\partial z_{k-1}}\Big|\Big],$$
# with $\beta = 1$ a lower bound on $\log p(x)$. Note that $p$ sees $z_K$, not $z_0$.
# Training starts at a small $\beta$ (§6): while the likelihood whispers, the posterior
# stays wide and finds all of its modes.


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

    def elbo(self, x: Tensor, beta: float = 1.0) -> Tensor:
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
