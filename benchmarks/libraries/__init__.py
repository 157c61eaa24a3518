"""Flows of four libraries, called and built alike.

`model.py` says how a flow is called, whichever library it comes from. A module a
library builds them: `WHOLE` from the library's own parts, as its users would, `BARE`
with equal layers in all libraries. `families.py` gathers them by family.
"""
