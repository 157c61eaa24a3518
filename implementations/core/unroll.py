"""Inverting masked networks: each unit is computed once, as soon as it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from implementations.core.transforms import transformed

# Components per block. From 8 to 32 the time hardly changes.
BLOCK = 16
# As many zeros are multiplied sooner than they are left out.
FEW = 64


class Sorted(NamedTuple):
    """A masked layer with outputs and inputs in the order of their degree.

    Outputs of degree i are rows ends[i] to ends[i + 1] - 1; they see the inputs of
    degrees up to i, which come first. The bias is a column.
    """

    weight: Tensor
    bias: Tensor
    ends: Sequence[int]


class _Joined:
    """A layer's input: `known` before a block of degrees, and `new` in it.

    `first` is known from the start; `ends` say where the rows of each degree end.
    """

    def __init__(self, first: Tensor, ends: Sequence[int]) -> None:
        self.known, self.new = first, first[:0]

    def begin(self, block: range) -> None:
        """Begin a block, whose degrees follow those that have come."""
        self.known, self.new = torch.cat((self.known, self.new)), self.new[:0]

    def place(self, i: int) -> Tensor | None:
        """Return where the rows of degree i may be written, if anywhere."""
        return None

    def add(self, i: int, rows: Tensor) -> None:
        """Add the rows of degree i."""
        self.new = torch.cat((self.new, rows))


class _Written(_Joined):
    """The same in one piece of memory, for when no gradient is to pass.

    Rows of a block that are not known yet are left out, or 0 where it has but few.
    """

    def __init__(self, first: Tensor, ends: Sequence[int]) -> None:
        n = len(first)
        self.rows = first.new_zeros(n + ends[-1], first.shape[1])
        self.rows[:n] = first
        self.places = self.rows[n:].split(_sizes(ends))
        self.ends = [n + end for end in ends]

    def begin(self, block: range) -> None:
        self.start, stop = self.ends[block.start], self.ends[block.stop]
        self.grows = stop - self.start > FEW
        self.known = self.rows[: self.start]
        self.new = self.rows[self.start : self.start if self.grows else stop]

    def place(self, i: int) -> Tensor | None:
        return self.places[i]

    def add(self, i: int, rows: Tensor) -> None:
        if rows is not self.places[i]:
            self.places[i].copy_(rows)
        if self.grows:
            self.new = self.rows[self.start : self.ends[i + 1]]


class _Block:
    """A layer's output for a block of degrees.

    What was known before it counts for all at once; what is new in it is added degree
    by degree.
    """

    def __init__(self, layer: Sorted, block: range, seen: _Joined) -> None:
        bounds = layer.ends[block.start : block.stop + 1]
        rows, self.sizes = slice(bounds[0], bounds[-1]), _sizes(bounds)
        known, new = layer.weight[rows].tensor_split((len(seen.known),), 1)
        before = torch.addmm(layer.bias[rows], known, seen.known)
        self.before = before.split(self.sizes)
        # Inputs that grow are none yet; each degree takes as many columns as there are.
        self.grows = len(seen.new) == 0
        self.weight = new[:, : len(seen.new) or None].split(self.sizes)
        self.seen = seen

    def outputs(self, step: int, out: Tensor | None = None) -> Tensor:
        """Return the outputs of one degree, written to `out`."""
        new, weight = self.seen.new, self.weight[step]
        if self.grows:
            weight = weight[:, : len(new)]
        return torch.addmm(self.before[step], weight, new, out=out)


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
    inputs = _Written if _nothing_follows(z) else _Joined
    x = inputs(context.T, range(len(z) + 1))
    seen = [x, *(inputs(z[:0], layer.ends) for layer in layers[:-1])]
    components = z.unbind(0)
    for start in range(0, len(z), BLOCK):
        block = range(start, min(start + BLOCK, len(z)))
        for each in seen:
            each.begin(block)
        *hidden, output = map(_Block, layers, [block] * len(layers), seen)
        past = None if direct is None else _Block(direct, block, x)
        for step, i in enumerate(block):
            for each, units in zip(hidden, seen[1:], strict=True):
                if each.sizes[step]:
                    units.add(i, activation(each.outputs(step, units.place(i))))
            params = output.outputs(step)
            if past is not None:
                params = params + past.outputs(step)
            x.add(i, undo(components[i], params.T).unsqueeze(0))
    x.begin(range(len(z), len(z)))
    return x.known[context.shape[1] :].T


def _sizes(ends: Sequence[int]) -> list[int]:
    return [stop - start for start, stop in pairwise(ends)]


def _nothing_follows(x: Tensor) -> bool:
    """Return whether no gradient, transform, compiler or autocast follows."""
    kind = x.device.type
    return not (
        torch.is_grad_enabled()
        or transformed()
        or (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind))
    )
