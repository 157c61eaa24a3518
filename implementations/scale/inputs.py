"""Data sets → what a recipe's model sees of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from implementations.core.data import Dataset, Split
from implementations.core.data.images import with_mirror_images
from implementations.core.pixels import (
    CIFAR_ALPHA,
    MNIST_ALPHA,
    to_logits,
    with_noise,
)
from implementations.scale.recipes import RowRecipe

# Of the noise that is added once, before all training, and of what tests need.
NOISE = 42
MARGINS = {"mnist": MNIST_ALPHA, "cifar10": CIFAR_ALPHA}


class Rows(NamedTuple):
    """Events, a row each, and the context of each, or none."""

    x: Tensor
    context: Tensor | None

    def take(self, which: Tensor | slice) -> Rows:
        """Return some of the rows."""
        context = None if self.context is None else self.context[which]
        return Rows(self.x[which], context)

    def to(self, device: torch.device) -> Rows:
        """Return the rows on the device."""
        context = None if self.context is None else self.context.to(device)
        return Rows(self.x.to(device), context)


@dataclass(frozen=True)
class Inputs:
    """The three splits as the model sees them.

    `classes` is the width of the context, a label in one-hot form; `margin` the α of
    the logit space they are in, or None. Where `levels` is true, images to train on are
    levels of pixels, to which every batch adds noise of its own; the others have noise.
    """

    train: Rows
    validation: Rows
    test: Rows
    classes: int = 0
    margin: float | None = None
    levels: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an event."""
        return tuple(self.train.x.shape[1:])

    def arguments(self) -> dict[str, Any]:
        """Return what builders are told of the data: `dim` or `shape`, `context`."""
        told: dict[str, Any] = {"shape": self.shape}
        if len(self.shape) == 1:
            told = {"dim": self.shape[0]}
        return told | ({"context": self.classes} if self.classes else {})

    def to(self, device: torch.device) -> Inputs:
        """Return the same on the device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )

    def fingerprint(self) -> str:
        """Return 16 characters that tell these data from others."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for part in split:
                if part is not None:
                    digest.update(part.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def prepare(recipe: RowRecipe, data: Dataset) -> Inputs:
    """Return what the recipe's model sees of the data.

    "binary": pixels 0 or 1 as a vector. "logit": noise added once, and the logit of
    α + (1 − 2α) x, as a vector; training pictures of CIFAR-10 mirrored, too (MAF,
    §4.2). "rows": the numbers as they are. "images": levels of the shape (c, h, w).
    """
    margin = MARGINS[recipe.data] if recipe.view == "logit" else None
    learned = data.train
    if recipe.view == "logit" and recipe.data == "cifar10":
        learned = with_mirror_images(learned)
    classes = data.classes if recipe.conditional else 0
    noise = torch.Generator().manual_seed(NOISE)
    levels = recipe.view == "images"
    splits = []
    for split in (learned, data.validation, data.test):
        x = split.x.unsqueeze(1) if levels and split.x.ndim == 3 else split.x
        if margin is not None or (levels and split is not learned):
            x = with_noise(x, generator=noise)
        if margin is not None:
            x = to_logits(x, margin)
        x = x if levels else x.flatten(1).float()
        splits.append(Rows(x, _one_hot(split, classes)))
    train, validation, test = splits
    return Inputs(train, validation, test, classes, margin, levels)


def _one_hot(split: Split, classes: int) -> Tensor | None:
    if not classes:
        return None
    if split.y is None:
        raise ValueError("a class-conditional recipe needs labels, and there are none")
    return one_hot(split.y.long(), classes).float()
