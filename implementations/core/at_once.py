"""Flows of one kind that learn side by side, each from data of its own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from implementations.core.flow import Flow


class FlowsAtOnce(nn.Module):
    """Flows of one kind, trained together, each on a data set of its own.

    `weights` are those of all flows, each of shape (flows, …). Buffers stay as they
    are, and where they are.
    """

    def __init__(self, flows: Sequence[Flow]) -> None:
        super().__init__()
        stacked, self._fixed = stack_module_state([*flows])
        self._names, self.weights = [*stacked], nn.ParameterList(stacked.values())
        self._flow = (flows[0],)  # In a tuple, where its own weights are not found.

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x), of shape (flows, n), for x of shape (flows, n, …)."""
        state = dict(zip(self._names, self.weights, strict=True)) | self._fixed
        given = (x,) if context is None else (x, context)
        call = vmap(lambda state, *given: functional_call(self._flow[0], state, given))
        return call(state, *given)
