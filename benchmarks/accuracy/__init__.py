"""Accuracy: flows are fitted to densities that are known."""
