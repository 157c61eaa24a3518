"""`python -m implementations.core.data`: what it says, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from implementations.core.data import NAMES
from implementations.core.data.__main__ import main
from tests.flows.data.mirror import FileMirror

Files = dict[str, bytes]


def test_it_gets_data_ready_and_says_where_they_lie(
    small_mnist: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", str(tmp_path), "mnist", "binarised_mnist"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "mnist: 20 train, 10 validation, 10 test; 28×28 uint8, 10 classes",
        "  The last 10 images of the training file validate.",
        "binarised_mnist: 20 train, 10 validation, 10 test; 28×28 uint8, 10 classes",
        "  Each pixel of MNIST is white with the probability of its level, drawn once "
        "with seed 42: not the file of the papers, another draw. The last "
        "10 images of the training file validate.",
        f"Files lie in {tmp_path}",
    ]


def test_without_names_it_says_what_is_there(
    small_mnist: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    (tmp_path / "cifar-10-python.tar.gz").touch()
    main(["mnist"])
    capsys.readouterr()
    assert main([]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"In {tmp_path}:"
    states = {
        name: state.strip()
        for name, _, state in (x.strip().partition("  ") for x in lines)
    }
    assert list(states) == list(NAMES)
    assert states["mnist"] == states["binarised_mnist"] == "there"
    assert states["cifar10"] == "there, to be unpacked"
    assert states["power"] == states["gas"] == "to be downloaded, 857 MB"
    assert states["binarised_mnist_original"] == "to be downloaded, 110 MB"


def test_offline_it_downloads_nothing_and_says_what_to_do(
    small_mnist: Files,
    mirror: FileMirror,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--offline", "--folder", str(tmp_path), "mnist"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("mnist: train-images-idx3-ubyte is not in")
    assert mirror.asked == []


def test_it_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("implementations.core.data.__main__.load", stopped)
    assert main(["mnist"]) == 130
    assert capsys.readouterr().err.startswith("Stopped. Run it again")


def test_help_names_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert all(name in out for name in NAMES)
    assert "DATA" in out and "--offline" in out
