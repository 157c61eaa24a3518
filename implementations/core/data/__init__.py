"""Real data: MNIST, CIFAR-10 and five tabular sets, prepared as MAF's authors did."""

from __future__ import annotations

from implementations.core.data.dataset import DataError, Dataset, Split
from implementations.core.data.loading import NAMES, load

__all__ = ["NAMES", "DataError", "Dataset", "Split", "load"]
