"""A paper's gaps are listed with file and remedy, whatever its state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.base.files import write_atomic
from scripts.execute.claims import results
from scripts.execute.claims.results import Finished
from scripts.execute.trace import Trace
from scripts.scaffold.checklist import CHECKS, everything_left, lacking, not_in_git
from tests.support.small_project import SmallProject

CATALOGUE = """\
tags: {coupling: Halves}
publications:
  - id: made
    title: Made
    authors: [Ada Lovelace]
    date: 2015-02-12
    url: https://example.org/made
    tags: [coupling]
    added: 2026-01-01
    note: Masks.
videos: []
blogs: []
code: []
"""
MODULE = """\
    # %% [markdown]
    # # MADE: masks make a network autoregressive

    # %%
    def made(dim: int) -> int:
        return dim

    # %% A caption tags=["plot"]
    if __name__ == "__main__":
        print("drawn")
    """
FILES = {
    "resources.yaml": CATALOGUE,
    "tests/papers/made/test_facts.py": "",
    "docs/reference/examples/made.py": '"""Source: §4."""',
    "implementations/registrations/made.py": """\
REGISTRATION = Registration(
    family="Autoregressive flows",
    cases={"made, 2-d": Case(lambda: made(2))},
    compared=(Compared("MADE", "masks", made),),
    examined=(Examined("MADE", made),),
)
""",
    "docs/compare.md": "## Which flow\n\n"
    '{% call show.need("Binary data", "made", "MADE") %}Why.{% endcall %}\n\n'
    "## Our flows\n",
    "benchmarks/results/flows.json": '{"flows": [{"paper": "made", "name": "MADE"}]}',
    "benchmarks/results/gaps.json": '{"gaps": [{"paper": "made", "name": "MADE"}]}',
    "benchmarks/results/exactness.json": '{"findings": [{"library": "zuko", '
    '"flow": "MAF"}, {"library": "ours", "flow": "MADE"}]}',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one paper that lacks nothing."""
    project = SmallProject.make(tmp_path)
    for name, text in FILES.items():
        write_atomic(tmp_path / name, text)
    project.write("made.py", MODULE)
    claim(tmp_path, 5)
    project.commit("made")
    return tmp_path


def claim(root: Path, seeds: int, value: float = 1.0, **changed: object) -> None:
    """Write results as if so many seeds had run."""
    (code,) = results.codes(root, ["made"]).values()
    stamp = results.stamp(code, Trace([], [], ""))
    found = None
    for seed in range(seeds):
        claims = [{"text": "small", "bound": {"below": 2}, "value": value}]
        facts = {"python": "3.11", "torch": "2.13.0", "device": "cpu"}
        finished = Finished(seed, 1, claims, facts)
        found = results.with_seed(found, stamp, finished)
    assert found
    write_atomic(results.path(root, "made"), json.dumps(found | changed))


def edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new, 1), "utf-8")

    return change


def remove(file: str) -> Callable[[Path], None]:
    return lambda root: (root / file).unlink()


PAPER = "implementations/made.py"
REGISTRATION = "implementations/registrations/made.py"
BAD = {
    "implementation: no file": (
        remove(PAPER),
        f"{PAPER}: is missing (draft it: make new ID=made)",
    ),
    "implementation: no Python": (
        edit(PAPER, "return dim", "return ("),
        f"{PAPER}:6: SyntaxError: ",
    ),
    "prose: a draft's heading": (
        edit(PAPER, "masks make a network autoregressive", "what it does"),
        f'{PAPER}:2: still says what the draft says (say in a few words, "Name: ',
    ),
    "prose: a draft's text": (
        edit(PAPER, "\n\n# %%", "\n#\n# Say here what the paper adds\n\n# %%"),
        f"{PAPER}:4: still says what the draft says (say what the paper adds",
    ),
    "heading: no name": (
        edit(PAPER, "MADE: masks", "Masks"),
        f'{PAPER}:2: has the heading "Masks make a network autoregressive" (write it',
    ),
    "heading: a long name": (
        edit(PAPER, "MADE:", "Masked autoencoders for densities:"),
        'its name "Masked autoencoders for densities" has 33 characters, at most 24',
    ),
    "heading: a long heading": (
        edit(PAPER, "autoregressive", "autoregressive, and that is the whole of it"),
        f"{PAPER}:2: its heading has 70 characters, at most 64 (write it as",
    ),
    "builder: no builder": (
        edit(PAPER, "def made", "def make"),
        f"{PAPER}: has no function made (let `made(dim, …)` build the flow)",
    ),
    "figure: none": (
        edit(PAPER, ' tags=["plot"]', ""),
        f"{PAPER}: has no figure (draw one in a cell",
    ),
    "prose: a draft's figure": (
        edit(PAPER, '"drawn"', '"Say here what there is to see."'),
        f"{PAPER}:10: still says what the draft says (say it, for those who cannot",
    ),
    "example: none": (
        remove("docs/reference/examples/made.py"),
        "docs/reference/examples/made.py: is missing (show there in a few lines how",
    ),
    "example: a draft's": (
        edit("docs/reference/examples/made.py", "§4.", "Say here where it stands."),
        "docs/reference/examples/made.py: still says what the draft says (name the",
    ),
    "facts: no facts": (
        remove("tests/papers/made/test_facts.py"),
        "tests/papers/made/test_facts.py: is missing (test there what the paper states",
    ),
    "registration: none": (
        remove(REGISTRATION),
        f"{REGISTRATION}: is missing (write it as implementations/registrations/nice",
    ),
    "registration: no Python": (
        edit(REGISTRATION, "lambda", "lamda"),
        f"{REGISTRATION}:3: SyntaxError: ",
    ),
    "registration: no family": (
        edit(REGISTRATION, "Autoregressive flows", "Flows"),
        f'{REGISTRATION}:2: expected a family, one of "Coupling flows", ',
    ),
    "contract: no case": (
        edit(REGISTRATION, '"made, 2-d": Case(lambda: made(2))', ""),
        f'{REGISTRATION}: has no case of the contract (add "made, 2-d": Case(lambda: '
        "made(2)),)",
    ),
    "claims: no JSON": (
        edit("implementations/results/made.json", "{", "<<<<<<< HEAD"),
        "implementations/results/made.json:1: is no JSON: restore it, or delete it",
    ),
    "claims: no claims yet": (
        remove("implementations/results/made.json"),
        "implementations/results/made.json: is missing (run make claims ONLY=made)",
    ),
    "claims: claims of other code": (
        lambda root: claim(root, 5, fingerprint="old"),
        f"results/made.json: came from other code than today's {PAPER} (run",
    ),
    "claims: three seeds": (
        lambda root: claim(root, 3),
        "results/made.json: has 3 of 5 seeds (run make claims ONLY=made)",
    ),
    "claims: no claim": (
        lambda root: claim(root, 5, claims=[]),
        f"{PAPER}: claims nothing (measure it: claim(…, below=…))",
    ),
    "claims: a broken claim": (
        lambda root: claim(root, 5, 3.0),
        "made.json: 5 claims do not hold: small: 3 under seed 0, claimed below 2 (mend",
    ),
    "notebook: no notebook yet": (
        remove("docs/notebooks/made.ipynb"),
        "docs/notebooks/made.ipynb: is missing (run make notebooks ONLY=made)",
    ),
    "notebook: a notebook of other code": (
        edit("docs/notebooks/made.ipynb", '"fingerprint": "', '"fingerprint": "0'),
        f"made.ipynb: was not executed with today's {PAPER} (run make notebooks",
    ),
    "notebook: a notebook of other prose": (
        edit("docs/notebooks/made.ipynb", "masks make", "masks made"),
        f"made.ipynb: has other prose than today's {PAPER} (run make notebooks",
    ),
    "guide: no guide": (
        edit("docs/compare.md", '"made", "MADE"', '"maf", "MADE"'),
        'docs/compare.md: "Which flow should I use?" does not lead to made (say when',
    ),
    "guide: a guide elsewhere": (
        edit(
            "docs/compare.md",
            '{% call show.need("Binary',
            '## Our flows\n{% call show.need("Binary',
        ),
        'docs/compare.md: "Which flow should I use?" does not lead to made (say when',
    ),
    "compared: nothing": (
        edit(REGISTRATION, 'Compared("MADE", "masks", made),', ""),
        f"{REGISTRATION}: compares no flow (add compared=(Compared(…),), or unmeasured",
    ),
    "compared: and a reason": (
        edit(REGISTRATION, "    compared", '    unmeasured="Never.",\n    compared'),
        f"{REGISTRATION}: says that its flows are not measured, and they are (remove",
    ),
    "measured: no times": (
        edit("benchmarks/results/flows.json", '"MADE"', '"MAF"'),
        "benchmarks/results/flows.json: has no row of MADE (run .venv/bin/python -m "
        "benchmarks.flows, which takes minutes; or, without a quiet machine, "
        'unmeasured="…" in the registration, and a maintainer measures it)',
    ),
    "measured: no gap": (
        edit("benchmarks/results/gaps.json", '"MADE"', '"MAF"'),
        "benchmarks/results/gaps.json: has no row of MADE (run .venv/bin/python -m "
        'benchmarks.gaps --only "MADE", which takes minutes; or, without a quiet',
    ),
    "examined: not examined": (
        edit(REGISTRATION, 'Examined("MADE", made),', ""),
        f"{REGISTRATION}: asks no flow how exact it is (add examined=(Examined(…),))",
    ),
    "examined: no answers": (
        edit("benchmarks/results/exactness.json", '"MADE"', '"MAF"'),
        "benchmarks/results/exactness.json: has no row of MADE (run .venv/bin/python "
        '-m benchmarks.exactness --only "MADE", which takes minutes; or, without',
    ),
}


def test_a_whole_paper_lacks_nothing(root: Path) -> None:
    assert lacking(root, "made") == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_lacking_is_told_first(name: str, root: Path) -> None:
    """Consequences may be listed after it."""
    spoil, told = BAD[name]
    spoil(root)
    assert told in str(lacking(root, "made")[0])
    if not name.endswith(("no Python", "no JSON", "no family")):  # stop at their line
        assert told in str(CHECKS[name.partition(":")[0]](root, "made"))


def test_every_check_is_seen_to_fail() -> None:
    assert {name.partition(":")[0] for name in BAD} == CHECKS.keys()


def test_images_need_no_gap_and_what_is_not_measured_needs_nothing(root: Path) -> None:
    file = root / REGISTRATION
    text = file.read_text("utf-8")
    edit("benchmarks/results/gaps.json", '"MADE"', '"MAF"')(root)
    for shape in (", made, IMAGE)", ", build=made, shape=IMAGE)"):
        file.write_text(text.replace('"masks", made)', f'"masks"{shape}'), "utf-8")
        assert lacking(root, "made") == []
    edit(REGISTRATION, "Examined", "Other")(root)
    head, _, _ = text.partition("    compared")
    file.write_text(f'{head}    unmeasured="Not yet.",\n)\n', "utf-8")
    assert lacking(root, "made") == []


@pytest.mark.parametrize("file", ["flows", "gaps", "exactness"])
def test_what_waits_for_a_maintainer_needs_no_results(file: str, root: Path) -> None:
    edit(REGISTRATION, "    compared", '    unmeasured="Not yet.",\n    compared')(root)
    edit(f"benchmarks/results/{file}.json", '"MADE"', '"MAF"')(root)
    assert lacking(root, "made") == []


def test_what_is_examined_and_not_compared_needs_its_answers(root: Path) -> None:
    file = root / REGISTRATION
    text = file.read_text("utf-8").replace(
        'compared=(Compared("MADE", "masks", made),)', 'unmeasured="Of weights."'
    )
    file.write_text(text, "utf-8")
    assert lacking(root, "made") == []
    edit("benchmarks/results/exactness.json", '"MADE"', '"MAF"')(root)
    (lack,) = lacking(root, "made")
    assert lack.remedy.endswith('exactness --only "MADE", which takes minutes')


def test_files_that_are_not_in_git_are_told_last(root: Path) -> None:
    assert not_in_git(root, "made") is None  # there is no repository
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    (last,) = everything_left(root, "made")
    assert last.file == PAPER and last.problem == "is not in git yet"
    for file in (REGISTRATION, "docs/notebooks/made.ipynb"):
        assert file in last.remedy
    subprocess.run([*git, *last.remedy.split()[1:]], check=True)
    assert everything_left(root, "made") == []
