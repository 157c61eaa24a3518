"""Compiled: flows under torch.compile beside the same flows as they are."""
