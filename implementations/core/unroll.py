"""Inverting masked networks: each unit is computed once, as soon as it can be.

Three components x₀ x₁ x₂, and a hidden layer of four units: h₀ h₁ see x₀, which makes
their degree 1, and h₂ h₃ see x₀ x₁, which makes it 2. Step i computes the hidden units
of degree i, from them the parameters of xᵢ, and from these xᵢ. If the first two steps
are a block, and the third is one, what is multiplied is

    step 0                      nothing: the parameters of x₀ are their biases
    step 1                      x₀ for h₀ h₁, and these for the parameters of x₁
    as the second block begins  x₀ x₁ for h₂ h₃, and h₀ h₁ for the parameters of x₂
    step 2                      h₂ h₃ for the parameters of x₂

What is known as a block begins is multiplied once for the whole block; each step
multiplies only what came since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from implementations.core.transforms import transformed

# Components of a block. From 8 to 32 the time hardly changes.
BLOCK = 16
# Up to so many units, multiplying zeros is faster than skipping them (512 events).
FEW = 64

Activation = Callable[[Tensor], Tensor]
Undo = Callable[[Tensor, Tensor], Tensor]


class Sorted(NamedTuple):
    """A masked layer with outputs and inputs in the order of their degree.

    Outputs of degree i are rows ends[i] to ends[i + 1] - 1; they see the inputs of
    degrees up to i, which come first, and weigh the others by 0. The bias is a column.
    """

    weight: Tensor
    bias: Tensor
    ends: Sequence[int]


def unroll(
    layers: Sequence[Sorted],
    activation: Activation,
    z: Tensor,
    undo: Undo,
    context: Tensor,
    direct: Sorted | None = None,
) -> Tensor:
    """Solve x_i = undo(z_i, params_i(x before i)) for x, component by component.

    Units stand in rows and events in columns, so that what becomes known is one piece.

    Args:
        layers: the hidden ones, then the one that returns the parameters of x_i as its
            outputs of degree i.
        activation: what follows each hidden layer.
        z: of shape (dim, batch), components in the order of their degree.
        undo: takes shapes (batch,) and (batch, n_params).
        context: inputs that all units may see, of shape (width, batch).
        direct: a layer from the inputs to the parameters, past the hidden ones.
    """
    solve = _in_place if _nothing_follows(z) else _by_appending
    return solve(layers, activation, z, undo, context, direct)


class _Units(NamedTuple):
    """Rows of units in the order of their degree: before step i there are ends[i].

    Step i computes those of degree i. Hidden ones are seen in the same step (`ahead` is
    1), components in the next one (0).
    """

    rows: Tensor
    ends: Sequence[int]
    ahead: int


def _in_place(
    layers: Sequence[Sorted],
    activation: Activation,
    z: Tensor,
    undo: Undo,
    context: Tensor,
    direct: Sorted | None,
) -> Tensor:
    """Solve where x is to lie: each unit begins as its bias, and products are added."""
    width, (dim, events) = len(context), z.shape
    known = torch.cat((context, torch.zeros_like(z)))
    x = _Units(known, range(width, width + dim + 1), ahead=0)
    h = [_Units(layer.bias.repeat(1, events), layer.ends, ahead=1) for layer in layers]
    ways = [*zip(layers, pairwise((x, *h)), strict=True)]
    if direct is not None:
        ways.append((direct, (x, h[-1])))
    components = zip(z.unbind(0), known[width:].unbind(0), strict=True)
    for block in _blocks(dim):
        products = [_products(layer, *ends, block) for layer, ends in ways]
        # `components` go on with the next block: zip must not take one in vain.
        for *step, (z_i, x_i) in zip(*products, components, strict=False):
            for out, weight, new in step[: len(layers) - 1]:
                if len(out):
                    active = activation(torch.addmm(out, weight, new, out=out))
                    if active is not out:
                        out.copy_(active)
            for params, weight, new in step[len(layers) - 1 :]:
                torch.addmm(params, weight, new, out=params)
            x_i.copy_(undo(z_i, params.T))
    return known[width:]


def _products(
    layer: Sorted, inputs: _Units, outputs: _Units, block: range
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Add to a block's outputs what follows from inputs that are known by now.

    Return, for each degree, its outputs, and the weights and inputs whose product is
    missing. Few inputs are all given: those of later steps have weights of 0.
    """
    own, sizes = _part(layer, block)
    start = inputs.ends[block.start]
    seen = [inputs.ends[i + inputs.ahead] - start for i in block]
    weight, out = layer.weight[own], outputs.rows[own]
    torch.addmm(out, weight[:, :start], inputs.rows[:start], out=out)
    new = inputs.rows[start : start + seen[-1]]
    weights = weight[:, start : start + seen[-1]].split(sizes)
    places = out.split(sizes)
    if seen[-1] * max(out.shape[1], 512) <= FEW * 512:
        return [(*at, new) for at in zip(places, weights, strict=True)]
    return [
        (place, weight[:, :n], new[:n])
        for place, weight, n in zip(places, weights, seen, strict=True)
    ]


def _by_appending(
    layers: Sequence[Sorted],
    activation: Activation,
    z: Tensor,
    undo: Undo,
    context: Tensor,
    direct: Sorted | None,
) -> Tensor:
    """Solve by appending what becomes known to copies, which gradients need."""
    known = [context, *(z[:0] for _ in layers[1:])]
    for block in _blocks(len(z)):
        begun = [_Begun(*each, block) for each in zip(layers, known, strict=True)]
        past = None if direct is None else _Begun(direct, known[0], block)
        new = [rows[:0] for rows in known]
        for step, i in enumerate(block):
            for k, hidden in enumerate(begun[:-1]):
                if hidden.sizes[step]:
                    units = activation(hidden.outputs(step, new[k]))
                    new[k + 1] = torch.cat((new[k + 1], units))
            params = begun[-1].outputs(step, new[-1])
            if past is not None:
                params = params + past.outputs(step, new[0])
            new[0] = torch.cat((new[0], undo(z[i], params.T).unsqueeze(0)))
        known = [torch.cat(rows) for rows in zip(known, new, strict=True)]
    return known[0][len(context) :]


class _Begun:
    """A layer's outputs of a block, as far as they follow from what is known by now."""

    def __init__(self, layer: Sorted, known: Tensor, block: range) -> None:
        own, self.sizes = _part(layer, block)
        weight, since = layer.weight[own].tensor_split([len(known)], 1)
        self.before = torch.addmm(layer.bias[own], weight, known).split(self.sizes)
        self.since = since.split(self.sizes)

    def outputs(self, step: int, new: Tensor) -> Tensor:
        """Return the outputs of one degree, which also see the new rows."""
        weight = self.since[step][:, : len(new)]
        return torch.addmm(self.before[step], weight, new)


def _blocks(dim: int) -> Iterator[range]:
    for start in range(0, dim, BLOCK):
        yield range(start, min(start + BLOCK, dim))


def _part(layer: Sorted, block: range) -> tuple[slice, list[int]]:
    """Return which rows a block's outputs are, and how many are of each degree."""
    ends = layer.ends[block.start : block.stop + 1]
    return slice(ends[0], ends[-1]), [stop - start for start, stop in pairwise(ends)]


def _nothing_follows(x: Tensor) -> bool:
    """True where no gradient, transform or autocast follows the computation."""
    kind = x.device.type
    return not (
        torch.is_grad_enabled()
        or transformed()
        or (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind))
    )
