"""Stands for the paper's file, where a test needs its name and what it imports."""

from implementations.nice import Coupling

__all__ = ["Coupling"]
