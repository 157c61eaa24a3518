"""Which paper a case of the contract belongs to."""

from __future__ import annotations

from scripts.base.project import ROOT
from scripts.scaffold.cases import FILE, owners, unasked
from tests.flows.cases import UNASKED

SOURCE = """
from functools import partial

from implementations.core.bijection import Compose
from implementations.maf import maf
from implementations.nice import Coupling, Shift
from implementations.nsf import Spline as Curve

small = partial(Shift)
bare = 3

def bent(dim: int) -> Compose:
    return Compose(Curve(dim))

CASES: dict[str, Case] = {
    "coupling": Case(lambda: Coupling(4, Shift(), small)),
    "spline coupling": Case(lambda: Coupling(4, Curve(5), small)),
    "partial": Case(partial(maf, 2), exempt=ANY),
    "helper": Case(bent),
    "constant": Case(lambda: small(bare)),
    "core": Case(lambda: Compose()),
}
"""


def test_a_case_belongs_to_the_newest_paper_of_what_it_is_made_of() -> None:
    assert owners(SOURCE, ["nice", "maf", "nsf"]) == {
        "coupling": "nice",
        "spline coupling": "nsf",
        "partial": "maf",
        "helper": "nsf",
        "constant": "nice",
    }
    assert owners(SOURCE, ["nsf", "nice"])["spline coupling"] == "nice"


def test_every_case_of_ours_that_is_called_by_a_paper_is_of_that_paper() -> None:
    papers = ["nice", "made", "vi_flows", "real_nvp", "iaf", "mnf", "maf", "glow"]
    papers += ["gnf", "nsf", "flows_review"]
    found = owners((ROOT / FILE).read_text("utf-8"), papers)
    called = {name: name.split(",")[0] for name in found}
    for name, first in called.items():
        if first in papers:
            assert found[name] == first
    assert set(found.values()) == set(papers)


FLOWS = {
    "implementations/nice.py": """
class Coupling(Bijection): ...
class Even(Coupling): ...
class Odd(core.Bijection): ...
class Curved(Data): ...
class Shift: ...
class Alone(Bijection): ...
class Measured(Bijection): ...

def nice(dim):
    return [Layer(dim)]

Layer = partial(Even)

if __name__ == "__main__":
    Measured()
""",
    "implementations/core/bijection.py": "class Data(Bijection): ...",
}
ASKING = """
from implementations.nice import Odd as Uneven, nice

UNASKED: dict[str, str] = {"Alone": "is no map of all numbers"}

def odd():
    return Uneven()

CASES: dict[str, Case] = {"nice": Case(lambda: nice(2)), "odd": Case(odd)}
"""


def test_maps_that_no_case_builds_are_named() -> None:
    nice = "implementations/nice.py"
    assert unasked(ASKING, FLOWS, nice) == ["Curved", "Measured"]
    none = ASKING.replace("nice(2)", "0").replace("odd)}", "0)}")
    left = ["Coupling", "Even", "Odd", "Curved", "Measured"]
    assert unasked(none, FLOWS, nice) == left


def test_reasons_name_maps_that_no_case_builds() -> None:
    source = (ROOT / FILE).read_text("utf-8")
    files = sorted((ROOT / "implementations").glob("*.py"))
    flows = {f"implementations/{file.name}": file.read_text("utf-8") for file in files}
    bare = source.replace("UNASKED: ", "SAID: ")
    found = [name for file in flows for name in unasked(bare, flows, file)]
    assert found == [*UNASKED]
