"""Notebooks are executed whole or not at all, and a failure is told with its line."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from tests.support.small_project import SmallProject

GOOD = '''
    # %% [markdown]
    # # Good

    # %%
    """A paper that does all that a notebook may."""
    import os
    import sys
    from implementations.core.lib import divide

    # %%
    if __name__ == "__main__":
        print(divide(6, 3), os.listdir())
        print("a warning", file=sys.stderr)
        for name in ("SEED", "DEVICE", "SMOKE", "PYTHONHASHSEED", "MPLBACKEND"):
            print(name, os.environ.get(name))

    # %% tags=["plot"]
    if __name__ == "__main__":
        from IPython.display import publish_display_data
        publish_display_data({"image/png": b"PNG"}, {"image/png": {"alt": "A dot."}})
        sorted({"one", "two"}, key=hash)
    '''
BAD = '''
# %%
from implementations.core.lib import divide


def half(x):
    """Half."""
    return x / 0


# %%
# Comes off:
if __name__ == "__main__":
    text = """
not dedented
    """
    print(
        text,
        {fault},
    )

# %%
if __name__ == "__main__":
    print("never reached")
'''
FAULTS = {
    "directly": ("1 / 0", ":18: ZeroDivisionError: division by zero"),
    "deeper": (
        "divide(1, 0)",
        ":18: ZeroDivisionError: division by zero "
        "(raised at implementations/core/lib.py:2)",
    ),
    "earlier": (
        "half(1)",
        ":18: ZeroDivisionError: division by zero "
        "(raised at implementations/earlier.py:7)",
    ),
    "beyond": (
        "__import__('json').loads('{')",
        ":18: JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
    ),
    "compiles": ("(yield)", ":18: SyntaxError: 'yield' outside function"),
    "leaves": ("__import__('sys').exit()", ":18: SystemExit"),
    "dies": (
        "__import__('os')._exit(1)",
        ":11: the kernel died in this cell (no memory?)",
    ),
    "shows": (
        "object()",
        ":11: `object at 0x_` changes with every run: show something else",
    ),
}


class Execution(NamedTuple):
    """A run over all papers: what it told and wrote."""

    project: SmallProject
    status: int
    out: list[str]
    err: list[str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Execution:
    """Execute one good paper and many bad ones, all of which had notebooks before."""
    project = SmallProject.make(tmp_path_factory.mktemp("execute"))
    project.write("core/lib.py", "def divide(x, y):\n    return x / y\n")
    project.write("good.py", GOOD)
    for name, (fault, _) in FAULTS.items():
        project.write(f"{name}.py", BAD.replace("{fault}", fault))
        project.path(name).parent.mkdir(parents=True, exist_ok=True)
        project.path(name).write_text(f"before: {name}\n")
    process = project.start("device='cpu'", SMOKE="1", SEED="3", MPLBACKEND="agg")
    out, err = process.communicate(timeout=300)
    return Execution(project, process.returncode, out.splitlines(), err.splitlines())


def test_a_failing_notebook_is_told_once_with_its_line(ran: Execution) -> None:
    told = [re.sub("0x[0-9a-f]+", "0x_", line) for line in ran.err]
    assert sorted(told) == sorted(
        f"implementations/{name}.py{message}" for name, (_, message) in FAULTS.items()
    )
    assert ran.status == 1


def test_the_others_are_written_and_failed_ones_stay(ran: Execution) -> None:
    assert [re.sub(r"\d+", "_", line) for line in ran.out] == ["good: executed in _ s"]
    folder = ran.project.path("good").parent
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert (
        "good" in json.loads(files.pop("good.ipynb"))["cells"][1]["source"][0].lower()
    )
    assert files == {f"{name}.ipynb": f"before: {name}\n" for name in FAULTS}


def test_an_executed_notebook_has_its_outputs_and_is_fresh(ran: Execution) -> None:
    made = nbformat.read(ran.project.path("good"), as_version=4)
    nbformat.validate(made)
    setup, _, imports, prints, plot = made.cells
    assert not setup.outputs and not imports.outputs
    assert [dict(output) for output in prints.outputs] == [
        {
            "output_type": "stream",
            "name": "stdout",
            "text": "2.0 []\nSEED 3\nDEVICE cpu\nSMOKE None\nPYTHONHASHSEED 0\n"
            "MPLBACKEND module://matplotlib_inline.backend_inline\n",
        }
    ]
    picture, value = plot.outputs
    assert picture.data == {"image/png": "UE5H"}
    assert picture.metadata == {"image/png": {"alt": "A dot."}}
    assert value.output_type == "execute_result"
    assert value.execution_count == plot.execution_count == 4
    assert ran.project.read("good").state == "fresh"


def test_the_stamp_says_what_it_ran_on(ran: Execution) -> None:
    stamp = nbformat.read(ran.project.path("good"), as_version=4).metadata.stamp
    assert stamp.pop("seconds") in range(1, 100)
    executed = datetime.date.fromisoformat(stamp.pop("executed"))
    assert abs(executed - datetime.date.today()) <= datetime.timedelta(days=1)
    assert stamp.pop("changed") == executed.isoformat()
    paper = ran.project.read("good")
    assert stamp.pop("fingerprint") == paper.fingerprint
    assert stamp.pop("experiments") == paper.experiments
    assert set(stamp.pop("trace")) == {"losses", "claims", "text"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", stamp.pop("torch"))
    assert re.fullmatch(r"3\.\d+", stamp.pop("python"))
    assert stamp == {"device": "cpu", "seed": 3}


def test_the_same_notebook_again_is_the_same_file(ran: Execution) -> None:
    def lasting(text: str) -> str:
        return re.sub(r'"(executed|seconds)": .*', "", text)

    path: Path = ran.project.path("good")
    # Its code is older than this run of it, and stays so.
    first = re.sub(
        '"changed": ".*"', '"changed": "2020-01-01"', path.read_text("utf-8")
    )
    path.write_text(first, "utf-8")
    process = ran.project.start("only='good'", "force=True", SEED="3", DEVICE="cpu")
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, ""), out
    assert lasting(path.read_text("utf-8")) == lasting(first)


def test_a_hung_cell_ends_with_the_time_limit(project: SmallProject) -> None:
    project.write("hung.py", "# %%\nimport time\n\n# %%\nx = 1\ntime.sleep(300)\n")
    process = project.start("limit=3.0")
    out, err = process.communicate(timeout=60)
    expected = "implementations/hung.py:5: the time limit came while this cell ran\n"
    assert (process.returncode, out, err) == (1, "", expected)
    assert not project.path("hung").exists()
