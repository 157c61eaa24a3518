"""The same flow in four libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.libraries.defaults import HOLDS, IMAGE, OURS, PIXELS, THEIRS, default
from benchmarks.libraries.families import BARE, PEERS, TOLERANCE, WHOLE, bare
from benchmarks.libraries.ours import Ours
from implementations.core.nets import size
from scripts.base.project import ROOT


@pytest.mark.parametrize("family", BARE)
def test_every_library_has_a_density_and_samples_of_it(family: str) -> None:
    """That it integrates to one says that log-determinants have the right sign."""
    torch.manual_seed(0)
    for library, each in bare(family, 2).items():
        with torch.no_grad():
            drawn = each.sample(2000)
            bound = 1.2 * drawn.abs().max().item()
            line = torch.linspace(-bound, bound, 161)
            log_p = each.log_prob(torch.cartesian_prod(line, line))
            entropy_of_samples = -each.log_prob(drawn).mean().item()
        # Far out, some have no finite density.
        p = log_p.exp().nan_to_num() * (2 * bound / 160) ** 2
        assert p.sum().item() == pytest.approx(1, abs=0.02), library
        entropy = -(p * log_p).nansum().item()
        assert entropy_of_samples == pytest.approx(entropy, abs=0.15), library


@pytest.mark.parametrize("family", BARE)
@pytest.mark.parametrize("dim", [2, 6, 64])
def test_parameter_counts_agree(family: str, dim: int) -> None:
    counts = [size(each) for each in bare(family, dim).values()]
    assert max(counts) <= (1 + TOLERANCE) * min(counts)


def test_other_parameter_counts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BARE["maf"], "zuko", BARE["nsf"]["zuko"])
    with pytest.raises(ValueError, match=r"maf, 6 dimensions: .* within 2% .*'zuko'"):
        bare("maf", 6)


@pytest.mark.parametrize("family", ["real_nvp", "nsf", "nsf_autoregressive"])
def test_the_first_batch_sets_ours_and_no_later_one(family: str) -> None:
    """As in training that goes on, which initialises again."""
    model = WHOLE[family]["ours"](3, 2, 8, 0)
    assert isinstance(model, Ours)
    x = torch.randn(50, 3)
    model.prepare(7 * x)
    z, _ = model.normalise(x)
    model.prepare(x)
    assert torch.equal(model.normalise(x)[0], z)


def test_peers_are_pinned_alike_everywhere() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = Path(ROOT / name).read_text("utf-8").splitlines()
        wanted = [line for line in lines if "==" in line and line[0] != "#"]
        return {name: version for name, version in (w.split("==") for w in wanted)}

    peers = pins("benchmarks/requirements.txt")
    assert set(peers) == set(PEERS)
    assert peers.items() <= pins("constraints.txt").items()


@pytest.mark.parametrize(
    ("family", "dim"),
    [*((family, 64) for family in THEIRS if family != "glow"), ("glow", PIXELS)],
)
# nflows calls what torch is going to remove.
@pytest.mark.filterwarnings(r"ignore:torch\.\w+ is deprecated")
def test_default_flows_are_as_large_as_ours_and_work(family: str, dim: int) -> None:
    libraries = default(family, dim)
    assert set(libraries) == {"ours", *THEIRS[family]}
    x = torch.randn(4, *(IMAGE if family == "glow" else (dim,)))
    for library, each in libraries.items():
        each.prepare(x)
        assert each.eval().log_prob(x).isfinite().all(), library
        assert each.sample(2).isfinite().all(), library
    assert set(HOLDS) == set(THEIRS) == set(OURS)
