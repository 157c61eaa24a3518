"""Reference implementations, one file per paper; each is also its notebook."""
