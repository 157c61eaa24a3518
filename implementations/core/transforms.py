"""Who else follows a computation, besides the backward pass."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def transformed() -> bool:
    """Return whether a compiler, torch.func or forward-mode derivatives are at work.

    Writing in place, or a backward pass of one's own, is beyond them.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None  # pyright: ignore
        # torch has no public way to ask: no level is -1.
        or forward_ad._current_level >= 0
    )
