# %% [markdown]
# # Density estimation using Real NVP

# %%
"""Real NVP (Dinh, Sohl-Dickstein and Bengio, 2016, arXiv:1605.08803)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from implementations.core.bijection import Mapped, Univariate

# %% [markdown]
# ## The affine coupling
#
# NICE moves $x_2$ by a shift; Real NVP also stretches it (eq. 4 to 8):
# $$z_2 = \exp(s(x_1)) \odot x_2 + t(x_1),\qquad \log|\det J| = \sum_j s_j(x_1).$$
# A network that outputs large $s$ would overflow, so the paper bounds it (§4.1):
# $s = a \tanh(\cdot)$, with a number $a$ that is learned.


# %%
class Affine(Univariate):
    """z = exp(s) x + t, s = a tanh(ŝ), steered by (ŝ, t) (eq. 4, 5; §4.1).

    a is one number, learned, for all coordinates; it starts at 1, so that networks
    may start at 0.
    """

    n_params = 2

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        return x * s.exp() + t, s

    def inverse(self, z: Tensor, params: Tensor) -> Mapped:
        s, t = self._s_t(params)
        return (z - t) * (-s).exp(), -s

    def _s_t(self, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = params.unbind(-1)
        return self.a * s.tanh(), t
