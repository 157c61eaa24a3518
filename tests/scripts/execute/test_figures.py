"""The project's own figures: drawn when stale, kept when drawing fails."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from implementations.core.toy import Swirl
from implementations.figures import toy
from scripts.base.project import ROOT
from scripts.execute import figures

DRAWS = """
import sys
from pathlib import Path

# %%
if __name__ == "__main__":
    Path(sys.argv[1], "circle.svg").write_text("<svg>{text}</svg>")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / figures.SOURCES).mkdir(parents=True)
    for package in (tmp_path / figures.SOURCES, tmp_path / "implementations"):
        (package / "__init__.py").touch()
    write(tmp_path, "round")
    return tmp_path


def write(root: Path, text: str) -> None:
    source = DRAWS.replace("{text}", text)
    (root / figures.SOURCES / "circle.py").write_text(source)


def picture(root: Path) -> str:
    return (root / figures.PICTURES / "circle.svg").read_text()


def test_committed_figures_are_fresh() -> None:
    current, stamps = figures.fingerprints(ROOT), figures.read_stamps(ROOT)
    assert current, "there is a figure"
    for name, fingerprint in current.items():
        assert stamps[name]["fingerprint"] == fingerprint, "run `make figures`"


@pytest.mark.parametrize(
    "name",
    [
        "icons",
        pytest.param("journey", marks=pytest.mark.thorough),
        pytest.param("toy", marks=pytest.mark.thorough),
        pytest.param("flow", marks=pytest.mark.long),
    ],
)
def test_drawn_twice_a_figure_is_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE", "1")
    (first, _), (second, _) = (figures.draw(ROOT, name) for _ in range(2))
    assert first and first == second


def test_draws_once_and_again_when_the_code_changes(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert figures.run(root) == 0
    assert picture(root) == "<svg>round</svg>"
    stamp = json.loads((root / figures.PICTURES / "stamps.json").read_text())
    assert set(stamp["circle"]) == {"fingerprint", "drawn", "seconds"}
    figures.run(root)
    assert capsys.readouterr().out.endswith("0 drawn, 1 up to date\n")
    write(root, "rounder")
    assert figures.run(root, check=True) == 1
    assert picture(root) == "<svg>round</svg>"
    assert figures.run(root) == 0
    assert picture(root) == "<svg>rounder</svg>"
    assert figures.run(root, check=True) == 0


def test_a_failure_keeps_what_there_was(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures.run(root)
    before = sorted((root / figures.PICTURES).iterdir())
    write(root, '"); raise SystemExit(3)  # ')
    assert figures.run(root) == 1
    assert "circle.py failed: its old pictures stay" in capsys.readouterr().err
    assert picture(root) == "<svg>round</svg>"
    assert sorted((root / figures.PICTURES).iterdir()) == before
    assert figures.run(root, check=True) == 1


def test_the_journey_leads_from_a_gaussian_to_the_swirl() -> None:
    journey = json.loads((ROOT / figures.PICTURES / "journey.json").read_text())
    stages = [torch.tensor(journey["start"])]
    for layer in journey["layers"]:
        stages.append(stages[-1].clone())
        stages[-1][layer["axis"]] += torch.tensor(layer["moves"])
    turns = [layer["axis"] for layer in journey["layers"]]
    assert all(a != b for a, b in pairwise(turns)), "couplings take turns"
    noise, data = (
        (2 * x / journey["levels"] - 1) * toy.REACH for x in stages[:: len(turns)]
    )
    n = noise.shape[1]
    assert noise.mean(1).abs().max() < 4 / n**0.5
    assert (noise.std(1) - 1).abs().max() < 4 / (2 * n) ** 0.5
    # On the screen the second axis points down.
    log_density = Swirl().log_prob(data.T * torch.tensor([1.0, -1.0]))
    # Few points lie off the arms, each at a huge cost: the median is not moved by them.
    truth = Swirl().log_prob(Swirl().sample(20_000)).median()
    assert (log_density.median() - truth).abs() < 0.15
    assert (log_density < -8).float().mean() < 0.01


def test_the_journey_is_that_of_the_toy() -> None:
    journey = json.loads((ROOT / figures.PICTURES / "journey.json").read_text())
    flow = toy.decode((ROOT / figures.PICTURES / "toy-swirl-spline.json").read_text())
    to_plane = torch.tensor([toy.REACH, -toy.REACH])
    place = torch.tensor(journey["start"])
    for layer, written in zip(
        reversed(toy.layers_of(flow)), journey["layers"], strict=True
    ):
        before = (2 * place.T / journey["levels"] - 1) * to_plane
        place[written["axis"]] += torch.tensor(written["moves"])
        after = (2 * place.T / journey["levels"] - 1) * to_plane
        with torch.no_grad():
            off = (layer.inverse(before)[0] - after).norm(dim=1)
        # Both ends are rounded, and a steep layer stretches that.
        assert off.median() < 0.01
        assert off.quantile(0.95) < 0.1


@pytest.mark.parametrize("kind", toy.RECIPES)
def test_what_is_written_of_a_flow_is_the_flow(kind: str) -> None:
    torch.manual_seed(1)
    flow = toy.RECIPES[kind].build().eval()
    for layer in toy.layers_of(flow):
        for weights in toy.weights(layer):
            weights.data.add_(0.1 * torch.randn_like(weights)).abs_()
        toy.round_off(layer)
    again = toy.decode(toy.encode("swirl", kind, flow, 0.0))
    x = torch.randn(50, 2)
    with torch.no_grad():
        assert torch.equal(flow.log_prob(x), again.log_prob(x))


@pytest.mark.parametrize("kind", toy.RECIPES)
def test_flows_of_the_toy_are_as_far_from_their_targets_as_they_say(kind: str) -> None:
    for target in toy.AIMS:
        path = ROOT / figures.PICTURES / f"toy-{target}-{kind}.json"
        text = path.read_text()
        torch.manual_seed(1)
        nats = toy.gap(target, toy.decode(text), 10_000)
        assert json.loads(text)["gap"] == pytest.approx(nats, abs=0.05)
