"""Noise regularisation, three to try: the answers are what comes out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from implementations import noise_reg as original
from tests.support.exercises import edited

PAPER = "noise_reg"


def test_drawn_once_all_steps_see_the_same_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, caught = edited(PAPER, 1), []

    def instead(weights: Any, loss: Any, steps: int, draw: Any, **_: Any) -> None:
        caught.append(draw)

    monkeypatch.setattr(module, "fit", instead)
    torch.manual_seed(0)
    x, y, _ = original.draw_sets((original.Fork(),), 2, 10)
    module.learn(x, y, [original.Remedy(0.2)], 1)
    first, second = (torch.stack(caught[0]()) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.stack((y, x)))


def test_without_units_the_check_of_the_line_fails() -> None:
    module = edited(PAPER, 2)
    with pytest.raises(AssertionError, match="slope from noisy copies"):
        module.run("plain = ridge(x, y)")
    assert module.many.a > 1.03 * module.best.a
    thousands = 1000 * torch.randn(100, 1)
    moved = (module.noisy(thousands, 0.2) - thousands).std() / thousands.std()
    assert moved < 0.001


class LearnCalled(Exception):
    """Carries what was asked of `learn`."""


def test_too_much_decay_forgets_x(monkeypatch: pytest.MonkeyPatch) -> None:
    module = edited(PAPER, 3)

    def instead(x: Any, y: Any, remedies: Any, steps: int) -> None:
        raise LearnCalled(*remedies)

    monkeypatch.setattr(module, "learn", instead)
    with pytest.raises(LearnCalled) as seen:
        module.run("SIZES, DECAYS")
    last = seen.value.args[-1]
    assert last.decay == 30
    torch.manual_seed(0)
    x, y, _ = original.draw_sets((original.Fork(),), 1, 100)
    log_q = original.learn(x, y, [last, original.Remedy(0.1)], 60)
    y, at = torch.linspace(-2, 2, 50)[None, :, None], torch.ones(1, 50, 1)
    forgot, kept = (log_q(y, 0.9 * at) - log_q(y, -0.9 * at)).abs().amax((1, 2))
    assert forgot < 0.05 < 0.5 < kept
