"""Notebooks become HTML side by side, and share what nbconvert would do for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import jinja2
from jinja2.ext import Extension
from nbconvert.exporters import templateexporter

# What forked processes make, by name; nothing of it can be sent to them.
_makers: Mapping[str, Callable[[], str]]


def side_by_side(makers: Mapping[str, Callable[[], str]]) -> Mapping[str, str]:
    """Return what each makes, by name, from all cores.

    Those that raise are left out, so that who makes them again can say what is wrong.
    Where processes cannot be forked, all are left out.
    """
    global _makers
    if not (makers and sys.platform.startswith("linux")):
        return {}
    _makers = makers
    with get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        made = pool.map(_made, makers, chunksize=1)
    return {name: html for name, html in zip(makers, made, strict=True) if html}


def _made(name: str) -> str:
    try:
        return _makers[name]()
    except Exception:
        return ""


def prepare(cache: Path) -> None:
    """Let nbconvert compile its templates once, and validate a notebook once.

    It would do both anew at each notebook, for almost half of the time that one takes.
    Compiled templates go into the folder `cache`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    SharedTemplates.compiled = jinja2.FileSystemBytecodeCache(str(cache))
    name = f"{__name__}.{SharedTemplates.__name__}"
    if name not in templateexporter.JINJA_EXTENSIONS:
        templateexporter.JINJA_EXTENSIONS.append(name)
    os.environ["JUPYTER_CONFIG_PATH"] = str(Path(__file__).parent / "jupyter")


class SharedTemplates(Extension):
    """Part of an environment of Jinja, which takes compiled templates of the others."""

    compiled: ClassVar[jinja2.BytecodeCache]

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        environment.bytecode_cache = self.compiled
