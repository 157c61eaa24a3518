"""Each paper's notebook follows its file: what is stale, and the command for it."""

from __future__ import annotations

import difflib
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.base.files import write_atomic
from scripts.cluster.place import ClusterError, Workplace
from scripts.execute.ipynb import Notebook, State, read
from scripts.papers import PACKAGE, implemented
from scripts.papers.cells import CellError
from scripts.papers.fingerprint import Fingerprints

TIME_LIMIT = 900.0
"""Seconds that one notebook may take."""


def status(root: Path) -> dict[str, State]:
    """Return the state of every paper's notebook; CellError as for `read`."""
    fingerprints = Fingerprints(root)
    return {
        name: read(root, name, fingerprints).state
        for name in implemented(root / PACKAGE)
    }


def run(
    root: Path,
    *,
    only: str = "",
    force: bool = False,
    device: str | None = None,
    jobs: int = 2,
    cluster: str | None = None,
    check: bool = False,
    limit: float = TIME_LIMIT,
) -> int:
    """Bring the notebooks up to date, `jobs` at once; return the exit status.

    With the address of a `cluster`, as many at once as it has threads. `only` names
    papers; `force` executes all of them, whether fresh or the same in a short run;
    `check` writes nothing and says what is not fresh; each notebook may take `limit`
    seconds.
    """
    try:
        names = chosen(root, only)
    except LookupError as error:
        return _complain(error.args[0])
    notebooks, faults = _read_all(root, names)
    failed = _complain(*faults) if faults else 0
    if check:
        return _check(notebooks) or failed
    stale = [notebook for notebook in notebooks if force or notebook.state == "stale"]
    for notebook in notebooks:
        if notebook not in stale:
            _refresh(notebook)
    if stale:
        place = Workplace(max(jobs, 1), cluster)
        return _execute(stale, root, device, place, limit, force) or failed
    return failed


def chosen(root: Path, only: str) -> list[str]:
    """Return the papers that `only` names, or all; LookupError for an unknown one."""
    known = implemented(root / PACKAGE)
    names = re.findall(r"[^\s,]+", only) or known
    for name in names:
        if name not in known:
            raise LookupError(_unknown(name, known))
    return list(dict.fromkeys(names))


def _complain(*problems: str) -> int:
    print(*problems, sep="\n", file=sys.stderr)
    return 1


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"no paper is called {name}: {hint}"


def _read_all(root: Path, names: Sequence[str]) -> tuple[list[Notebook], list[str]]:
    """Return the notebooks, and what is wrong with those that cannot be read."""
    fingerprints = Fingerprints(root)
    notebooks, faults = [], []
    for name in names:
        try:
            notebooks.append(read(root, name, fingerprints))
        except CellError as error:
            faults.append(str(error))
    return notebooks, [*dict.fromkeys(faults)]


def _check(notebooks: Sequence[Notebook]) -> int:
    why = {"text": "its prose or comments", "stale": "its outputs"}
    behind = [notebook for notebook in notebooks if notebook.state != "fresh"]
    for notebook in behind:
        problem = f"{why[notebook.state]} are not those of today's {notebook.file}"
        print(f"docs/notebooks/{notebook.path.name}: {problem}")
    if behind:
        names = ",".join(notebook.name for notebook in behind)
        print(f"Run `make notebooks ONLY={names}`")
    return 1 if behind else 0


def _refresh(notebook: Notebook) -> None:
    if notebook.state == "text" and notebook.refreshed:
        write_atomic(notebook.path, notebook.refreshed)
        print(f"{notebook.name}: prose and comments refreshed, nothing executed")
    else:
        print(f"{notebook.name}: fresh")


def _execute(
    notebooks: Sequence[Notebook],
    root: Path,
    device: str | None,
    place: Workplace,
    limit: float,
    force: bool,
) -> int:
    terminated = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Costs a second, which only executing is worth.
        from scripts.execute.runner import execute

        return execute(notebooks, root, device, place, limit, force)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
        _complain("Interrupted: finished notebooks are written, the others untouched")
        return 130
    except ClusterError as error:
        return _complain(str(error))
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} is missing: run `make notebooks` to install it")
    finally:
        signal.signal(signal.SIGTERM, terminated)
