"""The papers' models at the papers' size: tables reproduced, on one process or many.

`python -m implementations.scale --list` shows the recipes; the same command under
`torchrun` shares one of them among processes. What it has learned is kept as it goes.
"""
