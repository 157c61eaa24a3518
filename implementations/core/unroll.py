"""Inverting masked networks: each unit is computed once, as soon as it can be.

Three components x₀ x₁ x₂, and a hidden layer of four units: h₀ h₁ see x₀, which makes
their degree 1, and h₂ h₃ see x₀ x₁, which makes it 2. Step i computes the hidden units
of degree i, from them the parameters of xᵢ, and from these xᵢ. If the first two steps
are a block, and the third is one, x and h are

    after step 0    x       | x₀ 0      h       | 0  0
    after step 1    x       | x₀ x₁     h       | h₀ h₁
    after step 2    x₀ x₁   | x₂        h₀ h₁   | h₂ h₃

with `known` before the bar and `new` behind it. As the second block begins, what is
known goes into h₂ h₃ and the parameters of x₂ by one product for the whole block; each
step multiplies only what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from implementations.core.transforms import transformed

# Components of a block. From 8 to 32 the time hardly changes.
BLOCK = 16
# Up to so many units, multiplying zeros is faster than skipping them (512 events).
FEW = 64


class Sorted(NamedTuple):
    """A masked layer with outputs and inputs in the order of their degree.

    Outputs of degree i are rows ends[i] to ends[i + 1] - 1; they see the inputs of
    degrees up to i, which come first. The bias is a column.
    """

    weight: Tensor
    bias: Tensor
    ends: Sequence[int]


class Rows(Protocol):
    """A layer's units as rows: those `known` before a block of degrees, and new ones.

    Before those of degree i there are ends[i].
    """

    known: Tensor
    ends: Sequence[int]

    def begin(self, block: range) -> None:
        """Begin a block, whose degrees follow those that have come."""
        ...

    def times(self, weight: Tensor, before: Tensor, out: Tensor | None) -> Tensor:
        """Return `before` and the product with the new rows, written to `out`."""
        ...

    def place(self, i: int) -> Tensor | None:
        """Return where the rows of degree i may be written, if anywhere."""
        ...

    def add(self, i: int, rows: Tensor) -> None:
        """Add the rows of degree i."""
        ...


class Appended:
    """Rows that are appended to a copy, for gradients and transforms."""

    def __init__(self, first: Tensor, ends: Sequence[int]) -> None:
        self.known, self.new, self.ends = first, first[:0], ends

    def begin(self, block: range) -> None:
        self.known, self.new = torch.cat((self.known, self.new)), self.new[:0]

    def times(self, weight: Tensor, before: Tensor, out: Tensor | None) -> Tensor:
        return torch.addmm(before, weight[:, : len(self.new)], self.new)

    def place(self, i: int) -> Tensor | None:
        return None

    def add(self, i: int, rows: Tensor) -> None:
        self.new = torch.cat((self.new, rows))


class Written:
    """Rows that are written in place.

    Of a block that has but few of them, all are shown from its beginning, as zeros at
    first: no step has to slice.
    """

    def __init__(self, first: Tensor, ends: Sequence[int]) -> None:
        events = first.shape[1]
        self.rows = first.new_zeros(ends[-1], events)
        self.rows[: ends[0]] = first
        self.places = self.rows[ends[0] :].split(_sizes(ends))
        self.ends = ends
        self.few = FEW * 512 // max(events, 512)

    def begin(self, block: range) -> None:
        self.start, self.stop = self.ends[block.start], self.ends[block.stop]
        self.known = self.rows[: self.start]
        few = self.stop - self.start <= self.few
        self._show(self.stop if few else self.start)

    def _show(self, end: int) -> None:
        self.shown = end
        self.new = self.rows[self.start : self.shown]

    def times(self, weight: Tensor, before: Tensor, out: Tensor | None) -> Tensor:
        if self.shown < self.stop:
            weight = weight[:, : len(self.new)]
        return torch.addmm(before, weight, self.new, out=out)

    def place(self, i: int) -> Tensor | None:
        return self.places[i]

    def add(self, i: int, rows: Tensor) -> None:
        if rows is not self.places[i]:
            self.places[i].copy_(rows)
        if self.ends[i + 1] > self.shown:
            self._show(self.ends[i + 1])


class _Block:
    """A layer's outputs of a block of degrees, as far as they follow from `known`."""

    def __init__(self, layer: Sorted, block: range, seen: Rows) -> None:
        bounds = layer.ends[block.start : block.stop + 1]
        rows, self.sizes = slice(bounds[0], bounds[-1]), _sizes(bounds)
        ends = seen.ends[block.start], seen.ends[block.stop]
        known, new, _ = layer.weight[rows].tensor_split(ends, 1)
        before = torch.addmm(layer.bias[rows], known, seen.known)
        self.before, self.weight = before.split(self.sizes), new.split(self.sizes)
        self.times = seen.times

    def outputs(self, step: int, out: Tensor | None = None) -> Tensor:
        """Return the outputs of one degree, written to `out`."""
        return self.times(self.weight[step], self.before[step], out)


def unroll(
    layers: Sequence[Sorted],
    activation: Callable[[Tensor], Tensor],
    z: Tensor,
    undo: Callable[[Tensor, Tensor], Tensor],
    context: Tensor,
    direct: Sorted | None = None,
) -> Tensor:
    """Solve x_i = undo(z_i, params_i(x before i)) for x, component by component.

    Units stand in rows and events in columns, so that what becomes known is one piece.

    Args:
        layers: the hidden ones, then the one that returns the parameters of x_i as its
            outputs of degree i.
        activation: what follows each hidden layer.
        z: of shape (batch, dim), components in the order of their degree.
        undo: takes shapes (batch,) and (batch, n_params).
        context: inputs that all units may see, of shape (batch, width).
        direct: a layer from the inputs to the parameters, past the hidden ones.
    """
    z = z.T.contiguous()
    buffer = Written if _nothing_follows(z) else Appended
    width = context.shape[1]
    x = buffer(context.T, range(width, width + len(z) + 1))
    seen = [x, *(buffer(z[:0], layer.ends) for layer in layers[:-1])]
    components = z.unbind(0)
    for start in range(0, len(z), BLOCK):
        block = range(start, min(start + BLOCK, len(z)))
        for rows in seen:
            rows.begin(block)
        *hidden, output = map(_Block, layers, [block] * len(layers), seen)
        past = None if direct is None else _Block(direct, block, x)
        pairs = [*zip(hidden, seen[1:], strict=True)]
        for step, i in enumerate(block):
            for layer, units in pairs:
                if layer.sizes[step]:
                    units.add(i, activation(layer.outputs(step, units.place(i))))
            params = output.outputs(step)
            if past is not None:
                params = params + past.outputs(step)
            x.add(i, undo(components[i], params.T).unsqueeze(0))
    x.begin(range(len(z), len(z)))
    return x.known[width:].T


def _sizes(ends: Sequence[int]) -> list[int]:
    return [stop - start for start, stop in pairwise(ends)]


def _nothing_follows(x: Tensor) -> bool:
    """True where no gradient, transform or autocast follows the computation."""
    kind = x.device.type
    return not (
        torch.is_grad_enabled()
        or transformed()
        or (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind))
    )
