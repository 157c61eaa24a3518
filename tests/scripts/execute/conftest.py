"""A project of its own for every test."""

from tests.scripts.papers.conftest import project

__all__ = ["project"]
