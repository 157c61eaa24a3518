"""Followers of a computation besides the backward pass, such as torch.func.

torch has no public function that tells. But each transform is known by what torch
refuses while it is at work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import dual_level, unpack_dual


def transformed() -> bool:
    """True while a compiler, torch.func or forward-mode derivatives are at work.

    Writing in place, or a backward pass of one's own, is beyond them.
    """
    return torch.compiler.is_compiling() or _in_torch_func() or _in_forward_mode()


def plain(*tensors: Tensor) -> bool:
    """True unless one of these follows `transformed`, which may be asked of none.

    It takes a tenth of the time.
    """
    return not torch.compiler.is_compiling() and all(map(_plain, tensors))


def _plain(x: Tensor) -> bool:
    try:
        x.data_ptr()  # A tensor of torch.func has none.
    except RuntimeError:
        return False
    return unpack_dual(x).tangent is None


class _Refused(torch.autograd.Function):
    """A function without `setup_context`, which no transform of torch.func takes."""

    @staticmethod
    def forward(ctx: Any) -> None:
        return None


def _in_torch_func() -> bool:
    try:
        _Refused.apply()
    except RuntimeError:
        return True
    return False


def _in_forward_mode() -> bool:
    try:
        with dual_level():  # which must not be nested
            return False
    except RuntimeError:
        return True
