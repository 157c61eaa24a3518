"""Importance weights: samples of one density that answer for another, and how surely.

The target's density p̃ may lack its constant: p = p̃ / Z. Weights are w = p̃(x) / q(x),
for x drawn from a flow q, and are handled as logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from implementations.core.flow import Flow

# log p̃, of shape (n,), of events of shape (n, …).
LogDensity = Callable[[Tensor], Tensor]


class Estimate(NamedTuple):
    """An estimated number and its standard error."""

    value: float
    error: float


def reverse_kl(flow: Flow, log_density: LogDensity, n: int) -> Tensor:
    """KL(q ‖ p) - log Z, by n samples of the flow, with gradients through them.

    Its negative is a lower bound of log Z. A flow may lower it by forgetting a mode.
    """
    x, log_q = flow.rsample_and_log_prob(n)
    return (log_q - log_density(x)).mean()


@torch.no_grad()
def weigh(flow: Flow, log_density: LogDensity, n: int) -> tuple[Tensor, Tensor]:
    """Draw n events from the flow, and return them with log w, in float64."""
    x, log_q = flow.rsample_and_log_prob(n)
    return x, log_density(x).double() - log_q.double()


def effective_share(log_w: Tensor) -> float:
    """(Σw)² / (n Σw²): how many equal weights would be as good, as a share of n.

    1 where all weights are equal. It is blind to what q never draws: a flow that has
    only one of two modes can have nearly 1.
    """
    log_n = math.log(log_w.shape[0])
    return (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0) - log_n).exp().item()


def effective_share_of_target(log_w: Tensor, log_z: float) -> float:
    """The same for infinitely many samples of q, from log w at samples of the target.

    It needs exact samples of p and log Z, and sees what q never draws.
    """
    log_mean = log_w.logsumexp(0).item() - math.log(log_w.shape[0])
    return math.exp(log_z - log_mean)


def log_normaliser(log_w: Tensor) -> Estimate:
    """log Z, as the logarithm of the mean weight; its error by the delta method."""
    n = log_w.shape[0]
    value = log_w.logsumexp(0) - math.log(n)
    relative = (log_w - value).exp()
    return Estimate(value.item(), (relative.std() / n**0.5).item())


def weighted_mean(values: Tensor, log_w: Tensor) -> Estimate:
    """E_p[a] ≈ Σ w a / Σ w, for values a of shape (n,), with its standard error."""
    w = log_w.softmax(0)
    mean = (w * values).sum()
    return Estimate(mean.item(), (w * (values - mean)).norm().item())
