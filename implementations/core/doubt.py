"""Classifiers, and how sure they are of classes that they learned and of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from implementations.core.claims import table
from implementations.core.digits import digits
from implementations.core.plots import legend

Layer = Callable[[int, int], nn.Module]


class Halves(NamedTuple):
    """Images to learn and their labels; images to test, theirs; images never learned.

    Images are of shape (n, 1, 8, 8), from 0 to 1.
    """

    images: Tensor
    labels: Tensor
    seen: Tensor
    answers: Tensor
    unseen: Tensor

    def batch(self, n: int = 100) -> tuple[Tensor, Tensor]:
        """Draw images to learn and their labels, with replacement."""
        rows = torch.randint(len(self.labels), (n,), device=self.labels.device)
        return self.images[rows], self.labels[rows]


class Doubt(NamedTuple):
    """Errors of a network on images that it saw, and its doubts; all in nats.

    `seen` and `unseen` are entropies of predictions, one for each image; `bound` is a
    bound on -log p(labels to learn), NaN where there is no posterior.
    """

    errors: float
    nats_per_label: float
    calibration_error: float
    seen: Tensor
    unseen: Tensor
    bound: float


def halves() -> Halves:
    """Return scikit-learn's digits: 0 to 4 to learn and to test, 5 to 9 unseen."""
    train, *rest = digits()
    images, labels = (torch.cat(tensors) for tensors in zip(*rest, strict=True))
    mine, old = train.labels < 5, labels < 5
    parts = train.images[mine], images[old], images[~old]
    learned, seen, unseen = (part.view(-1, 1, 8, 8) / 16 for part in parts)
    return Halves(learned, train.labels[mine], seen, labels[old], unseen)


class LeNet(NamedTuple):
    """The sizes of a LeNet: convolutions with pooling, then dense layers."""

    shape: tuple[int, int, int]
    n_out: int
    maps: tuple[int, ...]
    size: int
    hidden: tuple[int, ...]

    def build(self, conv: Layer, dense: Layer, dropout: float = 0) -> nn.Sequential:
        """Build it, ReLU between its layers, and dropout before each dense one.

        `conv` makes a convolution of numbers of channels, with filters of `size`;
        `dense` makes a dense layer of numbers of units.
        """
        layers: list[nn.Module] = []
        channels, *sides = self.shape
        for n in self.maps:
            layers += [conv(channels, n), nn.ReLU(), nn.MaxPool2d(2)]
            channels, sides = n, [(side - self.size + 1) // 2 for side in sides]
        layers.append(nn.Flatten())
        widths = channels * math.prod(sides), *self.hidden, self.n_out
        for before, after in pairwise(widths):
            layers += [nn.Dropout(dropout)] if dropout else []
            layers += [dense(before, after), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def plain(self, dropout: float = 0) -> nn.Sequential:
        """Build it of torch's own layers."""
        return self.build(partial(nn.Conv2d, kernel_size=self.size), nn.Linear, dropout)


MNIST = LeNet((1, 28, 28), 10, (20, 50), 5, (500,))


@torch.no_grad()
def predict(net: nn.Module, x: Tensor, n: int = 50) -> Tensor:
    """Return the mean of n draws of the classes' probabilities."""
    return torch.stack([net(x).softmax(1) for _ in range(n)]).mean(0)


def entropy(p: Tensor) -> Tensor:
    """-Σ p log p, in nats, of shape (batch,)."""
    return torch.special.entr(p).sum(1)


def calibration_error(p: Tensor, y: Tensor, bins: int = 15) -> float:
    """Average |confidence - accuracy| over bins of confidence, by their size."""
    confidence, answer = p.max(1)
    which = (confidence * bins).long().clamp(max=bins - 1)
    excess = confidence - (answer == y).to(p)
    sums = excess.new_zeros(bins).index_add(0, which, excess)
    return (sums.abs().sum() / len(y)).item()


def judge(
    nets: Mapping[str, nn.Sequential],
    data: Halves,
    kl: Callable[[nn.Sequential, int], Tensor],
) -> dict[str, Doubt]:
    """Measure the predictions of networks, and show a table of them.

    `kl(net, n)` is the divergence of the weights from their prior, in nats, on average
    over n draws, and 0 without a posterior. Dropout stays on for predictions.
    """
    doubts = {
        name: _judge_one(net.train(), data, kl(net, 200).item() or math.nan)
        for name, net in nets.items()
    }
    tabulate(doubts)
    return doubts


def _judge_one(net: nn.Module, data: Halves, kl: float, n: int = 50) -> Doubt:
    """Measure predictions, each from n draws; `kl` is that of the weights, in nats."""
    p, y = predict(net, data.seen, n), data.answers
    return Doubt(
        errors=(p.argmax(1) != y).float().mean().item(),
        nats_per_label=-p.log()[range(len(p)), y].mean().item(),
        calibration_error=calibration_error(p, y),
        seen=entropy(p),
        unseen=entropy(predict(net, data.unseen, n)),
        bound=kl + misfit(net, data.images, data.labels),
    )


@torch.no_grad()
def misfit(net: nn.Module, x: Tensor, y: Tensor, n: int = 20) -> float:
    """-log p(y | x), in nats, on average over n draws of the outputs."""
    return len(y) * cross_entropy(net(x.repeat(n, 1, 1, 1)), y.repeat(n)).item()


def tabulate(doubts: Mapping[str, Doubt]) -> None:
    """Show a table of networks by name."""
    rows = [
        (
            name,
            f"{each.errors:.1%}",
            f"{each.nats_per_label:.3f}",
            f"{each.calibration_error:.3f}",
            f"{each.seen.mean():.2f}",
            f"{each.unseen.mean():.2f}",
            "" if math.isnan(each.bound) else f"{each.bound:,.0f}",
        )
        for name, each in doubts.items()
    ]
    header = "network", "errors", "nats per label", "calibration error"
    table((*header, "entropy, seen", "entropy, unseen", "bound, nats"), rows)


def draw_entropies(axes: Sequence[Axes], doubts: Mapping[str, Doubt], n: int) -> None:
    """Draw the shares of seen and of unseen images up to some entropy, n classes."""
    levels = torch.linspace(0, math.log(n), 100)
    for ax, part in zip(axes, ("seen", "unseen"), strict=True):
        for name, each in doubts.items():
            entropies = getattr(each, part).cpu()
            share = (entropies <= levels[:, None]).float().mean(1)
            ax.plot(levels, share, label=name)
        ax.set(title=f"{part} classes", xlabel="entropy, at most", ylabel="share")
    legend(axes[-1])
