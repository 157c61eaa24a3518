"""Inverting masked networks: each unit is computed once, as soon as it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

# Components per block. Steps of a block copy what is new in it; only its end copies
# all that is known. From 8 to 32 the time hardly changes.
BLOCK = 16


class Sorted(NamedTuple):
    """A masked layer with outputs and inputs in the order of their degree.

    Outputs of degree i are rows ends[i] to ends[i + 1] - 1; they see the inputs of
    degrees up to i, which come first. The bias is a column.
    """

    weight: Tensor
    bias: Tensor
    ends: Sequence[int]


class _Block:
    """What a layer makes of degrees that follow one another.

    What was `known` before them counts for all at once; what is new among them is
    added degree by degree.
    """

    def __init__(self, layer: Sorted, degrees: range, known: Tensor) -> None:
        bounds = layer.ends[degrees.start : degrees.stop + 1]
        rows = slice(bounds[0], bounds[-1])
        sizes = [stop - start for start, stop in pairwise(bounds)]
        weight = layer.weight[rows]
        before = torch.addmm(layer.bias[rows], weight[:, : len(known)], known)
        self.sizes = sizes
        self.before = before.split(sizes)
        self.weight = weight[:, len(known) :].split(sizes)

    def outputs(self, step: int, new: Tensor) -> Tensor:
        """Return the outputs of one degree, from what is new in this block."""
        return torch.addmm(self.before[step], self.weight[step][:, : len(new)], new)


def unroll(
    layers: Sequence[Sorted],
    activation: Callable[[Tensor], Tensor],
    z: Tensor,
    undo: Callable[[Tensor, Tensor], Tensor],
    context: Tensor,
    direct: Sorted | None = None,
) -> Tensor:
    """Solve x_i = undo(z_i, params_i(x before i)) for x, component by component.

    Units stand in rows and events in columns, so that what becomes known is appended
    in one piece.

    Args:
        layers: the hidden ones, then the one that returns the parameters of x_i as its
            outputs of degree i.
        activation: what follows each hidden layer.
        z: of shape (batch, dim), components in the order of their degree.
        undo: takes shapes (batch, 1) and (batch, 1, n_params).
        context: inputs that all units may see, of shape (batch, width).
        direct: a layer from the inputs to the parameters, past the hidden ones.
    """
    z = z.T.contiguous()
    components = z.T.split(1, 1)
    known = [context.T, *(z[:0] for _ in layers[1:])]
    for start in range(0, len(z), BLOCK):
        degrees = range(start, min(start + BLOCK, len(z)))
        *hidden, output = map(_Block, layers, [degrees] * len(layers), known)
        past = None if direct is None else _Block(direct, degrees, known[0])
        new = [z[:0] for _ in known]
        for step, i in enumerate(degrees):
            for n, block in enumerate(hidden):
                if block.sizes[step]:
                    units = activation(block.outputs(step, new[n]))
                    new[n + 1] = torch.cat((new[n + 1], units))
            params = output.outputs(step, new[-1])
            if past is not None:
                params = params + past.outputs(step, new[0])
            x_i = undo(components[i], params.T.unsqueeze(1))
            new[0] = torch.cat((new[0], x_i.T))
        known = [torch.cat(pair) for pair in zip(known, new, strict=True)]
    return known[0][context.shape[1] :].T
