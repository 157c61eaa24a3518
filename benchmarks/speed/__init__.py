"""Speed and memory of flows."""
