"""MAF, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from implementations import maf
from tests.support.exercises import edited


def test_in_one_order_no_number_depends_on_a_later_one() -> None:
    module = edited("maf", 1)
    with pytest.raises(AssertionError, match="pairs with a later number: 0 "):
        module.run("later = {}")
    stack = module.autoregressions(4, 5, (64, 64)).eval()
    for weights in stack.parameters():
        nn.init.normal_(weights, std=0.2)
    jacobian = module.jacobians(stack, torch.randn(50, 4))
    assert (jacobian.triu(1) == 0).all()


def test_with_one_pass_less_only_the_last_component_is_wrong() -> None:
    module = edited("maf", 2)
    with pytest.raises(AssertionError, match="error of the round trip"):
        module.run("network, x = MaskedMLP(4")
    with torch.no_grad():
        off = (module.to_data(module.z, module.random_moments) - module.x).abs()
    assert off[:, :-1].max() < 1e-8 and off[:, -1].max() > 0.1


def test_components_that_start_alike_stay_alike() -> None:
    module = edited("maf", 3)
    for each, differ in ((maf, True), (module, False)):
        model = each.mixture_made(2, 10, (16,))
        each.learn(model, each.Parabola(), 20)
        with torch.no_grad():
            params = model.m(torch.randn(30, 2)).unflatten(-1, (3, 10))
        spread = params.std(-1)
        assert (spread.max() > 0.1) == differ
        assert differ or spread.max() < 1e-5
        assert params[:, 1, 0].std() > 0
