"""An edit makes exactly those notebooks stale that run what was edited."""

from __future__ import annotations

import json

import pytest

from scripts.papers.cells import CellError
from tests.support.small_project import SmallProject

MODULES = {
    "core/__init__.py": """
        from .nets import mlp
        """,
    "core/nets.py": '''
        """Networks."""
        import math
        from functools import partial as bind

        WIDTH = 8
        SCALES = {"a": 1.0}
        SCALES["b"] = 2.0

        def _layer(n):
            """One layer."""
            return math.exp(n)  # grows

        def mlp(*sizes):
            return [_layer(size) for size in sizes]

        def wide(n, layer=bind(max, WIDTH)):
            return layer(n)

        def shadow(mlp):
            return [mlp for WIDTH in mlp]

        class Net:
            """A network."""

            rate = SCALES["a"]

            def forward(self, x):
                """Run."""
                return self.helper(x)

            def helper(self, x):
                return mlp(x)
        ''',
    "core/plots.py": """
        from implementations.core import style

        def show(fig, alt):
            from implementations.core.png import encode
            return encode(fig, alt)

        def line(x):
            return x
        """,
    "core/png.py": """
        def encode(fig, alt):
            return fig, alt

        def decode(png):
            return png
        """,
    "core/style.py": """
        LOOK = {}
        LOOK.update(grey=1)

        def unused():
            return LOOK
        """,
    "plain.py": """
        # %%
        x = 1 + 1
        x
        """,
    "made.py": """
        # %% [markdown]
        # # MADE

        # %%
        from implementations.core.nets import mlp


        # %%
        def made(n):
            \"\"\"MADE.\"\"\"
            return mlp(n)


        # %%
        if __name__ == "__main__":
            print(made(2))
        """,
    "maf.py": """
        # %%
        import implementations.core.plots as plots
        from .core.nets import Net, WIDTH
        from .made import made

        # %%
        if __name__ == "__main__":
            plots.show(Net().forward(WIDTH), made(3))
        """,
    "nsf.py": """
        # %%
        from implementations.core import mlp, nets

        # %%
        if __name__ == "__main__":
            import implementations.core.png
            print(nets.wide(2), implementations.core.png.decode(mlp(1)))
        """,
    "iaf.py": """
        # %%
        from implementations.core import plots

        # %%
        if __name__ == "__main__":
            print(getattr(plots, "line")(2))
        """,
    "nice.py": """
        # %%
        from implementations.core.nets import shadow

        # %%
        if __name__ == "__main__":
            print(shadow([1]))
        """,
    "glow.py": """
        # %%
        from implementations.core.nets import *

        # %%
        if __name__ == "__main__":
            print(shadow([1]))
        """,
}
PAPERS = ["glow", "iaf", "made", "maf", "nice", "nsf", "plain"]
CORE = "glow iaf made maf nice nsf"
NETS, PLOTS, PNG = "core/nets.py", "core/plots.py", "core/png.py"

EDITS = {
    # What changes nothing that runs.
    "docstring of a module": (NETS, '"""Networks."""', '"""Nets."""', ""),
    "docstring of a function": (NETS, '"""One layer."""', '"""1."""', ""),
    "docstring of a class": (NETS, '"""A network."""', "", ""),
    "docstring of a method": (NETS, '"""Run."""', '"""R."""', ""),
    "docstring of a notebook's function": ("made.py", '"""MADE."""', '"""M."""', ""),
    "comment": (NETS, "# grows", "# explodes", ""),
    "formatting": (NETS, "[_layer(size) for", "[\n\n _layer(size) for", ""),
    "quotes": (NETS, '{"a": 1.0}', "{'a': 1.0,}", ""),
    "prose": ("made.py", "# # MADE", "# # Made\n#\n# Anew.", ""),
    "new cell of prose": ("made.py", "# # MADE", "# # MADE\n# %% [markdown]\n# a", ""),
    "new definition": (NETS, "WIDTH = 8", "WIDTH = 8\ndef new(): pass", "glow"),
    "an import more": (NETS, "import math", "import math, cmath", "glow"),
    # Definitions.
    "function": (NETS, "in sizes", "in sizes[1:]", "made maf nsf glow"),
    "function behind a function": (NETS, "math.exp(n)", "n", "made maf nsf glow"),
    "import": (NETS, "import math", "import cmath as math", "made maf nsf glow"),
    "default": (NETS, "bind(max", "bind(min", "nsf glow"),
    "constant in a default": (NETS, "WIDTH = 8", "WIDTH = 9", "maf nsf glow"),
    "constant that is changed": (NETS, '"a": 1.0', '"a": 2.0', CORE),
    "change of a constant": (NETS, '["b"] = 2.0', '["b"] = 3.0', CORE),
    "method": (NETS, "return mlp(x)", "return mlp(x, x)", "maf glow"),
    "attribute of a class": (NETS, 'SCALES["a"]', 'SCALES["b"]', "maf glow"),
    "function that shadows": (NETS, "[mlp for", "[1 for", "nice glow"),
    "function used as an attribute": (PLOTS, "encode(fig, alt)", "fig", "maf iaf"),
    "function that is not used": (PLOTS, "return x", "return -x", "iaf"),
    "import in a function": (PNG, "return fig, alt", "return alt, fig", "maf iaf"),
    "dotted import": (PNG, "return png", "return not png", "nsf"),
    "effect of importing": ("core/style.py", "grey=1", "grey=2", "maf iaf"),
    "not run by an effect": ("core/style.py", "return LOOK", "return 1", "iaf"),
    "new effect": ("core/__init__.py", "mlp\n", "mlp\nprint(1)\n", CORE),
    # The notebook itself, and papers that build on it.
    "experiment": ("made.py", "print(made(2))", "print(made(3))", "made"),
    "paper's definition": ("made.py", "return mlp(n)", "return mlp(n, n)", "made maf"),
    "shown value": ("plain.py", "1\nx\n", "1\n-x\n", "plain"),
    "cells split": ("plain.py", "1\nx\n", "1\n# %%\nx\n", "plain"),
    "shown constant": ("plain.py", "1\nx\n", "1\nx\n3\n", "plain"),
}


@pytest.fixture
def papers(project: SmallProject) -> SmallProject:
    """Return a project whose notebooks are all fresh."""
    for path, text in MODULES.items():
        project.write(path, text)
    project.commit(*PAPERS)
    assert not project.stale()
    return project


@pytest.mark.parametrize(("path", "old", "new", "stale"), EDITS.values(), ids=EDITS)
def test_edit(papers: SmallProject, path: str, old: str, new: str, stale: str) -> None:
    papers.edit(path, old, new)
    assert papers.stale() == set(stale.split())


def test_a_paper_follows_its_recorded_results(papers: SmallProject) -> None:
    def results(*values: float, **stamp: str) -> str:
        claims = [{"text": "a gap", "values": values}]
        return json.dumps({"seeds": [0], "claims": claims} | stamp)

    path = papers.write("results/made.json", results(0.1))
    assert papers.stale() == {"made"}
    papers.commit("made")
    path.write_text(results(0.1, replayed="2026-01-31"))
    assert papers.stale() == set()
    path.write_text(results(0.2))
    assert papers.stale() == {"made"}


def test_results_that_are_no_json_are_named(papers: SmallProject) -> None:
    papers.write("results/made.json", '{\n"seeds": [0],\n<<<<<<< HEAD\n')
    with pytest.raises(CellError, match=r"results/made\.json:3: is no JSON: restore"):
        papers.read("made")


REACHING = {
    "attribute of an attribute": ("import implementations.lib as lib", "lib.A.f"),
    "alias": ("from implementations.lib import A as B", "B().f()"),
    "package as such": ("import implementations.lib", "implementations.lib.A.f(1)"),
    "in a default": ("from implementations.lib import A", "lambda a=A: a"),
    "in a comprehension": ("from implementations.lib import A", "[A for _ in 'ab']"),
    "in an f-string": ("from implementations.lib import A", "f'{A.f!r:>{3}}'"),
    "in an annotation": ("from implementations.lib import A", "def h(a: A): ..."),
    "in a decorator": ("from implementations.lib import A", "@A\n    def h(): ..."),
    "as a base": ("from implementations.lib import A", "class C(A): ..."),
    "assigned to": ("import implementations.lib as lib", "lib.A.f = 1"),
    "what does not exist": ("import implementations.lib as lib", "lib.missing"),
    "the module itself": ("import implementations.lib as lib", "vars(lib)"),
    "conditional": ("if True:\n    from implementations.lib import A", "A"),
    "one of two": (
        "try:\n    import none as lib\nexcept ImportError:\n"
        "    import implementations.lib as lib",
        "lib.A",
    ),
    "global": ("from implementations.lib import A", "global A; A = A"),
    "constant": ("from implementations.lib import A\nB = [A]", "B"),
    "unpacked": ("from implementations.lib import A\nB, *C = A, 1", "C"),
    "added to": ("from implementations.lib import A\nB = []\nB += [A]", "B"),
    "all that it offers": ("from implementations.lib import *", "A"),
    "before a semicolon": (
        "from implementations.lib import A\nB = [A]; C = '''\n'''",
        "B",
    ),
    "after a semicolon": (
        "from implementations.lib import A\nC = '''\n'''; B = [A]",
        "B",
    ),
    "set by an effect": ("from implementations.lib import A\nB = {}\nB[1] = A", "1"),
}


@pytest.mark.parametrize("depth", ["in the notebook", "in a module"])
@pytest.mark.parametrize(("imported", "use"), REACHING.values(), ids=REACHING)
def test_reaches(project: SmallProject, depth: str, imported: str, use: str) -> None:
    code = f"{imported}\n\ndef g():\n    {use}\n    return 1\n"
    project.write("lib.py", "# %%\nclass A:\n    def f(self):\n        return 1\n")
    if depth == "in a module":
        project.write("core/g.py", code)
        code = "from implementations.core.g import g\ng()\n"
    project.write("paper.py", f"# %%\n{code}")
    project.commit("lib", "paper")
    project.edit("lib.py", "return 1", "return 2")
    assert "paper" in project.stale()


UNREACHED = {
    "argument": "def g(A): return A",
    "local": "def g():\n    A = 1\n    return lambda: A",
    "loop": "def g(): return [A for A in 'ab']",
    "attribute": "def g(x): return x.A",
    "keyword": "def g(x): return x(A=1)",
    "string": "def g(): return 'A'",
    "other function": "def g(): return 1\n\ndef h(): return A",
    "same line": "B = [A]; g = str",
    "guarded": "def g(): return 1\n\nif __name__ == '__main__':\n    print(A)",
}


@pytest.mark.parametrize("code", UNREACHED.values(), ids=UNREACHED)
def test_does_not_reach(project: SmallProject, code: str) -> None:
    project.write("core/lib.py", "class A:\n    x = 1\n")
    project.write("core/g.py", f"from implementations.core.lib import A\n\n{code}\n")
    project.write("paper.py", "# %%\nfrom implementations.core.g import g\ng(1)\n")
    project.commit("paper")
    project.edit("core/lib.py", "x = 1", "x = 2")
    assert not project.stale()


def test_a_module_is_reached_whole_though_it_imports_a_star(
    project: SmallProject,
) -> None:
    project.write("core/lib.py", "from math import *\n\ndef f():\n    return 1\n")
    project.write("paper.py", "# %%\nfrom implementations.core import lib\nlib\n")
    project.commit("paper")
    project.edit("core/lib.py", "return 1", "return 2")
    assert project.stale() == {"paper"}
    project.commit("paper")
    project.edit("core/lib.py", "from math", "from cmath")
    assert project.stale() == {"paper"}


def test_imports_in_a_circle_end(project: SmallProject) -> None:
    project.write("core/a.py", "from implementations.core.b import f as g\nf = 1\n")
    project.write("core/b.py", "import implementations.core.a\nfrom .a import f\n")
    project.write("paper.py", "# %%\nfrom implementations.core.a import g\ng\n")
    project.commit("paper")
    project.edit("core/a.py", "f = 1", "f = 2")
    assert project.stale() == {"paper"}


def test_a_broken_module_is_named_with_its_line(project: SmallProject) -> None:
    project.write("core/lib.py", "x = 1\ny = (\n")
    project.write("paper.py", "# %%\nfrom implementations.core.lib import x\nx\n")
    with pytest.raises(CellError) as error:
        project.read("paper")
    expected = "implementations/core/lib.py:2: SyntaxError: '(' was never closed"
    assert str(error.value) == expected


SYNTAX = r"""
    import functools as ft
    from os.path import *

    def f(a, /, b: int = 1, *args, c=None, d, **kwargs) -> "str":
        '''Doc.'''
        global G
        G = 1.5e300, -0.0, 2j, b"\0", True, ..., None, 10**20, "é\U0001f600\u200b\ud800"
        return f"a{{}}" "b" f"{a!r:>{b}.{c}}" f"{d = }" f"" + u"u" + f"{a:}{b:x}{c}"

    @ft.wraps(f)
    async def g(x, y=lambda z, *, k=1: (yield z)):
        async with x as (a, *b), y: pass
        return [i async for i in x if i if (j := i)], {**x, "k": 1}, x[1:2, ::3, ...]

    class C(list, metaclass=type):
        n: int
        m: "list[int]" = [1]

        def h(self):
            try:
                assert self, "no"
            except* (ValueError, TypeError) as error:
                raise KeyError from error
            else:
                del self.x[0]
            finally:
                pass
            while not self or self in (1,) and self is not None:
                break
            match self:
                case {"a": [1, *_], **rest} if rest: return rest
                case C(m=2) | None | [*_, -1.5] as last: return last
    """


def test_every_python_gives_the_same_fingerprint(project: SmallProject) -> None:
    project.write("core/all.py", SYNTAX)
    project.write("paper.py", "# %%\nfrom implementations.core import all\nall\n")
    assert project.read("paper").fingerprint == "27bb744e4940f7de"
