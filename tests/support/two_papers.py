"""Two papers that note which processes run them, and commands that run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil

from scripts.base.project import ROOT
from tests.support.small_project import SmallProject

SEEDS = """
    # %%
    import json, os, pathlib, time

    # %%
    if __name__ == "__main__":
        seed = int(os.environ["SEED"])
        if "SMOKE" not in os.environ:
            pathlib.Path({pids!r}, f"NAME-{{seed}}-{{os.getpid()}}").touch()
            time.sleep({seconds})
        record = {{"text": "small", "bound": {{"below": 9}}, "value": seed + NUMBER}}
        if "CLAIMS_OUT" in os.environ:
            with open(os.environ["CLAIMS_OUT"], "a") as file:
                file.write(json.dumps(record) + "\\n")
        print(record["value"])
    """


def write(project: SmallProject, pids: Path, seconds: float) -> dict[str, list[float]]:
    """Write two papers, which note their processes; return their claims' values."""
    pids.mkdir()
    source = SEEDS.format(pids=str(pids), seconds=seconds)
    for number, name in enumerate(("glow", "made")):
        text = source.replace("NAME", name).replace("NUMBER", str(number))
        project.write(f"{name}.py", text)
    return {"glow": [0.0, 1.0, 2.0], "made": [1.0, 2.0, 3.0]}


def values(project: SmallProject) -> dict[str, list[float]]:
    folder = project.root / "implementations" / "results"
    found = {}
    for path in folder.glob("*.json"):
        results = json.loads(path.read_text("utf-8"))
        assert results["seeds"] == [0, 1, 2]
        (claim,) = results["claims"]
        found[path.stem] = claim["values"]
    return found


def command(project: SmallProject, call: str, address: str) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; "
        "from scripts.execute import claims, notebooks; "
        f"sys.exit({call}, cluster={address!r}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(project.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(pids: Path) -> list[int]:
    return [int(path.name.rpartition("-")[2]) for path in pids.iterdir()]


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


CALLS = {
    "claims": "claims.run(Path(sys.argv[1]), seeds=3",
    "notebooks": "notebooks.run(Path(sys.argv[1])",
}
