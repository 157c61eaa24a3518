"""The project's own figures: drawn again where their code has changed, and stamped.

`implementations/figures/<name>.py` draws; its pictures and `stamps.json` are committed
in `docs/assets/figures/`, so that neither README.md nor the website needs torch.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from scripts.base.files import turn, write_together
from scripts.papers.cells import export
from scripts.papers.fingerprint import Fingerprints

SOURCES = Path("implementations/figures")
PICTURES = Path("docs/assets/figures")


def run(root: Path, force: bool = False, check: bool = False) -> int:
    """Draw the stale figures, or with `check` list them; return the exit status."""
    current = fingerprints(root)
    stamps = read_stamps(root)
    stale = [
        name
        for name, fingerprint in current.items()
        if force or stamps.get(name, {}).get("fingerprint") != fingerprint
    ]
    if check:
        for name in stale:
            print(f"{SOURCES / name}.py has changed since it was drawn: `make figures`")
        return 1 if stale else 0
    for name in stale:
        print(f"Drawing {name} …", flush=True)
        try:
            pictures, facts = draw(root, name)
        except subprocess.CalledProcessError:
            print(f"{SOURCES / name}.py failed: its old pictures stay", file=sys.stderr)
            return 1
        with turn(root):
            stamps = read_stamps(root) | {name: {"fingerprint": current[name], **facts}}
            kept = {name: stamps[name] for name in sorted(current) if name in stamps}
            _write(root, pictures, kept)
    print(f"{len(stale)} drawn, {len(current) - len(stale)} up to date")
    return 0


def fingerprints(root: Path) -> dict[str, str]:
    """Fingerprints of the figures' code, by name."""
    code = Fingerprints(root)
    found = {}
    for path in sorted((root / SOURCES).glob("[!_]*.py")):
        file = path.relative_to(root).as_posix()
        found[path.stem] = code.of(export(path.read_text("utf-8"), file))
    return found


def read_stamps(root: Path) -> dict[str, dict[str, object]]:
    """Read what the committed figures were drawn from."""
    path = root / PICTURES / "stamps.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def draw(root: Path, name: str) -> tuple[dict[str, bytes], dict[str, object]]:
    """Run the figure's module; return its pictures by name, and when it was drawn.

    Raises CalledProcessError when it fails.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drawing-") as drawing:
        module = ".".join((*SOURCES.parts, name))
        subprocess.run([sys.executable, "-m", module, drawing], cwd=root, check=True)
        paths = sorted(Path(drawing).iterdir())
        pictures = {path.name: path.read_bytes() for path in paths}
    return pictures, {
        "drawn": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - start),
    }


def _write(
    root: Path, pictures: Mapping[str, bytes], stamps: Mapping[str, object]
) -> None:
    """Write a figure's pictures and all stamps, together."""
    folder = root / PICTURES
    stamped = json.dumps(stamps, indent=2) + "\n"
    files = {folder / name: picture for name, picture in pictures.items()}
    write_together({**files, folder / "stamps.json": stamped})
