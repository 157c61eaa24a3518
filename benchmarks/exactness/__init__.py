"""Exactness and robustness: the same questions to all libraries."""
