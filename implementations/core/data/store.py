"""Where the files of a data set lie, or are downloaded to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from implementations.core.data.checks import content
from implementations.core.data.dataset import INSTALL, DataError
from implementations.core.data.sources import FILES, Needed, Source
from implementations.core.data.writing import writing


def data_folder() -> Path:
    """Return DATA where that is set; else a folder in the user's cache."""
    if named := os.environ.get("DATA"):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "awesome-normalizing-flows"


@dataclass(frozen=True)
class Store:
    """The files of one data set.

    They lie in the folder, or in the folder of that name in it, as they were downloaded
    or unpacked. What is missing is downloaded into the latter, if `download` is true.
    """

    name: str
    folder: Path
    download: bool = True

    @property
    def needed(self) -> tuple[Needed, ...]:
        """The files that the data set is read from."""
        return FILES[self.name]

    def contents(self) -> Iterator[bytes]:
        """Yield what each of the files holds, once its checksum is right."""
        for needed, path in zip(self.needed, self.paths(), strict=True):
            yield content(path, needed.checksum)

    def paths(self) -> list[Path]:
        """Return where each file lies, zipped or not; get those that are missing.

        Raises DataError where one is missing and cannot be had.
        """
        for needed in self.needed:
            if not self.find(needed):
                self._get(needed)
        found = {needed: self.find(needed) for needed in self.needed}
        return [path for path in found.values() if path]

    def find(self, needed: Needed) -> Path | None:
        """Return where the file lies, zipped or not; None where it does not."""
        places = self._places(needed.source.group)
        for place in places:
            for name in _names(needed):
                for path in (place / name, place / f"{name}.gz"):
                    if path.is_file():
                        return path
        return None

    def find_source(self, source: Source) -> Path | None:
        """Return where the downloaded file lies; None where it does not."""
        paths = (place / source.name for place in self._places(source.group))
        return next((path for path in paths if path.is_file()), None)

    def _places(self, group: str) -> tuple[Path, Path]:
        return self.folder, self.folder / group

    def _get(self, needed: Needed) -> None:
        source = needed.source
        if not self.download and not self.find_source(source):
            raise self._missing(needed)
        with self._turn(source.group) as own:
            # Meanwhile another process may have been here.
            if self.find(needed):
                return
            self._fill(needed, own)

    def _fill(self, needed: Needed, own: Path) -> None:
        # Both only where something is missing: they need more than numpy and torch.
        from implementations.core.data.archive import unpack
        from implementations.core.data.download import fetch

        source = needed.source
        archive = self.find_source(source)
        if archive is None:
            archive = fetch(source, own)
        if self.find(needed) is None:
            unpack(archive, source, [n for n in self.needed if n.source == source], own)

    @contextmanager
    def _turn(self, group: str) -> Iterator[Path]:
        """Wait until no other process gets these files; yield the folder for them."""
        try:
            from filelock import FileLock
        except ImportError:
            raise DataError(
                f"{self.name}: filelock is not installed, which downloading needs "
                f"(install it: {INSTALL})"
            ) from None
        own = self.folder / group
        with writing(own):
            own.mkdir(parents=True, exist_ok=True)
            with FileLock(own / ".lock"):
                yield own

    def _missing(self, needed: Needed) -> DataError:
        source = needed.source
        return DataError(
            f"{self.name}: {PurePosixPath(needed.path).name} is not in {self.folder} "
            f"(download {source.urls[0]} into {self.folder / source.group}, or set "
            "DATA to the folder where it lies)"
        )


def _names(needed: Needed) -> Iterator[str]:
    """Ends of the path under which the file may lie.

    Its name alone is enough only where a checksum tells it from others of that name.
    """
    parts = PurePosixPath(needed.path).parts
    least = 1 if needed.checksum else 2
    for start in range(len(parts) - least + 1):
        yield "/".join(parts[start:])
