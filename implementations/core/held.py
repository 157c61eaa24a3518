"""The bytes that autograd keeps between its two passes, counted."""

from __future__ import annotations

from collections import Counter

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class Held:
    """The most bytes that autograd holds at once, within `with held.hooks:`."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = {weight.data_ptr() for weight in model.parameters()}
        self.uses: Counter[int] = Counter()
        self.now = self.peak = 0
        self.hooks = saved_tensors_hooks(lambda x: _Token(self, x), lambda t: t.tensor)

    def change(self, x: Tensor, by: int) -> None:
        memory = x.untyped_storage()
        if memory.data_ptr() in self.weights:
            return
        before = self.uses[memory.data_ptr()]
        self.uses[memory.data_ptr()] += by
        if 0 in (before, before + by):
            self.now += by * memory.nbytes()
        self.peak = max(self.peak, self.now)


class _Token:
    """Stands for a tensor that autograd keeps, and says when it no longer does."""

    def __init__(self, held: Held, tensor: Tensor) -> None:
        # Detached: a result that holds its own graph would never be given back.
        self.held, self.tensor = held, tensor.detach()
        held.change(tensor, 1)

    def __del__(self) -> None:
        self.held.change(self.tensor, -1)
