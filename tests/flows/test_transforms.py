"""A transform is noticed while it is at work."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functionalize, grad, jacfwd, jvp, vjp, vmap

from implementations.core.transforms import transformed

# torch's own, on the first dual number.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

X = torch.ones(2)
AT_WORK = {
    "vmap": lambda f: vmap(f)(X),
    "grad": lambda f: grad(lambda x: f(x).sum())(X),
    "vjp": lambda f: vjp(f, X),
    "jvp": lambda f: jvp(f, (X,), (X,)),
    "jacfwd": lambda f: jacfwd(f)(X),
    "functionalize": lambda f: functionalize(f)(X),
    "compile": lambda f: torch.compile(f, backend="eager", fullgraph=True)(X),
}


@pytest.mark.parametrize("name", AT_WORK)
def test_each_transform_is_noticed_while_it_is_at_work(name: str) -> None:
    noticed = []

    def f(x: Tensor) -> Tensor:
        noticed.append(transformed())
        return 2 * x

    AT_WORK[name](f)
    assert noticed and all(noticed)
    assert not transformed()


def test_forward_mode_is_noticed_and_goes_on() -> None:
    with forward_ad.dual_level():
        x = forward_ad.make_dual(X, X)
        assert transformed()
        assert forward_ad.unpack_dual(2 * x).tangent is not None
    assert not transformed()


@pytest.mark.parametrize("enabled", [True, False])
def test_gradients_alone_are_no_transform(enabled: bool) -> None:
    with torch.set_grad_enabled(enabled):
        assert not transformed()
