"""The project's own figures: drawn again where their code has changed, and stamped.

`implementations/figures/<name>.py` draws; its pictures and `stamps.json` are committed
in `docs/assets/figures/`, so that neither README.md nor the website needs torch.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.files import write_atomic
from scripts.notebook.cells import export
from scripts.notebook.fingerprint import Fingerprints

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
            stamps[name] = {"fingerprint": current[name], **draw(root, name)}
        except subprocess.CalledProcessError:
            print(f"{SOURCES / name}.py failed: its old pictures stay", file=sys.stderr)
            return 1
        kept = {name: stamps[name] for name in sorted(current) if name in stamps}
        write_atomic(root / PICTURES / "stamps.json", json.dumps(kept, indent=2) + "\n")
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


def draw(root: Path, name: str) -> dict[str, object]:
    """Run the figure's module; its pictures replace the old ones when it succeeds."""
    folder = root / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".drawing-") as drawing:
        module = ".".join((*SOURCES.parts, name))
        subprocess.run([sys.executable, "-m", module, drawing], cwd=root, check=True)
        for picture in sorted(Path(drawing).iterdir()):
            os.replace(picture, folder / picture.name)
    return {
        "drawn": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - start),
    }
