"""Real NVP, three to try: the answers are what comes out."""

from __future__ import annotations

import pytest
import torch

from implementations.real_nvp import checkerboard
from tests.support.exercises import edited

MODEL = "narrow = ((matrix"


def test_with_one_mask_sixteen_pixels_never_move() -> None:
    module = edited("real_nvp", 1)
    with pytest.raises(AssertionError, match="depends on one pixel: 16 "):
        module.run(MODEL)
    lone = (module.matrix != 0).any(0).sum(1) == 1
    pixels = (module.matrix[:, lone] != 0).any(0).any(0).reshape(8, 8)
    upper_right = torch.zeros(8, 8, dtype=torch.bool)
    upper_right[::2, 1::2] = True
    assert torch.equal(pixels, upper_right)
    assert checkerboard((1, 8, 8))[0][upper_right].all()


def test_in_training_mode_other_images_matter() -> None:
    module = edited("real_nvp", 2)
    module.run(MODEL)
    with pytest.raises(AssertionError, match="alone and in a batch, apart"):
        module.run("alone, among = ")
    assert module.differ > 0.1


def test_as_printed_a_white_pixel_goes_to_infinity() -> None:
    module = edited("real_nvp", 3)
    z, _ = module.Logit((1,))(torch.ones(1, 1))
    assert z.isposinf().all()
    with pytest.raises(AssertionError, match="probability from 0 to 1: nan"):
        module.run("pixel, grid = ")
