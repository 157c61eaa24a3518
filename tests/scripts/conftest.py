import datetime
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import jinja2
import pytest

from scripts.catalogue import Catalogue, CatalogueError, load


class LoadText(Protocol):
    def __call__(self, text: str | bytes, today: datetime.date = ...) -> Catalogue: ...


class FaultsOf(Protocol):
    def __call__(self, text: str | bytes) -> list[str]: ...


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each template once, not for each of hundreds of catalogues."""
    cache = jinja2.FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    environment = partial(jinja2.Environment, bytecode_cache=cache)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2, "Environment", environment)
        yield


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadText:
    """Load a catalogue from its text, beside an implementation of `nice`."""
    monkeypatch.chdir(tmp_path)
    file, implementations = Path("resources.yaml"), Path("implementations")
    (implementations / "core").mkdir(parents=True)
    for name in ("__init__", "nice"):
        (implementations / f"{name}.py").touch()

    def load_text(
        text: str | bytes, today: datetime.date = datetime.date(2026, 1, 31)
    ) -> Catalogue:
        file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        return load(file, implementations, today)

    return load_text


@pytest.fixture
def faults_of(load_text: LoadText) -> FaultsOf:
    """Return the messages of a catalogue that is at fault."""

    def faults_of(text: str | bytes) -> list[str]:
        with pytest.raises(CatalogueError) as caught:
            load_text(text)
        return [str(fault) for fault in caught.value.faults]

    return faults_of
