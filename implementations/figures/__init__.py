"""The project's own pictures, drawn from trained flows by `make figures`."""
