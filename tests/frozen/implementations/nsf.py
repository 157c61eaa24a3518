"""Stands for the paper's file, where a test needs its name and what it imports."""

from implementations.made import Autoregressive
from implementations.nice import Coupling

__all__ = ["Autoregressive", "Coupling"]
