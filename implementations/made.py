# %% [markdown]
# # MADE: masked autoencoder for distribution estimation

# %%
"""MADE (Germain, Gregor, Murray and Larochelle, 2015, arXiv:1502.03509)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal
from torch.nn.functional import linear

from implementations.core.bijection import (
    Bijection,
    Mapped,
    Univariate,
    check_context,
    check_event,
)
from implementations.core.flow import Base

# %% [markdown]
# ## Masks


# %%
class MaskedLinear(nn.Linear):
    """y = (W ⊙ M) x + b, with M = 1[after ≥ before] (eq. 12 and 13).

    `before` and `after` are the degrees of inputs and outputs, a row for each of K
    masks; every row of `after` holds the same degrees, below `dim`, in whatever order.
    """

    before: Tensor
    after: Tensor

    def __init__(
        self, dim: int, before: Tensor, after: Tensor, bias: bool = True
    ) -> None:
        super().__init__(before.shape[1], after.shape[1], bias)
        self.register_buffer("before", before)
        self.register_buffer("after", after)
        degrees = after[0].sort().values
        self.ends = torch.searchsorted(degrees, torch.arange(dim + 1)).tolist()

    def forward(self, x: Tensor, k: int = 0) -> Tensor:
        mask = self.after[k, :, None] >= self.before[k]
        return linear(x, self.weight * mask, self.bias)

    def by_degree(self, k: int = 0) -> Callable[[int, Tensor], Tensor]:
        """Return what computes the outputs of one degree, from inputs in that order."""
        rows = self.after[k].argsort(stable=True)
        columns = self.before[k].argsort(stable=True)
        weight = self.weight[rows][:, columns]
        bias = None if self.bias is None else self.bias[rows]

        def outputs(degree: int, seen: Tensor) -> Tensor:
            own = slice(self.ends[degree], self.ends[degree + 1])
            part = None if bias is None else bias[own]
            return linear(seen, weight[own, : seen.shape[1]], part)

        return outputs


def spread(width: int, low: int, high: int) -> Tensor:
    """Return `width` degrees from `low` to `high`, ascending, each equally often."""
    return low + torch.arange(width) * (high - low + 1) // width


class MaskedMLP(nn.Module):
    """A network whose `n_params` outputs for a component see only those before it.

    Orders list the components from first to last; each comes with a mask of its own,
    0 … K-1. In the first one hidden units are sorted by degree, in the others shuffled.
    A context is seen by all. Outputs are 0 until trained; `direct` lets them see the
    inputs past the hidden layers as well (§4.1).

    Raises:
        ValueError: when an order is no permutation of the components.
    """

    def __init__(
        self,
        dim: int,
        n_params: int,
        hidden: Sequence[int] = (64, 64),
        orders: Sequence[Sequence[int]] | None = None,
        context: int = 0,
        activation: type[nn.Module] = nn.ReLU,
        direct: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.n_params, self.context = dim, n_params, context
        orders = [range(dim)] if orders is None else orders
        for order in orders:
            if sorted(order) != list(range(dim)):
                raise ValueError(
                    f"MaskedMLP: expected an order of 0 … {dim - 1}, got {list(order)}"
                )
        place = torch.tensor([list(order) for order in orders]).argsort()
        # A degree says how many components, from the first, a unit may depend on.
        degrees = [nn.functional.pad(place + 1, (context, 0))]
        for width in hidden:
            # Degree 0 sees only the context; without one, it would be a constant.
            each = spread(width, min(int(context == 0), dim - 1), dim - 1)
            shuffled = [each[torch.randperm(width)] for _ in orders[1:]]
            degrees.append(torch.stack([each, *shuffled]))
        outputs = place.repeat_interleave(n_params, 1)
        self.register_buffer("place", place)
        hidden_layers = [MaskedLinear(dim, *ends) for ends in pairwise(degrees)]
        self.hidden = cast(Sequence[MaskedLinear], nn.ModuleList(hidden_layers))
        self.activation = activation()
        self.output = _zero(MaskedLinear(dim, degrees[-1], outputs))
        self.direct = None
        if direct:
            self.direct = _zero(MaskedLinear(dim, degrees[0], outputs, bias=False))

    place: Tensor

    @property
    def masks(self) -> int:
        """How many masks there are."""
        return len(self.place)

    def forward(self, x: Tensor, context: Tensor | None = None, k: int = 0) -> Tensor:
        """Return parameters of shape (batch, dim, n_params), under mask k."""
        h = x = self._with_context(x, context)
        for layer in self.hidden:
            h = self.activation(layer(h, k))
        params = self.output(h, k)
        if self.direct is not None:
            params = params + self.direct(x, k)
        return params.unflatten(1, (self.dim, self.n_params))

    def unroll(
        self,
        z: Tensor,
        undo: Callable[[Tensor, Tensor], Tensor],
        context: Tensor | None = None,
        k: int = 0,
    ) -> Tensor:
        """Solve x_i = undo(z_i, params_i(x before i)) for x, component by component.

        `undo` takes shapes (batch, 1) and (batch, 1, n_params). Each hidden unit is
        computed once, as soon as all that it sees is known.
        """
        z = z[:, self.place[k].argsort()]
        hidden = [layer.by_degree(k) for layer in self.hidden]
        output = self.output.by_degree(k)
        direct = None if self.direct is None else self.direct.by_degree(k)
        # What is known of the inputs and of each hidden layer, sorted by degree.
        known = [self._with_context(z[:, :0], context)]
        known += [z[:, :0] for _ in hidden]
        for i in range(self.dim):
            for n, layer in enumerate(hidden):
                units = self.activation(layer(i, known[n]))
                known[n + 1] = torch.cat((known[n + 1], units), 1)
            params = output(i, known[-1])
            if direct is not None:
                params = params + direct(i, known[0])
            x_i = undo(z[:, i : i + 1], params[:, None])
            known[0] = torch.cat((known[0], x_i), 1)
        return known[0][:, self.context :][:, self.place[k]]

    def _with_context(self, x: Tensor, context: Tensor | None) -> Tensor:
        if context is None or not self.context:
            return x
        return torch.cat((context, x), 1)


def _zero(layer: MaskedLinear) -> MaskedLinear:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


# %% [markdown]
# ## The bijection


# %%
class Autoregressive(Bijection):
    """z_i = g(x_i; m_i(x before i)), with m a masked network.

    `order` lists the components from first to last, 0 … D-1 by default. Densities take
    one pass of the network; so do samples, but in `dim` small steps.
    """

    def __init__(
        self,
        dim: int,
        univariate: Univariate,
        hidden: Sequence[int] = (64, 64),
        order: Sequence[int] | None = None,
        context: int = 0,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__((dim,), context=context)
        self.univariate = univariate
        orders = None if order is None else [order]
        n_params = univariate.n_params
        self.m = MaskedMLP(dim, n_params, hidden, orders, context, activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Mapped:
        z, log_slope = self.univariate(x, self.m(x, context))
        return z, log_slope.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Mapped:
        log_slopes = []

        def undo(z_i: Tensor, params: Tensor) -> Tensor:
            x_i, log_slope = self.univariate.inverse(z_i, params)
            log_slopes.append(log_slope)
            return x_i

        x = self.m.unroll(z, undo, context)
        return x, torch.cat(log_slopes, 1).sum(1)
