# %% [markdown]
# # NICE: non-linear independent components estimation
#
# Dinh, Krueger and Bengio ([2014](https://arxiv.org/abs/1410.8516)) learn an invertible
# map under which data become independent noise, and train it by exact maximum
# likelihood. The map is a stack of *coupling layers*: each copies one half of the
# coordinates and shifts the other half by any network of the copied one, so that both
# inverse and determinant cost nothing. Such a stack preserves volume; one diagonal
# scaling at its end carries the whole log-determinant.

# %%
"""NICE (Dinh, Krueger and Bengio, 2014, arXiv:1410.8516)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from implementations.core.bijection import Bijection, Compose, Mapped, Univariate
from implementations.core.claims import claim
from implementations.core.environment import device, seed
from implementations.core.fit import fit
from implementations.core.flow import Base, Flow, StandardNormal
from implementations.core.nets import mlp
from implementations.core.plots import density, figure, scatter, show
from implementations.core.toy import Banana, kl_to

# %% [markdown]
# ## The coupling layer
#
# Leave $x_1$ alone, move $x_2$ by a map $g$ that is increasing in its first argument
# and steered by anything computed from $x_1$ (§3.2):
# $$z_1 = x_1,\qquad z_2 = g(x_2; m(x_1)),\qquad
# \log|\det J| = \sum_j \log g'(x_{2,j})$$
# $m$ is never inverted, so it may be any network.


# %%
class Coupling(Bijection):
    """z₁ = x₁, z₂ = g(x₂; m(x₁)) (§3.2).

    x₁ are the odd components, the first, third, …, and x₂ the even ones (§5.1);
    `swap` exchanges them. `conditioner(n_in, n_out)` builds the network m.
    """

    def __init__(
        self,
        dim: int,
        univariate: Univariate,
        conditioner: Callable[[int, int], nn.Module],
        swap: bool = False,
        context: int = 0,
    ) -> None:
        super().__init__((dim,), context=context)
        self.kept, self.moved = int(swap), int(not swap)
        n_moved = len(range(self.moved, dim, 2))
        self.univariate = univariate
        self.m = conditioner(dim - n_moved + context, n_moved * univariate.n_params)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z2, log_slope = self.univariate(x[:, self.moved :: 2], self._m(x, context))
        return self._merge(x, z2), log_slope.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        z2, params = z[:, self.moved :: 2], self._m(z, context)
        x2, log_slope = self.univariate.inverse(z2, params)
        return self._merge(z, x2), log_slope.sum(1)

    def _m(self, x: Tensor, context: Tensor | None) -> Tensor:
        x1 = x[:, self.kept :: 2]
        if self.context and context is not None:
            x1 = torch.cat((x1, context), 1)
        return self.m(x1).unflatten(1, (-1, self.univariate.n_params))

    def _merge(self, x: Tensor, changed: Tensor) -> Tensor:
        return x.slice_scatter(changed, 1, self.moved, step=2)


# %% [markdown]
# NICE takes the simplest $g$, the additive law $g(x; t) = x + t$ (§3.2). Its slope is
# 1: such a layer preserves volume, and its inverse subtracts what it added.


# %%
class Shift(Univariate):
    """z = x + t, of slope 1 (§3.2)."""

    n_params = 1

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        return x + params.squeeze(-1), torch.zeros_like(x)

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        return z - params.squeeze(-1), torch.zeros_like(z)


# %% [markdown]
# ## Scaling
#
# The last layer stretches each coordinate (§3.3): $z = \exp(s) \odot x$, with
# $\log|\det J| = \sum_i s_i$.


# %%
class Scaling(Bijection):
    """z = exp(s) ⊙ x (§3.3)."""

    def __init__(self, dim: int) -> None:
        super().__init__((dim,))
        self.s = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        return x * self.s.exp(), self.s.sum().expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        return z * (-self.s).exp(), -self.s.sum().expand(len(z))


# %% [markdown]
# ## The prior
#
# The paper prefers the logistic density (§3.4),
# $\log p(z) = \log\sigma(z) + \log\sigma(-z)$, to a Gaussian: its gradient
# $-\tanh(z/2)$ stays bounded.


# %%
class Logistic(Base):
    """log p(z) = Σ log σ(z) + log σ(-z) (§3.4)."""

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return (logsigmoid(z) + logsigmoid(-z)).flatten(1).sum(1)

    def sample(self, n: int, context: Tensor | None = None) -> Tensor:
        u = self.zero.new_empty(n, *self.shape).uniform_()
        # u = 0 would be a sample at minus infinity.
        return u.logit(eps=torch.finfo(u.dtype).eps)


# %% [markdown]
# ## The model
#
# Four coupling layers, the halves swapped each time, then the scaling (§5.1).


# %%
def nice(
    dim: int,
    layers: int = 4,
    hidden: Sequence[int] = (1000,) * 5,
    base: type[Base] = Logistic,
    context: int = 0,
) -> Flow:
    """Build NICE for vectors of width `dim`, with the paper's sizes for MNIST (§5.1).

    `context` is the width of what the density is conditioned on (not in the paper).
    """
    conditioner = partial(mlp, hidden=hidden)
    couplings = [
        Coupling(dim, Shift(), conditioner, swap=k % 2 == 1, context=context)
        for k in range(layers)
    ]
    return Flow(base((dim,)), Compose(*couplings, Scaling(dim)))


# %% [markdown]
# ## A density that NICE can represent

# %%
if __name__ == "__main__":
    seed()
    target = Banana().to(device())
    flow = nice(2, hidden=(64, 64), base=StandardNormal).to(device())
    fit(flow, lambda x: -flow.log_prob(x).mean(), 2000, lambda: target.sample(256))
    claim("gap to the exact density", kl_to(target, flow), below=0.02)

# %% tags=["plot"]
if __name__ == "__main__":
    fig, axes = figure(columns=3)
    box = (-3.0, 3.0, -1.5, 6.5)
    density(axes[0], target.log_prob, box, "truth")
    density(axes[1], flow.log_prob, box, "NICE")
    scatter(axes[2], flow.sample(2000), "samples")
    axes[2].set(xlim=box[:2], ylim=box[2:])
    show(
        fig,
        "The banana-shaped density, the density that NICE learned, which looks the "
        "same, and samples of the model, which fill the same shape.",
    )
