"""The growth of sampling: exponents, counts, and what a run writes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import scaling
from benchmarks.scaling import exponent, multiply_adds
from implementations.core.flow import Flow
from scripts.results import forms
from scripts.results.files import read


def test_the_exponent_of_a_power_law_is_found() -> None:
    x = [1, 2, 8, 64]
    assert exponent(x, [3 * value**1.5 for value in x]) == 1.5


def test_multiply_adds_are_those_of_matrix_products() -> None:
    layer = nn.Linear(5, 7)
    assert multiply_adds(partial(layer, torch.zeros(3, 5))) == 3 * 5 * 7


@pytest.mark.parametrize("family", ["maf", "nsf_autoregressive"])
def test_autoregressive_sampling_multiplies_less_than_one_density(family: str) -> None:
    """At 64 dimensions: where a pass for each would take 64 times as much."""
    flow: Flow = scaling.FAMILIES[family](64).eval()
    forward = multiply_adds(partial(flow.log_prob, torch.zeros(1, 64)))
    assert 0 < multiply_adds(partial(flow.sample, 1)) < 0.75 * forward


@pytest.mark.thorough
def test_a_run_prints_and_writes_its_exponents(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = scaling.ScalingPlan((2, 4), 3, (1, 2), 2, repeats=1)
    monkeypatch.setattr(scaling, "QUICK", plan)
    output = tmp_path / "scaling.json"
    assert scaling.main(["--quick", "--output", str(output)]) == 0
    report = read(forms.ScalingResults, output)
    rows = [(row.family, row.along) for row in report.growth]
    assert rows == [(f, a) for a in ("dim", "batch") for f in scaling.FAMILIES]
    assert [row.dim for row in report.along_dim[:: len(scaling.FAMILIES)]] == [2, 4]
    for row in report.along_dim:
        assert row.batch == 3 and len(row.seconds) == 1
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(rows)
    assert printed[0].startswith("maf                  from 2 on, time ∝ dim^")


def test_exponents_leave_small_sizes_out() -> None:
    """Where calls take the time: here one second up to 8, then as much as there is."""
    rows = [
        forms.Draw(
            family=family,
            dim=dim,
            batch=1,
            seconds=(max(1.0, dim / 8),),
            multiply_adds=dim,
            forward=dim,
        )
        for family in scaling.FAMILIES
        for dim in (2, 4, 8, 16, 32)
    ]
    for row in scaling.growth(rows):
        found = row.start, row.time, row.multiply_adds, row.passes
        assert found == (8, 1, 1, 2)
